"""Capture and Generate headless, against a stand-in for the generator behind the real server."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from movies import check_film

from backend.protocol.files import read_take
from backend.report import make_report
from tests.blenders import ROOT

FRAMES = 25


def test_generate(blender, tmp_path, painting_python):
    take = blender.run("generate.py", tmp_path, FRAMES, INSPATIO_PYTHON=str(painting_python))
    folder = Path(take["folder"])
    assert folder == tmp_path / "inspatio" / "Scene" / "take_001"
    assert (take["state"], take["frames_done"], take["blocks_done"]) == ("finished", FRAMES, 3)
    assert take["shot"]["reference"] == "reference/v001"
    assert len(take["coverage"]) == FRAMES
    frames = sorted(folder.glob("*.png"))
    assert [frame.name for frame in frames] == [f"{number:04d}.png" for number in range(1, FRAMES + 1)]
    first, reference = (
        cv2.imread(str(frames[0])),
        cv2.imread(str(folder.parent / "reference/v001/view_0000.png")),
    )
    assert np.abs(first[:-6].astype(int) - reference[:-6]).mean() < 2, (
        "the first frame is the reference itself"
    )
    assert not list(folder.glob("*.bin")), "a finished take needs no state"
    check_film(folder / "shot.mp4", frames, take["shot"]["fps"])
    assert (folder / "report.html").read_bytes() == make_report(folder, read_take(folder))
    # The sequencer's picture is the take's own, code for code (the second take differs by its bar only).
    strip, frame = cv2.imread(str(tmp_path / "strip.png")), cv2.imread(str(folder / "0004.png"))
    assert np.abs(strip[:-6].astype(int) - frame[:-6]).max() <= 1


def test_generate_with_the_real_backend(newest_blender, tmp_path):
    """Nothing stands in: the installed extension starts its own backend with its own weights."""
    if not (ROOT / "backend/weights/tiny/generator.safetensors").exists():
        pytest.skip("the weights of tiny are not there")
    take = newest_blender.run("generate.py", tmp_path, FRAMES, INSPATIO_PYTHON=sys.executable, timeout=400)
    assert (take["state"], take["frames_done"], take["shot"]["preset"]) == ("finished", FRAMES, "tiny")
    folder = Path(take["folder"])
    first, reference = (
        cv2.imread(str(folder / "0001.png")),
        cv2.imread(str(folder.parent / "reference/v001/view_0000.png")),
    )
    assert cv2.PSNR(first, reference) > 20, "the first frame is what the reference shows"
    assert cv2.imread(str(folder / f"{FRAMES:04d}.png")).std() > 5
    check_film(folder / "shot.mp4", sorted(folder.glob("*.png")), take["shot"]["fps"])
