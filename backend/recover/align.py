"""Scale of a depth map whose unit nobody knows, from a distance that somebody does."""

from __future__ import annotations

import numpy as np

from .error import RecoverError

_REACH = 2
"""Pixels around a picked one that are asked, too: a pick is never exact, and depth is noisy."""


def lift(depth: np.ndarray, intrinsics: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Points (n, 3) in camera space at pixels (n, 2); the depth is the median around each, NaN where there is none."""
    height, width = depth.shape
    points = np.full((len(pixels), 3), np.nan)
    for index, (u, v) in enumerate(pixels):
        column, row = round(u), round(v)
        if not (0 <= column < width and 0 <= row < height):
            continue
        around = depth[
            max(0, row - _REACH) : row + _REACH + 1,
            max(0, column - _REACH) : column + _REACH + 1,
        ]
        known = around[(around > 0) & np.isfinite(around)]
        if known.size:
            z = float(np.median(known))
            points[index] = z * (np.linalg.inv(intrinsics) @ (u, v, 1.0))
    return points


def align_scale(depth: np.ndarray, intrinsics: np.ndarray, pixels: np.ndarray, distance: float) -> float:
    """The factor for a planar depth map (H, W) that lays two `pixels` (2, 2) `distance` apart in space.

    Raises RecoverError for pixels outside, without depth or in one place, and for a distance that is none.
    """
    picked = np.asarray(pixels, np.float64).reshape(2, 2)
    if not 0 < distance < float("inf"):
        raise RecoverError(f"The distance between the two points must be above 0, got {distance:g}.")
    points = lift(depth, intrinsics, picked)
    for (u, v), point in zip(picked, points, strict=True):
        if np.isnan(point).any():
            raise RecoverError(
                f"There is no depth at pixel {u:.0f}, {v:.0f} of {depth.shape[1]}x{depth.shape[0]}: "
                "pick both points on something in the picture that is not sky."
            )
    apart = float(np.linalg.norm(points[0] - points[1]))
    if np.linalg.norm(picked[0] - picked[1]) < 1 or apart <= 0:
        raise RecoverError("The two points for the scale are one: pick them further apart.")
    return distance / apart
