"""Poses of a video whose camera nobody knows, from its pictures and their depth.

    features of a frame (SIFT)  ->  matched with a keyframe's  ->  the keyframe's points, lifted by its depth, seen here
    ->  pose (PnP with RANSAC, then refined)

The first frame is the first keyframe, and its camera the world. Where a frame shares too little with the keyframe, the
frame before it becomes the next one. A depth network measures each frame anew, with a scale of its own: each depth map
is scaled so that what was lifted before lies where it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .error import RecoverError

FEATURES = 3000
BETTER = 0.75
"""A match counts where the next best descriptor is this much further away (Lowe 2004)."""
FEWEST = 24
"""Matches of one rigid world that a pose needs."""
FEW = 100
"""With fewer than these it is time for another keyframe."""
MISS = 2.0
"""Pixels that a point may be seen beside its place."""
UNDISTORTED = np.zeros(4)
SHARE = 0.3
"""Of the matches, so many have to be of one rigid world."""


class Features:
    """What is found again in another picture: SIFT, matched where the next best is clearly worse."""

    def __init__(self) -> None:
        self._sift = cv2.SIFT.create(nfeatures=FEATURES)
        self._matcher = cv2.BFMatcher(cv2.NORM_L2)

    def of(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places (n, 2) and descriptors (n, 128) in a picture (H, W, 3) uint8."""
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        found, descriptors = self._sift.detectAndCompute(grey, np.full(grey.shape, 255, np.uint8))
        if descriptors is None:
            return np.zeros((0, 2)), np.zeros((0, 128), np.float32)
        return np.array([feature.pt for feature in found], np.float64).reshape(-1, 2), descriptors

    def pairs(self, one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Indices of descriptors that belong together."""
        if len(one) == 0 or len(other) < 2:
            return np.zeros(0, int), np.zeros(0, int)
        near = [pair for pair in self._matcher.knnMatch(one, other, k=2) if len(pair) == 2]
        good = [a for a, b in near if a.distance < BETTER * b.distance]
        return np.array([a.queryIdx for a in good], int), np.array([a.trainIdx for a in good], int)

    def match(
        self, one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The places in both pictures (n, 2) of what is in both."""
        first, second = self.pairs(one[1], other[1])
        return one[0][first], other[0][second]


def pose_of(
    points: np.ndarray, places: np.ndarray, intrinsics: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """The camera that sees `points` (n, 3) at `places` (n, 2): rotation vector, translation, and which points count.

    None where too few agree.
    """
    cv2.setRNGSeed(0)
    done, turn, shift, inliers = cv2.solvePnPRansac(
        points,
        places,
        intrinsics,
        UNDISTORTED,
        iterationsCount=500,
        reprojectionError=MISS,
        confidence=0.9999,
        flags=cv2.SOLVEPNP_EPNP,
    )
    if not done or inliers is None or len(inliers) < FEWEST:
        return None
    kept = inliers[:, 0]
    turn, shift = cv2.solvePnPRefineLM(points[kept], places[kept], intrinsics, UNDISTORTED, turn, shift)
    return turn, shift, kept


@dataclass(frozen=True)
class _Frame:
    """What a later frame is matched with: features that have a place in the world (n, 3)."""

    descriptors: np.ndarray
    points: np.ndarray


class Tracker:
    """Follows a camera with `intrinsics` (3x3) from picture to picture; the first one's camera is the world."""

    def __init__(self, intrinsics: np.ndarray) -> None:
        self._intrinsics = np.asarray(intrinsics, np.float64)
        self._features = Features()
        self._key: _Frame | None = None
        self._last: _Frame | None = None

    def follow(
        self, name: str, pixels: np.ndarray, depth: np.ndarray, rescale: bool
    ) -> tuple[np.ndarray, float]:
        """World-to-camera (4, 4) of the next picture (H, W, 3), and the factor for its depth (H, W).

        rescale: whether the depth's scale may change from frame to frame; else the factor is 1. Raises RecoverError
        where the picture shares too little with those before.
        """
        places, descriptors = self._features.of(pixels)
        pose, factor, matched = np.eye(4), 1.0, len(places)
        if self._key is not None:
            solved = self._solve(self._key, places, descriptors)
            if solved is None and self._last is not None:
                self._key, self._last = self._last, None
                solved = self._solve(self._key, places, descriptors)
            if solved is None:
                raise RecoverError(
                    f"{name} shares too little with what came before to tell where its camera stood: shorten the video "
                    "to one steady move, or track it in Blender and give its camera."
                )
            pose, seen, points = solved
            matched = len(points)
            if rescale:
                factor = _depth_factor(depth, places[seen], points @ pose[2, :3] + pose[2, 3])
        frame = self._lifted(places, descriptors, depth * factor, pose)
        if len(frame.points) < FEWEST:
            raise RecoverError(
                f"{name} has too few details with depth to follow a camera by: use another part of the video, or say "
                "that the camera stands still."
            )
        if self._key is None or matched < FEW:
            self._key, self._last = frame, None
        else:
            self._last = frame
        return pose, factor

    def _solve(
        self, key: _Frame, places: np.ndarray, descriptors: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Pose, which features count and their points in the world; None where no pose explains enough matches."""
        known, seen = self._features.pairs(key.descriptors, descriptors)
        if len(seen) < FEWEST:
            return None
        solved = pose_of(key.points[known], places[seen], self._intrinsics)
        if solved is None or len(solved[2]) < SHARE * len(seen):
            return None
        turn, shift, kept = solved
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = cv2.Rodrigues(turn)[0], shift[:, 0]
        return pose, seen[kept], key.points[known[kept]]

    def _lifted(
        self, places: np.ndarray, descriptors: np.ndarray, depth: np.ndarray, pose: np.ndarray
    ) -> _Frame:
        """The features that have depth, in the world."""
        z = depth_at(depth, places)
        known = np.isfinite(z) & (z > 0)
        rays = np.c_[places[known], np.ones(known.sum())] @ np.linalg.inv(self._intrinsics).T
        return _Frame(descriptors[known], (rays * z[known, None] - pose[:3, 3]) @ pose[:3, :3])


def still_factor(first: np.ndarray, depth: np.ndarray) -> float:
    """The factor that lays a depth map of a camera that stands still onto the first one's, by the median pixel."""
    known = (first > 0) & (depth > 0) & np.isfinite(first) & np.isfinite(depth)
    return float(np.median(first[known] / depth[known])) if known.any() else 1.0


def depth_at(depth: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Depth (n,) at the nearest pixels of places (n, 2)."""
    height, width = depth.shape
    columns = np.clip(np.rint(places[:, 0]).astype(int), 0, width - 1)
    rows = np.clip(np.rint(places[:, 1]).astype(int), 0, height - 1)
    return depth[rows, columns]


def _depth_factor(depth: np.ndarray, places: np.ndarray, z: np.ndarray) -> float:
    """The factor that brings a depth map to the depths z (n,) that are known at places (n, 2), by the median."""
    measured = depth_at(depth, places)
    known = (measured > 0) & np.isfinite(measured) & (z > 0)
    return float(np.median(z[known] / measured[known])) if known.any() else 1.0
