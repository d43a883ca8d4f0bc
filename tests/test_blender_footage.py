"""References from footage: its colours code for code, its lens undone, and depth as exact as the stand-ins."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from movies import write_movie
from test_blender_capture import distance_to_scene
from through_lens import through_lens

from backend.protocol.files import read_reference
from backend.world import load_world
from tests.blenders import ROOT

SIZE = (256, 144)
FOCAL = 200.0
K = (0.12, 0.05, -0.01)
"""A cushion: what a pinhole camera sees in its corners lies outside of the footage."""


def chart(number: int) -> np.ndarray:
    """A picture of flat patches, all others for every frame: (H, W, 3) uint8, 8 by 4 of them."""
    patches = np.random.default_rng(number).integers(0, 256, (4, 8, 3), dtype=np.uint8)
    return patches.repeat(SIZE[1] // 4, 0).repeat(SIZE[0] // 8, 1)


def waves(width: int, height: int, focal: float) -> np.ndarray:
    """A smooth picture by the directions that its pixels look in, so that it is the same for every focal length."""
    x, y = np.meshgrid(
        (np.arange(width) + 0.5 - width / 2) / focal, (np.arange(height) + 0.5 - height / 2) / focal
    )
    planes = [np.sin(40 * x + 9 * y), np.sin(38 * y - 7 * x), np.cos(25 * x) * np.cos(27 * y)]
    return np.stack([128 + 90 * plane for plane in planes], -1).round().astype(np.uint8)


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> dict[str, Path]:
    """A ramp whose colour is its position, a sequence of charts, a movie of greys, a picture bent by a lens."""
    folder = tmp_path_factory.mktemp("clips") / "Aufnahmen für alle"
    folder.mkdir()
    x, y = np.meshgrid((np.arange(400) + 0.5) / 400, (np.arange(240) + 0.5) / 240)
    ramp = np.stack([np.zeros_like(x), y[::-1], x], -1).astype(np.float32)
    os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"
    cv2.imwrite(str(folder / "ramp.exr"), ramp)
    for number in range(10, 18):
        cv2.imwrite(str(folder / f"chart_{number:04d}.png"), chart(number))
    write_movie(folder / "movie.mp4", SIZE, 12)
    bent = through_lens(waves(400, 240, FOCAL), FOCAL, SIZE, FOCAL, K)
    cv2.imwrite(str(folder / "bent.png"), bent[..., ::-1])
    return {path.stem: path for path in folder.iterdir()}


def test_footage(blender, tmp_path, clips):
    found = blender.run(
        "footage.py", tmp_path, clips["ramp"], clips["chart_0010"], clips["movie"], clips["bent"], FOCAL, *K
    )
    for model, lens in found["lenses"].items():
        assert lens["apart"] < 0.05 and lens["moved"] > 3, f"{model}: {lens}"
    folder = Path(found["chart"])
    reference, (world, _), (cycles, _) = (
        read_reference(folder),
        load_world(folder),
        load_world(Path(found["cycles"])),
    )
    assert (reference.kind, [view.frame for view in reference.views]) == ("moving", [2.0, 3.0, 4.0, 5.0])
    assert reference.source["footage"] == "chart_0010.png"
    for index, view in enumerate(reference.views):
        picture, truth = cv2.imread(str(folder / view.colour)), chart(10 + index)
        middle = np.s_[18::36, 16::32]
        assert np.abs(picture[middle].astype(int) - truth[middle]).max() <= 1
        if view.frame == 4:
            linear = (truth[middle][..., ::-1] / 255 + 0.055) / 1.055
            assert np.abs(found["played"] - linear**2.4).max() < 0.02
        depth, by_cycles = world.depth[index].numpy(), cycles.depth[index + 1].numpy()
        assert world.intrinsics[index].equal(cycles.intrinsics[index + 1])
        known = depth > 0
        assert 0.4 < known.mean() < 0.95
        k, pose = world.intrinsics[index].numpy(), world.world_to_camera[index].numpy()
        rows, columns = np.nonzero(known)
        seen = np.linalg.inv(k) @ np.stack([columns, rows, np.ones_like(rows)]) * depth[known]
        assert distance_to_scene((seen.T - pose[:3, 3]) @ pose[:3, :3]).max() < 1e-4
        # Cycles may see a neighbour's surface where an edge goes through the middle of a pixel.
        same = np.isclose(depth, np.where(np.isfinite(by_cycles), by_cycles, 0), rtol=1e-3)
        assert same.mean() > 0.998

    movie, _ = load_world(Path(found["movie"]))
    assert (movie.kind, movie.frames.tolist()) == ("still", [4.0])
    assert movie.depth.unique().tolist() == [12.5]
    assert np.abs(movie.colour.numpy().astype(int) - 60).max() <= 2, "the fourth frame"

    solved, _ = load_world(Path(found["solved"]))
    assert found["remarks"] == [
        "The clip has frames 1 to 12 of 1 to 15: the nearest one is the world of the rest"
    ]
    path = np.array(found["path"])
    rotations, moved = solved.world_to_camera[:, :3, :3].numpy(), solved.world_to_camera[:, :3, 3:].numpy()
    places = -(rotations.transpose(0, 2, 1) @ moved)[..., 0]
    # Blender's camera looks along -z, the tracked points lie along +z.
    places = (places - places[0]) * [1, 1, -1]
    scale = np.linalg.norm(places[-1]) / np.linalg.norm(path[-1])
    assert np.abs(places / scale - path).max() < 0.02

    bent, _ = load_world(Path(found["bent"]))
    width, height = 2 * SIZE[0], 2 * SIZE[1]
    straight, seen = waves(width, height, 2 * FOCAL), bent.depth[0].numpy() > 0
    shown = bent.colour[0].permute(1, 2, 0).numpy()
    assert 0.9 < seen.mean() < 1, f"{seen.mean():.1%} of the pinhole picture lies in the footage"
    assert not seen[0, 0] and seen[height // 2, width // 2]
    inside = cv2.erode(seen.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    off = np.abs(shown.astype(float) - straight)[inside]
    assert off.max() < 3, "a pixel off is nine codes"


def test_faults_then_frames(newest_blender, tmp_path, clips):
    """What is wrong with footage is said; what is right becomes frames, by the real backend and `tiny`."""
    if not (ROOT / "backend/weights/tiny/generator.safetensors").exists():
        pytest.skip("the weights of tiny are not there")
    files = [
        shutil.copy(path, tmp_path) for name, path in clips.items() if name.startswith(("chart", "movie"))
    ]
    chart = min(file for file in files if file.endswith(".png"))
    movie = tmp_path / clips["movie"].name
    take = newest_blender.run("footage_faults.py", tmp_path, chart, movie, INSPATIO_PYTHON=sys.executable)
    assert (take["state"], take["frames_done"], take["shot"]["preset"]) == ("finished", 9, "tiny")
    assert 0.3 < take["coverage"][0] < 1
    frames = sorted(Path(take["folder"]).glob("*.png"))
    assert len(frames) == 9 and cv2.imread(str(frames[-1])).std() > 5
