"""`make demo`, cut to its first block: every part of the way is real, and all that it promises is there."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from movies import check_film, read_film, write_movie

ROOT = Path(__file__).resolve().parent.parent
KEYS = {
    "frames", "width", "height", "fps", "first_frame_s", "psnr_hole", "psnr_hole_telea", "psnr_covered",
    "psnr_covered_warp", "peak_mb",
}  # fmt: skip


def cut_short(module, out, *words, known=KEYS):
    """What a demo says, and its summary, when it makes one block."""
    command = [sys.executable, "-m", module, "--frames", "9", "--out", str(out), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    summary = json.loads((out / "summary.json").read_text())
    assert summary.keys() >= known
    assert summary["frames"] == 9
    return done.stdout, summary


@pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="bpy is not installed for this Python")
def test_the_demo_leaves_what_it_promises(tmp_path):
    out = tmp_path / "demo"
    said, summary = cut_short("tests.demo", out)
    assert (summary["width"], summary["height"]) == (256, 144) and summary["psnr_covered"] > 20
    assert [picture.name for picture in sorted((out / "frames").iterdir())] == [
        f"{n:04d}.png" for n in range(1, 10)
    ]
    assert cv2.imread(str(out / "contact.png")) is not None
    check_film(out / "shot.mp4", sorted((out / "frames").iterdir()), fps=24)
    comparison = read_film(out / "compare.mp4")
    assert (comparison.frames.shape, comparison.codec) == (
        (9, 300, 1920, 3),
        read_film(out / "shot.mp4").codec,
    )
    assert (out / "shot.blend").is_file()
    assert "compare.mp4" in said


@pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="bpy is not installed for this Python")
def test_the_demo_with_footage_leaves_what_it_promises(tmp_path):
    """`make demo-footage`, cut to its first block."""
    out = tmp_path / "demo"
    _, summary = cut_short("tests.demo_footage", out)
    assert (summary["width"], summary["height"]) == (256, 144) and summary["psnr_covered"] > 20
    assert summary["depth_error_median"] < 0.01 and summary["depth_within_2_percent"] > 0.8
    assert len(list((out / "frames").iterdir())) == 9
    for picture in ("contact.png", "footage.png"):
        assert cv2.imread(str(out / picture)) is not None
    check_film(out / "shot.mp4", sorted((out / "frames").iterdir()), fps=24)
    assert read_film(out / "clip.mp4").frames.shape[1:] == (234, 416, 3)
    assert (out / "shot.blend").is_file()


@pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="bpy is not installed for this Python")
def test_the_demo_with_a_real_clip_walks_the_same_road(tmp_path):
    """`make demo-footage CLIP=...`: a table and a cup as stand-ins, and nobody knows the truth."""
    clip, out = write_movie(tmp_path / "coffee.mp4", (960, 450), 12), tmp_path / "demo"
    known = {name for name in KEYS if not name.startswith("psnr")} | {"coverage_first", "coverage_last"}
    _, summary = cut_short("tests.demo_footage", out, "--clip", str(clip), known=known)
    assert not [name for name in summary if name.startswith("psnr")]
    assert summary["coverage_first"] > 0.9
    for picture in ("contact.png", "footage.png"):
        assert cv2.imread(str(out / picture)) is not None
    check_film(out / "shot.mp4", sorted((out / "frames").iterdir()), fps=25)
