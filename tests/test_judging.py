"""Camera control and distance to real frames, on pictures whose camera, blur and kind are known."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from backend.presets import load_preset
from backend.training.control import Seen, control, photometric, reprojection
from backend.training.distance import laplacian_levels, sharpness, sliced_wasserstein
from backend.training.evaluate import free_frames

WIDTH, HEIGHT = 256, 144
LENS = np.array([[220.0, 0, (WIDTH - 1) / 2], [0, 220.0, (HEIGHT - 1) / 2], [0, 0, 1]])


def texture(seed: int, size: int = 1024) -> np.ndarray:
    """Blobs of every size, uint8 (size, size, 3)."""
    rng, made = np.random.default_rng(seed), np.zeros((size, size, 3))
    for scale in (4, 8, 16, 32, 64):
        noise = rng.normal(size=(size // scale, size // scale, 3))
        made += cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
    return (128 + 32 * made).clip(0, 255).astype(np.uint8)


def look(pose: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Picture and depth of two textured planes, a wall at z = 4 and a shelf before its left half at z = 2.5."""
    rays = np.stack(np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT)), -1).reshape(-1, 2)
    rays = np.column_stack([rays, np.ones(len(rays))]) @ np.linalg.inv(LENS).T
    rotation, centre = pose[:3, :3].T, -pose[:3, :3].T @ pose[:3, 3]
    directions = rays @ rotation.T
    picture, depth = np.zeros((len(rays), 3), np.uint8), np.full(len(rays), np.inf)
    for z, side, plane in ((4.0, 10.0, seed), (2.5, -0.1, seed + 1)):
        t = (z - centre[2]) / directions[:, 2]
        points = centre + t[:, None] * directions
        hit = (t > 0) & (points[:, 0] < side)
        source = texture(plane)
        u, v = ((points[:, axis] * 160 + 512).astype(np.float32).reshape(HEIGHT, WIDTH) for axis in (0, 1))
        seen = cv2.remap(source, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP).reshape(-1, 3)
        picture[hit], depth[hit] = seen[hit], (t * rays[:, 2])[hit]
    return picture.reshape(HEIGHT, WIDTH, 3), depth.reshape(HEIGHT, WIDTH)


def pose(shift: float = 0.0, degrees: float = 0.0) -> np.ndarray:
    turned = np.eye(4)
    turned[:3, :3] = cv2.Rodrigues(np.array([0.0, np.radians(degrees), 0.0]))[0]
    turned[:3, 3] = -turned[:3, :3] @ np.array([shift, 0.0, 0.0])
    return turned


@pytest.mark.parametrize(("shift", "degrees"), [(0.0, 0.0), (0.15, 0.0), (0.0, 2.0), (0.1, -1.5)])
def test_the_camera_of_a_frame_is_found(shift: float, degrees: float) -> None:
    asked = pose(0.3, 4.0)
    truth, depth = look(asked)
    # Off by so much from the camera that was asked for, in its own axes.
    frame, _ = look(pose(shift, degrees) @ asked)
    found = control(frame, truth, depth, LENS)
    assert found is not None and found.points > 30
    assert found.rotation == pytest.approx(abs(degrees), abs=0.25)
    assert found.translation == pytest.approx(shift / 3.2, abs=0.015)
    assert found.reprojection < 0.5 if not (shift or degrees) else found.reprojection > 2


def seen(pose: np.ndarray, frame: np.ndarray | None = None) -> Seen:
    """What a camera sees of the planes, or another frame in its place."""
    truth, depth = look(pose)
    return Seen(truth if frame is None else frame, depth, LENS, pose)


def test_true_frames_agree_and_a_shifted_one_does_not() -> None:
    """Two views of one world: features and colours are where the depth says, up to what sampling loses."""
    one, other = seen(pose(0.0)), seen(pose(0.3, 3.0))
    assert reprojection(one, other) < 0.5
    shifted = np.roll(other.frame, 4, axis=1)
    assert reprojection(one, seen(pose(0.3, 3.0), shifted)) == pytest.approx(4, abs=0.6)
    agrees, shifted_agrees, darker = (
        photometric(one, seen(pose(0.3, 3.0), frame))
        for frame in (other.frame, shifted, (other.frame * 0.8).astype(np.uint8))
    )
    assert agrees > 24 and shifted_agrees < agrees - 6 and darker < agrees - 6


def test_views_that_share_nothing_are_not_judged() -> None:
    one, away = seen(pose(0.0)), seen(pose(0.0, 120.0))
    assert photometric(one, away) is None and reprojection(one, away) is None
    blank = seen(pose(0.0), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert reprojection(blank, seen(pose(0.3))) is None


def test_another_world_has_no_camera() -> None:
    truth, depth = look(pose())
    other, _ = look(pose(), seed=7)
    assert control(other, truth, depth, LENS) is None
    assert control(np.zeros_like(truth), truth, depth, LENS) is None


def frames(count: int, seed: int) -> np.ndarray:
    return np.stack([texture(seed + index)[:HEIGHT, :WIDTH] for index in range(count)]) / 255.0


def test_levels_add_up_to_the_frame() -> None:
    frame = frames(1, 3)[0]
    levels = laplacian_levels(frame)
    assert len(levels) == 4
    made = levels[-1]
    for band in reversed(levels[:-1]):
        made = band + cv2.pyrUp(made, dstsize=(band.shape[1], band.shape[0]))
    np.testing.assert_allclose(made, frame, atol=1e-5)


def test_frames_of_one_kind_are_near_and_blurred_ones_far() -> None:
    real, same = frames(6, 10), frames(6, 50)
    blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), 1.5) for frame in same])
    near, far = sliced_wasserstein(same, real), sliced_wasserstein(blurred, real)
    assert max(near[:-1]) < 0.12  # Of the coarsest level there are few patches that do not overlap.
    assert far[0] > 4 * near[0] and far[0] > far[1] > far[-1] - 0.02
    assert far[-1] < 1.2 * near[-1]
    assert sliced_wasserstein(real, real)[0] < near[0] + 0.05
    assert sharpness(blurred) < 0.7 * sharpness(same)
    half = np.zeros(same.shape[:3], bool)
    half[:, :, : WIDTH // 2] = True
    mixed = np.where(half[..., None], same, blurred)
    assert sharpness(mixed, half) > 1.3 * sharpness(mixed, ~half)
    assert np.isnan(sharpness(mixed, np.zeros_like(half)))
    with pytest.raises(ValueError, match="cannot be compared"):
        sliced_wasserstein(real[:, :72], real)


def test_a_generator_of_bfloat16_makes_clips_of_nothing() -> None:
    """As on a processor that multiplies it, where the codec stays in float32."""
    preset = load_preset("tiny")
    made = free_frames(replace(preset, dit=preset.dit.to(torch.bfloat16)), 32, 48, seed=0, count=2)
    assert made.shape[1:] == (32, 48, 3) and made.dtype == np.uint8
