"""The F-curve of Reference Time: keys, and presets as keys. Main thread only."""

from collections.abc import Sequence

import bpy

from . import takes
from .curves import curve_lists
from .shots import EMPTY_RANGE, UserError
from .times import Key, preset_keys

PATH = "inspatio.reference_time"


def write_preset(scene: bpy.types.Scene, preset: str, hold: int) -> None:
    """Put the keys of a preset in place of what animates Reference Time, and use it. Raises UserError."""
    frames = scene.inspatio.frames()
    if not frames:
        raise UserError(EMPTY_RANGE)
    version = takes.reference_version(scene)
    shot = frames[0], frames[-1]
    # Without a reference that moves, the one that would be captured now.
    span = (takes.reference_span(version) if version is not None else None) or (
        float(shot[0]),
        float(shot[1]),
    )
    write_keys(scene, preset_keys(preset, shot, span, scene.frame_current, hold))


def write_keys(scene: bpy.types.Scene, keys: Sequence[Key]) -> None:
    """Use Reference Time, animated by these keys alone, with straight lines between them. Raises UserError."""
    animation = scene.animation_data
    if animation is not None and any(driver.data_path == PATH for driver in animation.drivers):
        raise UserError("Reference Time has a driver: remove it first")
    if scene.library is not None:
        raise UserError("The scene is linked from another file: its time cannot be animated here")
    for curves in curve_lists(scene):
        for curve in [curve for curve in curves if curve.data_path == PATH]:
            curves.remove(curve)
    for frame, time in keys:
        scene.inspatio.reference_time = time
        scene.keyframe_insert(PATH, frame=frame)
    for curve in (c for curves in curve_lists(scene) for c in curves if c.data_path == PATH):
        for key in curve.keyframe_points:
            key.interpolation = "LINEAR"
        curve.extrapolation = "CONSTANT"
    scene.inspatio.use_reference_time = True
