"""How far generated frames are from real ones as a distribution: sliced Wasserstein over Laplacian levels.

After Karras et al. 2018, arXiv 1710.10196. Neither frame by frame nor by a network that somebody trained: patches of
every level of detail, as points, are looked at from many directions, and from each the two heaps are held against each
other. In units of one standard deviation of the real heap, so that levels of little contrast count like others.
"""

import cv2
import numpy as np

PATCH = 7
PER_FRAME = 128
"""Patches of each level of each frame."""
DIRECTIONS = 256
LEAST = 16
"""Pixels of the smaller side of the coarsest level."""


def laplacian_levels(frame: np.ndarray) -> list[np.ndarray]:
    """Bands of a frame (H, W, 3) in [0, 1], from the finest to what is left, float32."""
    levels, rest = [], frame.astype(np.float32)
    while min(rest.shape[:2]) >= 2 * LEAST:
        smaller = np.asarray(cv2.pyrDown(rest), np.float32)
        levels.append(rest - cv2.pyrUp(smaller, dstsize=(rest.shape[1], rest.shape[0])))
        rest = smaller
    return [*levels, rest]


def patches(frames: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Patches (N, PATCH * PATCH * 3) of each level of frames (F, H, W, 3) in [0, 1], at places drawn."""
    heaps: list[list[np.ndarray]] = []
    for frame in frames:
        for level, band in enumerate(laplacian_levels(frame)):
            if level == len(heaps):
                heaps.append([])
            rows, columns = (rng.integers(0, room - PATCH + 1, PER_FRAME) for room in band.shape[:2])
            side = np.arange(PATCH)
            cut = band[rows[:, None, None] + side[:, None], columns[:, None, None] + side]
            heaps[level].append(cut.reshape(PER_FRAME, -1))
    return [np.concatenate(heap) for heap in heaps]


def sliced_wasserstein(made: np.ndarray, real: np.ndarray, seed: int = 0) -> list[float]:
    """Distance of two heaps of frames (F, H, W, 3) and (G, H, W, 3) in [0, 1], of each level from the finest on.

    Not 0 for two heaps of the same kind: what that is, two halves of the real frames tell.
    """
    if made.shape[1:] != real.shape[1:]:
        raise ValueError(f"frames of {made.shape[1:]} and of {real.shape[1:]} cannot be compared")
    rng = np.random.default_rng(seed)
    distances = []
    for ours, theirs in zip(patches(made, rng), patches(real, rng), strict=True):
        deviation = max(float(theirs.std()), 1e-6)
        directions = rng.normal(size=(ours.shape[1], DIRECTIONS)).astype(np.float32)
        directions /= np.linalg.norm(directions, axis=0)
        shares = np.linspace(0, 1, 512)
        seen = [np.quantile((heap / deviation) @ directions, shares, axis=0) for heap in (ours, theirs)]
        distances.append(float(np.abs(seen[0] - seen[1]).mean()))
    return distances


def sharpness(frames: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Mean absolute detail of the finest level of frames (F, H, W, 3) in [0, 1], in 8-bit codes.

    mask (F, H, W): where it is measured; NaN where that is nowhere.
    """
    detail = np.stack([np.abs(laplacian_levels(frame)[0]).mean(axis=-1) for frame in frames])
    chosen = detail if mask is None else detail[mask]
    return float(chosen.mean() * 255) if chosen.size else float("nan")
