"""The render engine in a real Blender window: F12, Esc, Ctrl-F12, Rendered shading. Pictures go to out/window."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
from test_window import OUT, run_in_window

from tests.blenders import ROOT, Blender


def test_render(installed, tmp_path, painting_python):
    found = run_in_window(
        installed("window"),
        "window_engine.py",
        tmp_path,
        folder=tmp_path,
        INSPATIO_PYTHON=str(painting_python),
        INSPATIO_PAINT_SECONDS="2",
    )
    take = tmp_path / "inspatio/Scene/take_001"
    assert np.array_equal(cv2.imread(found["still"]), cv2.imread(str(take / "0004.png")))
    assert found["esc_s"] < 1.5, found
    assert len(found["written"]) == 33
    for file in found["written"]:
        assert np.array_equal(cv2.imread(file), cv2.imread(str(take / Path(file).name))), file
    assert 2 < len(found["plates"]) < 33 and found["plates_esc_s"] < 3, found
    for file in found["plates"]:
        plate, frame = cv2.imread(file), cv2.imread(str(take / Path(file).name))
        assert plate.shape == (720, 1280, 3)
        small = cv2.resize(plate, frame.shape[1::-1], interpolation=cv2.INTER_AREA)
        assert cv2.PSNR(small, frame) > 20, file
    # Rendered shading shows the preview's codes; the viewport keeps 16-bit floats and Blender dithers.
    shown, screen = (
        np.load(tmp_path / "shown.npy").astype(int),
        cv2.imread(str(OUT / "engine_rendered_alone.png")),
    )
    left, bottom = (math.floor(edge + 0.5) for edge in found["corner"])
    top = len(screen) - bottom - len(shown)
    seen = screen[top : top + len(shown), left : left + shown.shape[1], ::-1].astype(int)
    off = np.abs(seen - shown)[4 : len(shown) // 2, 4:-4]
    assert off.max() <= 2 and off.mean() < 0.6, (off.max(), off.mean())
    assert found["draws_at_rest"] <= 2, "a still viewport is not drawn again and again"


def test_command_line(installed, tmp_path, painting_python):
    """blender -b FILE -E INSPATIO: -f as far as needed, -a the rest; what is written are the takes' frames."""
    window = installed("window")
    headless = Blender("window", (window.command[0], "--background", *window.command[1:]), window.resources)
    file = headless.run("engine.py", "saved", tmp_path, INSPATIO_PYTHON=str(painting_python))

    def blender(*arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [window.command[0], "-b", file, "-E", "INSPATIO", "-o", str(tmp_path / "out/####"), *arguments],
            env={
                **os.environ,
                "BLENDER_USER_RESOURCES": str(window.resources),
                "INSPATIO_PYTHON": str(painting_python),
                "INSPATIO_PAINT_SECONDS": "1",
            },
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code and "Traceback" not in said, said
        return said

    folder = tmp_path / "inspatio/Scene/take_001"
    blender("-f", "5")
    take = json.loads((folder / "take.json").read_text())
    assert take["state"] == "cancelled" and take["blocks_done"] < 3, take["state"]
    said = blender("-a")
    assert "frames" in said, "how far it is is said"
    take = json.loads((folder / "take.json").read_text())
    assert (take["state"], take["frames_done"], len(take["timings"])) == ("finished", 33, 3)
    for number in range(1, 34):
        name = f"{number:04d}.png"
        assert np.array_equal(cv2.imread(str(tmp_path / "out" / name)), cv2.imread(str(folder / name))), name
    assert not (folder.parent / "take_002").exists()
    assert "Frame 40 lies outside the shot" in blender("-f", "40", code=1)


def test_compositor(installed, tmp_path):
    """With the real backend: each pass of an EXR file is a socket of the compositor. docs/pictures/rendering.png."""
    subprocess.run(
        [sys.executable, "-m", "tests.scenes.demo_set", tmp_path / "square.blend"], cwd=ROOT, check=True
    )
    found = run_in_window(
        installed("window"),
        "window_rendering.py",
        tmp_path,
        folder=tmp_path,
        INSPATIO_PYTHON=sys.executable,
    )
    assert Path(found["file"]).is_file()
