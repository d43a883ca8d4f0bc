"""Polygons of a view drawn into a target camera: the nearest one of every pixel.

    u, v, near  (corners) moved into the target camera and projected; `near` is 1 / depth there, 0 for sky
    nearest     (H, W) int64: the greatest key of the polygons that cover the pixel's centre, `EMPTY` where none does
    edges       (H, W): where depth jumps from a pixel to the next. There, and there only, the same polygons are drawn
    finer       (2H, 2W) once more, at four places a pixel: an edge between two surfaces shows some of both

A key is the bits of a polygon's near, which order as the numbers do, above its number. Of h w = n pixels of the view,
the quad below and to the right of pixel i is number i + 1 and its cell n + i + 1; what is not to be seen, as it is a
veil or shows its back, is `HIDDEN` higher. The greatest key is the same in whatever order polygons come.

Around every cell lies a fringe, for what is there beyond the middle of the outermost pixels is not seen but all but
known: it has a place only where nothing else has, and of two fringes the farther one shows, as holes lie behind things.
Its key is negative: -1 less near's bits, above the cell's number.
"""

from __future__ import annotations

import numpy as np

from .compiled import Array, Float, compiled, inlined
from .joins import CELL, QUAD, VEIL, slopes

BEHIND = np.float32(0.9)
"""A veil's 1 / depth counts as this much of its farthest corner's, so that it never hides what stands there itself."""

NEAR = np.float32(1e-3)
"""Polygons with a corner nearer than this, as a share of its depth in the view, are left out: they cross the
target camera's plane, and only what is nearer than their own size could be seen of them."""

TOUCH = np.float32(1e-3)
"""How far, in pixels, polygons reach over their edges: more than what rounding tears open between them."""

REACH = np.float32(0.95)
"""Pixels from a cell's middle to the edge of its fringe: nearly as far as a pixel of the splat reaches. At one, a
camera that stands where the view's did would see it."""

JUMP = np.float32(1.03)
"""Ratio of two pixels' depths from which on there may be an edge between them."""

EMPTY = np.int64(-(1 << 63))
HIDDEN = 1 << 30
SMALL = 4
"""Columns and rows of a polygon that is tested pixel by pixel. Larger ones are drawn as spans."""

_QUAD, _CELL, _FRINGE = 0, 1, 2
_ONE, _HALF = np.float32(1), np.float32(0.5)


@compiled
def draw(w: Array, links: Array, forth: Array, shift: Array, wanted: Array, nearest: Array) -> None:
    """Draw the polygons of a view with disparities w and `links` (h, w) into nearest (H, W), which is `EMPTY` before.

    forth (3, 3), shift (3,): a pixel s = (x, y, 1) of the view lands at forth s + w shift. wanted: which pixels are
    drawn, (H, W) or, a number for four pixels, (H/2, W/2).
    """
    rows, columns = w.shape
    upper, lower = np.empty((3, columns), np.float32), np.empty((3, columns), np.float32)
    _project_row(w[0], 0, forth, shift, upper[0], upper[1], upper[2])
    for y in range(rows):
        if y + 1 < rows:
            _project_row(w[y + 1], y + 1, forth, shift, lower[0], lower[1], lower[2])
        for x in range(columns):
            link, own = links[y, x], y * columns + x + 1
            for kind in range(3 if link & CELL else 1):
                if kind == _QUAD:
                    if not link & (QUAD | VEIL):
                        continue
                    u0, v0, near0 = upper[0, x], upper[1, x], upper[2, x]
                    u1, v1, near1 = upper[0, x + 1], upper[1, x + 1], upper[2, x + 1]
                    u2, v2, near2 = lower[0, x + 1], lower[1, x + 1], lower[2, x + 1]
                    u3, v3, near3 = lower[0, x], lower[1, x], lower[2, x]
                else:
                    half = REACH if kind == _FRINGE else _HALF
                    slope_x, slope_y = slopes(w, links, y, x)
                    u0, v0, near0 = _corner(w[y, x], y, x, -half, -half, slope_x, slope_y, forth, shift)
                    u1, v1, near1 = _corner(w[y, x], y, x, half, -half, slope_x, slope_y, forth, shift)
                    u2, v2, near2 = _corner(w[y, x], y, x, half, half, slope_x, slope_y, forth, shift)
                    u3, v3, near3 = _corner(w[y, x], y, x, -half, half, slope_x, slope_y, forth, shift)
                near = min(min(near0, near1), min(near2, near3))
                if near >= 0:
                    number = np.int64(own if kind == _QUAD else own + w.size)
                    if kind == _QUAD and link & VEIL:
                        near *= BEHIND
                        number |= HIDDEN
                    order = np.int64(np.float32(near).view(np.int32))
                    if kind == _FRINGE:
                        order = -1 - order
                    _draw_polygon(u0, v0, u1, v1, u2, v2, u3, v3, order << 32 | number, wanted, nearest)
        upper, lower = lower, upper


@inlined
def _corner(
    w: Float,
    y: int,
    x: int,
    across: Float,
    down: Float,
    slope_x: Float,
    slope_y: Float,
    forth: Array,
    shift: Array,
) -> tuple[Float, Float, Float]:
    """The corner of a pixel's square that lies half a pixel `across` and `down`."""
    there = max(w + across * slope_x + down * slope_y, np.float32(0))
    return _project(np.float32(x) + across, np.float32(y) + down, there, forth, shift)


@inlined
def _project(x: Float, y: Float, w: Float, forth: Array, shift: Array) -> tuple[Float, Float, Float]:
    """Where the view's point (x, y) with disparity w lies in the target: u, v, 1 / depth; the last -1 where `NEAR`."""
    z = forth[2, 0] * x + forth[2, 2] + forth[2, 1] * y + shift[2] * w
    scale = _ONE / max(z, NEAR)
    return (
        (forth[0, 0] * x + forth[0, 2] + forth[0, 1] * y + shift[0] * w) * scale,
        (forth[1, 0] * x + forth[1, 2] + forth[1, 1] * y + shift[1] * w) * scale,
        w * scale if z > NEAR else -_ONE,
    )


@inlined
def _project_row(w: Array, y: int, forth: Array, shift: Array, u: Array, v: Array, near: Array) -> None:
    row = np.float32(y)
    for x in range(len(w)):
        u[x], v[x], near[x] = _project(np.float32(x), row, w[x], forth, shift)


@inlined
def _draw_polygon(
    u0: Float,
    v0: Float,
    u1: Float,
    v1: Float,
    u2: Float,
    v2: Float,
    u3: Float,
    v3: Float,
    key: int,
    wanted: Array,
    nearest: Array,
) -> None:
    """Draw a polygon with four corners, clockwise where it is seen from its front."""
    height, width = nearest.shape
    fine = np.int64(height > wanted.shape[0])
    left = np.ceil(min(min(u0, u1), min(u2, u3)) - TOUCH)
    right = np.floor(max(max(u0, u1), max(u2, u3)) + TOUCH)
    top = np.ceil(min(min(v0, v1), min(v2, v3)) - TOUCH)
    bottom = np.floor(max(max(v0, v1), max(v2, v3)) + TOUCH)
    if not (left <= right and top <= bottom and left < width and right >= 0 and top < height and bottom >= 0):
        return
    small = right - left < SMALL and bottom - top < SMALL
    if small:
        first_x, last_x = max(int(left), 0), min(int(right), width - 1)
        first_y, last_y = max(int(top), 0), min(int(bottom), height - 1)
        if fine and not _any(wanted, first_y >> 1, last_y >> 1, first_x >> 1, last_x >> 1):
            return
    corners = min(
        min(_turn(u0, v0, u1, v1, u2, v2), _turn(u1, v1, u2, v2, u3, v3)),
        min(_turn(u2, v2, u3, v3, u0, v0), _turn(u3, v3, u0, v0, u1, v1)),
    )
    if small and corners > 0:
        for y in range(first_y, last_y + 1):
            for x in range(first_x, last_x + 1):
                px, py = np.float32(x), np.float32(y)
                edges = min(
                    min(_turn(px, py, u0, v0, u1, v1), _turn(px, py, u1, v1, u2, v2)),
                    min(_turn(px, py, u2, v2, u3, v3), _turn(px, py, u3, v3, u0, v0)),
                )
                if edges >= -TOUCH and wanted[y >> fine, x >> fine]:
                    nearest[y, x] = max(nearest[y, x], key)
    else:
        for half in (0, 1):
            if half:
                u0, v0, u1, v1, u3, v3 = u2, v2, u3, v3, u1, v1
            _draw_triangle(u0, v0, u1, v1, u3, v3, key, fine, wanted, nearest)


@inlined
def _any(wanted: Array, first_y: int, last_y: int, first_x: int, last_x: int) -> Float:
    some = False
    for y in range(first_y, last_y + 1):
        for x in range(first_x, last_x + 1):
            some = some or wanted[y, x]
    return some


@inlined
def _turn(u0: Float, v0: Float, u1: Float, v1: Float, u2: Float, v2: Float) -> Float:
    """Twice the area of a triangle: positive where its corners go round clockwise."""
    return (u1 - u0) * (v2 - v0) - (v1 - v0) * (u2 - u0)


@inlined
def _draw_triangle(
    u0: Float,
    v0: Float,
    u1: Float,
    v1: Float,
    u2: Float,
    v2: Float,
    key: int,
    fine: int,
    wanted: Array,
    nearest: Array,
) -> None:
    """Draw a triangle of any size: the span of every row that it reaches."""
    height, width = nearest.shape
    area = _turn(u0, v0, u1, v1, u2, v2)
    if area < 0 and key >= 0:
        key |= HIDDEN
    elif not area > 0:
        return  # A fringe's back, too.
    if v1 < v0:
        u0, v0, u1, v1 = u1, v1, u0, v0
    if v2 < v1:
        u1, v1, u2, v2 = u2, v2, u1, v1
    if v1 < v0:
        u0, v0, u1, v1 = u1, v1, u0, v0
    first = max(np.ceil(v0 - TOUCH), np.float32(0))
    last = min(np.floor(v2 + TOUCH), np.float32(height - 1))
    if not first <= last:
        return
    for y in range(int(first), int(last) + 1):
        # The long edge from top to bottom, and the way over the corner between.
        row = np.float32(y)
        straight = u0 + (u2 - u0) * _along(row, v0, v2)
        around = u0 + (u1 - u0) * _along(row, v0, v1) + (u2 - u1) * _along(row, v1, v2)
        start = max(np.ceil(min(straight, around) - TOUCH), np.float32(0))
        stop = min(np.floor(max(straight, around) + TOUCH), np.float32(width - 1))
        if start <= stop:
            for x in range(int(start), int(stop) + 1):
                if wanted[y >> fine, x >> fine]:
                    nearest[y, x] = max(nearest[y, x], key)


@inlined
def _along(y: Float, start: Float, stop: Float) -> Float:
    """How much of the way from start to stop lies before y, 0 to 1."""
    share = (y - start) / max(stop - start, np.float32(1e-9))
    return min(max(share, np.float32(0)), _ONE)


@compiled
def find_edges(nearest: Array, edges: Array, finer: Array) -> None:
    """Mark in edges (H, W), which is False before, where depth jumps to a neighbour, and empty finer (2H, 2W) there."""
    height, width = nearest.shape
    for y in range(height):
        for x in range(width):
            key = nearest[y, x]
            for dy, dx in ((0, 1), (1, 0)):
                if y + dy < height and x + dx < width and _jumps(key, nearest[y + dy, x + dx]):
                    edges[y, x] = edges[y + dy, x + dx] = True
    for y in range(height):
        for x in range(width):
            if edges[y, x]:
                finer[2 * y, 2 * x] = finer[2 * y, 2 * x + 1] = EMPTY
                finer[2 * y + 1, 2 * x] = finer[2 * y + 1, 2 * x + 1] = EMPTY


@inlined
def _jumps(one: int, other: int) -> Float:
    if one < 0 or other < 0:
        return one != other
    near, far = np.int32(one >> 32).view(np.float32), np.int32(other >> 32).view(np.float32)
    return max(near, far) > JUMP * min(near, far)
