"""A shot folder as a Blender scene: the inverse of `cameras.py`, and everything set so that Generate works at once.

    shot.json        the scene's camera, keyed at every frame; range, rate, resolution, the shot's settings
    reference/       version v001 of the shot; a camera for each view, its picture behind it; the world to see

Blender computes in float32: sampled again, the camera gives the numbers of shot.json to about 1e-7 of their size.
Main thread only.
"""

import math
import os
import re
import shutil
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ..backend.protocol.files import Reference, Shot, View
from . import settings, showing, takes, world
from .cameras import BLENDER_TO_OPENCV
from .scene_folders import Import
from .shots import UserError
from .time_keys import write_keys
from .versions import REFERENCE_FOLDER, add_version

LAST_FRAME = 1_048_574
"""The last frame that a scene may have (MAXFRAME in Blender's DNA_scene_types.h)."""
SENSOR = 36.0
LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True)
class _Path:
    """A camera over time: frames (n,), intrinsics (n, 3, 3) for pictures of that size, world_to_camera (n, 4, 4)."""

    frames: np.ndarray
    intrinsics: np.ndarray
    world_to_camera: np.ndarray
    width: int
    height: int


def place(scene: bpy.types.Scene) -> Path:
    """A folder, not there yet, on the disk of the scene's shots: where what is imported may be brought to first."""
    takes.keep_unsaved_folder(scene)
    return takes.shot_folder(scene).parent / f".import.{os.getpid()}.tmp"


def scene_steps(
    scene: bpy.types.Scene, brought: Import
) -> Generator[float | None, None, tuple[Path, list[str]]]:
    """Make the new, empty `scene` that of the shot that was brought; yields the share that is done, None to wait.

    Returns the reference's folder, and sentences about what isn't as it was. Raises UserError. However it fails,
    nothing of it is left on disk; the scene is for `discard`, what was brought for its own.
    """
    shot, reference = brought.shot, brought.reference
    made, whole = None, False
    try:
        if shot.cameras.frames[-1] > LAST_FRAME:
            raise UserError(
                f"The shot ends at frame {shot.cameras.frames[-1]:g}: Blender's last is {LAST_FRAME}"
            )
        made = _name(scene, shot.name)
        try:
            (made / REFERENCE_FOLDER).mkdir(parents=True)
            version = add_version(brought.out / REFERENCE_FOLDER, made / REFERENCE_FOLDER)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UserError(f"No reference can be written to {made}: {reason}") from error
        target = _path_of_shot(shot)
        lost = _set_up(scene, shot, target)
        scene.camera = _camera(scene, "Camera", target)
        yield 0.0
        sources = _source_cameras(scene, reference, version)
        yield 0.0
        try:
            shown = yield from world.show_steps(scene, version, world.wish(scene, version))
            _fit_to_world([scene.camera, *sources], shown)
        except world.WorldError as error:
            lost.append(f"The world cannot be shown: {error}")
        whole = True
        return version, lost
    finally:
        if not whole and made is not None:
            shutil.rmtree(made, ignore_errors=True)


def discard(scene: bpy.types.Scene) -> None:
    """Remove a scene that was begun, with everything in it."""
    world.hide(scene)
    gone: list[bpy.types.ID] = []
    for thing in scene.objects:
        images = [background.image for background in thing.data.background_images if background.image]
        actions = [
            owner.animation_data.action
            for owner in (thing, thing.data)
            if owner.animation_data is not None and owner.animation_data.action is not None
        ]
        gone += [thing, thing.data, *actions, *images]
    bpy.data.batch_remove(gone)
    bpy.data.scenes.remove(scene)


def _name(scene: bpy.types.Scene, name: str) -> Path:
    """Name scene and shot so that nothing lies in the shot's folder yet; returns that folder."""
    number = 1
    while True:
        scene.inspatio.shot_name = name if number == 1 else f"{name[:60]} {number}"
        folder = takes.shot_folder(scene)
        if not os.path.lexists(folder):
            scene.name = scene.inspatio.shot_name
            return folder
        number += 1


def _set_up(scene: bpy.types.Scene, shot: Shot, target: _Path) -> list[str]:
    """Range, rate, resolution and settings; returns sentences about what isn't as it was."""
    lost = []
    scene.frame_end = math.ceil(target.frames[-1])
    scene.frame_start = math.floor(target.frames[0])
    scene.frame_set(scene.frame_start)
    if len(target.frames) != scene.frame_end - scene.frame_start + 1:
        lost.append(
            f"The shot has {len(target.frames)} of the frames that Blender has from its first to its last"
        )
    render = scene.render
    render.fps = max(1, math.ceil(shot.fps - 1e-6))
    render.fps_base = render.fps / shot.fps
    render.resolution_x, render.resolution_y, render.resolution_percentage = shot.width, shot.height, 100
    shapes = target.intrinsics[:, 1, 1] / target.intrinsics[:, 0, 0]
    if np.abs(shapes / shapes[0] - 1).max() > 1e-5:
        lost.append("The shape of the pixels changes during the shot: that of the first frame stays")
    shape = float(shapes[0]) if abs(shapes[0] - 1) > 1e-6 else 1.0
    render.pixel_aspect_x, render.pixel_aspect_y = max(1.0, shape), max(1.0, 1.0 / shape)
    settled = scene.inspatio
    if shot.preset in settings.PRESETS:
        settled.preset = shot.preset
    else:
        lost.append(f"There is no preset {shot.preset} here: {settled.preset} is set")
    settled.quality, settled.prompt = shot.quality, shot.prompt
    settled.keep_reference_detail, settled.remember = shot.keep_reference_detail, shot.remember
    plate = shot.plate
    if plate is not None and plate.width * shot.height == plate.height * shot.width:
        render.resolution_x, render.resolution_y = plate.width, plate.height
        settled.plate, settled.plate_strength = True, plate.strength
    elif plate is not None:
        lost.append(
            f"Plates of {plate.width} × {plate.height} have another shape than the frames: they are off"
        )
    settled.seed = min(shot.seed, LARGEST_SEED)
    if settled.seed != shot.seed:
        lost.append(f"The seed {shot.seed} is too large for Blender: {settled.seed} is set")
    if shot.cameras.times != shot.cameras.frames:
        write_keys(scene, list(zip(shot.cameras.frames, shot.cameras.times, strict=True)))
    showing.mend_colour(scene)
    return lost


def _path_of_shot(shot: Shot) -> _Path:
    return _Path(
        np.array(shot.cameras.frames),
        np.array(shot.cameras.intrinsics).reshape(-1, 3, 3),
        np.array(shot.cameras.world_to_camera).reshape(-1, 4, 4),
        shot.width,
        shot.height,
    )


def _path_of_views(reference: Reference, views: Sequence[View]) -> _Path:
    return _Path(
        np.array([view.frame for view in views]),
        np.array([view.intrinsics for view in views]).reshape(-1, 3, 3),
        np.array([view.world_to_camera for view in views]).reshape(-1, 4, 4),
        reference.width,
        reference.height,
    )


def _source_cameras(scene: bpy.types.Scene, reference: Reference, version: Path) -> list[bpy.types.Object]:
    """The cameras that have seen the reference, their pictures behind them: one that moves, or one for each view."""
    if reference.kind == "moving":
        camera = _camera(scene, "Reference", _path_of_views(reference, reference.views))
        _put_behind(camera, [version / view.colour for view in reference.views], reference.views)
        return [camera]
    cameras = []
    for number, view in enumerate(reference.views, start=1):
        cameras.append(_camera(scene, f"Reference {number}", _path_of_views(reference, [view])))
        _put_behind(cameras[-1], [version / view.colour], [view])
    return cameras


def _put_behind(camera: bpy.types.Object, files: Sequence[Path], views: Sequence[View]) -> None:
    """Show the views' pictures behind what the camera sees; as a sequence where there is one for every frame."""
    background = camera.data.background_images.new()
    camera.data.show_background_images = True
    background.image = image = bpy.data.images.load(showing.stored(files[0]))
    background.alpha, background.frame_method = 1.0, "CROP"
    numbers = [re.search(r"(\d+)\D*$", file.stem) for file in files]
    first, count = views[0].frame, len(files)
    if count == 1 or not all(numbers) or first != int(first):
        return
    counted = [int(number[1]) for number in numbers]
    names = {file.stem[: number.start(1)] for file, number in zip(files, numbers, strict=True)}
    steady = all(
        number - counted[0] == view.frame - first == index
        for index, (number, view) in enumerate(zip(counted, views, strict=True))
    )
    if steady and len(names) == 1:
        image.source = "SEQUENCE"
        user = background.image_user
        user.frame_start, user.frame_offset, user.frame_duration = int(first), counted[0] - 1, count
        user.use_auto_refresh = True


def _camera(scene: bpy.types.Scene, name: str, path: _Path) -> bpy.types.Object:
    """A camera that goes along `path` in the frame of `scene`, whose resolution and pixel aspect are set."""
    data = bpy.data.cameras.new(name)
    camera = bpy.data.objects.new(name, data)
    scene.collection.objects.link(camera)
    rotation, location = _blender_poses(path.world_to_camera)
    camera.rotation_mode = "QUATERNION"
    _animate(camera, path.frames, {"location": location, "rotation_quaternion": rotation})
    render = scene.render
    # A picture of another shape than the frame covers it, as its background does.
    picture = path.width * render.pixel_aspect_x / (path.height * render.pixel_aspect_y)
    frame = render.resolution_x * render.pixel_aspect_x / (render.resolution_y * render.pixel_aspect_y)
    horizontal = picture <= frame * (1 + 1e-9)
    k = path.intrinsics
    lengths = k[:, 0, 0] / path.width if horizontal else k[:, 1, 1] / path.height
    across, up = (1.0, 1.0 / picture) if horizontal else (picture, 1.0)
    data.sensor_fit = "HORIZONTAL" if horizontal else "VERTICAL"
    # Blender's shortest lens is 1 mm.
    data.sensor_width = data.sensor_height = sensor = max(SENSOR, 1.0 / lengths.min())
    curves = {
        "lens": lengths * sensor,
        "shift_x": (0.5 - (k[:, 0, 2] + 0.5) / path.width) * across,
        "shift_y": ((k[:, 1, 2] + 0.5) / path.height - 0.5) * up,
    }
    _animate(data, path.frames, {name: values[:, None] for name, values in curves.items()})
    return camera


def _blender_poses(world_to_camera: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quaternions (n, 4) and locations (n, 3) of Blender's cameras, from OpenCV world-to-camera (n, 4, 4).

    A location is that at which the rotation as it is rounded to float32 gives the translation of the pose.
    """
    u, _, v = np.linalg.svd(world_to_camera[:, :3, :3])
    axes = (u @ v).transpose(0, 2, 1) @ BLENDER_TO_OPENCV[:3, :3]
    quaternions = _quaternions(axes).astype(np.float32).astype(np.float64)
    rounded = _matrices(quaternions) @ BLENDER_TO_OPENCV[:3, :3]
    return quaternions, -np.einsum("nij,nj->ni", rounded, world_to_camera[:, :3, 3])


def _quaternions(matrices: np.ndarray) -> np.ndarray:
    """Unit quaternions (n, 4), w first, of rotations (n, 3, 3), each on the side of the one before.

    After Shepperd, Quaternion from Rotation Matrix (1978): the largest of the four is taken from the diagonal.
    """
    m = matrices
    diagonal = np.diagonal(m, axis1=1, axis2=2)
    trace = diagonal.sum(1)
    products = np.empty((len(m), 4, 4))  # 4 q q^T
    products[:, 0, 0] = 1 + trace
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        products[:, i + 1, i + 1] = 1 + 2 * diagonal[:, i] - trace
        products[:, 0, i + 1] = products[:, i + 1, 0] = m[:, k, j] - m[:, j, k]
        products[:, j + 1, k + 1] = products[:, k + 1, j + 1] = m[:, k, j] + m[:, j, k]
    largest = np.diagonal(products, axis1=1, axis2=2).argmax(1)
    rows = products[np.arange(len(m)), largest]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    turns = np.where((rows[1:] * rows[:-1]).sum(1) < 0, -1.0, 1.0)
    return rows * np.concatenate([[1.0], np.cumprod(turns)])[:, None]


def _matrices(quaternions: np.ndarray) -> np.ndarray:
    """Rotations (n, 3, 3) of quaternions (n, 4), w first, of any length."""
    w, x, y, z = (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.array(rows).transpose(2, 0, 1)


def _animate(owner: bpy.types.ID, frames: np.ndarray, channels: dict[str, np.ndarray]) -> None:
    """Key properties of `owner`, each with values (n, size) at `frames`; those that stay the same are only set."""
    curves = None
    for name, values in channels.items():
        first = values[0] if values.shape[1] > 1 else values[0, 0]
        setattr(owner, name, first)
        if (values == values[0]).all():
            continue
        if curves is None:
            curves = _new_curves(owner)
        for index in range(values.shape[1]):
            curve = curves.new(name, index=index)
            curve.keyframe_points.add(len(frames))
            points = np.stack([frames, values[:, index]], 1).astype(np.float32)
            curve.keyframe_points.foreach_set("co", points.ravel())
            linear = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["LINEAR"].value
            curve.keyframe_points.foreach_set("interpolation", np.full(len(frames), linear, np.int32))
            curve.update()


def _new_curves(owner: bpy.types.ID):
    """The curves of a new action of `owner`: in its slot since 4.4, the action's own before."""
    action = bpy.data.actions.new(owner.name)
    animation = owner.animation_data_create()
    animation.action = action
    if not hasattr(action, "slots"):
        return action.fcurves
    slot = action.slots.new(owner.id_type, owner.name)
    animation.action_slot = slot
    strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=True).fcurves


def _fit_to_world(cameras: Sequence[bpy.types.Object], shown: world.Shown) -> None:
    """Have the cameras see all of the world, and look as large as befits it, whatever its unit is."""
    for camera in cameras:
        camera.data.clip_start = min(0.1, shown.near / 10)
        camera.data.clip_end = max(100.0, 10 * shown.far)
        camera.data.display_size = shown.near / 8
