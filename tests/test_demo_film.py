"""`make demo-film` in short: the queue, the render engine, the command line and a farm's job make the same frames."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.blenders import ROOT, bpy_python


def test_four_roads_make_the_same_frames(tmp_path: Path) -> None:
    if bpy_python("bpy-4.5") is None:
        pytest.skip("bpy is not installed: run `make venv`")
    words = [sys.executable, "-m", "tests.demo_film", "--short", "--out", str(tmp_path / "film")]
    environ = {**os.environ, "INSPATIO_PYTHON": sys.executable}
    done = subprocess.run(
        words, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    summary = json.loads((tmp_path / "film" / "summary.json").read_text())
    # With four frames more before (there is none before 0) and after each shot; a render makes none after it.
    assert summary["frames"] == {"queue": 23, "render": 18, "command": 23, "job": 23}
    assert summary["equal"] == dict.fromkeys(summary["frames"], 18) and summary["handles_equal"]
    assert summary["rendered"] == summary["rendered_as_in_takes"] == 10
