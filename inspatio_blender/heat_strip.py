"""The strip of coverage colours in the panel: a row of icons without gaps, since a panel draws nothing of its own.

Main thread only.
"""

import bpy
import bpy.utils.previews
import numpy as np

from .coverage import Coverage, colour

PIXELS = 32
"""Width and height of an icon's picture."""
SCALE = 0.95
"""Of a button's width, at which icons touch."""
PITCH = 0.795
"""Width of such a button, in units of the interface."""

_previews = None
_drawn: tuple = ()


def draw(layout: bpy.types.UILayout, coverage: Coverage, width: float, is_stale: bool) -> None:
    """Draw the strip into a region that is `width` pixels wide."""
    unit = 20 * bpy.context.preferences.system.ui_scale
    count = max(4, int((width - 1.3 * unit) / (PITCH * unit)))
    _paint(coverage, count, is_stale)
    row = layout.row(align=True)
    row.alignment = "CENTER"
    row.scale_x = SCALE
    for number in range(count):
        row.label(text="", icon_value=_previews[str(number)].icon_id)


def _paint(coverage: Coverage, count: int, is_stale: bool) -> None:
    """Paint the first `count` icons, if they show something else."""
    global _drawn
    wanted = (id(coverage), len(coverage.shares), count, is_stale)
    if wanted == _drawn:
        return
    colours = np.full((len(coverage.frames), 4), (0.3, 0.3, 0.3, 1.0), np.float32)
    for index, share in enumerate(coverage.shares):
        colours[index, :3] = colour(share)
    if is_stale:
        colours[:, :3] = 0.35 * colours[:, :3] + 0.65 * 0.3
    frame = np.arange(count * PIXELS) * len(colours) // (count * PIXELS)
    for number, part in enumerate(colours[frame].reshape(count, PIXELS, 4)):
        preview = _previews.get(str(number)) or _previews.new(str(number))
        preview.icon_size = (PIXELS, PIXELS)
        preview.icon_pixels_float = np.broadcast_to(part, (PIXELS, PIXELS, 4)).ravel()
    _drawn = wanted


def register():
    global _previews, _drawn
    _previews, _drawn = bpy.utils.previews.new(), ()


def unregister():
    global _previews
    bpy.utils.previews.remove(_previews)
    _previews = None
