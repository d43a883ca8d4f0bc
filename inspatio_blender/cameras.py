"""From Blender's evaluated camera to the cameras of a shot.

Blender looks along -Z with Y up, the backend along +Z with Y down, so

    world_to_camera = diag(1, -1, -1, 1) . inverse(matrix_world without scale)

with Blender's world axes as they are. Intrinsics follow the lens, sensor fit, shift, pixel aspect and
resolution of the scene's render frame, then are scaled to the size that is generated: the generated picture
covers the camera's frame exactly, whatever its own size. Pixel centres lie at integers, so a camera without
shift has its principal point at ((width - 1) / 2, (height - 1) / 2).

With them goes the shot's Reference Time, as it is evaluated at the same frame.

A shot is sampled a frame a step (`sample_steps`), since a frame of a heavy scene may take long to evaluate.
"""

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import bpy
import numpy as np

from ..backend.protocol import cameras as protocol_cameras
from ..backend.protocol.cameras import Cameras

SIZE_MULTIPLE = 16
MAX_SHEAR = 1e-4
"""Largest cosine between two axes of a camera that still counts as a right angle (matrices are float32)."""

BLENDER_TO_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])


class CameraError(Exception):
    """This camera cannot be generated from; the message says why and what to do."""


@dataclass(frozen=True)
class FrameSize:
    """A picture of `width` x `height` pixels whose pixels are `aspect_x` : `aspect_y`."""

    width: int
    height: int
    aspect_x: float = 1.0
    aspect_y: float = 1.0

    @property
    def aspect(self) -> float:
        """Width by height as it is displayed."""
        return (self.width * self.aspect_x) / (self.height * self.aspect_y)


def render_frame(scene: bpy.types.Scene) -> FrameSize:
    """The frame that the scene renders, with its resolution percentage and pixel aspect."""
    render = scene.render
    return FrameSize(
        max(1, render.resolution_x * render.resolution_percentage // 100),
        max(1, render.resolution_y * render.resolution_percentage // 100),
        render.pixel_aspect_x,
        render.pixel_aspect_y,
    )


def generated_size(aspect: float, width: int, height: int, multiple: int = SIZE_MULTIPLE) -> tuple[int, int]:
    """Width and height to generate for a frame of `aspect`: about `width` x `height` pixels, multiples of
    `multiple`, the shape nearest to the frame's (an odd shape costs more than a few pixels more or less)."""
    best, best_cost = (width, height), math.inf
    for rows in range(1, 4 * (width + height) // multiple):
        columns = max(1, round(aspect * rows))
        shape = abs(math.log(columns / rows / aspect))
        area = abs(math.log(columns * rows * multiple**2 / (width * height)))
        if 4 * shape + area < best_cost:
            best, best_cost = (columns * multiple, rows * multiple), 4 * shape + area
    return best


def intrinsics(camera: bpy.types.Camera, frame: FrameSize, width: int, height: int) -> np.ndarray:
    """The 3x3 intrinsic matrix of `camera`, which sees `frame`, for pictures of `width` x `height` pixels."""
    across, up = frame.width * frame.aspect_x, frame.height * frame.aspect_y
    horizontal = camera.sensor_fit == "HORIZONTAL" or (camera.sensor_fit == "AUTO" and across >= up)
    sensor = camera.sensor_height if camera.sensor_fit == "VERTICAL" else camera.sensor_width
    # Everything relative to the frame: lengths across by its width, lengths up by its height.
    view = across if horizontal else up
    scale = camera.lens / sensor * view
    return np.array(
        [
            [scale / across * width, 0.0, (0.5 - camera.shift_x * view / across) * width - 0.5],
            [0.0, scale / up * height, (0.5 + camera.shift_y * view / up) * height - 0.5],
            [0.0, 0.0, 1.0],
        ]
    )


def world_to_camera(matrix_world: Sequence[Sequence[float]]) -> np.ndarray:
    """The rigid 4x4 OpenCV world-to-camera of a Blender camera's `matrix_world`; its scale does not count.

    Raises CameraError for a matrix that shears or mirrors: no pinhole camera sees what Blender renders then.
    """
    return worlds_to_camera(np.array(matrix_world, dtype=np.float64)[None])[0]


def worlds_to_camera(matrices_world: np.ndarray) -> np.ndarray:
    """The same for many, (n, 4, 4) float64 each: number for number, and quicker."""
    matrices = matrices_world
    axes = matrices[:, :3, :3]
    lengths = np.linalg.norm(axes, axis=1, keepdims=True)
    if not np.all(np.isfinite(matrices)) or np.any(lengths < 1e-12):
        raise CameraError("has a scale of zero; give it a scale of 1")
    axes = axes / lengths
    skew = axes.transpose(0, 2, 1) @ axes - np.eye(3)
    if np.abs(skew).max() > MAX_SHEAR:
        raise CameraError("is sheared by the uneven scale of a parent; apply the parent's scale")
    if np.any(np.linalg.det(axes) < 0):
        raise CameraError("is mirrored by a negative scale; apply the scale of the camera and its parents")
    u, _, v = np.linalg.svd(axes)
    turned = (u @ v).transpose(0, 2, 1)
    inverse = np.tile(np.eye(4), (len(matrices), 1, 1))
    inverse[:, :3, :3] = turned
    inverse[:, :3, 3:] = -turned @ matrices[:, :3, 3:]
    return BLENDER_TO_OPENCV @ inverse


def check_camera(camera: bpy.types.Object | None, scene: bpy.types.Scene) -> bpy.types.Object:
    """`camera` if a shot can be generated from it; raises CameraError with what is wrong."""
    if camera is None:
        raise CameraError(f"Scene “{scene.name}” has no camera: add one or make one active")
    if camera.type != "CAMERA":
        raise CameraError(f"“{camera.name}” is no camera")
    kind = camera.data.type
    if kind == "ORTHO":
        raise CameraError(
            f"“{camera.name}” is orthographic: the generator sees through a lens, so set its type to Perspective"
        )
    if kind != "PERSP":
        lens = "panoramic" if kind == "PANO" else "a camera with a lens of its own"
        raise CameraError(
            f"“{camera.name}” is {lens}: the generator sees straight lines only, so set its type to Perspective"
        )
    return camera


def sample(
    scene: bpy.types.Scene,
    view_layer: bpy.types.ViewLayer,
    camera: bpy.types.Object | None,
    size: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray, str]:
    """Intrinsics, world-to-camera and name of the camera as it is evaluated at the scene's current frame.

    Without `camera` it is the scene's active one, which markers may switch from frame to frame.
    """
    return _sample_in(scene, view_layer.depsgraph, camera, size)


def _sample_in(
    scene: bpy.types.Scene,
    depsgraph: bpy.types.Depsgraph,
    camera: bpy.types.Object | None,
    size: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray, str]:
    active = check_camera(camera or scene.camera, scene)
    evaluated = active.evaluated_get(depsgraph)
    if not evaluated.is_evaluated:
        raise CameraError(
            f"“{active.name}” is not in the view layer “{depsgraph.view_layer.name}”: include its collection"
        )
    check_camera(evaluated, scene)
    try:
        pose = world_to_camera(evaluated.matrix_world)
    except CameraError as error:
        raise CameraError(f"“{active.name}” {error}") from None
    return intrinsics(evaluated.data, render_frame(scene), *size), pose, active.name


def reference_time(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph, frame: float) -> float:
    """The shot's Reference Time at the scene's current frame, which is `frame`: that itself where it isn't used."""
    if not scene.inspatio.use_reference_time:
        return float(frame)
    return scene.evaluated_get(depsgraph).inspatio.reference_time


@contextmanager
def kept_frame(scene: bpy.types.Scene):
    """Put the scene back to the frame, subframe and camera that it had, whatever happens in between."""
    frame, subframe, camera = scene.frame_current, scene.frame_subframe, scene.camera
    try:
        yield
    finally:
        with suppress(ReferenceError):  # Scene or camera may have been deleted in between.
            scene.frame_set(frame, subframe=subframe)
            if scene.camera != camera:
                scene.camera = camera


def set_frame(scene: bpy.types.Scene, frame: float) -> None:
    """Evaluate the scene at `frame`, which may lie between two whole ones."""
    whole = math.floor(frame)
    scene.frame_set(whole, subframe=frame - whole)


Evaluate = Callable[[float], bpy.types.Depsgraph]
"""Evaluates a scene at a frame; returns what it is evaluated in."""


@contextmanager
def evaluated_in(scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer) -> Iterator[Evaluate]:
    """Evaluates the scene in a view layer in front of the user; afterwards it is back at its own frame."""

    def evaluate(frame: float) -> bpy.types.Depsgraph:
        set_frame(scene, frame)
        return view_layer.depsgraph

    with kept_frame(scene):
        scene.update_tag()  # Else a property without animation is evaluated as it was before it was set.
        yield evaluate


def sample_steps(
    scene: bpy.types.Scene,
    view_layer: bpy.types.ViewLayer,
    camera: bpy.types.Object | None,
    frames: Sequence[float],
    size: tuple[int, int],
) -> Generator[float, None, Cameras]:
    """Sample the camera and Reference Time at every frame, a frame a step; yields the share that is done.

    However it ends, the scene is back at its own frame afterwards.
    """
    with evaluated_in(scene, view_layer) as evaluate:
        return (yield from sample_with(evaluate, scene, camera, frames, size))


def sample_with(
    evaluate: Evaluate,
    scene: bpy.types.Scene,
    camera: bpy.types.Object | None,
    frames: Sequence[float],
    size: tuple[int, int],
) -> Generator[float, None, Cameras]:
    """The same of a scene that is evaluated by `evaluate`, wherever that is."""
    ks, poses, times = [], [], []
    for index, frame in enumerate(frames):
        depsgraph = evaluate(frame)
        k, pose, _ = _sample_in(scene, depsgraph, camera, size)
        ks.append(k.ravel().tolist())
        poses.append(pose.ravel().tolist())
        times.append(reference_time(scene, depsgraph, frame))
        yield (index + 1) / len(frames)
    try:
        return Cameras.checked([float(frame) for frame in frames], ks, poses, times)
    except protocol_cameras.CameraError as error:
        raise CameraError(f"The camera cannot be used: {error}") from None


def used_cameras(
    scene: bpy.types.Scene, camera: bpy.types.Object | None, first: float, last: float
) -> list[bpy.types.Object]:
    """The cameras that a shot from `first` to `last` sees through: `camera`, or the active one and those that
    markers bind to these frames."""
    if camera is not None:
        return [camera]
    bound = sorted(
        (m for m in scene.timeline_markers if m.camera is not None), key=lambda marker: marker.frame
    )
    before = [marker.camera for marker in bound if marker.frame <= first][-1:]
    used = before + [marker.camera for marker in bound if first < marker.frame <= last]
    return list(dict.fromkeys(used)) or [scene.camera] * (scene.camera is not None)
