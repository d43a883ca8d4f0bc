"""What frames are judged by, against closed forms and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from backend.training.measures import flicker, grid_ratio, psnr, ssim, telea


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).random(shape)


def test_psnr_is_of_the_masks_pixels_alone() -> None:
    truth = noise(0, 3, 20, 30, 3)
    off = truth.copy()
    off[:, :10] += 0.1
    mask = np.zeros((3, 20, 30), bool)
    mask[:, :10] = True
    assert psnr(off, truth, mask) == pytest.approx(20)
    assert psnr(off, truth) == pytest.approx(20 + 10 * np.log10(2))
    assert psnr(off, truth, ~mask) == pytest.approx(120)
    assert np.isnan(psnr(off, truth, np.zeros_like(mask)))


def test_ssim_is_that_of_scikit_image() -> None:
    truth, other = noise(1, 2, 48, 64, 3), noise(2, 2, 48, 64, 3)
    mixed = 0.7 * truth + 0.3 * other
    mask = np.zeros((2, 48, 64), bool)
    mask[:, 8:-8, 8:-8] = True  # Away from edges, where windows are filled in other ways.
    expected = []
    for a, b in zip(mixed, truth, strict=True):
        _, whole = structural_similarity(
            a, b, data_range=1.0, channel_axis=-1, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False, full=True,
        )  # fmt: skip
        expected.append(whole.mean(axis=-1)[8:-8, 8:-8].mean())
    assert ssim(mixed, truth, mask) == pytest.approx(np.mean(expected), abs=1e-3)
    assert ssim(truth, truth) == pytest.approx(1)


def test_a_grid_is_seen_and_flicker_counted_in_codes() -> None:
    smooth = noise(3, 2, 64, 96, 3)
    assert grid_ratio(smooth) == pytest.approx(1, abs=0.05)
    blocks = np.kron(noise(4, 2, 8, 12, 3), np.ones((1, 8, 8, 1)))
    assert grid_ratio(blocks + 0.01 * smooth) > 10
    frames = np.stack([np.full((8, 8, 3), code / 255) for code in (10, 13, 8)])
    assert flicker(frames) == pytest.approx(4)


def test_telea_keeps_what_is_known_and_fills_the_rest() -> None:
    frame = np.full((32, 32, 3), 90, np.uint8)
    known = np.ones((32, 32), bool)
    known[10:20, 10:20] = False
    broken = frame.copy()
    broken[~known] = 0
    filled = telea(broken, known)
    np.testing.assert_array_equal(filled[known], frame[known])
    assert np.abs(filled[~known].astype(int) - 90).max() <= 3
