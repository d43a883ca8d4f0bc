"""The coverage of the shot drawn over the frames of timeline and dope sheet.

A column a frame, as high as the share that the reference reaches, from red to green; frames below half are marked with
a line and their numbers. Nothing is drawn where the scene has no check, or its switch is off. Main thread only.
"""

from collections.abc import Sequence

import blf
import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader

from . import driver
from .coverage import LOW, Coverage, Run, colour

HEIGHT = 44
"""Of a column for full coverage, in pixels of an unscaled interface; less where the editor is low."""
BOTTOM = 18
"""Where the columns stand: above the scroll bar. At the very bottom where the editor is low."""
SCRUBBING = 23
"""Height of the numbers at the top."""
LABEL = 15
"""Height of the marks and their numbers."""
MARK = (0.95, 0.35, 0.30)

_handler = None


def _draw() -> None:
    context = bpy.context
    scene, region = context.scene, context.region
    coverage = driver.get().coverage
    if coverage is None or not coverage.is_of(scene) or not scene.inspatio.show_coverage:
        return
    if not coverage.shares:
        return
    left, _ = region.view2d.region_to_view(0, 0)
    right, _ = region.view2d.region_to_view(region.width, 0)
    if right <= left:
        return
    scale = bpy.context.preferences.system.ui_scale
    per_frame = region.width / (right - left)
    frames = np.array(coverage.frames[: len(coverage.shares)])
    room = region.height - (SCRUBBING + LABEL) * scale
    bottom = BOTTOM * scale if room >= (BOTTOM + HEIGHT) * scale else 0.0
    high = max(min(HEIGHT * scale, room - bottom), 8 * scale)
    strength = 0.3 if coverage.is_stale(scene) else 0.8
    gpu.state.blend_set("ALPHA")
    try:
        _columns((frames - left) * per_frame, per_frame, coverage, (bottom, high), strength)
        _marks(coverage.runs, left, per_frame, bottom + high, scale, strength)
    finally:
        gpu.state.blend_set("NONE")


def _columns(
    x: np.ndarray, per_frame: float, coverage: Coverage, place: tuple[float, float], strength: float
) -> None:
    """Draw the columns around `x` (n,), and the line that they should reach; `place` is their bottom and height."""
    shares = np.array(coverage.shares, np.float32)
    bottom, high = place
    corners = np.zeros((len(x), 6, 2), np.float32)
    corners[:, (0, 2, 5), 0] = (x - per_frame / 2)[:, None]
    corners[:, (1, 3, 4), 0] = (x + per_frame / 2)[:, None]
    corners[:, (0, 1, 3), 1] = bottom
    corners[:, (2, 4, 5), 1] = (bottom + np.maximum(shares * high, 1.0))[:, None]
    colours = np.array([(*colour(share), strength) for share in shares], np.float32)
    shader = gpu.shader.from_builtin("FLAT_COLOR")
    content = {"pos": corners.reshape(-1, 2), "color": np.repeat(colours, 6, axis=0)}
    batch_for_shader(shader, "TRIS", content).draw(shader)
    y = bottom + LOW * high
    _lines([(x[0] - per_frame / 2, y), (x[-1] + per_frame / 2, y)], (1.0, 1.0, 1.0, 0.35), 1.0)


def _marks(
    runs: Sequence[Run], left: float, per_frame: float, top: float, scale: float, strength: float
) -> None:
    """A line over each run of marked frames, `top` pixels high, with its numbers where there is room.

    The lines come first: text that is drawn ends blending.
    """
    colour, y = (*MARK, strength), top + scale
    places = [
        tuple((frame - left) * per_frame for frame in (run.first - 0.5, run.last + 0.5)) for run in runs
    ]
    _lines([(x, y) for place in places for x in place], colour, 2 * scale)
    taken = -1e9
    blf.size(0, 11 * scale)
    blf.color(0, *colour)
    for run, (start, stop) in zip(runs, places, strict=True):
        text = f"{run.first:g}" if run.first == run.last else f"{run.first:g}–{run.last:g}"
        width, _ = blf.dimensions(0, text)
        at = (start + stop - width) / 2
        if at > taken:
            blf.position(0, at, y + 3 * scale, 0)
            blf.draw(0, text)
            taken = at + width + 6 * scale


def _lines(points, colour, width: float) -> None:
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    shader.bind()
    shader.uniform_float("color", colour)
    gpu.state.line_width_set(width)
    batch_for_shader(shader, "LINES", {"pos": points}).draw(shader)
    gpu.state.line_width_set(1.0)


def register():
    global _handler
    _handler = bpy.types.SpaceDopeSheetEditor.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")


def unregister():
    global _handler
    bpy.types.SpaceDopeSheetEditor.draw_handler_remove(_handler, "WINDOW")
    _handler = None
