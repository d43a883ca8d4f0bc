"""Plates headless, against a stand-in for the generator behind the real server."""

from __future__ import annotations

import json
from pathlib import Path

import cv2


def test_plates(blender, tmp_path, painting_python):
    seen = blender.run("plates.py", tmp_path, 9, INSPATIO_PYTHON=str(painting_python))
    assert seen["reference"] == [320, 180]
    assert seen["plate"] == {"width": 320, "height": 180, "strength": 0.9}
    plates = [Path(path) for path in seen["plates"]]
    assert [path.name for path in plates] == [f"{number:04d}.png" for number in range(1, 10)]
    assert all(cv2.imread(str(path)).shape == (180, 320, 3) for path in plates)
    said = json.loads((plates[0].parent / "plate.json").read_text())
    assert said == {"width": 320, "height": 180, "strength": 0.25}
