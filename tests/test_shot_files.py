"""What lies in the folders of a film's shots: found by a thread of its own, which a late drive alone holds up."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import pytest
from inspatio_addon.inspatio_blender.shot_files import Found, ShotFiles
from references import move, write_reference

from backend.protocol.files import Shot
from backend.protocol.takes import TakeWriter


@pytest.fixture
def files():
    made = ShotFiles()
    yield made
    made.close()


def looked(files: ShotFiles, folders: dict[str, tuple[Path, ...]]) -> dict[str, Found]:
    """What is found now."""
    files.look(folders)
    until = time.monotonic() + 10
    while files._looking.is_set():
        time.sleep(0.005)
        assert time.monotonic() < until
    return files.found


def take(folder: Path) -> TakeWriter:
    return TakeWriter.create(folder, Shot("Shot", "tiny", 0, 64, 48, move(9, 64, 48)), "r", "p", "0")


def test_the_newest_reference_and_the_newest_finished_take(files: ShotFiles, tmp_path: Path) -> None:
    one, two, old = tmp_path / "One", tmp_path / "Two", tmp_path / "unsaved" / "Two"
    folders = {"One": (one,), "Two": (two, old)}
    assert looked(files, folders) == {"One": Found(), "Two": Found()}
    version = files.version
    assert looked(files, folders) and files.version == version, "nothing new, nothing to draw"
    write_reference(one / "reference" / "v001")
    write_reference(one / "reference" / "v002")
    first, second = take(one), take(one)
    write_reference(old / "reference" / "v001")
    take(old).finish()
    assert looked(files, folders) == {
        "One": Found("v002"),
        "Two": Found("v001", 1, old / "take_001"),
    }
    first.finish()
    assert looked(files, folders)["One"] == Found("v002", 1, one / "take_001")
    second.finish()
    third = take(one)
    third.cancel()
    (third.folder / "take.json").write_text("{")
    assert looked(files, folders)["One"] == Found("v002", 2, one / "take_002")
    shutil.rmtree(one)
    assert looked(files, folders)["One"] == Found()
    assert files.version > version


def test_asking_a_drive_that_answers_late_costs_nothing(
    files: ShotFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_reference(tmp_path / "One" / "reference" / "v001")
    answers = threading.Event()
    monkeypatch.setattr(files, "_look", lambda folders: Found("v001") if answers.wait(30) else None)
    for _ in range(100):
        files.look({"One": (tmp_path / "One",)})
    assert files.found == {}
    answers.set()
    assert looked(files, {})["One"] == Found("v001")
