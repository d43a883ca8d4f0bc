"""Capturing a reference from the scene: colour by the scene's engine, exact planar depth by Cycles.

A view is one step (`capture_steps`), and each step leaves the scene as it found it, so a window can breathe,
save or undo between two views. The two renders of a view differ in what they must be good at:

    colour   the scene's own engine (or, where that is ours, the one chosen for it) and samples, through its view
             transform once, without what a moving camera must not inherit: depth of field, motion blur,
             compositing, stamps
    depth    one Cycles sample through the middle of each pixel; sky is 1e10

The views are written to a temporary folder, which is renamed to the next free version (v001, v002 ...) when
it is whole: a capture that was cancelled or failed leaves nothing behind.
"""

import os
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import addon_utils
import bpy
import numpy as np

from ..backend.protocol.disk import write_json
from ..backend.protocol.files import MAX_TRIANGLES, REFERENCE_FILE, Reference, View
from . import cameras, geometry, versions, world
from .engine import ENGINE
from .film import Part, own_part

GEOMETRY_FILE = "geometry.npy"


class CaptureError(Exception):
    """The reference cannot be captured; the message says why and what to do."""


@dataclass(frozen=True)
class Plan:
    """What to capture: at each of `moments` (scene frame, camera or None for the active one) one view."""

    kind: str
    moments: Sequence[tuple[float, bpy.types.Object | None]]
    width: int
    height: int
    folder: Path
    """The folder that holds the versions."""
    with_geometry: bool
    """Whether the triangles of its surfaces are kept too."""


def plan(scene: bpy.types.Scene, size: tuple[int, int], folder: Path, part: Part | None = None) -> Plan:
    """What the scene's settings ask to capture for its shot, or for a part of its film.

    Raises CaptureError where they ask for nothing.
    """
    shot = scene.inspatio
    part = part or own_part(scene)
    frames = part.frames
    if not frames:
        raise CaptureError("The frame range is empty: its end lies before its start")
    chosen = shot.reference_cameras() or [part.camera]
    if shot.reference_kind == "IMAGES":
        raise CaptureError("Pictures behind cameras are not rendered: press Recover Reference")
    if shot.reference_kind == "MOVING":
        kind, moments = "moving", [(float(frame), chosen[0]) for frame in frames[:: shot.reference_step]]
    else:
        at = frames[0]
        if shot.reference_at == "CURRENT":
            at = scene.frame_current + scene.frame_subframe
        kind, moments = "stills" if len(chosen) > 1 else "still", [(float(at), camera) for camera in chosen]
    return Plan(kind, moments, *shot.reference_size(size), folder, shot.reference_geometry)


def capture_steps(
    scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer, asked: Plan
) -> Generator[float | None, None, Path]:
    """Capture view by view, a view a step; yields the share that is done and returns the new version's folder.

    Closing the generator cancels: nothing is left on disk. Raises CaptureError, cameras.CameraError.
    """
    source = {"scene": scene.name, "engine": colour_engine(scene)}

    def capture_view(
        frame: float, camera: bpy.types.Object | None, path: Path
    ) -> Generator[None, None, View]:
        yield from ()  # Blender's renders are waited for.
        return _capture_view(scene, view_layer, asked, frame, camera, path)

    def surfaces() -> dict[bytes, np.ndarray]:
        return geometry.surfaces(view_layer, MAX_TRIANGLES)

    return (yield from version_steps(scene, asked, source, capture_view, surfaces))


def colour_engine(scene: bpy.types.Scene) -> str:
    """What the colour of a reference is rendered with: our own engine shows what is generated from it."""
    if scene.render.engine != ENGINE:
        return scene.render.engine
    if scene.inspatio.reference_engine == "CYCLES":
        return "CYCLES"
    return "BLENDER_EEVEE_NEXT" if bpy.app.version < (5, 0) else "BLENDER_EEVEE"


def version_steps(
    scene: bpy.types.Scene,
    asked: Plan,
    source: Mapping[str, object],
    make_view: Callable[[float, bpy.types.Object | None, Path], Generator[None, None, View]],
    surfaces: Callable[[], dict[bytes, np.ndarray]],
) -> Generator[float | None, None, Path]:
    """Write a version of a reference view by view; yields the share that is done, None to wait, returns its folder.

    `make_view` writes colour and depth of a moment's view beside `path`, a name without an ending; it yields while it
    waits for what others do, and leaves the scene as it was before it does. `surfaces` are those
    of the world at the scene's frame, as `geometry.surfaces` gives them.
    """
    temporary = asked.folder / f".capture.{os.getpid()}.tmp"
    try:
        try:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
        except OSError as error:
            raise CaptureError(f"No reference can be written to {asked.folder}: {_reason(error)}") from error
        views = []
        for index, (frame, camera) in enumerate(asked.moments):
            views.append((yield from make_view(frame, camera, temporary / f"view_{index:04d}")))
            yield (index + 1) / len(asked.moments)
        kept = asked.with_geometry and (
            yield from _keep_geometry(scene, asked, temporary / GEOMETRY_FILE, surfaces)
        )
        names = list(dict.fromkeys(view.camera for view in views))
        reference = Reference(
            asked.kind,
            asked.width,
            asked.height,
            tuple(views),
            {**source, "cameras": names},
            geometry=GEOMETRY_FILE if kept else "",
        )
        try:
            write_json(temporary / REFERENCE_FILE, reference.to_json())
            return versions.add_version(temporary, asked.folder)
        except OSError as error:
            raise CaptureError(f"No reference can be written to {asked.folder}: {_reason(error)}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _keep_geometry(
    scene: bpy.types.Scene, asked: Plan, path: Path, surfaces: Callable[[], dict[bytes, np.ndarray]]
) -> Generator[None, None, bool]:
    """Write the world's triangles to `path`, a frame a step; False where there are none, or more than MAX_TRIANGLES.

    Of a moving reference what stands still: what is the same at its first, middle and last view.
    """
    frames = [frame for frame, _ in asked.moments]
    found: dict | None = None
    try:
        for frame in dict.fromkeys((frames[0], frames[len(frames) // 2], frames[-1])):
            with cameras.kept_frame(scene):
                cameras.set_frame(scene, frame)
                now = surfaces()
            found = now if found is None else {key: found[key] for key in found if key in now}
            yield
    except geometry.TooManyTriangles:
        return False
    triangles = [corners for corners in (found or {}).values() if len(corners)]
    if not triangles:
        return False
    try:
        np.save(path, np.concatenate(triangles))
    except OSError as error:
        raise CaptureError(f"No reference can be written to {asked.folder}: {_reason(error)}") from error
    return True


def _capture_view(
    scene: bpy.types.Scene,
    view_layer: bpy.types.ViewLayer,
    asked: Plan,
    frame: float,
    camera: bpy.types.Object | None,
    path: Path,
) -> View:
    """Render colour and depth of one view to `path`.png and `path`.exr; the scene is as before afterwards."""
    with ExitStack() as stack:
        stack.enter_context(cameras.kept_frame(scene))
        cameras.set_frame(scene, frame)
        if camera is not None:
            # A marker may bind another camera to this frame.
            markers = [marker for marker in scene.timeline_markers if marker.camera is not None]
            stack.enter_context(_set([(marker, {"camera": None}) for marker in markers]))
            scene.camera = camera
            view_layer.update()
        k, pose, name = cameras.sample(scene, view_layer, None, (asked.width, asked.height))
        aspect = cameras.render_frame(scene).aspect * asked.height / asked.width
        stack.enter_context(_set(_frame_settings(scene, view_layer, asked, aspect)))
        stack.enter_context(_cycles_enabled())
        with _set(_colour_settings(scene, path)):
            _render(scene, view_layer, path.with_suffix(".png"))
        with _set(_depth_settings(scene, view_layer, path)):
            _render(scene, view_layer, path.with_suffix(".exr"))
    return View(
        float(frame),
        name,
        path.name + ".png",
        path.name + ".exr",
        tuple(k.ravel().tolist()),
        tuple(pose.ravel().tolist()),
    )


def _render(scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer, result: Path) -> None:
    try:
        bpy.ops.render.render(write_still=True, scene=scene.name, layer=view_layer.name)
    except RuntimeError as error:
        raise CaptureError(f"The reference could not be rendered: {_first_line(error)}") from error
    if not result.is_file() or not result.stat().st_size:
        raise CaptureError(
            f"The render of the reference did not arrive in {result.parent}: is the disk full?"
        )


def _frame_settings(scene, view_layer, asked: Plan, aspect: float) -> list:
    """What both renders of a view share: the size, and nothing that bends, blurs or decorates the picture."""
    camera = scene.camera.data
    return [
        (
            scene.render,
            {
                "resolution_x": asked.width,
                "resolution_y": asked.height,
                "resolution_percentage": 100,
                "pixel_aspect_x": max(1.0, aspect),
                "pixel_aspect_y": max(1.0, 1.0 / aspect),
                "use_border": False,
                "use_compositing": False,
                "use_sequencer": False,
                "use_motion_blur": False,
                "use_persistent_data": True,
                "use_multiview": False,
                "use_stamp": False,
                "film_transparent": False,
                "dither_intensity": 0.0,
                "use_file_extension": True,
                "use_overwrite": True,
            },
        ),
        (camera.dof, {"use_dof": False}),
        *((other, {"use": other == view_layer}) for other in scene.view_layers),
        *((shown, {"hide_render": True}) for shown in world.collections(scene)),
    ]


def _colour_settings(scene, path: Path) -> list:
    picture = {
        "file_format": "PNG",
        "color_mode": "RGB",
        "color_depth": "8",
        "color_management": "FOLLOW_SCENE",
    }
    if hasattr(scene.render.image_settings, "media_type"):
        picture = {"media_type": "IMAGE", **picture}
    render = {"engine": colour_engine(scene), "filepath": str(path)}
    return [(scene.render, render), (scene.render.image_settings, picture)]


def _depth_settings(scene, view_layer, path: Path) -> list:
    picture = {"file_format": "OPEN_EXR_MULTILAYER", "color_depth": "32", "exr_codec": "ZIP"}
    if hasattr(scene.render.image_settings, "media_type"):
        picture = {"media_type": "MULTI_LAYER_IMAGE", **picture}
    if hasattr(scene.render.image_settings, "use_exr_interleave"):
        picture["use_exr_interleave"] = True
    cycles = {
        "device": "CPU",
        "samples": 1,
        "use_adaptive_sampling": False,
        "use_denoising": False,
        "max_bounces": 0,
        "pixel_filter_type": "BLACKMAN_HARRIS",
        "filter_width": 0.01,
    }
    return [
        (scene.render, {"engine": "CYCLES", "filepath": str(path)}),
        (scene.render.image_settings, picture),
        (scene.cycles, cycles),
        (view_layer, {"use_pass_z": True, "samples": 0}),
    ]


@contextmanager
def _set(settings: list):
    """Set attributes of Blender data, put them back afterwards, whatever happens between.

    `settings` lists (owner, {name: value}). They are put back in the order in which they were set, since an
    earlier one may decide which values a later one may have (media type, file format, colour depth). What has
    its value already is left alone: setting the engine, to whatever value, throws away what Cycles keeps of the
    scene between two renders, and loading it anew takes longer than the render of a small picture.
    """
    before = [(owner, {name: getattr(owner, name) for name in values}) for owner, values in settings]
    try:
        for owner, values in settings:
            _set_changed(owner, values)
        yield
    finally:
        for owner, values in before:
            _set_changed(owner, values)


def _set_changed(owner, values: dict) -> None:
    for name, value in values.items():
        if getattr(owner, name) != value:
            setattr(owner, name, value)


@contextmanager
def _cycles_enabled():
    """Cycles for the length of the block, also where the user has switched its add-on off."""
    if addon_utils.check("cycles")[1]:
        yield
        return
    if addon_utils.enable("cycles") is None:
        raise CaptureError("The depth of a reference comes from Cycles, which this Blender does not have")
    try:
        yield
    finally:
        addon_utils.disable("cycles")


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _first_line(error: Exception) -> str:
    return (
        str(error).strip().splitlines()[0].removeprefix("Error: ")
        if str(error).strip()
        else "no reason given"
    )
