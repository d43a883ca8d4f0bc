"""Whether generated frames show one world, and from where they were asked to.

Camera control: features of a generated frame are found again in the true one, whose depth makes points of the world of
them. The camera that sees these points where the generated frame has them (PnP with RANSAC) is where it was really
generated from.

Consistency: what two generated frames show of the same place. The true depth says where a point of one is to be seen in
the other: as features (3D consistency) and as colours (photometric consistency).
"""

from dataclasses import dataclass

import cv2
import numpy as np

RATIO = 0.8
"""A match counts that is so much nearer than the next one (Lowe 2004)."""
REACH = 0.1
"""Of the frame's width: how far from its place in the truth, or in the frame asked for, a feature may be found."""
INLIER = 2.0
"""Pixels at the measured size that a point may lie off and still count for the camera."""
LEAST = 12
"""Points without which there is nothing to measure."""
STRAIGHT = np.zeros(4)
"""A lens without distortion."""
AGREES = 0.02
"""Of a point's depth: what two views may differ by and still see the same point."""
LARGER = 2
"""Small frames are measured so many times larger: features are found from a few pixels on."""


@dataclass(frozen=True)
class Control:
    """How far the camera of a generated frame is from the one that was asked for.

    rotation: degrees. translation: share of the points' median depth. reprojection: median distance of the points from
    where the asked camera sees them, in pixels of the frame. points: how many were found.
    """

    rotation: float
    translation: float
    reprojection: float
    points: int


def control(
    frame: np.ndarray,
    truth: np.ndarray,
    depth: np.ndarray,
    intrinsics: np.ndarray,
) -> Control | None:
    """Of a generated frame (H, W, 3) uint8 beside the true one, its planar depth (H, W) and its camera's lens.

    intrinsics (3, 3): pixel centres at integers. Where the camera stands doesn't matter: what counts is how far off
    another is. None where too few features are found again.
    """
    here, there = _matches(frame, truth)
    near = np.linalg.norm(here - there, axis=1) < REACH * frame.shape[1]
    here, there = here[near], there[near]
    columns, rows = np.rint(there).astype(int).T
    inside = (columns >= 0) & (columns < depth.shape[1]) & (rows >= 0) & (rows < depth.shape[0])
    here, there, columns, rows = here[inside], there[inside], columns[inside], rows[inside]
    z = depth[rows, columns].astype(np.float64)
    solid = np.isfinite(z) & (z > 0) & ~_at_jump(depth)[rows, columns]
    here, there, z = here[solid], there[solid], z[solid]
    if len(here) < LEAST:
        return None
    # Points in the axes of the camera that was asked for: the camera found is then how far off it is.
    k = intrinsics.astype(np.float64)
    points = np.column_stack([there, np.ones(len(there))]) @ np.linalg.inv(k).T * z[:, None]
    found, turn, shift, chosen = cv2.solvePnPRansac(
        points,
        here,
        k,
        STRAIGHT,
        reprojectionError=INLIER / LARGER,
        iterationsCount=300,
        flags=cv2.SOLVEPNP_EPNP,
    )
    if not found or chosen is None or len(chosen) < LEAST:
        return None
    chosen = chosen.ravel()
    turn, shift = cv2.solvePnPRefineLM(points[chosen], here[chosen], k, STRAIGHT, turn, shift)
    moved = float(np.linalg.norm(cv2.Rodrigues(turn)[0].T @ shift))
    return Control(
        float(np.degrees(np.linalg.norm(turn))),
        moved / float(np.median(z[chosen])),
        float(np.median(np.linalg.norm(here - there, axis=1))),
        len(chosen),
    )


@dataclass(frozen=True)
class Seen:
    """A frame (H, W, 3) uint8 and its camera: true planar depth (H, W), intrinsics (3, 3), world_to_camera (4, 4)."""

    frame: np.ndarray
    depth: np.ndarray
    intrinsics: np.ndarray
    world_to_camera: np.ndarray

    def placed_in(self, other: "Seen", places: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """Where `other` sees points of this frame's places (N, 2) and depths (N,): x, y and depth (N, 3)."""
        rays = (
            np.column_stack([places, np.ones(len(places))]) @ np.linalg.inv(self.intrinsics.astype(float)).T
        )
        moved = other.world_to_camera.astype(float) @ np.linalg.inv(self.world_to_camera.astype(float))
        points = (rays * depth[:, None]) @ moved[:3, :3].T + moved[:3, 3]
        seen = points @ other.intrinsics.astype(float).T
        return np.column_stack([seen[:, :2] / np.maximum(seen[:, 2:], 1e-9), seen[:, 2]])


def reprojection(one: Seen, other: Seen) -> float | None:
    """3D consistency: median distance in pixels of features from where the frame before says they are now to be.

    Of a world in which nothing moves. None where too few features are found in both.
    """
    here, there = _matches(one.frame, other.frame)
    columns, rows = np.rint(here).astype(int).T.clip(0) if len(here) else np.empty((2, 0), int)
    columns, rows = columns.clip(max=one.depth.shape[1] - 1), rows.clip(max=one.depth.shape[0] - 1)
    z = one.depth[rows, columns].astype(float)
    solid = np.isfinite(z) & (z > 0) & ~_at_jump(one.depth)[rows, columns]
    if not solid.any():
        return None
    off = one.placed_in(other, here[solid], z[solid])[:, :2] - there[solid]
    distances = np.linalg.norm(off, axis=1)
    distances = distances[distances < REACH * one.frame.shape[1]]
    return float(np.median(distances)) if len(distances) >= LEAST else None


def photometric(one: Seen, other: Seen) -> float | None:
    """Photometric consistency: PSNR in dB of a frame and of the other brought into its camera, where both see a point.

    Of a world in which nothing moves. None where they see nothing together.
    """
    height, width = one.depth.shape
    places = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 2)
    seen = one.placed_in(other, places.astype(float), np.where(np.isfinite(one.depth), one.depth, 0).ravel())
    x, y, z = (seen[:, axis].reshape(height, width).astype(np.float32) for axis in range(3))
    brought = cv2.remap(other.frame, x, y, cv2.INTER_LINEAR)
    beyond = np.where(np.isfinite(other.depth), other.depth, 0).astype(np.float32)
    there = cv2.remap(beyond, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)
    both = (z > 0) & (np.abs(there - z) < AGREES * z) & np.isfinite(one.depth)
    if both.mean() < 0.05:
        return None
    error = (one.frame.astype(float) - brought.astype(float))[both] / 255
    return float(-10 * np.log10(max(float((error**2).mean()), 1e-12)))


def _matches(frame: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places (N, 2) of the same features in both pictures, in pixels whose centres are integers."""
    found = cv2.SIFT.create(contrastThreshold=0.02)
    places, features = [], []
    for picture in (frame, truth):
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        large = cv2.resize(grey, None, fx=LARGER, fy=LARGER, interpolation=cv2.INTER_CUBIC)
        keys, described = found.detectAndCompute(large, np.full(large.shape, 255, np.uint8))
        places.append((np.array([key.pt for key in keys]).reshape(-1, 2) + 0.5) / LARGER - 0.5)
        features.append(described)
    empty = np.empty((0, 2)), np.empty((0, 2))
    if any(described is None or len(described) < 2 for described in features):
        return empty
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(features[0], features[1], k=2)
    good = [one for one, other in pairs if one.distance < RATIO * other.distance]
    if not good:
        return empty
    here = places[0][[match.queryIdx for match in good]]
    there = places[1][[match.trainIdx for match in good]]
    return here, there


def _at_jump(depth: np.ndarray) -> np.ndarray:
    """Where depth (H, W) jumps by a twentieth within a pixel: a feature there lies on one side or the other."""
    solid = np.where(np.isfinite(depth), depth, 1e6).astype(np.float32)
    least, most = cv2.erode(solid, np.ones((3, 3))), cv2.dilate(solid, np.ones((3, 3)))
    return np.asarray(most > 1.05 * least)
