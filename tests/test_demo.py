"""`make demo`, cut to its first block: every part of the way is real, and all that it promises is there."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from movies import check_film, read_film

ROOT = Path(__file__).resolve().parent.parent
KEYS = {
    "frames", "width", "height", "fps", "first_frame_s", "psnr_hole", "psnr_hole_telea", "psnr_covered",
    "psnr_covered_warp", "peak_mb",
}  # fmt: skip


@pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="bpy is not installed for this Python")
def test_the_demo_leaves_what_it_promises(tmp_path):
    out = tmp_path / "demo"
    command = [sys.executable, "-m", "tests.demo", "--frames", "9", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    summary = json.loads((out / "summary.json").read_text())
    assert summary.keys() >= KEYS
    assert (summary["frames"], summary["width"], summary["height"]) == (9, 256, 144)
    assert summary["psnr_covered"] > 20
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
    assert "compare.mp4" in done.stdout
