"""The render engine's core without Blender: which take has a frame, and what becomes of codes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from inspatio_addon.backend.protocol.cameras import Cameras
from inspatio_addon.backend.protocol.files import Shot
from inspatio_addon.backend.protocol.png import png_of_rows
from inspatio_addon.backend.protocol.takes import TakeWriter
from inspatio_addon.inspatio_blender.client import RawPlates
from inspatio_addon.inspatio_blender.engine import passes
from inspatio_addon.inspatio_blender.engine.matching import Takes
from references import lens, pose

FRAMES = 30
"""Blocks of 9, 12 and, of 12, 9 real ones."""


def cameras(frames: int = FRAMES, moved: int | None = None) -> Cameras:
    """A camera that moves sideways; from index `moved` on it stands higher."""
    poses = [pose(x=0.1 * index, y=0.0 if moved is None or index < moved else 0.5) for index in range(frames)]
    return Cameras.checked([float(index + 1) for index in range(frames)], [lens(64, 48)] * frames, poses)


def shot(**changed: object) -> Shot:
    return replace(Shot("Shot", "tiny", 3, 64, 48, cameras()), **changed)


def write_take(parent: Path, made: Shot, blocks: int, digest: str = "digest", **named: object) -> TakeWriter:
    """A take of which so many blocks are there."""
    writer = TakeWriter.create(parent, made, digest, "weights", "0", **named)
    picture = png_of_rows(1, 1, bytes(4), 1)
    for _ in range(blocks):
        writer.write_block([picture] * 12, b"state", [1.0] * 12, seconds=0.1, milliseconds={}, peak_mb=1.0)
    return writer


def test_a_frame_is_a_takes_as_long_as_nothing_before_its_blocks_end_differs(tmp_path: Path) -> None:
    write_take(tmp_path, shot(cameras=cameras(moved=21)), 3).finish()
    takes = Takes([tmp_path])
    assert takes.find(shot(), "digest", 20).picture == tmp_path / "take_001" / "0021.png"
    assert takes.find(shot(), "digest", 21).picture is None
    write_take(tmp_path, shot(cameras=cameras(moved=20)), 3).finish()
    assert takes.find(shot(), "digest", 8).picture == tmp_path / "take_002" / "0009.png", "the newest"
    assert takes.find(shot(), "digest", 9).picture == tmp_path / "take_001" / "0010.png"


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 4},
        {"preset": "other"},
        {"prompt": "p"},
        {"quality": "draft"},
        {"remember": True},
        {"width": 80},
    ],
)
def test_settings_count_for_every_frame(tmp_path: Path, changed: dict[str, object]) -> None:
    write_take(tmp_path, shot(), 3).finish()
    assert Takes([tmp_path]).find(shot(**changed), "digest", 0).picture is None
    assert Takes([tmp_path]).find(shot(), "other", 0).picture is None
    assert Takes([tmp_path]).find(shot(name="Other", fps=30.0), "digest", 0).picture is not None


def test_a_last_block_that_is_filled_up_is_not_that_of_a_longer_shot(tmp_path: Path) -> None:
    write_take(tmp_path, shot(cameras=cameras(24)), 3).finish()
    takes = Takes([tmp_path])
    assert takes.find(shot(), "digest", 20).picture is not None
    assert takes.find(shot(), "digest", 22).picture is None


def test_stopped_takes_are_continued_and_running_ones_awaited(tmp_path: Path) -> None:
    writer, takes = write_take(tmp_path, shot(), 1), Takes([tmp_path])
    assert takes.find(shot(), "digest", 9).running == writer.folder
    assert takes.find(shot(), "digest", 8).picture is not None, "while it runs"
    writer.cancel()
    os.utime(writer.folder / "take.json", ns=(1, 1))
    assert takes.find(shot(), "digest", 9).stopped == writer.folder
    # One whose end differs has the first block, but would go on to another end.
    assert takes.find(shot(cameras=cameras(moved=25)), "digest", 9).stopped is None
    finished = write_take(tmp_path, shot(), 3)
    finished.finish()
    (finished.folder / "0010.png").unlink()
    assert takes.find(shot(), "digest", 9).stopped == writer.folder, "a frame that was deleted is made again"


def test_takes_of_pieces_and_broken_ones_are_passed_over(tmp_path: Path) -> None:
    write_take(tmp_path, shot(), 3, pieces=(10.0,)).finish()
    broken = write_take(tmp_path, shot(), 3)
    (broken.folder / "take.json").write_text("{")
    takes = Takes([tmp_path, tmp_path / "none"])
    for _ in range(2):
        found = takes.find(shot(), "digest", 3)
        assert (found.picture, found.running, found.stopped) == (None, None, None)


def test_blocks_are_counted_to_the_frame_that_is_wanted() -> None:
    assert [shot().blocks_until(frame) for frame in (1, 9, 10, 21, 22, 30, 99)] == [1, 1, 2, 2, 3, 3, 3]


def plates(height: int = 4, width: int = 6) -> RawPlates:
    random = np.random.default_rng(0)
    depth = random.uniform(1, 9, (1, height, width)).astype("<f4")
    depth[0, 0, 0] = np.inf
    codes = [random.integers(0, 256, (1, height, width, 3), np.uint8) for _ in range(2)]
    shares = [random.integers(0, 256, (1, height, width), np.uint8) for _ in range(2)]
    return RawPlates(codes[0], *shares, depth, codes[1])


def test_passes_are_the_window_from_the_bottom_up() -> None:
    made, plane = plates(), passes.Window(1, 0, 5, 3)
    found = passes.make(made, True, plane, np.eye(3))
    assert {each.name for each in passes.PASSES} == set(found)
    for each in passes.PASSES:
        assert found[each.name].dtype == np.float32 and found[each.name].shape == (12 * len(each.channels),)
    combined = found["Combined"].reshape(3, 4, 4)
    assert (
        np.array_equal(combined[0, 0, :3], passes.LINEAR[made.colour[0, 3, 1]])
        and (combined[..., 3] == 1).all()
    )
    plain = passes.make(made, False, plane, np.eye(3))
    assert np.array_equal(plain["Combined"].reshape(-1, 4)[:, :3].ravel(), plain["Generated"])
    assert found["Mask"].reshape(3, 4)[2, 3] == np.float32(made.mask[0, 1, 4] / 255)
    whole = passes.make(made, True, passes.Window(0, 0, 6, 4), np.eye(3))
    assert whole["Depth"].max() == np.float32(1e10), "nothing is as far as Blender's engines say"


def test_another_working_space_gets_the_same_light() -> None:
    primaries = np.array([[0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.0, 0.1, 0.9]])
    found = passes.make(plates(), True, passes.Window(0, 0, 6, 4), primaries)["Combined"].reshape(-1, 4)[
        :, :3
    ]
    same = passes.make(plates(), True, passes.Window(0, 0, 6, 4), np.eye(3))["Combined"].reshape(-1, 4)[:, :3]
    assert np.allclose(found, same @ primaries.T, atol=1e-6)
