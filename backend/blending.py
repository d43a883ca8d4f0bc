"""What a plate's pixels are made of: loops over pixels, compiled like those of the warp they follow.

shrink   colour, known (H, W)    ->  their means over each pixel of the generated frame (h, w)
blend    frame, warp, agreement  ->  the plate, and the share of the reference's own detail
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .constraint.compiled import Array, Float, compiled, inlined

_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)
_CODE = np.float32(127.5)
_FULL = np.float32(255)
_LEAST = np.float32(1e-6)
_REACH = 5
"""Pixels around one in a crack that are looked at: further than half of any."""


@compiled
def shrink(colour: Array, known: Array, sums: Array) -> None:
    """Fill sums (h, w, 4) float32: over each cell of the H x W pixels, the mean of what is known of the colour, and of
    known itself.

    colour (3, H, W) in [-1, 1], known (H, W); h <= H and w <= W. Colour is in codes of 0 to 255 and counts 0 where it
    is not known. A pixel that two cells share is shared between them.
    """
    height, width = known.shape
    rows, columns, _ = sums.shape
    sums[:] = _ZERO
    across, down = np.float32(columns / width), np.float32(rows / height)
    for y in range(height):
        top, upper = _cell(y, rows, height)
        for x in range(width):
            if not known[y, x]:
                continue
            left, nearer = _cell(x, columns, width)
            red = (colour[0, y, x] + _ONE) * _CODE
            green = (colour[1, y, x] + _ONE) * _CODE
            blue = (colour[2, y, x] + _ONE) * _CODE
            for below in range(2 if upper < _ONE else 1):
                weight_y = (_ONE - upper if below else upper) * down
                for right in range(2 if nearer < _ONE else 1):
                    weight = weight_y * ((_ONE - nearer if right else nearer) * across)
                    sums[top + below, left + right, 0] += red * weight
                    sums[top + below, left + right, 1] += green * weight
                    sums[top + below, left + right, 2] += blue * weight
                    sums[top + below, left + right, 3] += weight


@inlined
def _cell(pixel: int, cells: int, pixels: int) -> tuple[int, Float]:
    """The first cell that a pixel lies in, and how much of the pixel does."""
    first = pixel * cells // pixels
    # The cell ends at (first + 1) * pixels / cells.
    ends = (first + 1) * pixels - pixel * cells
    return first, _ONE if ends >= cells else np.float32(ends / cells)


@compiled
def blend(
    plain: Array,
    colour: Array,
    known: Array,
    inside: Array,
    grid: Array,
    strength: Float,
    plate: Array,
    coverage: Array,
) -> None:
    """Fill plate (H, W, 3) and coverage (H, W), uint8.

    plain (H, W, 3) uint8: the frame, enlarged. colour (3, H, W) float32 in [-1, 1], known (H, W): the warp.
    inside (H, W) uint8: how far it may be trusted by where its holes are; a pixel that is not known, but inside, lies
    in a crack and shows what is beside it. grid (h, w, 5) float32, for each pixel of the frame: how much the warp
    may be trusted, its gain, and what is added to its codes, red, green and blue.
    """
    height, width = inside.shape
    rows, columns, _ = grid.shape
    for y in range(height):
        top, bottom, down = _between(y, rows, height)
        for x in range(width):
            if inside[y, x] == 0:
                plate[y, x, 0], plate[y, x, 1], plate[y, x, 2] = (
                    plain[y, x, 0],
                    plain[y, x, 1],
                    plain[y, x, 2],
                )
                coverage[y, x] = 0
                continue
            left, right, across = _between(x, columns, width)
            a, b = (_ONE - across) * (_ONE - down), across * (_ONE - down)
            c, d = (_ONE - across) * down, across * down
            g0, g1, g2, g3 = grid[top, left], grid[top, right], grid[bottom, left], grid[bottom, right]
            trust = g0[0] * a + g1[0] * b + g2[0] * c + g3[0] * d
            gain = g0[1] * a + g1[1] * b + g2[1] * c + g3[1] * d
            trust *= strength * np.float32(inside[y, x]) / _FULL
            coverage[y, x] = np.uint8(trust * _FULL + _HALF)
            red, green, blue = colour[0, y, x], colour[1, y, x], colour[2, y, x]
            if not known[y, x]:
                red, green, blue = _beside(colour, known, y, x)
            for channel in range(3):
                shown = red if channel == 0 else green if channel == 1 else blue
                added = g0[channel + 2] * a + g1[channel + 2] * b + g2[channel + 2] * c + g3[channel + 2] * d
                own = np.float32(plain[y, x, channel])
                detail = (shown + _ONE) * _CODE * gain + added
                made = own + trust * (detail - own)
                plate[y, x, channel] = np.uint8(min(max(made, _ZERO), _FULL) + _HALF)


@inlined
def _beside(colour: Array, known: Array, y: int, x: int) -> tuple[Float, Float, Float]:
    """The mean of what is known of the colour around a pixel in a crack."""
    height, width = known.shape
    red, green, blue, count = _ZERO, _ZERO, _ZERO, _ZERO
    for v in range(max(y - _REACH, 0), min(y + _REACH + 1, height)):
        for u in range(max(x - _REACH, 0), min(x + _REACH + 1, width)):
            if known[v, u]:
                weight = _ONE / np.float32((v - y) * (v - y) + (u - x) * (u - x))
                red += colour[0, v, u] * weight
                green += colour[1, v, u] * weight
                blue += colour[2, v, u] * weight
                count += weight
    scale = _ONE / max(count, _LEAST)
    return red * scale, green * scale, blue * scale


@inlined
def _between(pixel: int, cells: int, pixels: int) -> tuple[Any, Any, Float]:
    """The two cells whose middles a pixel's middle lies between, and how far it is from the first to the second."""
    place = (np.float32(pixel) + _HALF) * np.float32(cells / pixels) - _HALF
    first = np.int64(np.floor(place))
    share = place - np.float32(first)
    last = np.int64(cells - 1)
    return max(first, np.int64(0)), min(first + np.int64(1), last), share
