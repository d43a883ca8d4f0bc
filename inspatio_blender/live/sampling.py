"""The cameras of a shot while the artist works: read without touching the scene in front of them.

Generate sets the scene's frame, evaluates everything and reads the camera. A preview may not: after every edit it
would lose the pose that is not keyed yet, and evaluate every mesh of the scene. Measured over 97 frames, half a million
animated vertices and 300 objects beside the camera (bpy 5.2): setting the frame takes 1,060 ms a frame. So there are
two ways, neither of which changes a value of the scene:

    curves   a camera and parents that nothing but F-curves move: those are evaluated, 0.01 ms a frame
    aside    any other: in a scene of its own, made and removed again within a step, that holds the cameras alone.
             Blender evaluates what they depend on and nothing else, 0.02 ms a frame for one with a constraint. Blender
             finds out anew then what depends on what in the scene, which takes 20 to 50 ms with 300 objects: hence
             the other way

Both take what has keys from its keys, and what has none as it is now. Main thread only.
"""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import bpy
import numpy as np
from mathutils import Euler, Matrix, Quaternion, Vector

from .. import time_keys
from ..cameras import (
    CameraError,
    check_camera,
    intrinsics,
    render_frame,
    set_frame,
    worlds_to_camera,
)
from ..curves import find_curves

SLICE_S = 0.003
"""How long a step takes, about."""

MOVING = {"location", "rotation_euler", "rotation_quaternion", "rotation_axis_angle", "scale"}
MOVING |= {f"delta_{name}" for name in MOVING - {"rotation_axis_angle"}}
OPTICS = {"lens", "shift_x", "shift_y", "sensor_width", "sensor_height"}
SEEN_BY_NOBODY = {
    "hide_viewport",
    "hide_render",
    "show_name",
    "display_type",
    "display_size",
    "passepartout_alpha",
}


class Row(NamedTuple):
    """What a shot holds of a frame: flat intrinsics and world_to_camera, and Reference Time before it is folded."""

    intrinsics: tuple[float, ...]
    world_to_camera: tuple[float, ...]
    time: float


def camera_at(
    scene: bpy.types.Scene, camera: bpy.types.Object | None, frame: float
) -> bpy.types.Object | None:
    """The camera of a shot at a frame: `camera`, else the one that the newest marker binds, else the active one."""
    if camera is not None:
        return camera
    bound = [marker for marker in scene.timeline_markers if marker.camera is not None]
    before = [marker for marker in bound if marker.frame <= frame]
    if before:
        return max(before, key=lambda marker: marker.frame).camera
    return min(bound, key=lambda marker: marker.frame).camera if bound else scene.camera


def check(
    scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer, camera: bpy.types.Object | None
) -> bpy.types.Object:
    """`camera` if a shot of the scene can be seen through it now. Raises CameraError."""
    camera = check_camera(camera, scene)
    if view_layer.objects.get(camera.name) != camera:
        raise CameraError(
            f"“{camera.name}” is not in the view layer “{view_layer.name}”: include its collection"
        )
    return camera


def sample_steps(
    scene: bpy.types.Scene,
    view_layer: bpy.types.ViewLayer,
    camera: bpy.types.Object | None,
    frames: Sequence[int],
    size: tuple[int, int],
) -> Generator[list[Row], None, list[Row]]:
    """The shot's cameras, some frames a step; yields all that are known so far, which grow. Raises CameraError."""
    used = [check(scene, view_layer, camera_at(scene, camera, frame)) for frame in frames]
    by_curves = all(map(_moved_by_curves, set(used))) and _timed_by_curves(scene)
    rows: list[Row] = []
    while True:
        some = _by_curves if by_curves else _aside_of_the_scene
        rows += some(scene, used[len(rows) :], frames[len(rows) :], size, time.perf_counter() + SLICE_S)
        if len(rows) >= len(frames):
            return rows
        yield rows


def first_rows(
    scene: bpy.types.Scene,
    view_layer: bpy.types.ViewLayer,
    camera: bpy.types.Object | None,
    frames: Sequence[int],
    size: tuple[int, int],
) -> list[Row]:
    """As many of the shot's cameras as a step gives, where they can be read inside a handler: by curves; else none.

    Raises CameraError.
    """
    used = [check(scene, view_layer, camera_at(scene, camera, frame)) for frame in frames]
    if not (all(map(_moved_by_curves, set(used))) and _timed_by_curves(scene)):
        return []
    return _by_curves(scene, used, frames, size, time.perf_counter() + SLICE_S)


def _rows(scene, cameras, frames, matrices, ks, times) -> list[Row]:
    try:
        poses = worlds_to_camera(np.array(matrices, dtype=np.float64))
    except CameraError as error:
        raise CameraError(f"“{cameras[0].name}” {error}") from None
    if not scene.inspatio.use_reference_time:
        times = [float(frame) for frame in frames]
    return [
        Row(tuple(k.ravel().tolist()), tuple(pose), moment)
        for k, pose, moment in zip(ks, poses.reshape(-1, 16).tolist(), times, strict=False)
    ]


def parent_matrices(scene: bpy.types.Scene, thing: bpy.types.Object, frames: Sequence[int]) -> list[Matrix]:
    """What stands before the own transform of `thing` at each frame: its parent, of whatever kind."""
    if thing.parent is None:
        return [Matrix() for _ in frames]
    matrices = []
    with _aside(scene, {thing}) as (aside, layer):
        for frame in frames:
            set_frame(aside, frame)
            evaluated = thing.evaluated_get(layer.depsgraph)
            matrices.append(evaluated.matrix_world @ evaluated.matrix_basis.inverted())
    return matrices


def _aside_of_the_scene(scene, cameras, frames, size, until: float) -> list[Row]:
    """The rows of as many frames as fit into the time until `until`, at least one."""
    matrices, ks, times, frame_size = [], [], [], render_frame(scene)
    with _aside(scene, set(cameras)) as (aside, layer):
        for camera, frame in zip(cameras, frames, strict=True):
            set_frame(aside, frame)
            evaluated = camera.evaluated_get(layer.depsgraph)
            check_camera(evaluated, aside)
            matrices.append([tuple(row) for row in evaluated.matrix_world])
            ks.append(intrinsics(evaluated.data, frame_size, *size))
            times.append(aside.evaluated_get(layer.depsgraph).inspatio.reference_time)
            if time.perf_counter() >= until:
                break
    return _rows(scene, cameras, frames, matrices, ks, times)


@contextmanager
def _aside(
    scene: bpy.types.Scene, things: set[bpy.types.Object]
) -> Iterator[tuple[bpy.types.Scene, bpy.types.ViewLayer]]:
    """A scene that holds only these, with the time, the clip and the Reference Time of `scene`."""
    aside = bpy.data.scenes.new("InSpatio Preview")
    try:
        aside.render.fps, aside.render.fps_base = scene.render.fps, scene.render.fps_base
        aside.render.frame_map_old = scene.render.frame_map_old
        aside.render.frame_map_new = scene.render.frame_map_new
        aside.active_clip = scene.active_clip
        aside.inspatio.reference_time = scene.inspatio.reference_time
        _animate_time_alike(scene, aside)
        for thing in things:
            aside.collection.objects.link(thing)
        yield aside, aside.view_layers[0]
    finally:
        bpy.data.scenes.remove(aside)


def _animate_time_alike(scene: bpy.types.Scene, aside: bpy.types.Scene) -> None:
    animation = scene.animation_data
    if animation is None or not scene.inspatio.use_reference_time:
        return
    alike = aside.animation_data_create()
    if animation.action is not None:
        alike.action = animation.action
        if hasattr(animation, "action_slot"):
            alike.action_slot = animation.action_slot
    for driver in animation.drivers:
        if driver.data_path == time_keys.PATH:
            alike.drivers.from_existing(src_driver=driver)


# By curves:


def _animated_alone(owner: bpy.types.ID, known: set[str]) -> bool:
    """Whether nothing animates `owner` but F-curves, those that matter of known properties."""
    animation = owner.animation_data
    if animation is None:
        return True
    return (
        not animation.drivers
        and not animation.nla_tracks
        and not animation.use_tweak_mode
        and (
            animation.action is None
            or (animation.action_influence, animation.action_blend_type) == (1.0, "REPLACE")
        )
        and all(path in known | SEEN_BY_NOBODY for path, _ in find_curves(owner))
    )


def _moved_by_curves(thing: bpy.types.Object) -> bool:
    return (
        not any(not constraint.mute for constraint in thing.constraints)
        and thing.rigid_body is None
        and _animated_alone(thing, MOVING)
        and (thing.type != "CAMERA" or _animated_alone(thing.data, OPTICS))
        and (thing.parent is None or (thing.parent_type == "OBJECT" and _moved_by_curves(thing.parent)))
    )


def _timed_by_curves(scene: bpy.types.Scene) -> bool:
    animation = scene.animation_data
    return scene.render.frame_map_old == scene.render.frame_map_new and (
        not scene.inspatio.use_reference_time
        or animation is None
        or (not any(d.data_path == time_keys.PATH for d in animation.drivers) and not animation.nla_tracks)
    )


class _Curved:
    """A datablock that F-curves animate: its values at any frame."""

    def __init__(self, owner: bpy.types.ID) -> None:
        self._owner = owner
        self._curves = {
            at: curve
            for at, curve in find_curves(owner).items()
            if not (curve.mute or curve.is_empty or (curve.group is not None and curve.group.mute))
        }

    def number(self, path: str, frame: float) -> float:
        curve = self._curves.get((path, 0))
        return self._owner.path_resolve(path) if curve is None else curve.evaluate(frame)

    def numbers(self, path: str, frame: float) -> list[float]:
        """The values of a vector."""
        values = list(getattr(self._owner, path))
        for index in range(len(values)):
            curve = self._curves.get((path, index))
            if curve is not None:
                values[index] = curve.evaluate(frame)
        return values


class _Mover(_Curved):
    """An object that is moved by curves, as its parent is."""

    def __init__(self, thing: bpy.types.Object) -> None:
        super().__init__(thing)
        self._thing = thing
        self._parent = None if thing.parent is None else _Mover(thing.parent)

    def matrix(self, frame: float) -> Matrix:
        """Its world matrix."""
        turn, delta = self._rotations(frame)
        place = Vector(self.numbers("location", frame)) + Vector(self.numbers("delta_location", frame))
        sizes = zip(self.numbers("scale", frame), self.numbers("delta_scale", frame), strict=True)
        own = Matrix.LocRotScale(place, delta @ turn, Vector([a * b for a, b in sizes]))
        if self._parent is None:
            return own
        return self._parent.matrix(frame) @ self._thing.matrix_parent_inverse @ own

    def _rotations(self, frame: float) -> tuple[Matrix, Matrix]:
        mode = self._thing.rotation_mode
        if mode == "QUATERNION":
            paths = ("rotation_quaternion", "delta_rotation_quaternion")
            turn, delta = (Quaternion(self.numbers(path, frame)).normalized().to_matrix() for path in paths)
            return turn, delta
        if mode == "AXIS_ANGLE":
            angle, *axis = self.numbers("rotation_axis_angle", frame)
            return Quaternion(axis, angle).to_matrix() if any(axis) else Matrix.Identity(3), Matrix.Identity(
                3
            )
        paths = ("rotation_euler", "delta_rotation_euler")
        turn, delta = (Euler(self.numbers(path, frame), mode).to_matrix() for path in paths)
        return turn, delta


class _Optics(NamedTuple):
    """A camera's data at a frame, for `intrinsics`."""

    sensor_fit: str
    lens: float
    shift_x: float
    shift_y: float
    sensor_width: float
    sensor_height: float


def _by_curves(scene, cameras, frames, size, until: float) -> list[Row]:
    """The rows of as many frames as fit into the time until `until`, at least one."""
    movers = {camera: (_Mover(camera), _Curved(camera.data)) for camera in set(cameras)}
    clock, frame_size = _Curved(scene), render_frame(scene)
    matrices, ks, times = [], [], []
    for camera, frame in zip(cameras, frames, strict=True):
        mover, data = movers[camera]
        matrices.append([tuple(row) for row in mover.matrix(frame)])
        optics = _Optics(camera.data.sensor_fit, *(data.number(name, frame) for name in _Optics._fields[1:]))
        ks.append(intrinsics(optics, frame_size, *size))
        times.append(clock.number(time_keys.PATH, frame))
        if time.perf_counter() >= until:
            break
    return _rows(scene, cameras, frames, matrices, ks, times)
