"""The scripted scenes: cameras, depth and colour belong together, in a random scene as training renders it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
RENDER = """
import sys
from pathlib import Path
from tests.scenes import capture, training_rooms
shot, _, _, _ = training_rooms.build(99, 4)
studio = capture.Studio(6)
capture.store(Path(sys.argv[1]), [[studio.render(shot, 1)], [studio.render(shot, 11)]], False)
"""
"""Two frames of a table top's shot, as tracks of one frame."""


@pytest.fixture(scope="module")
def two_views(tmp_path_factory) -> dict[str, np.ndarray]:
    if importlib.util.find_spec("bpy") is None:
        pytest.skip("bpy is not installed for this Python")
    path = tmp_path_factory.mktemp("scenes") / "two.npz"
    done = subprocess.run(
        [sys.executable, "-c", RENDER, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return dict(np.load(path))


def agreement(scene: dict[str, np.ndarray], shift: float = 0.0) -> float:
    """PSNR in dB of view 1 against view 0 looked up through view 1's depth, where both see the same surface."""
    (source, target), (near, depth) = scene["colour"][:, 0].astype(np.float32), scene["depth"][:, 0]
    k, pose = scene["intrinsics"][:, 0].astype(np.float64), scene["world_to_camera"][:, 0].astype(np.float64)
    height, width = depth.shape
    v, u = np.mgrid[:height, :width].astype(np.float64)
    depth = np.where(np.isfinite(depth), depth, 0)
    points = np.linalg.inv(k[1]) @ np.stack([u, v, np.ones_like(u)]).reshape(3, -1) * depth.reshape(-1)
    move = pose[0] @ np.linalg.inv(pose[1])
    x, y, z = (k[0] @ (move[:3, :3] @ points + move[:3, 3:])).reshape(3, height, width)
    with np.errstate(invalid="ignore", divide="ignore"):
        x, y = (x / z + shift).astype(np.float32), (y / z).astype(np.float32)
    found = cv2.remap(source, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    there = cv2.remap(near, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    same = (depth > 0) & (np.abs(there - z) < 0.01 * z)
    same = cv2.erode(same.astype(np.uint8), np.ones((3, 3))) > 0
    assert same.mean() > 0.3
    return float(10 * np.log10(255**2 / ((found - target)[same] ** 2).mean()))


def test_views_agree_by_depth_and_cameras(two_views):
    assert agreement(two_views) > 27


def test_pixel_centres_lie_at_integers(two_views):
    assert agreement(two_views) > max(agreement(two_views, 0.5), agreement(two_views, -0.5)) + 0.5


def test_depth_is_exact_and_sky_is_infinite(two_views):
    depth = two_views["depth"]
    assert depth.dtype == np.float32
    assert not np.isnan(depth).any()
    assert depth.min() > 0.05
    assert (depth[np.isfinite(depth)] < 1e3).all()
