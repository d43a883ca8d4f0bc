"""A shot of the scene: whether it can be generated, and its cameras sampled into what is generated.

`part` is which shot of the scene's film is meant (`film.py`); without it the one in front of the user.
Main thread only.
"""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import bpy

from ..backend import protocol
from ..backend.protocol.cameras import Cameras
from ..backend.protocol.files import MAX_STILLS, PlateSettings, Shot
from . import cameras, jobs, listing, settings, takes
from .film import Part, own_part
from .times import folded

EMPTY_RANGE = "The frame range is empty: its end lies before its start"


class UserError(Exception):
    """What the user asked for cannot be done; the message says why and what to do, in one line."""


def frame_size(scene: bpy.types.Scene) -> tuple[int, int]:
    """Width and height of the shot's frames."""
    preset = settings.PRESETS[scene.inspatio.preset]
    return cameras.generated_size(cameras.render_frame(scene).aspect, preset.width, preset.height)


def plate_settings(scene: bpy.types.Scene) -> PlateSettings:
    """What the scene develops frames to. Raises UserError where it renders more pixels than a plate may have."""
    width, height = scene.inspatio.plate_size()
    if max(width, height) > protocol.MAX_SIDE or width * height > protocol.MAX_PLATE_PIXELS:
        raise UserError(f"The scene renders {width} × {height} pixels: that is too large for plates")
    return PlateSettings(width, height, round(scene.inspatio.plate_strength, 4))


def shape(scene: bpy.types.Scene) -> jobs.Shape | None:
    """What the memory that a take of the shot needs depends on; None where the preset needs too little to matter."""
    shot = scene.inspatio
    preset = settings.PRESETS[shot.preset]
    if not preset.draft:
        return None
    listed = listing.get()
    kind, views = listed.reference_kind, listed.reference_views
    stills = min(max(views, 1), MAX_STILLS) if kind == "stills" else 1
    return jobs.Shape(preset.id, *frame_size(scene), shot.quality, stills, kind == "moving")


def _has_geometry(scene: bpy.types.Scene, name: str) -> bool:
    """Whether the version of the reference in use has geometry: without it Remember is disabled, and does nothing."""
    version = takes.reference_version(scene, name)
    return version is not None and takes.reference_has_geometry(version)


def check_shot(scene: bpy.types.Scene, part: Part | None = None) -> Path:
    """The version of the reference that the shot is generated from. Raises UserError where it cannot be."""
    part = part or own_part(scene)
    if not part.frames:
        raise UserError(EMPTY_RANGE)
    if scene.inspatio.plate:
        plate_settings(scene)
    reference = takes.reference_version(scene, part.name)
    if reference is None:
        raise UserError("There is no reference yet: capture or recover one first")
    try:
        cameras.check_camera(part.camera or scene.camera, scene)
    except cameras.CameraError as error:
        raise UserError(str(error)) from None
    return reference


def shot_steps(
    scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer, reference: Path, part: Part | None = None
) -> Generator[float, None, Shot]:
    """Sample the shot, a frame a step; yields the share that is done. Raises UserError.

    Its times are brought within the frames of the reference in the folder `reference`. The shot does not name it:
    where it will lie is up to who writes the shot.
    """
    with cameras.evaluated_in(scene, view_layer) as evaluate:
        return (yield from shot_with(evaluate, scene, reference, part or own_part(scene)))


def shot_with(
    evaluate: cameras.Evaluate, scene: bpy.types.Scene, reference: Path, part: Part
) -> Generator[float, None, Shot]:
    """The same of a scene that is evaluated by `evaluate`, wherever that is."""
    frames = part.frames
    if not frames:
        raise UserError(EMPTY_RANGE)
    try:
        sampled = yield from cameras.sample_with(evaluate, scene, part.camera, frames, frame_size(scene))
    except cameras.CameraError as error:
        raise UserError(str(error)) from None
    return shot_of(scene, timed(scene, sampled, takes.reference_span(reference)), part.name)


def shot_of(scene: bpy.types.Scene, sampled: Cameras, name: str = "") -> Shot:
    """The scene's shot as it is set, or that named `name`, with these cameras."""
    shot = scene.inspatio
    name = name or takes.shot_name(scene)
    preset = settings.PRESETS[shot.preset]
    width, height = frame_size(scene)
    return Shot(
        name=name,
        preset=preset.id,
        seed=shot.seed,
        width=width,
        height=height,
        cameras=sampled,
        prompt=shot.prompt if preset.text else "",
        keep_reference_detail=shot.keep_reference_detail,
        quality=shot.quality if preset.draft else "final",
        fps=scene.render.fps / scene.render.fps_base,
        remember=shot.remember and _has_geometry(scene, name),
        plate=plate_settings(scene) if shot.plate else None,
    )


def timed(scene: bpy.types.Scene, sampled: Cameras, span: tuple[float, float] | None) -> Cameras:
    """The cameras with times that the reference has; a world that stands still has none of its own."""
    if span is None or not scene.inspatio.use_reference_time:
        return replace(sampled, times=sampled.frames)
    times = (folded(time, *span, scene.inspatio.past_end) for time in sampled.times)
    return replace(sampled, times=tuple(times))
