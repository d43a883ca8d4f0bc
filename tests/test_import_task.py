"""What an import brings before Blender makes a scene of it: it is there until it is discarded, whenever that is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from inspatio_addon.inspatio_blender.jobs import Setup
from inspatio_addon.inspatio_blender.scene_folders import Import
from inspatio_addon.inspatio_blender.task import Task
from references import move, write_reference

from backend.protocol.files import Shot


@pytest.fixture
def given(tmp_path: Path) -> Path:
    folder = tmp_path / "given"
    write_reference(folder / "reference")
    shot = Shot("Given", "tiny", 0, 64, 48, move(9, 64, 48))
    (folder / "shot.json").write_text(json.dumps(shot.to_json()))
    return folder


def brought(given: Path, out: Path) -> Import:
    return Import(given, out, Setup("", Path(), Path(), False, {}))


def begun(work, tmp_path: Path) -> Task:
    task = Task("Import Scene Folder", work, tmp_path / "set_up.log")
    task._thread.join(30)
    assert not task.running
    return task


def test_what_was_brought_goes_with_its_folder(given: Path, tmp_path: Path) -> None:
    """Esc between the end of the work and the next look at it: there is nothing left to cancel by then."""
    wanted = brought(given, tmp_path / "project" / ".import.tmp")
    assert begun(wanted.work, tmp_path).state == "finished"
    assert (wanted.out / "reference" / "reference.json").is_file() and wanted.shot.name == "Given"
    wanted.discard()
    assert not (tmp_path / "project").exists()


def test_other_shots_stay(given: Path, tmp_path: Path) -> None:
    other = tmp_path / "project" / "Shot" / "take.json"
    other.parent.mkdir(parents=True)
    other.write_text("{}")
    wanted = brought(given, tmp_path / "project" / ".import.tmp")
    begun(wanted.work, tmp_path)
    wanted.discard()
    assert [path.name for path in (tmp_path / "project").iterdir()] == ["Shot"] and other.exists()


def test_work_that_nobody_wants_any_more_leaves_nothing(given: Path, tmp_path: Path) -> None:
    wanted = brought(given, tmp_path / "project" / ".import.tmp")
    wanted.discard()
    assert begun(wanted.work, tmp_path).state == "cancelled"
    assert wanted.shot is None and not (tmp_path / "project").exists()
