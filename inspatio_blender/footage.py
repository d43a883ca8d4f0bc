"""A reference from footage in a matchmove: colour from a movie clip, exact planar depth from stand-ins.

    clip, scene frame -> frame of the clip -> lens undone -> colour       8-bit sRGB, the clip's own codes
    stand-ins as evaluated at that frame, through the camera -> depth     planar z at pixel centres; elsewhere none,
                                                                          or a backdrop's distance

A view is a few steps: what is reckoned goes on in threads, and nobody waits for it. It ends as the same files as one
that is captured from the scene (`reference.py`). A scene frame shows the frame of the clip that Blender itself plays
then, one a scene frame, whatever the two rates are. Main thread only.
"""

import io
import re
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import bpy
import numpy as np

from ..backend.protocol.disk import write_whole
from ..backend.protocol.files import MAX_TRIANGLES, View
from . import cameras, reference
from .clips import Frames, clip_frame, clip_path, sequence
from .geometry import SURFACES, TooManyTriangles, surfaces
from .lens import Lens, Undistortion
from .png import encode_png
from .rasterize import planar_depth
from .reference import CaptureError

T = TypeVar("T")

MAX_PIXELS = 64 * 1024 * 1024
"""Largest frame of a clip: a gigabyte while it is read."""
NO_STAND_INS = "There are no stand-ins: choose a collection of planes and boxes, or give a backdrop distance"

_COEFFICIENTS = {
    "POLYNOMIAL": ("k1", "k2", "k3"),
    "DIVISION": ("division_k1", "division_k2"),
    "NUKE": ("nuke_k1", "nuke_k2", "nuke_p1", "nuke_p2"),
    "BROWN": ("brown_k1", "brown_k2", "brown_k3", "brown_k4", "brown_p1", "brown_p2"),
}


@dataclass(frozen=True)
class Plan(reference.Plan):
    """What to make of the footage; the moments are those that the clip has frames for."""

    clip: bpy.types.MovieClip
    stand_ins: bpy.types.Collection | None
    backdrop: float
    remarks: Sequence[str]
    """What the user ought to know of it."""


def plan(scene: bpy.types.Scene, size: tuple[int, int], folder: Path) -> Plan:
    """What the scene's settings ask for; raises CaptureError where that cannot be."""
    shot = scene.inspatio
    clip = shot.footage_clip
    if clip is None:
        raise CaptureError("No clip is chosen: press Open and pick the footage")
    path = Path(clip_path(clip))
    if not path.is_file():
        raise CaptureError(f"The file of clip “{clip.name}” is gone: there is no {path}")
    if not all(clip.size) or clip.frame_duration < 1:
        raise CaptureError(f"Clip “{clip.name}” cannot be read: {path.name} is no movie and no picture")
    if clip.size[0] * clip.size[1] > MAX_PIXELS:
        raise CaptureError(
            f"Clip “{clip.name}” has frames of {clip.size[0]} × {clip.size[1]} pixels: make a smaller copy of it"
        )
    stand_ins = shot.stand_ins
    if stand_ins is None and shot.backdrop == 0:
        raise CaptureError(NO_STAND_INS)
    if stand_ins is not None and not any(thing.type in SURFACES for thing in stand_ins.all_objects):
        instancers = any(thing.instance_type != "NONE" for thing in stand_ins.all_objects)
        if not instancers and shot.backdrop == 0:
            raise CaptureError(f"Collection “{stand_ins.name}” holds no surface: add planes or boxes to it")
    names = sequence(path) if clip.source == "SEQUENCE" else None
    frames = _frames(scene)
    covered = _covered(clip, frames, clip.frame_duration if names is None else max(names) - min(names) + 1)
    if not covered:
        raise CaptureError(_outside(clip, frames))
    if names is not None:
        missing = [n for n in (min(names) + clip_frame(clip, frame) for frame in covered) if n not in names]
        if missing:
            raise CaptureError(_missing(path, missing))
    kind = "moving" if shot.footage_frames == "RANGE" and len(covered) > 1 else "still"
    camera = (shot.reference_cameras() or [shot.camera])[0]
    return Plan(
        kind,
        [(float(frame), camera) for frame in covered],
        *shot.reference_size(size),
        folder,
        shot.reference_geometry,
        clip,
        stand_ins,
        shot.backdrop,
        remarks(scene),
    )


def remarks(scene: bpy.types.Scene) -> list[str]:
    """What does not fit between clip, camera and shot, a sentence each; nothing that has to be mended."""
    shot = scene.inspatio
    clip = shot.footage_clip
    if clip is None or not all(clip.size):
        return []
    found = []
    rate = scene.render.fps / scene.render.fps_base
    if clip.fps and abs(clip.fps - rate) > 0.01:
        found.append(
            f"The clip has {clip.fps:g} frames a second, the scene {rate:g}: "
            "each scene frame shows one of the clip, as Blender plays it"
        )
    frames = _frames(scene)
    covered = _covered(clip, frames, clip.frame_duration)
    if covered and len(covered) < len(frames):
        found.append(
            f"The clip has frames {covered[0]:g} to {covered[-1]:g} of {frames[0]:g} to {frames[-1]:g}: "
            "the nearest one is the world of the rest"
        )
    camera = (shot.reference_cameras() or [shot.camera or scene.camera])[0]
    animated = _animated(scene, camera) if camera is not None and len(covered) > 1 else None
    if animated is not None and (animated[0] > covered[0] or animated[1] < covered[-1]):
        found.append(
            f"“{camera.name}” is animated from frame {animated[0]:g} to {animated[1]:g} only, "
            f"the footage goes from {covered[0]:g} to {covered[-1]:g}"
        )
    frame, picture = cameras.render_frame(scene).aspect, lens(clip).display_aspect
    if abs(frame / picture - 1) > 0.01:
        found.append(
            f"The clip's shape is {picture:.2f} : 1, the scene renders {frame:.2f} : 1: "
            + (
                "it fills the width, and what lies above and below has no depth"
                if frame < picture
                else "it fills the width and is cut above and below"
            )
        )
    return found


def capture_steps(
    scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer, asked: Plan
) -> Generator[float | None, None, Path]:
    """Make the reference view by view; yields the share that is done, None to wait, returns the version's folder.

    Closing the generator cancels: nothing is left on disk, and nothing in the file. Raises CaptureError,
    cameras.CameraError.
    """
    frame = cameras.render_frame(scene)
    undistortion = Undistortion(lens(asked.clip), asked.width, asked.height, frame.aspect)
    source = {"scene": scene.name, "footage": Path(clip_path(asked.clip)).name}
    frames = Frames(asked.clip)
    # The threads reckon with arrays: Blender's data is for this one. Of three, one waits for the other two's colours.
    pool = ThreadPoolExecutor(max_workers=3)

    def make_view(at: float, camera: bpy.types.Object | None, path: Path) -> Generator[None, None, View]:
        with cameras.kept_frame(scene):
            cameras.set_frame(scene, at)
            k, pose, name = cameras.sample(scene, view_layer, camera, (asked.width, asked.height))
            size, seen_by = (asked.width, asked.height), camera or scene.camera
            drawn = pool.submit(stand_in_depth(view_layer, asked.stand_ins, seen_by, k, pose, size))
        pixels = frames.read(at)
        depth = yield from awaited(drawn)
        depth[depth == 0] = asked.backdrop
        depth[~undistortion.seen] = 0
        if not depth.any():
            raise CaptureError(
                f"At frame {at:g} “{name}” sees no stand-in: move them into view, or give a backdrop distance"
            )
        colour, planar = path.name + ".png", path.name + ".npy"
        encoded = yield from awaited(
            pool.submit(lambda: (encode_png(undistortion.picture(pixels, pool.map)), encode_npy(depth)))
        )
        try:
            for file, content in zip((colour, planar), encoded, strict=True):
                write_whole(path.with_name(file), content)
        except OSError as error:
            raise CaptureError(
                f"The reference cannot be written to {asked.folder}: {(error.strerror or str(error)).lower()}"
            ) from error
        return View(at, name, colour, planar, tuple(k.ravel().tolist()), tuple(pose.ravel().tolist()))

    def stand_ins() -> dict[bytes, np.ndarray]:
        return {} if asked.stand_ins is None else surfaces(view_layer, MAX_TRIANGLES, asked.stand_ins)

    try:
        return (yield from reference.version_steps(scene, asked, source, make_view, stand_ins))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        frames.close()


def lens(clip: bpy.types.MovieClip) -> Lens:
    """The lens of the clip's tracking camera."""
    camera = clip.tracking.camera
    return Lens(
        clip.size[0],
        clip.size[1],
        camera.focal_length_pixels,
        tuple(camera.principal_point_pixels),
        camera.distortion_model,
        # Nuke's tangential terms came with Blender 5.
        tuple(getattr(camera, name, 0.0) for name in _COEFFICIENTS[camera.distortion_model]),
        camera.pixel_aspect,
    )


def _frames(scene: bpy.types.Scene) -> list[float]:
    """The scene frames that are asked for."""
    shot = scene.inspatio
    if shot.footage_frames == "CURRENT":
        return [scene.frame_current + scene.frame_subframe]
    return [float(frame) for frame in shot.frames()[:: shot.reference_step]]


def _covered(clip: bpy.types.MovieClip, frames: Sequence[float], length: int) -> list[float]:
    return [frame for frame in frames if 0 <= clip_frame(clip, frame) < length]


def _outside(clip: bpy.types.MovieClip, frames: Sequence[float]) -> str:
    if not frames:
        return "The frame range is empty: its end lies before its start"
    start = clip.frame_start - clip.frame_offset
    return (
        f"Clip “{clip.name}” plays from frame {start} to {start + clip.frame_duration - 1}, "
        f"outside of {frames[0]:g} to {frames[-1]:g}: change its start or the shot's range"
    )


def _missing(path: Path, numbers: Sequence[int]) -> str:
    digits = re.fullmatch(r".*?(\d+)\D*", path.name)[1]
    name = f"{numbers[0]:0{len(digits)}d}".join(path.name.rsplit(digits, 1))
    more = f" and {len(numbers) - 1} more" if len(numbers) > 1 else ""
    return f"{name}{more} of the sequence in {path.parent} is missing: render it again, or end the range before it"


def _animated(scene: bpy.types.Scene, camera: bpy.types.Object) -> tuple[float, float] | None:
    """First and last frame that the camera was solved or keyframed for; None where that cannot be said."""
    for constraint in camera.constraints:
        if constraint.type == "CAMERA_SOLVER" and not constraint.mute:
            solved = scene.active_clip if constraint.use_active_clip else constraint.clip
            found = [entry.frame for entry in solved.tracking.reconstruction.cameras] if solved else []
            if not found:
                return None
            shift = solved.frame_start - 1
            return min(found) + shift, max(found) + shift
    action = camera.animation_data.action if camera.animation_data is not None else None
    if action is None or action.frame_range[1] <= action.frame_range[0]:
        return None
    return tuple(action.frame_range)


def stand_in_depth(
    view_layer: bpy.types.ViewLayer,
    stand_ins: bpy.types.Collection | None,
    camera: bpy.types.Object,
    k: np.ndarray,
    pose: np.ndarray,
    size: tuple[int, int],
) -> Callable[[], np.ndarray]:
    """What draws the planar depth of the stand-ins as they are now, (H, W) float32, 0 where there is none.

    It may be called in any thread. Raises CaptureError.
    """
    lens_data = camera.evaluated_get(view_layer.depsgraph).data
    near, far = lens_data.clip_start, lens_data.clip_end
    try:
        found = {} if stand_ins is None else surfaces(view_layer, MAX_TRIANGLES, stand_ins)
    except TooManyTriangles:
        raise CaptureError(
            f"“{stand_ins.name}” has more than {MAX_TRIANGLES // 10**6} million triangles: make simpler stand-ins"
        ) from None

    def draw() -> np.ndarray:
        seen = np.concatenate([np.empty((0, 3, 3)), *found.values()]) @ pose[:3, :3].T + pose[:3, 3]
        return planar_depth(seen, k, size, near, far)

    return draw


def awaited(work: Future[T]) -> Generator[None, None, T]:
    """Yield until another thread has done the work, so that nobody waits for it; returns what came of it."""
    while not work.done():
        yield
    return work.result()


def encode_npy(values: np.ndarray) -> bytes:
    """An array as the bytes of a .npy file."""
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()
