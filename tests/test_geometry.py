"""Depth of triangles: as a plain program finds it ray by ray, on planes as algebra has it, without cracks or ends."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from references import lens, pose

from backend.constraint import geometry
from backend.constraint.geometry import NEAR, depth_of_triangles

WIDTH, HEIGHT = 40, 28
K = torch.tensor(lens(WIDTH, HEIGHT), dtype=torch.float64).view(1, 3, 3)


def _pose(x: float = 0.0, y: float = 0.0, z: float = 0.0, turn: float = 0.0) -> torch.Tensor:
    rotation = torch.eye(4, dtype=torch.float64)
    c, s = np.cos(turn), np.sin(turn)
    rotation[0, 0], rotation[0, 2], rotation[2, 0], rotation[2, 2] = c, s, -s, c
    return (rotation @ torch.tensor(pose(x, y, z), dtype=torch.float64).view(4, 4))[None]


def _plain(triangles: np.ndarray, k: np.ndarray, world_to_camera: np.ndarray) -> np.ndarray:
    """Möller and Trumbore's intersection of every ray with every triangle, in float64."""
    corners = triangles.astype(np.float64) @ world_to_camera[:3, :3].T + world_to_camera[:3, 3]
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    rays = np.stack([columns, rows, np.ones_like(rows)], -1).reshape(-1, 3) @ np.linalg.inv(k).T
    depth = np.full(len(rays), np.inf)
    for p0, p1, p2 in corners:
        e1, e2 = p1 - p0, p2 - p0
        h = np.cross(rays, e2)
        a = h @ e1
        with np.errstate(all="ignore"):
            u = h @ -p0 / a
            q = np.cross(-p0, e1)
            v, t = rays @ q / a, e2 @ q / a
        hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (t > NEAR)
        depth[hit] = np.minimum(depth[hit], t[hit])
    return depth.reshape(HEIGHT, WIDTH)


def _quad(corners: list[list[float]]) -> torch.Tensor:
    a, b, c, d = (torch.tensor(corner) for corner in corners)
    return torch.stack([torch.stack([a, b, c]), torch.stack([a, c, d])])


@pytest.mark.parametrize("spread", [0.8, 3.0])
def test_agrees_with_a_plain_program(spread: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geometry, "PIXELS_AT_ONCE", 5000)  # so that work is cut up, also within a picture
    monkeypatch.setattr(geometry, "TRIANGLES_AT_ONCE", 77)
    random = np.random.default_rng(3)
    # Around the camera: before it, behind it, and through its plane.
    middles = random.uniform(-4, 4, (200, 1, 3))
    triangles = (middles + random.normal(0, spread, (200, 3, 3))).astype(np.float32)
    cameras = torch.cat([_pose(), _pose(0.3, -0.2, 0.5, 1.0)])
    found = depth_of_triangles(
        torch.from_numpy(triangles), K.expand(2, 3, 3), cameras, (HEIGHT, WIDTH)
    ).numpy()
    for frame in range(2):
        true = _plain(triangles, K[0].numpy(), cameras[frame].numpy())
        same = np.isclose(found[frame], true, rtol=1e-4)
        assert same.mean() > 0.998, "but for pixels whose ray goes through an edge"
        assert np.isfinite(true).mean() > 0.08


def test_a_floor_from_behind_the_camera_to_the_horizon_is_a_plane_without_cracks() -> None:
    steps = np.linspace(-50, 50, 41)
    tiles = [
        _quad([[x0, 1.5, z0], [x1, 1.5, z0], [x1, 1.5, z1], [x0, 1.5, z1]])
        for x0, x1 in pairwise(steps)
        for z0, z1 in pairwise(steps)
    ]
    k = K.clone()
    k[0, 1, 2] += 0.37
    depth = depth_of_triangles(torch.cat(tiles).float(), k, _pose(), (HEIGHT, WIDTH))[0]
    true = 1.5 * k[0, 1, 1] / (torch.arange(HEIGHT) - k[0, 1, 2])
    below = (true > 0) & (true < 49)
    assert torch.allclose(depth[below].double(), true[below, None].expand(-1, WIDTH), rtol=1e-5)
    assert depth[true < 0].isinf().all()


def test_far_from_the_worlds_origin_and_of_no_area() -> None:
    wall = _quad([[-9.0, -9, 6], [9, -9, 6], [9, 9, 6], [-9, 9, 6]])
    line = torch.tensor([[[-1.0, 0, 3], [0, 0, 3], [1, 0, 3]], [[0.0, 0, 2]] * 3, [[0.0, 0, -2]] * 3])
    away = torch.tensor([4000.0, -3000.0, 2000.0])
    depth = depth_of_triangles(torch.cat([wall, line]) + away, K, _pose(*away.tolist()), (HEIGHT, WIDTH))
    assert torch.allclose(depth, torch.tensor(6.0), atol=1e-3)
    nothing = depth_of_triangles(wall[:0], K, _pose(), (HEIGHT, WIDTH))
    assert nothing.shape == (1, HEIGHT, WIDTH) and nothing.isinf().all()
