"""The preview's frames in timeline and dope sheet: a thin line below the numbers, generated, stale or missing.

Main thread only.
"""

from collections.abc import Mapping

import bpy
import gpu

from .badge import fill
from .states import State, runs

NUMBERS = 23
"""Height of the numbers at the top, in pixels of an unscaled interface."""
HEIGHT = 4
COLOURS = {
    None: (1.0, 1.0, 1.0, 0.12),
    "fresh": (0.33, 0.60, 0.88, 1.0),
    "stale": (0.90, 0.60, 0.20, 1.0),
}


def draw(context: bpy.types.Context, states: Mapping[int, State]) -> None:
    """Draw the line for the frames of the shot, and for those generated beside it."""
    scene, region = context.scene, context.region
    frames = sorted({*scene.inspatio.frames(), *states})
    left, _ = region.view2d.region_to_view(0, 0)
    right, _ = region.view2d.region_to_view(region.width, 0)
    if right <= left:
        return
    scale = context.preferences.system.ui_scale
    per_frame = region.width / (right - left)
    top = round(region.height - NUMBERS * scale)
    bottom = top - max(2, round(HEIGHT * scale))
    gpu.state.blend_set("ALPHA")
    try:
        for first, last, state in runs(frames, states):
            x, end = (first - 0.5 - left) * per_frame, (last + 0.5 - left) * per_frame
            if end > 0 and x < region.width:
                fill([(x, bottom), (x, top), (end, top), (end, bottom)], COLOURS[state])
    finally:
        gpu.state.blend_set("NONE")
