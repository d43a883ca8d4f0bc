"""The live preview in a real Blender window, with the real backend and the tiny preset: seen on the screen.

An overlay pixel is the backend's byte; the screen may be off by what the viewport's 16-bit buffer loses (docs/live.md).
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import cv2
import numpy as np
from test_window import OUT, run_in_window

TOLERANCE, DARK_TOLERANCE, DARK = 1, 3, 12
"""How far a code on the screen may be from the backend's, and from a dark one."""


def differences(folder: Path, told: dict) -> list[np.ndarray]:
    """Absolute difference of the screen from each frame that the overlay was given, away from badge and lines."""
    screen = cv2.imread(str(OUT / f"{told['name']}.png"))
    assert screen is not None
    left, bottom = (math.floor(edge + 0.5) for edge in told["corner"])
    found = []
    for frame in np.load(folder / f"{told['name']}.npy").astype(int):
        top = len(screen) - bottom - len(frame)
        seen = screen[top : top + len(frame), left : left + frame.shape[1], ::-1].astype(int)
        off = np.abs(seen - frame)
        off[frame < DARK] = np.maximum(0, off[frame < DARK] - (DARK_TOLERANCE - TOLERANCE))
        found.append(off[4 : len(frame) // 2, 4:-4])
    return found


def test_preview(installed, tmp_path):
    found = run_in_window(
        installed("window"), "window_live.py", tmp_path, folder=tmp_path, INSPATIO_PYTHON=sys.executable
    )
    (OUT / "live.json").write_text(json.dumps(found, indent=1))
    for told in found["pictures"]:
        alike = [float((off <= TOLERANCE).mean()) for off in differences(tmp_path, told)]
        assert len(alike) == 1 or told["flies"], (told, alike)
        assert max(alike) > 0.97, (told, alike)
        told["alike"] = alike
    (OUT / "live.json").write_text(json.dumps(found, indent=1))
    assert [told["name"] for told in found["pictures"] if told["flies"]] == [
        "live_6_flying",
        "live_7_recording",
        "live_8_recorded",
        "live_9_walked",
    ]
    # The key moved changes frames 22 and on: the block of 22 to 33 and that after it.
    assert found["blocks_after_edit"] == 2, found
    assert found["dragging"]
    kept, flown = (json.loads((Path(found[name]) / "take.json").read_text()) for name in ("kept", "flown"))
    assert (kept["state"], kept["frames_done"]) == ("finished", 45)
    assert (flown["state"], flown["frames_done"]) == ("finished", found["recorded"])
    assert found["walked"] > 0.05, found
    assert 1 < found["changed_walking"] < found["changed_after"], found
    assert (
        found["keys"] == found["recorded"] >= 13
    )  # A block and what of the one before was flown after the press.


def test_whatever_happens_to_a_preview(installed, tmp_path, painting_python):
    found = run_in_window(
        installed("window"),
        "window_live_faults.py",
        tmp_path,
        folder=tmp_path,
        INSPATIO_PYTHON=str(painting_python),
        INSPATIO_PAINT_SECONDS="0.5",
    )
    (OUT / "live_faults.json").write_text(json.dumps(found, indent=1))
    assert found["noted_while_playing"] == 0 and found["noted_at_rest"] == 1, found
    assert found["draws"] > 1
    assert found["disable_s"] < 5, found
