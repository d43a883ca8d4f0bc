"""A view lifted into the world, and the depth files that Blender cannot read, without Blender."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from inspatio_addon.inspatio_blender.depth_files import DepthError, read_depth
from inspatio_addon.inspatio_blender.lifting import JUMP, cut, lift
from references import depth_map, lens, pose

WIDTH, HEIGHT = 96, 64
LENS = np.reshape(lens(WIDTH, HEIGHT), (3, 3))


def floor() -> np.ndarray:
    """(H, W): a floor 1.5 below a camera that looks along it, up to 9 pixels below the horizon."""
    depth = np.full((HEIGHT, WIDTH), np.inf, np.float32)
    rows = np.arange(HEIGHT // 2 + 12, HEIGHT)
    depth[rows] = (1.5 * LENS[1, 1] / (rows - LENS[1, 2]))[:, None]
    return depth


@pytest.mark.parametrize("vertices", [WIDTH * HEIGHT, 2000, 300])
def test_a_surface_is_cut_at_jumps_only(vertices: int) -> None:
    depth = depth_map(WIDTH, HEIGHT)
    depth[-3:, :7] = np.array([0, -1, np.nan])[:, None]
    surface = lift(depth, LENS, np.reshape(pose(1, 2, 3), (4, 4)), "MESH", vertices)
    assert 0.6 * vertices < len(surface.points) <= 1.05 * vertices
    z = depth[surface.rows, surface.columns]
    assert ((z > 0) & (z < 1e9)).all()
    corners = z[surface.faces]
    assert (corners.max(1) <= JUMP * corners.min(1)).all()
    assert {3.0, 6.0} == set(z.tolist())
    # Where they lie, and that they are seen from the front.
    camera = surface.points + np.array([-1, -2, -3])
    seen = camera @ LENS.T
    assert np.abs(seen[:, 0] / seen[:, 2] - surface.columns).max() < 1e-3
    assert np.abs(seen[:, 1] / seen[:, 2] - surface.rows).max() < 1e-3
    a, b, c, _ = camera[surface.faces].transpose(1, 0, 2)
    assert ((np.cross(b - a, c - a) * a).sum(1) < 0).all()
    # A floor is whole however few points there are; pieces hold all of it.
    flat = lift(floor(), LENS, np.eye(4), "MESH", vertices)
    rows, columns = (len(np.unique(at)) for at in (flat.rows, flat.columns))
    assert len(flat.faces) == (rows - 1) * (columns - 1)
    pieces = cut(flat, 50)
    assert sum(len(piece.faces) for piece in pieces) == len(flat.faces)
    assert np.array_equal(
        np.concatenate([piece.points[piece.faces] for piece in pieces]), flat.points[flat.faces]
    )


@pytest.mark.parametrize(("behind", "whole"), [(5.45, True), (5.55, False)])
def test_a_jump_is_more_than_a_tenth(behind: float, whole: bool) -> None:
    depth = np.full((HEIGHT, WIDTH), 5.0, np.float32)
    depth[:, 48:] = behind
    surface = lift(depth, LENS, np.eye(4), "MESH", WIDTH * HEIGHT)
    columns = surface.columns[surface.faces]
    assert ((columns.min(1) < 48) & (columns.max(1) >= 48)).any() == whole


def test_points_lie_on_the_surface() -> None:
    """Squares of a floor are flat on it, and none reaches over a jump."""
    flat = lift(floor(), LENS, np.eye(4), "POINTS", 4 * WIDTH * HEIGHT)
    assert len(flat.faces) == np.isfinite(floor()).sum()
    assert np.abs(flat.points[:, 1] - 1.5).max() < 0.02
    depth = depth_map(WIDTH, HEIGHT)
    boxed = lift(depth, LENS, np.eye(4), "POINTS", 4 * WIDTH * HEIGHT)
    assert np.abs(boxed.points[:, 2] - depth[boxed.rows, boxed.columns]).max() < 1e-5


def test_thin_things_tear_a_coarse_surface() -> None:
    depth = np.full((HEIGHT, WIDTH), 5.0, np.float32)
    depth[:, 50] = 2.0
    surface = lift(depth, LENS, np.eye(4), "MESH", 300)
    left = (surface.columns[surface.faces] < 50).any(1)
    right = (surface.columns[surface.faces] > 50).any(1)
    assert left.any() and right.any()
    assert not (left & right).any()


@pytest.mark.parametrize("compression", ["NO_COMPRESSION", "ZIPS_COMPRESSION", "ZIP_COMPRESSION"])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_exr_files_are_read(tmp_path: Path, compression: str, dtype: type) -> None:
    chance = np.random.default_rng(1)
    depth = depth_map(WIDTH, HEIGHT)
    depth[depth < 1e9] += chance.random((depth < 1e9).sum(), np.float32)
    if dtype == np.float16:
        depth = np.where(depth < 1e9, depth, np.inf)
    channels = {f"Layer.Combined.{c}": chance.random(depth.shape, np.float32) for c in "RGBA"}
    channels["Layer.Depth.Z"] = depth.astype(dtype)
    header = {"compression": getattr(OpenEXR, compression), "type": OpenEXR.scanlineimage}
    path = tmp_path / "depth.exr"
    with OpenEXR.File(header, channels) as file:
        file.write(str(path))
    assert np.array_equal(read_depth(path, WIDTH, HEIGHT), depth.astype(dtype))
    with pytest.raises(DepthError, match="is 96 × 64 pixels, the reference is 64 × 96"):
        read_depth(path, HEIGHT, WIDTH)
    # Cut or changed anywhere, it is read or refused, and nothing else happens.
    whole = path.read_bytes()
    for number in range(200):
        spoilt = bytearray(whole)
        for place in chance.integers(0, min(len(whole), 900 if number % 2 else len(whole)), 3):
            spoilt[place] = chance.integers(256)
        path.write_bytes(spoilt[: chance.integers(len(whole))] if number % 5 == 0 else spoilt)
        with suppress(DepthError):
            read_depth(path, WIDTH, HEIGHT)


def test_other_depth_files(tmp_path: Path) -> None:
    path = tmp_path / "depth.npy"
    depth = depth_map(WIDTH, HEIGHT)
    np.save(path, depth)
    assert np.array_equal(read_depth(path, WIDTH, HEIGHT), depth)
    np.save(path, depth.astype(np.float64))
    with pytest.raises(DepthError, match="must be float32"):
        read_depth(path, WIDTH, HEIGHT)
    packed = tmp_path / "packed.exr"
    header = {"compression": OpenEXR.PIZ_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, {"Z": depth}) as file:
        file.write(str(packed))
    with pytest.raises(DepthError, match="save it with ZIP"):
        read_depth(packed, WIDTH, HEIGHT)
