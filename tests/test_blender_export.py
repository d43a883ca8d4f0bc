"""Export Shot headless: `inspatio shot` makes the frames of it that the add-on's own Generate makes."""

from __future__ import annotations

import sys

from fakes import small_presets

from backend import cli
from backend.protocol.files import read_shot, read_take
from tests.blenders import ROOT

FRAMES = 14


def test_export(blender, tmp_path, monkeypatch):
    """The backends of both are real, over the same small random weights."""
    weights = tmp_path / "weights"
    presets = small_presets(weights)
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\nshift 2  # "-m backend"\nexport PYTHONPATH="{ROOT}"\n'
        f'exec "{sys.executable}" "{ROOT / "tests/fake_backend.py"}" "{weights}" "$@"\n'
    )
    python.chmod(0o755)
    blender.run("export.py", tmp_path, FRAMES, INSPATIO_PYTHON=str(python))
    assert sorted(path.name for path in (tmp_path / "exports").iterdir()) == [
        "A_long_shot",
        "A_long_shot_002",
    ]
    folder = tmp_path / "exports" / "A_long_shot"
    assert sorted(path.name for path in folder.iterdir()) == ["reference", "shot.json"]
    monkeypatch.setattr("backend.shots.Presets", lambda: presets)
    assert cli.main(["shot", str(folder)]) == 0
    made = tmp_path / "inspatio" / "A_long_shot" / "take_001"
    assert read_take(made).shot == read_shot(folder)
    frames = [
        {path.name: path.read_bytes() for path in take.glob("*.png")} for take in (made, folder / "take_001")
    ]
    assert sorted(frames[0]) == [f"{number:04d}.png" for number in range(1, FRAMES + 1)]
    assert frames[0] == frames[1]
    assert read_shot(tmp_path / "exports/A_long_shot_002").cameras != read_shot(folder).cameras
