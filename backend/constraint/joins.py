"""Which neighbouring pixels of a view are one surface: read off its disparity w = 1 / depth, 0 for sky.

Over a plane disparity changes by the same step from pixel to pixel, and step / disparity is the tangent of the angle
between its normal and the ray, over the focal length in pixels. Every pixel gets a byte that says what it is joined
to, and which polygons start there (`surface.py`):

    ACROSS, DOWN    it is one surface with its right, its lower neighbour
    QUAD            so are the four from it to the right and down: a quad that shows the picture
    VEIL            the four are joined, too steep for anything to be shown: a quad that only hides
    CELL            some quad around it is missing: the pixel's own square is drawn, too
"""

from __future__ import annotations

import numpy as np

from .compiled import Array, Float, compiled, inlined

STEEP = np.float32(5.0)
"""Tangent of the angle between a surface's normal and the ray, up to which neighbours are always joined: 79 degrees."""

GRAZING = np.float32(30.0)
"""The same, 88 degrees, up to which a surface that goes on as it did is joined: a floor that runs to the horizon. What
does not go on so is a veil: too steep to show anything, it hides what is behind it, or a wall seen edge-on would let
the sky through between its pixels. Beyond lies a gap between two things."""

BEND = np.float32(0.5)
"""By how much of itself a step of disparity may differ from the one beside it and still go on as it did."""

SKY = np.float32(1e9)
"""Depth from which on a pixel is sky."""

NOTHING = np.float32(-1.0)
"""Disparity of a pixel without depth."""

NEAREST = np.float32(1e-18)
"""Depth from which on a pixel has one: float32 has room for what is computed of it."""

ACROSS, DOWN, QUAD, VEIL, CELL = 1, 2, 4, 8, 16
_VEIL_ACROSS, _VEIL_DOWN = 32, 64
_APART, _VEILED, _ONE = 0, 1, 2


@compiled
def disparity_of(depth: Array, w: Array) -> None:
    """Fill w (h, w) with 1 / depth: 0 for sky, `NOTHING` where there is none."""
    for y in range(depth.shape[0]):
        for x in range(depth.shape[1]):
            d = depth[y, x]
            if d >= SKY:
                w[y, x] = 0
            elif d >= NEAREST:
                w[y, x] = np.float32(1) / d
            else:
                w[y, x] = NOTHING


@compiled
def join(w: Array, focal_x: Float, focal_y: Float, grazing: Float, links: Array) -> None:
    """Fill links (h, w) uint8 for disparities w (h, w); focal lengths in pixels."""
    rows, columns = w.shape
    for y in range(rows):
        for x in range(columns):
            link = 0
            if x + 1 < columns:
                before = w[y, x - 1] if x else NOTHING
                after = w[y, x + 2] if x + 2 < columns else NOTHING
                joined = _joined(before, w[y, x], w[y, x + 1], after, focal_x, grazing)
                link |= (ACROSS | _VEIL_ACROSS) if joined == _ONE else _VEIL_ACROSS * joined
            if y + 1 < rows:
                before = w[y - 1, x] if y else NOTHING
                after = w[y + 2, x] if y + 2 < rows else NOTHING
                joined = _joined(before, w[y, x], w[y + 1, x], after, focal_y, grazing)
                link |= (DOWN | _VEIL_DOWN) if joined == _ONE else _VEIL_DOWN * joined
            links[y, x] = link
    for y in range(rows - 1):
        for x in range(columns - 1):
            here, right, below = links[y, x], links[y, x + 1], links[y + 1, x]
            # Three sides of four do: the fourth step is what the other three come to.
            if _sides(here, right, below, ACROSS, DOWN) >= 3:
                links[y, x] |= QUAD
            elif _sides(here, right, below, _VEIL_ACROSS, _VEIL_DOWN) >= 3:
                links[y, x] |= VEIL
    for y in range(rows):
        for x in range(columns):
            if w[y, x] == NOTHING:
                continue
            inside = (
                y > 0
                and x > 0
                and links[y, x] & links[y - 1, x] & links[y, x - 1] & links[y - 1, x - 1] & QUAD
            )
            if not inside:
                links[y, x] |= CELL


@inlined
def _joined(before: Float, left: Float, right: Float, after: Float, focal: Float, grazing: Float) -> int:
    """What the middle two of four pixels in a line are."""
    if left < 0 or right < 0:
        return _APART
    if left == 0 or right == 0:
        return _ONE if left == right else _APART
    step = right - left
    tangent = focal * abs(step) / min(left, right)
    if tangent <= STEEP:
        return _ONE
    if tangent > grazing:
        return _APART
    if before >= 0 and _goes_on(left - before, step):
        return _ONE
    if after >= 0 and _goes_on(after - right, step):
        return _ONE
    return _VEILED


@inlined
def _goes_on(beside: Float, step: Float) -> Float:
    return abs(beside - step) <= BEND * min(abs(beside), abs(step))


@inlined
def _sides(here: int, right: int, below: int, across: int, down: int) -> int:
    """How many of the four sides of a quad are joined."""
    return ((here & across) != 0) + ((here & down) != 0) + ((right & down) != 0) + ((below & across) != 0)


@inlined
def slopes(w: Array, links: Array, y: int, x: int) -> tuple[Float, Float]:
    """Change of disparity at a pixel from column to column and row to row, from neighbours it is joined to; else 0."""
    return (
        _slope(
            w[y, x] - w[y, x - 1] if x and links[y, x - 1] & ACROSS else np.float32(np.nan),
            w[y, x + 1] - w[y, x] if links[y, x] & ACROSS else np.float32(np.nan),
        ),
        _slope(
            w[y, x] - w[y - 1, x] if y and links[y - 1, x] & DOWN else np.float32(np.nan),
            w[y + 1, x] - w[y, x] if links[y, x] & DOWN else np.float32(np.nan),
        ),
    )


@inlined
def _slope(before: Float, after: Float) -> Float:
    """Mean of two steps, of which one or both may not be a number."""
    if np.isnan(before):
        return np.float32(0) if np.isnan(after) else after
    return before if np.isnan(after) else (before + after) / np.float32(2)
