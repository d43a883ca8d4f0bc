"""The badge on the live picture: a few words in the corner of the camera's frame.

Main thread only.
"""

from itertools import pairwise

import blf
import bpy
import gpu
from gpu_extras.batch import batch_for_shader

from ..coverage import percent
from .frame_plane import Rect

SIZE = 11
"""Of the letters, in pixels of an unscaled interface; all lengths here are such."""
MARGIN, PADDING, GAP, DOT = 8, 7, 10, 7
ROUND = 4
BACK = (0.0, 0.0, 0.0, 0.55)
TEXT = (0.93, 0.93, 0.93, 1.0)
FRESH, STALE = (0.35, 0.75, 0.40, 1.0), (0.95, 0.65, 0.20, 1.0)


def words(
    frame: float, state: str, frames_a_second: float | None = None, coverage: float | None = None
) -> tuple[str, ...]:
    """What the badge says of a frame: its number, `state` in a word or two, and what is known of the rest."""
    texts = [f"{frame:g}", state]
    if frames_a_second is not None:
        texts.append(f"{frames_a_second:.1f} fps")
    if coverage is not None:
        texts.append(f"{percent(coverage)} covered")
    return tuple(texts)


def visible_part(area: bpy.types.Area, region: bpy.types.Region) -> Rect:
    """The part of `region` that no sidebar, toolbar or header lies over."""
    left, bottom, right, top = 0.0, 0.0, float(region.width), float(region.height)
    for other in area.regions:
        if other.type in ("WINDOW", "HUD") or other.width <= 1 or other.height <= 1:
            continue
        x, y = other.x - region.x, other.y - region.y
        if x >= region.width or y >= region.height or x + other.width <= 0 or y + other.height <= 0:
            continue
        if other.alignment == "LEFT":
            left = max(left, x + other.width)
        elif other.alignment == "RIGHT":
            right = min(right, x)
        elif other.alignment == "TOP":
            top = min(top, y)
        elif other.alignment == "BOTTOM":
            bottom = max(bottom, y + other.height)
    return left, bottom, right, top


def draw(texts: tuple[str, ...], stale: bool, frame: Rect, visible: Rect) -> None:
    """Draw the badge into the lower left corner of what is visible of `frame`; as many texts as there is room for."""
    scale = bpy.context.preferences.system.ui_scale
    left, bottom = max(frame[0], visible[0]) + MARGIN * scale, max(frame[1], visible[1]) + MARGIN * scale
    right, top = min(frame[2], visible[2]) - MARGIN * scale, min(frame[3], visible[3]) - MARGIN * scale
    blf.size(0, SIZE * scale)
    _, letters = blf.dimensions(0, "0")
    height = round(letters + 2 * PADDING * scale)
    x, placed = left + (PADDING + DOT + PADDING) * scale, []
    for text in texts:
        width, _ = blf.dimensions(0, text)
        if x + width + PADDING * scale > right:
            break
        placed.append((x, text))
        x += width + GAP * scale
    if not placed or bottom + height > top:
        return
    left, bottom = round(left), round(bottom)
    gpu.state.blend_set("ALPHA")
    try:
        rounded((left, bottom, x - (GAP - PADDING) * scale, bottom + height), ROUND * scale, BACK)
        middle = bottom + height / 2
        half = DOT * scale / 2
        at = left + PADDING * scale
        rounded((at, middle - half, at + 2 * half, middle + half), half, STALE if stale else FRESH)
        blf.color(0, *TEXT)
        for at, text in placed:
            blf.position(0, round(at), round(middle - letters / 2), 0)
            blf.draw(0, text)
    finally:
        gpu.state.blend_set("NONE")


def fill(points, colour) -> None:
    """Fill a convex outline."""
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    shader.bind()
    shader.uniform_float("color", colour)
    triangles = [(points[0], b, c) for b, c in pairwise(points[1:])]
    batch_for_shader(shader, "TRIS", {"pos": [corner for three in triangles for corner in three]}).draw(
        shader
    )


def rounded(rect: Rect, radius: float, colour) -> None:
    """Fill a rectangle with round corners."""
    left, bottom, right, top = rect
    bend = ((0.0, 1.0), (0.38, 0.92), (0.71, 0.71), (0.92, 0.38), (1.0, 0.0))
    points = []
    for centre, turn in (
        ((right - radius, top - radius), lambda x, y: (x, y)),
        ((right - radius, bottom + radius), lambda x, y: (y, -x)),
        ((left + radius, bottom + radius), lambda x, y: (-x, -y)),
        ((left + radius, top - radius), lambda x, y: (-y, x)),
    ):
        points += [(centre[0] + radius * a, centre[1] + radius * b) for a, b in (turn(x, y) for x, y in bend)]
    fill(points, colour)
