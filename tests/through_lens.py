"""Pinhole pictures as a lens shows them, by OpenCV: what footage is made of here, independent of the add-on's lens."""

from __future__ import annotations

import cv2
import numpy as np


def through_lens(
    pinhole: np.ndarray, focal: float, size: tuple[int, int], lens_focal: float, k: tuple[float, float, float]
) -> np.ndarray:
    """The picture of `size` (width, height) that a lens of `lens_focal` pixels with the polynomial distortion `k` makes
    of what a pinhole camera of `focal` pixels shows in `pinhole` (H, W, 3): both look through their middle."""
    width, height = size
    centre = (width - 1) / 2, (height - 1) / 2
    camera = np.array([[lens_focal, 0, centre[0]], [0, lens_focal, centre[1]], [0, 0, 1]])
    pixels = (
        np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).reshape(-1, 1, 2).astype(np.float64)
    )
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-9)
    rays = cv2.undistortPointsIter(pixels, camera, np.array([k[0], k[1], 0, 0, k[2]]), None, None, stop)
    at = rays.reshape(height, width, 2) * focal + (np.array(pinhole.shape[1::-1]) - 1) / 2
    at = at.astype(np.float32)
    return cv2.remap(pinhole, at[..., 0], at[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
