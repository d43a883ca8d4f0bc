"""What generated pictures are judged by: PSNR, SSIM, flicker and block grid, each over a mask where asked.

Pictures are float arrays (..., H, W, 3) in [0, 1]; masks are bool (..., H, W). Plain numpy and OpenCV.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.floating]
Mask = NDArray[np.bool_]


def psnr(a: Picture, b: Picture, mask: Mask | None = None) -> float:
    """Peak signal-to-noise ratio in dB over all frames together; NaN where the mask is empty."""
    error = (a.astype(np.float64) - b.astype(np.float64)) ** 2
    if mask is not None:
        error = error[mask]
    return float(10 * np.log10(1 / max(error.mean(), 1e-12))) if error.size else float("nan")


def ssim_map(a: Picture, b: Picture) -> NDArray[np.float64]:
    """Structural similarity of two frames (H, W, 3) -> (H, W), Gaussian window of sigma 1.5 (Wang et al. 2004)."""
    a, b = a.astype(np.float64), b.astype(np.float64)

    def blur(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(x, (11, 11), 1.5), np.float64)

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    similarity = ((2 * mean_a * mean_b + c1) * (2 * covariance + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    )
    return similarity.mean(axis=-1)


def ssim(a: Picture, b: Picture, mask: Mask | None = None) -> float:
    """Mean SSIM over frames (F, H, W, 3), over the mask's pixels where one is given; NaN where it is empty."""
    maps = np.stack([ssim_map(x, y) for x, y in zip(a, b, strict=True)])
    values = maps if mask is None else maps[mask]
    return float(values.mean()) if values.size else float("nan")


def grid_ratio(frames: Picture, cell: int = 8) -> float:
    """Mean step across the lines of a `cell`-pixel grid over the mean step elsewhere: 1 when no grid is to be seen."""
    frames = frames.astype(np.float64)
    ratios = []
    for axis in (-3, -2):
        step = np.abs(np.diff(frames, axis=axis)).mean(axis=-1)
        step = np.moveaxis(step, axis + 1, -1)
        on_grid = (np.arange(step.shape[-1]) + 1) % cell == 0
        ratios.append(step[..., on_grid].mean() / max(step[..., ~on_grid].mean(), 1e-12))
    return float(np.mean(ratios))


def flicker(frames: Picture) -> float:
    """Mean absolute change from frame to frame, in 8-bit codes: 0 for a still camera on a still scene."""
    return float(np.abs(np.diff(frames.astype(np.float64), axis=0)).mean() * 255)


def telea(frame: NDArray[np.uint8], known: Mask) -> NDArray[np.uint8]:
    """cv2.inpaint (Telea 2004) of a warped frame's holes, the baseline that the generator is held against."""
    return np.asarray(cv2.inpaint(frame, (~known).astype(np.uint8), 3, cv2.INPAINT_TELEA), np.uint8)
