"""Synthetic sequences: their format, that they are repeatable, and that depth, cameras and colour fit together."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

os.environ.setdefault("LP_NUM_THREADS", "1")
moderngl = pytest.importorskip("moderngl", reason="moderngl is not installed: pip install inspatio[train]")

from backend.training.scenes import meshes as m  # noqa: E402
from backend.training.scenes import sequence as files  # noqa: E402
from backend.training.scenes.moves import lens, look_at  # noqa: E402
from backend.training.scenes.projections import HEIGHT, WIDTH  # noqa: E402
from backend.training.scenes.raster import Rasteriser  # noqa: E402
from backend.training.scenes.scene import Kit, Scene, at  # noqa: E402

SEED, STATIC_INDEX = 12, 1


@pytest.fixture(scope="module")
def raster() -> Rasteriser:
    try:
        return Rasteriser()
    except Exception as error:  # moderngl raises whatever its loader raises
        pytest.skip(f"no EGL context ({error}): apt-get install libegl1 libgl1-mesa-dri")


@pytest.fixture(scope="module")
def still(raster) -> files.Sequence:
    return files.make_sequence(raster, SEED, STATIC_INDEX)


def pulled(sequence: files.Sequence, source: tuple[int, int], target: tuple[int, int], offset: float):
    """Colour (H,W,3) of a source frame seen at the target frame's surface points, and where both see them (H,W)."""
    z = np.where(np.isinf(sequence.depth[target]), 1e6, sequence.depth[target]).astype(float)
    there = np.where(np.isinf(sequence.depth[source]), 1e6, sequence.depth[source])
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(sequence.intrinsics[target].astype(float)).T
    to_source = sequence.world_to_camera[source].astype(float) @ np.linalg.inv(
        sequence.world_to_camera[target].astype(float)
    )
    points = rays * z[..., None] @ to_source[:3, :3].T + to_source[:3, 3]
    pixels = points @ sequence.intrinsics[source].astype(float).T
    u, v = (pixels[..., i] / pixels[..., 2] + offset for i in (0, 1))
    colour = cv2.remap(sequence.colour[source], u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR)
    inside = (u >= 0) & (u <= WIDTH - 1) & (v >= 0) & (v <= HEIGHT - 1) & (points[..., 2] > 0)
    row, column = np.rint(v).clip(0, HEIGHT - 1).astype(int), np.rint(u).clip(0, WIDTH - 1).astype(int)
    return colour, inside & (np.abs(there[row, column] / points[..., 2] - 1) < 0.02)


def agreement(sequence: files.Sequence, source, target, offset: float = 0.0) -> float:
    """PSNR in dB over what both frames see."""
    colour, both = pulled(sequence, source, target, offset)
    assert both.mean() > 0.4
    error = (colour.astype(float) - sequence.colour[target])[both] / 255
    return float(-10 * np.log10(np.square(error).mean()))


def test_format(still):
    assert still.colour.shape == (2, 21, HEIGHT, WIDTH, 3)
    assert still.colour.dtype == np.uint8
    assert still.depth.shape == (2, 21, HEIGHT, WIDTH)
    assert still.depth.dtype == still.intrinsics.dtype == still.world_to_camera.dtype == np.float32
    assert np.all(still.depth > 0)
    assert not np.isnan(still.depth).any()
    assert not still.dynamic
    rotation = still.world_to_camera[..., :3, :3].astype(float)
    np.testing.assert_allclose(
        rotation @ rotation.swapaxes(-1, -2), np.broadcast_to(np.eye(3), rotation.shape), atol=1e-5
    )
    assert np.all(np.linalg.det(rotation) > 0)


def test_written_and_read_without_pickles(still, tmp_path):
    path = tmp_path / "scene.npz"
    files.write(path, still)
    assert [p.name for p in tmp_path.iterdir()] == ["scene.npz"]
    again = files.read(path)
    np.testing.assert_array_equal(again.colour, still.colour)
    np.testing.assert_array_equal(again.depth, still.depth)
    assert (again.kind, again.move, again.dynamic) == (still.kind, still.move, still.dynamic)


def test_same_index_gives_the_same_sequence(raster, still):
    files.make_sequence(raster, SEED, STATIC_INDEX + 1)  # whatever was drawn before leaves no trace
    again = files.make_sequence(raster, SEED, STATIC_INDEX)
    np.testing.assert_array_equal(again.colour, still.colour)
    np.testing.assert_array_equal(again.depth, still.depth)


@pytest.mark.parametrize(("source", "target"), [((0, 0), (0, 20)), ((1, 0), (0, 10)), ((0, 20), (1, 20))])
def test_frames_agree_when_warped_and_half_a_pixel_does_not(still, source, target):
    exact = agreement(still, source, target)
    assert exact > 26
    for offset in (-0.5, 0.5):
        assert agreement(still, source, target, offset) < exact - 1


def test_depth_of_a_plane_at_pixel_centres(raster):
    """A plane askew in front of the camera: z at every pixel is where the ray through its centre meets it."""
    scene = Scene(np.random.default_rng(0))
    kit = Kit(scene)
    eye, target = np.array([0.3, -4.0, 1.5]), np.array([0.1, 0.0, 1.0])
    scene.add(m.quad([(-9, -1, -9), (9, 2, -9), (9, 2, 9), (-9, -1, 9)]), kit.paint())
    scene.add(m.box(0.2, 0.2, 0.2), kit.paint(), at(0, 30, 0))
    raster.load(scene)
    camera, intrinsics = look_at(eye, target, 0.1), lens(30)
    depth = raster.depth(intrinsics, camera, 0.0)
    normal = np.array([3, -18, 0.0])
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(intrinsics).T @ camera[:3, :3]
    expected = (normal @ (np.array([-9, -1, 0]) - eye)) / (rays @ normal)
    np.testing.assert_allclose(depth, expected, rtol=1e-4)


def test_a_worker_ends_with_the_process_that_asked(raster, tmp_path):
    """Killed, that cannot end it. The pipe ends when the last who holds it has."""
    command = [
        sys.executable,
        "-m",
        "backend.training.scenes",
        "--out",
        tmp_path,
        "--count",
        "5000",
        "--sparse",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdout.readline().startswith("scene_001_000000.npz")
        asking.kill()
        asking.communicate(timeout=120)
    assert len(list(tmp_path.glob("*.npz"))) < 10
