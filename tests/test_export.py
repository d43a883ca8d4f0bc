"""A shot folder comes into being whole, beside what is there, or not at all."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from inspatio_addon.backend.protocol.disk import FileFormatError
from inspatio_addon.backend.protocol.files import Shot, read_shot
from inspatio_addon.backend.protocol.references import reference_digest
from inspatio_addon.inspatio_blender.export import ExportError, export_shot
from references import write_reference, write_shot


@pytest.fixture
def shot(tmp_path: Path) -> Shot:
    return Shot.from_json(write_shot(tmp_path / "elsewhere").to_json())


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    version = tmp_path / "reference" / "v003"
    write_reference(version)
    return version


def test_who_is_told_how_far_it_is_may_end_it(tmp_path: Path, shot: Shot, reference: Path) -> None:
    told: list[float] = []

    def stop(line: str, share: float) -> None:
        told.append(share)
        if line == "Copying view_0000.npy":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_shot(shot, reference, tmp_path / "exports", "Shot", stop)
    assert told == sorted(told) and 0 < told[-1] < 1
    assert not list((tmp_path / "exports").iterdir())


def test_the_folder_holds_the_shot_and_its_reference(tmp_path: Path, shot: Shot, reference: Path) -> None:
    (reference / "notes.txt").write_text("not of the reference")
    parent = tmp_path / "not" / "there" / "yet"
    folder = export_shot(shot, reference, parent, "Shot_1")
    assert folder == parent / "Shot_1"
    assert read_shot(folder) == replace(shot, reference="reference/v003")
    assert reference_digest(folder / "reference/v003") == reference_digest(reference)
    assert not (folder / "reference/v003/notes.txt").exists()
    assert [path.name for path in parent.iterdir()] == ["Shot_1"]


def test_another_shot_is_written_beside_and_the_same_one_is_left(
    tmp_path: Path, shot: Shot, reference: Path
) -> None:
    first = export_shot(shot, reference, tmp_path, "Shot")
    (first / "take_001").mkdir()
    before = (first / "shot.json").stat().st_mtime_ns
    assert export_shot(shot, reference, tmp_path, "Shot") == first
    assert (first / "shot.json").stat().st_mtime_ns == before
    other = replace(shot, seed=4)
    second = export_shot(other, reference, tmp_path, "Shot")
    assert second.name == "Shot_002"
    assert (read_shot(first).seed, read_shot(second).seed) == (3, 4)
    assert export_shot(other, reference, tmp_path, "Shot") == second
    # The same cameras, but another world.
    shutil.copyfile(second / "reference/v003/view_0000.npy", tmp_path / "depth")
    (reference / "view_0000.npy").write_bytes((tmp_path / "depth").read_bytes()[:-4] + b"\0\0\0@")
    assert export_shot(shot, reference, tmp_path, "Shot").name == "Shot_003"
    # Whatever else has the name, also a link to nowhere.
    (tmp_path / "Other").symlink_to(tmp_path / "nowhere")
    assert export_shot(shot, reference, tmp_path, "Other").name == "Other_002"


@pytest.mark.parametrize("call", ["rename", "replace"])
def test_on_a_full_disk_there_is_nothing(
    tmp_path: Path, shot: Shot, reference: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, full)
    parent = tmp_path / "exports"
    with pytest.raises(ExportError, match=r"exported to .*exports: no space left on device"):
        export_shot(shot, reference, parent, "Shot")
    assert not list(parent.iterdir())


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, shot: Shot, reference: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ExportError, match="No shot can be exported to"):
        export_shot(shot, reference, tmp_path / "file", "Shot")


def test_a_reference_that_is_not_whole_is_refused(tmp_path: Path, shot: Shot, reference: Path) -> None:
    (reference / "view_0000.npy").unlink()
    with pytest.raises(FileFormatError, match=r"view_0000\.npy is missing"):
        export_shot(shot, reference, tmp_path / "exports", "Shot")
    assert not (tmp_path / "exports").exists()
