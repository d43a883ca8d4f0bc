"""The focal length of a video, or of several stills, from how its pictures agree.

    features of the first picture, lifted by its depth  ->  seen in others  ->  poses (PnP) under many focal lengths
    ->  the one under which they are seen nearest to their places

Only a camera that turns tells its lens: a pan of a degree moves the picture by more pixels the longer the lens is,
while one that is pushed or slid sees the same through any (its way grows with the width of the world). So what was
found counts where other focal lengths explain the pictures clearly worse, and nothing is said elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from .lens import intrinsics_of
from .tracking import FEWEST, MISS, UNDISTORTED, Features, depth_at, pose_of

SHORTEST, LONGEST, STEPS = 12.0, 150.0, 31
"""The focal lengths that are tried, in millimetres on 35 mm film, in equal ratios."""
BESIDE, CLEARLY = 3, 1.1
"""Three of these steps (29 %) to either side, points have to be seen 1.1 times as far from their places."""
FAR = 2 * MISS
"""Pixels; no point counts for more, or a few that move would decide."""


def find_focal(pictures: Sequence[np.ndarray], depth_of: Callable[[np.ndarray], np.ndarray]) -> float | None:
    """Focal length, in millimetres on 35 mm film, of pictures (H, W, 3) through one lens; None where they don't tell.

    depth_of: planar depth (H, W) of the first picture under some intrinsics (3, 3), in any unit: distances along rays
    become another depth with another lens.
    """
    features = Features()
    first = features.of(pictures[0])
    pairs = [features.match(first, features.of(picture)) for picture in pictures[1:]]
    pairs = [pair for pair in pairs if len(pair[0]) >= FEWEST]
    height, width = pictures[0].shape[:2]
    focals = np.geomspace(SHORTEST, LONGEST, STEPS).tolist()
    squares = np.empty((len(pairs), STEPS))
    for step, focal in enumerate(focals):
        intrinsics = intrinsics_of(focal, width, height)
        depth = depth_of(intrinsics)
        squares[:, step] = [_square(*pair, depth, intrinsics) for pair in pairs]
    alike = squares.min(axis=1) < FAR**2
    if not alike.any():
        return None  # Nothing has anything in common with the first picture.
    misses = np.sqrt(squares[alike].mean(axis=0))
    best = int(misses.argmin())
    if not BESIDE <= best < STEPS - BESIDE:
        return None
    if min(misses[best - BESIDE], misses[best + BESIDE]) < CLEARLY * misses[best]:
        return None
    # Between the steps: where a parabola through the three squares has its lowest point.
    before, here, after = misses[best - 1 : best + 2] ** 2
    bend = before - 2 * here + after
    between = 0.5 * (before - after) / bend if bend > 0 else 0.0
    return float(focals[best] * (focals[1] / focals[0]) ** between)


def _square(
    from_places: np.ndarray, to_places: np.ndarray, depth: np.ndarray, intrinsics: np.ndarray
) -> float:
    """How far points are seen from their places in another picture, as its best pose has it: mean square, pixels."""
    z = depth_at(depth, from_places)
    known = np.isfinite(z) & (z > 0)
    if known.sum() < FEWEST:
        return FAR**2
    rays = np.c_[from_places[known], np.ones(known.sum())] @ np.linalg.inv(intrinsics).T
    points, seen = rays * z[known, None], to_places[known]
    solved = pose_of(points, seen, intrinsics)
    if solved is None:
        return FAR**2
    turn, shift, _ = solved
    drawn = cv2.projectPoints(points, turn, shift, intrinsics, UNDISTORTED)[0][:, 0]
    off = np.minimum(np.linalg.norm(drawn - seen, axis=1), FAR)
    return float((off**2).mean())
