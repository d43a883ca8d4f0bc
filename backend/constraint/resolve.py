"""What the nearest polygons of a view show in a target camera: colour and depth, put into the render.

With p a target's pixel, q = back p and e the epipole, the plane w = G s of a polygon is met at

    k = G q / (1 + G e)     1 / depth in the target
    s ~ q - k e             the place in the view

The sign of 1 + G e would tell which side is seen; `raster.draw` has told that already.
"""

from __future__ import annotations

import numpy as np

from .compiled import Array, Float, compiled, inlined
from .joins import ACROSS, DOWN, QUAD, slopes
from .raster import EMPTY, HIDDEN

SAME = np.float32(1.01)
"""Views whose depths differ by less than this factor see the same surface: the lower keeps the pixel."""

HOLE = np.float32(-1.0)

_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)
_QUARTER = np.float32(0.25)
_LEAST = np.float32(1e-6)


@compiled
def resolve(
    nearest: Array,
    edges: Array,
    finer: Array,
    picture: Array,
    w: Array,
    links: Array,
    back: Array,
    epipole: Array,
    seen: Array,
    colour: Array,
    depth: Array,
    known: Array,
    reached: Array,
) -> None:
    """Put a view into one frame's colour (3, H, W), depth and known (H, W) where it is nearer than the lower views.

    picture (h, w, 3), w and links (h, w) of the view; nearest, edges, finer as in `raster`. Of an edge the colour is
    the mean of its four places where one of them shows another part of the view: nothing is mixed as long as both
    surfaces lie as they do in the view.
    seen (H, W): 1 / depth of what the lower views have there, -1 where they have nothing; brought up to date.
    reached (H, W): becomes what this view alone knows.
    """
    columns, pixels = np.uint32(w.shape[1]), w.size
    for v in range(nearest.shape[0]):
        for u in range(nearest.shape[1]):
            key = nearest[v, u]
            if key == EMPTY:
                continue
            hidden, order, fringe = key & HIDDEN, key >> 32, key < 0
            reached[v, u] = not hidden
            near = np.int32(-1 - order if fringe else order).view(np.float32)
            if seen[v, u] >= 0 and (fringe or not near > seen[v, u] * SAME):
                continue
            if fringe and known[v, u]:
                continue
            seen[v, u] = -_ONE if fringe else near
            known[v, u] = not hidden
            if hidden:
                colour[0, v, u] = colour[1, v, u] = colour[2, v, u] = HOLE
                depth[v, u] = np.inf
                continue
            red, green, blue, total = _ZERO, _ZERO, _ZERO, _ZERO
            home_x, home_y, other = np.int64(0), np.int64(0), np.bool_(False)
            for sample in range(5 if edges[v, u] else 1):
                across, down = _ZERO, _ZERO
                if sample:
                    right, below = (sample - 1) & 1, (sample - 1) >> 1
                    key = finer[2 * v + below, 2 * u + right]
                    if key == EMPTY or key & HIDDEN:
                        continue
                    across, down = _QUARTER * (2 * right - 1), _QUARTER * (2 * below - 1)
                number = (key & (HIDDEN - 1)) - 1
                cell = number >= pixels
                if cell:
                    number -= pixels
                y = np.int64(np.uint32(number) // columns)
                x = number - y * columns
                place = np.float32(u) + np.float32(across), np.float32(v) + np.float32(down)
                # Wholly apart: in one piece with the few cells, quads take more than twice as long.
                if cell:
                    r, g, b, k = _of_cell(w, links, picture, y, x, place[0], place[1], back, epipole)
                else:
                    r, g, b, k = _of_quad(w, picture, y, x, place[0], place[1], back, epipole)
                if sample == 0:
                    depth[v, u] = _ONE / max(k, near)
                    colour[0, v, u], colour[1, v, u], colour[2, v, u] = r, g, b
                    home_x, home_y = x, y
                else:
                    red, green, blue, total = red + r, green + g, blue + b, total + _ONE
                    other = other or abs(x - home_x) > 1 or abs(y - home_y) > 1
            if other:
                colour[0, v, u], colour[1, v, u], colour[2, v, u] = red / total, green / total, blue / total


@inlined
def _of_quad(
    w: Array, picture: Array, y: int, x: int, u: Float, v: Float, back: Array, epipole: Array
) -> tuple[Float, Float, Float, Float]:
    """Colour and 1 / depth where the ray of target pixel (u, v) meets the quad below and to the right of (x, y)."""
    a, b, c, d = w[y, x], w[y, x + 1], w[y + 1, x], w[y + 1, x + 1]
    q0, q1, q2, e0, e1, e2 = _ray(y, x, u, v, back, epipole)
    slope_x, slope_y, start = b - a, c - a, a
    k = _depth(slope_x, slope_y, start, q0, q1, q2, e0, e1, e2)
    beyond = q0 - k * e0 + q1 - k * e1 > q2 - k * e2
    slope_x, slope_y = d - c if beyond else slope_x, d - b if beyond else slope_y
    start = b + c - d if beyond else start
    k = _depth(slope_x, slope_y, start, q0, q1, q2, e0, e1, e2)
    dx, dy = _place(k, q0, q1, q2, e0, e1, e2, _ZERO, _ONE)
    red, green, blue = _mixed(picture, y, x, y + 1, x + 1, y + 1, x + 1, dx, dy, True, True, True)
    return red, green, blue, k


@inlined
def _of_cell(
    w: Array, links: Array, picture: Array, y: int, x: int, u: Float, v: Float, back: Array, epipole: Array
) -> tuple[Float, Float, Float, Float]:
    """The same of the cell of pixel (x, y): bilinear over what is one surface with it."""
    q0, q1, q2, e0, e1, e2 = _ray(y, x, u, v, back, epipole)
    slope_x, slope_y = slopes(w, links, y, x)
    k = _depth(slope_x, slope_y, w[y, x], q0, q1, q2, e0, e1, e2)
    dx, dy = _place(k, q0, q1, q2, e0, e1, e2, -_HALF, _HALF)
    # The quarter of the cell: its neighbours are to the left or right of it, above or below.
    left, above = dx < 0, dy < 0
    next_x, next_y = x - 1 if left else x + 1, y - 1 if above else y + 1
    first_x, first_y = x - left, y - above
    both = first_x >= 0 and first_y >= 0 and links[first_y, first_x] & QUAD != 0
    along = both or (first_x >= 0 and links[y, first_x] & ACROSS != 0)
    down = both or (first_y >= 0 and links[first_y, x] & DOWN != 0)
    # What is not joined counts nothing, and may lie outside: any pixel does in its place.
    next_x, next_y = next_x if along else x, next_y if down else y
    far_x, far_y = next_x if both else x, next_y if both else y
    red, green, blue = _mixed(
        picture, y, x, next_y, next_x, far_y, far_x, abs(dx), abs(dy), along, down, both
    )
    return red, green, blue, k


@inlined
def _ray(
    y: int, x: int, u: Float, v: Float, back: Array, epipole: Array
) -> tuple[Float, Float, Float, Float, Float, Float]:
    """q of target pixel (u, v), and the epipole. The pixel (x, y) is the view's origin: what is met is near it."""
    own_x, own_y = np.float32(x), np.float32(y)
    q0 = back[0, 0] * u + back[0, 2] + back[0, 1] * v
    q1 = back[1, 0] * u + back[1, 2] + back[1, 1] * v
    q2 = back[2, 0] * u + back[2, 2] + back[2, 1] * v
    q0, q1 = q0 - own_x * q2, q1 - own_y * q2
    return q0, q1, q2, epipole[0] - own_x * epipole[2], epipole[1] - own_y * epipole[2], epipole[2]


@inlined
def _place(
    k: Float, q0: Float, q1: Float, q2: Float, e0: Float, e1: Float, e2: Float, least: Float, most: Float
) -> tuple[Float, Float]:
    """Columns and rows from the origin to where the ray meets the plane at 1 / depth k, from `least` to `most`.

    A polygon that is seen edge-on leaves rounding errors where the ray meets it: they stay within it.
    """
    scale = _ONE / max(q2 - k * e2, _LEAST)
    return min(max((q0 - k * e0) * scale, least), most), min(max((q1 - k * e1) * scale, least), most)


@inlined
def _depth(
    slope_x: Float,
    slope_y: Float,
    start: Float,
    q0: Float,
    q1: Float,
    q2: Float,
    e0: Float,
    e1: Float,
    e2: Float,
) -> Float:
    """1 / depth in the target of the plane (slope_x, slope_y, start) along q."""
    along = slope_x * q0 + slope_y * q1 + start * q2
    return along / max(_ONE + slope_x * e0 + slope_y * e1 + start * e2, _LEAST)


@inlined
def _mixed(
    picture: Array,
    y: int,
    x: int,
    next_y: int,
    next_x: int,
    far_y: int,
    far_x: int,
    dx: Float,
    dy: Float,
    along: bool,
    down: bool,
    both: bool,
) -> tuple[Float, Float, Float]:
    """Bilinear over pixel (x, y), those beside, below and across of it, of which `along`, `down` and `both` count."""
    own = (_ONE - dx) * (_ONE - dy)
    beside = dx * (_ONE - dy) if along else _ZERO
    over = (_ONE - dx) * dy if down else _ZERO
    across = dx * dy if both else _ZERO
    share = _ONE / (own + beside + over + across)
    own, beside, over, across = own * share, beside * share, over * share, across * share
    four = picture[y, x], picture[y, next_x], picture[next_y, x], picture[far_y, far_x]
    return (
        four[0][0] * own + four[1][0] * beside + four[2][0] * over + four[3][0] * across,
        four[0][1] * own + four[1][1] * beside + four[2][1] * over + four[3][1] * across,
        four[0][2] * own + four[1][2] * beside + four[2][2] * over + four[3][2] * across,
    )
