"""What the comparison of the two warps counts, on a scene whose answers are known: a square before a wall."""

import json
import sys

import numpy as np
import pytest
import torch

from backend.training import warps
from backend.training.examples import Sequence

HEIGHT, WIDTH, FOCAL = 32, 48, 40
SQUARE = slice(8, 24), slice(16, 32)  # rows and columns of the first view, at depth 2
FAR, NEAR = 8.0, 2.0
STEP = 0.1
"""Metres that the camera moves to the right from frame to frame: 2 pixels of the square, half of one of the wall."""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Three frames of a camera that moves sideways past a square of one grey before a wall of another."""
    frames, column = 3, np.arange(WIDTH)
    depth = np.full((frames, HEIGHT, WIDTH), FAR, np.float32)
    poses = np.tile(np.eye(4, dtype=np.float32), (frames, 1, 1))
    for frame in range(frames):
        poses[frame, 0, 3] = -STEP * frame
        left = SQUARE[1].start - FOCAL * STEP * frame / NEAR
        covered = (column >= left) & (column < left + SQUARE[1].stop - SQUARE[1].start)
        depth[frame, SQUARE[0], covered] = NEAR
    colour = np.where(depth == NEAR, 200, 60).astype(np.uint8)[..., None].repeat(3, axis=-1)
    lens = np.array([[FOCAL, 0, (WIDTH - 1) / 2], [0, FOCAL, (HEIGHT - 1) / 2], [0, 0, 1]], np.float32)
    file = tmp_path_factory.mktemp("scenes") / "square.npz"
    np.savez(
        file,
        colour=colour[None],
        depth=depth[None],
        intrinsics=np.tile(lens, (1, frames, 1, 1)),
        world_to_camera=poses[None],
        dynamic=np.array(False),
    )
    return file


def test_what_a_view_sees_is_told_from_what_it_never_sees(path):
    plainly, never = warps.seen_by_views(Sequence.load(path))
    assert not (plainly & never).any()
    assert plainly[0, 1:-1, 1:-1].float().mean() > 0.85  # all but the square's rim, where depths mix
    assert not never[0].any()
    row = (SQUARE[0].start + SQUARE[0].stop) // 2
    # Two frames on, the square has moved by four pixels and the wall by one: it uncovers three columns of it.
    assert never[2, row, 29:30].all()
    assert not never[2, row, :28].any()
    assert plainly[2, row, 14:26].all()
    # The right edge of the frame shows wall that lay outside the view.
    assert never[2, 2, -1] and not plainly[2, 2, -1]


def test_edges_lie_at_jumps_of_depth_and_not_on_slopes():
    slope = 1 / (0.1 + 0.01 * torch.arange(WIDTH)).expand(1, HEIGHT, WIDTH)
    inner = slice(warps.EDGE, -warps.EDGE)  # At the picture's border a slope ends.
    assert not warps.near_edges(slope)[..., inner].any()
    step = torch.where(torch.arange(WIDTH) < 20, NEAR, FAR).expand(1, HEIGHT, WIDTH)
    found = warps.near_edges(step)[0, 5].nonzero()[:, 0]
    assert found.min() == 20 - warps.EDGE and found.max() == 19 + warps.EDGE


def test_speed_is_told_by_size_and_threads():
    before = torch.get_num_threads()
    rows = warps.speed_table(((64, 48),)).splitlines()[2:]
    assert torch.get_num_threads() == before
    assert [row.split(" | ")[:2] for row in rows] == [["| 64x48", "1"], ["| 64x48", "2"]]
    for row in rows:
        figures = row.strip("|").split("|")[2:]
        assert all(0 < float(seconds) < 10 for figure in figures for seconds in figure.split("/"))


def test_both_warps_stand_side_by_side_in_its_results(path, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["warps", "--scenes", str(path.parent), "--out", str(tmp_path)])
    warps.main()
    report = json.loads((tmp_path / "warps.json").read_text())
    splat, surface = report["scenes"]
    assert (splat["warp"], surface["warp"]) == ("splat", "surface")
    assert report["mean"]["surface"]["cracks"] == surface["cracks"]
    for figures in (splat, surface):
        # Grey squares are told from grey walls, and of three columns in the hole no warp knows the middle one.
        assert figures["psnr_covered"] > 25
        assert 0.9 < figures["known"] < 1
        assert figures["flying"] < 1
        assert figures["cracks"] < 0.01
    assert surface["flying"] <= splat["flying"]
    text = (tmp_path / "warps.md").read_text()
    assert text in capsys.readouterr().out
    assert [line.split("|")[1].strip() for line in text.splitlines()[2:]] == ["square", "**mean**"]
    assert (tmp_path / "square.png").is_file()
