"""The files of a shot: strict reading, whole writing, digests, and takes that survive being stopped anywhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from references import move, write_reference, write_shot

from backend.protocol import disk, takes
from backend.protocol.disk import FileFormatError, write_whole
from backend.protocol.envelope import unpack
from backend.protocol.files import (
    PlateSettings,
    Reference,
    Shot,
    Take,
    frame_names,
    process_alive,
    read_reference,
    read_shot,
    read_take,
)
from backend.protocol.references import reference_body, reference_digest
from backend.protocol.takes import ContinueError, TakeWriteError, TakeWriter, state_file, take_folders
from backend.world import digest_of


def test_a_reference_is_read_as_it_was_written(tmp_path: Path) -> None:
    for kind, views in (("still", 1), ("stills", 4), ("moving", 5)):
        written = write_reference(tmp_path / kind, kind=kind, views=views)
        assert read_reference(tmp_path / kind) == written


def _changed(content: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    copy = json.loads(json.dumps(content))
    place = copy
    *steps, last = (int(step) if step.isdigit() else step for step in path.split("/"))
    for step in steps:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return copy


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("format", "zip", "format"),
        ("version", 2, "version 1"),
        ("kind", "film", "one of still, stills, moving"),
        ("kind", "stills", "2 to 4"),
        ("width", 0, "width"),
        ("width", 64.0, "width"),
        ("height", 100_000, "height"),
        ("views", [], "one view"),
        ("views/0", 3, "object"),
        ("views/0/colour", None, "colour is missing"),
        ("views/0/colour", "../secret.png", "plain file name"),
        ("views/0/colour", "/etc/view.png", "plain file name"),
        ("views/0/colour", "C:view.png", "plain file name"),
        ("views/0/colour", ".hidden.png", "plain file name"),
        ("views/0/colour", "view.jpg", r"\.png"),
        ("views/0/depth", "depth.pickle", r"\.exr or \.npy"),
        ("views/0/intrinsics", [1] * 8, "9 numbers"),
        ("views/0/world_to_camera", [2.0, *[0] * 15], "view 0"),
        ("views/0/frame", "1", "number"),
    ],
)
def test_a_wrong_reference_says_what_is_wrong(tmp_path: Path, path: str, value: Any, words: str) -> None:
    content = write_reference(tmp_path).to_json()
    with pytest.raises(FileFormatError, match=words):
        Reference.from_json(_changed(content, path, value))


def test_views_of_a_moving_reference_are_in_order(tmp_path: Path) -> None:
    content = write_reference(tmp_path, kind="moving", views=3).to_json()
    with pytest.raises(FileFormatError, match="order"):
        Reference.from_json(_changed(content, "views/2/frame", 1.0))


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("frames", [], "cameras"),
        ("seed", -1, "seed"),
        ("seed", True, "seed"),
        ("reference", "../elsewhere", "inside"),
        ("reference", "/etc", "inside"),
        ("fps", 0, "above 0"),
        ("prompt", 3, "prompt"),
        ("frames/1", 1.0, "order"),
        ("world_to_camera/0", [1] * 16, "frame 1"),
    ],
)
def test_a_wrong_shot_says_what_is_wrong(tmp_path: Path, path: str, value: Any, words: str) -> None:
    content = write_shot(tmp_path).to_json()
    assert Shot.from_json(content) == read_shot(tmp_path)
    with pytest.raises(FileFormatError, match=words):
        Shot.from_json(_changed(content, path, value))


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b'{"a": NaN}', b"\xff\xfe"])
def test_what_is_no_json_object_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "reference.json").write_bytes(text)
    with pytest.raises(FileFormatError, match=r"reference\.json"):
        read_reference(tmp_path)


def test_a_missing_file_and_a_huge_one_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileFormatError, match="missing"):
        read_shot(tmp_path)
    monkeypatch.setattr(disk, "MAX_FILE_BYTES", 10)
    write_shot(tmp_path)
    with pytest.raises(FileFormatError, match="no such file"):
        read_shot(tmp_path)


def test_frames_are_named_by_scene_frame_where_a_name_can_hold_it() -> None:
    assert frame_names((1.0, 2.0, 10.0)) == ["0001.png", "0002.png", "0010.png"]
    assert frame_names((0.0, 1.0)) == ["0000.png", "0001.png"]
    assert frame_names((-5.0, -4.0, 7.0)) == ["0001.png", "0002.png", "0003.png"]
    assert frame_names((1.0, 1.5, 2.0)) == ["0001.png", "0002.png", "0003.png"]


def test_what_came_later_is_left_out_of_older_files_and_of_their_digests(tmp_path: Path) -> None:
    reference = write_reference(tmp_path, geometry=True)
    assert read_reference(tmp_path) == reference and reference.file_names[-1] == "geometry.npy"
    with_geometry = reference_digest(tmp_path)
    assert b"geometry.npy" in b"".join(reference_body(tmp_path)[1])
    older = replace(reference, geometry="")
    assert "geometry" not in older.to_json()
    (tmp_path / "reference.json").write_text(json.dumps(older.to_json()))
    assert reference_digest(tmp_path) != with_geometry
    for wrong in ("geometry.exr", "../geometry.npy", older.views[0].depth, 3):
        with pytest.raises(FileFormatError, match=r"geometry|both depth"):
            Reference.from_json({**older.to_json(), "geometry": wrong})
    shot = write_shot(tmp_path)
    content = shot.to_json()
    assert Shot.from_json({**content, "remember": True}) == replace(shot, remember=True)
    del content["remember"]
    assert Shot.from_json(content) == shot


def test_a_shot_says_to_what_its_frames_are_developed(tmp_path: Path) -> None:
    shot = write_shot(tmp_path)
    assert "plate" not in shot.to_json() and shot.plate is None
    developed = replace(shot, plate=PlateSettings(1920, 1080, 0.5))
    assert Shot.from_json(developed.to_json()) == developed
    content = developed.to_json()
    assert Shot.from_json({**content, "plate": None}) == shot
    for wrong in (
        {"width": 0},
        {"height": 8193},
        {"width": 8192, "height": 8192},
        {"strength": 1.01},
        {"strength": -1},
        {"strength": True},
        {"width": "1920"},
    ):
        with pytest.raises(FileFormatError, match=r"shot.json: plate"):
            Shot.from_json({**content, "plate": {**content["plate"], **wrong}})
    with pytest.raises(FileFormatError, match="plate must be an object"):
        Shot.from_json({**content, "plate": 3})


def test_the_digest_is_the_same_on_both_sides_and_sees_every_change(tmp_path: Path) -> None:
    reference = write_reference(tmp_path, kind="stills", views=2, depth="exr")
    digest = reference_digest(tmp_path)
    length, chunks = reference_body(tmp_path)
    body = b"".join(chunks)
    assert len(body) == length
    header, blobs = unpack(body)
    assert Reference.from_json(header) == reference
    assert digest_of(reference, {name: blob.data for name, blob in blobs.items()}) == digest
    for name in reference.file_names:
        before = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        assert reference_digest(tmp_path) != digest
        (tmp_path / name).write_bytes(before)
    (tmp_path / "reference.json").write_text(json.dumps({**reference.to_json(), "created": "later"}))
    assert reference_digest(tmp_path) != digest


def test_a_file_of_the_reference_that_is_gone_is_named(tmp_path: Path) -> None:
    reference = write_reference(tmp_path)
    (tmp_path / reference.views[0].depth).unlink()
    for read in (reference_digest, reference_body):
        with pytest.raises(FileFormatError, match=r"view_0000\.npy is missing"):
            read(tmp_path)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "take.json"
    write_whole(path, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new", durable=True)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["take.json"]


@pytest.fixture
def writer(tmp_path: Path) -> TakeWriter:
    return TakeWriter.create(tmp_path, _shot(14), "reference", "preset", "0.1.0")


def _shot(frames: int) -> Shot:
    return Shot("Shot", "tiny", 0, 64, 48, move(frames, 64, 48))


PNG_END = b"\0\0\0\0IEND\xaeB`\x82"


def _write(writer: TakeWriter, size: int, snapshot: str | None = "state") -> None:
    block = writer.next_block
    writer.write_block(
        [f"{block}/{i}".encode() + PNG_END for i in range(size)],
        None if snapshot is None else f"{snapshot} {block}".encode(),
        [0.5] * size,
        seconds=1.0,
        milliseconds={"render": 1.0},
        peak_mb=100.0,
    )


def test_a_take_is_written_block_by_block(writer: TakeWriter, tmp_path: Path) -> None:
    assert read_take(writer.folder).state == "running"
    _write(writer, 9)
    assert sorted(p.name for p in writer.folder.glob("*.png")) == [f"{i:04d}.png" for i in range(1, 10)]
    _write(writer, 12)
    take = read_take(writer.folder)
    assert (take.frames_done, take.blocks_done, take.blocks_total) == (14, 2, 2)
    assert len(take.coverage) == 14
    assert len(list(writer.folder.glob("*.png"))) == 14
    assert take.first_frame_s == 1.0
    assert [timing["block"] for timing in take.timings] == [0, 1]
    writer.finish()
    assert read_take(writer.folder).state == "finished"
    assert not list(writer.folder.glob("state_*")) and not list(writer.folder.glob(".*"))


def test_numbers_are_given_once_and_never_overwritten(tmp_path: Path) -> None:
    writers = [TakeWriter.create(tmp_path, _shot(9), "r", "p", "0") for _ in range(3)]
    assert [writer.folder.name for writer in writers] == ["take_001", "take_002", "take_003"]
    (tmp_path / "take_010").mkdir()
    (tmp_path / "take_x").mkdir()
    assert TakeWriter.create(tmp_path, _shot(9), "r", "p", "0").folder.name == "take_011"
    assert [number for number, _ in take_folders(tmp_path)] == [1, 2, 3, 10, 11]


def test_a_cancelled_take_is_continued_where_it_stopped(writer: TakeWriter) -> None:
    _write(writer, 9)
    writer.cancel()
    assert read_take(writer.folder).message == "Cancelled after 9 of 14 frames."
    again, snapshot = TakeWriter.resume(writer.folder, "reference", "preset")
    assert snapshot == b"state 0"
    assert again.next_block == 1
    _write(again, 12)
    assert again.done
    again.finish()
    with pytest.raises(ContinueError, match="finished"):
        TakeWriter.resume(writer.folder, "reference", "preset")


def test_a_take_stopped_before_its_first_block_starts_anew(writer: TakeWriter) -> None:
    writer.fail("The backend ended unexpectedly.")
    assert TakeWriter.resume(writer.folder, "reference", "preset")[1] is None


def test_a_take_is_not_continued_with_something_else(writer: TakeWriter) -> None:
    _write(writer, 9)
    writer.cancel()
    with pytest.raises(ContinueError, match="reference has changed"):
        TakeWriter.resume(writer.folder, "other", "preset")
    with pytest.raises(ContinueError, match="weights"):
        TakeWriter.resume(writer.folder, "reference", "other")


@pytest.mark.parametrize("lost", [True, False])
def test_what_comes_after_the_newest_state_is_generated_again(tmp_path: Path, lost: bool) -> None:
    """A state after the first block of three only, or none that can be found any more."""
    writer = TakeWriter.create(tmp_path, _shot(33), "reference", "preset", "0.1.0")
    _write(writer, 9)
    _write(writer, 12, snapshot=None)
    frames = [path.read_bytes() for path in writer.frame_paths]
    writer.cancel()
    if lost:
        state_file(writer.folder, 1).unlink()
    writer.frame_paths[10].unlink()
    again, snapshot = TakeWriter.resume(writer.folder, "reference", "preset")
    assert snapshot == (None if lost else b"state 0")
    if lost:
        _write(again, 9, snapshot=None)
    assert (again.next_block, again.catching_up, again.take.frames_done) == (1, True, 21)
    timings = again.take.timings
    _write(again, 12, snapshot=None)
    assert [path.read_bytes() for path in again.frame_paths] == frames
    assert (again.catching_up, again.done, again.take.timings) == (False, False, timings)
    _write(again, 12)
    assert again.done and [path.name for path in writer.folder.glob("state_*")] == ["state_0003.bin"]
    again.finish()
    assert not list(writer.folder.glob("state_*"))


@pytest.mark.parametrize("broken", ["gone", "cut short", "empty"])
def test_a_frame_that_lost_power_cut_short_is_made_again(writer: TakeWriter, broken: str) -> None:
    """Frames are not waited for, so a machine that loses its power may leave some without their end."""
    _write(writer, 9)
    _write(writer, 12)
    frames = [path.read_bytes() for path in writer.frame_paths]
    path = writer.frame_paths[4]
    (writer.folder / ".0005.png.4321.tmp").write_bytes(b"half")
    if broken == "gone":
        path.unlink()
    else:
        path.write_bytes(b"" if broken == "empty" else path.read_bytes()[:-3])
    again, snapshot = TakeWriter.resume(writer.folder, "reference", "preset")
    assert (snapshot, again.next_block, again.catching_up) == (None, 0, True)
    _write(again, 9)
    _write(again, 12)
    assert [path.read_bytes() for path in again.frame_paths] == frames
    assert again.done and not list(writer.folder.glob(".*"))
    # In a block after the newest state, that state is still good.
    other = TakeWriter.create(writer.folder.parent, _shot(33), "reference", "preset", "0.1.0")
    _write(other, 9)
    _write(other, 12, snapshot=None)
    other.frame_paths[15].write_bytes(b"")
    again, snapshot = TakeWriter.resume(other.folder, "reference", "preset")
    assert (snapshot, again.next_block) == (b"state 0", 1)


def test_a_finished_takes_frames_are_on_the_disk_before_it_says_so(
    writer: TakeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody looks through them again: what the power cuts short from then on would stay so."""
    for size in (9, 12):
        _write(writer, size)
    waited: list[str] = []
    keep, sync = takes.keep_written, os.fsync
    monkeypatch.setattr(takes, "keep_written", lambda path: (waited.append(path.name), keep(path)))
    monkeypatch.setattr(takes, "write_json", lambda path, _: waited.append(path.name))
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(file), sync(file)))
    writer.finish()
    frames = [path.name for path in writer.frame_paths]
    assert waited == [*frames, "take.json"] and len(synced) == len(frames) == 14


def test_a_folder_that_is_gone_is_not_said_to_be_full(writer: TakeWriter) -> None:
    _write(writer, 9)
    shutil.rmtree(writer.folder)
    with pytest.raises(TakeWriteError, match="is gone, and its frames with it"):
        _write(writer, 12)


def test_killed_between_state_and_take_json_the_block_counts_as_not_done(
    writer: TakeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(writer, 9)
    monkeypatch.setattr(TakeWriter, "_write_take", _killed)
    with pytest.raises(KeyboardInterrupt):
        _write(writer, 12)
    monkeypatch.undo()
    take = read_take(writer.folder)
    assert (take.blocks_done, state_file(writer.folder, 1).read_bytes()) == (1, b"state 0")


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_full_disk_keeps_what_is_there_and_says_so(
    writer: TakeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(writer, 9)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("backend.protocol.takes.write_whole", full)
    with pytest.raises(TakeWriteError, match=r"no space left on device\. 9 frames are kept"):
        _write(writer, 12)
    assert read_take(writer.folder).frames_done == 9
    monkeypatch.undo()
    _write(writer, 12)
    assert writer.done


@pytest.mark.parametrize("fails_at", ["0012.png", "state_0002.bin", "take.json"])
def test_a_block_that_could_not_be_written_leaves_room_to_say_so(
    writer: TakeWriter, monkeypatch: pytest.MonkeyPatch, fails_at: str
) -> None:
    """The disk has no room for a block, and just enough for take.json once the rest of the block is gone."""
    _write(writer, 9)

    def nearly_full(path: Path, data: bytes, **options: bool) -> None:
        if path.name == fails_at and (writer.folder / "0010.png").exists():
            raise OSError(28, "No space left on device")
        write_whole(path, data, **options)

    monkeypatch.setattr("backend.protocol.takes.write_whole", nearly_full)
    monkeypatch.setattr("backend.protocol.disk.write_whole", nearly_full)
    with pytest.raises(TakeWriteError) as failed:
        _write(writer, 12)
    assert not (writer.folder / "0010.png").exists()
    writer.fail_to_write(failed.value)
    take = read_take(writer.folder)
    assert (take.state, take.writer, take.frames_done) == ("failed", 0, 9)
    assert "9 frames are kept; make room, then continue the take" in take.message
    again, snapshot = TakeWriter.resume(writer.folder, "reference", "preset")
    assert (again.next_block, snapshot) == (1, b"state 0")


def test_that_not_even_take_json_can_be_written_stops_nothing(
    writer: TakeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("backend.protocol.takes.write_json", full)
    with pytest.raises(TakeWriteError) as failed:
        _write(writer, 9)
    writer.fail_to_write(failed.value)
    assert read_take(writer.folder).state == "running"


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TakeWriteError, match="No take can be written"):
        TakeWriter.create(tmp_path / "file", _shot(9), "r", "p", "0")


def test_a_running_take_whose_writer_is_gone_is_abandoned(writer: TakeWriter) -> None:
    assert not read_take(writer.folder).abandoned
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert process_alive(os.getpid()) and not process_alive(ended.pid) and not process_alive(0)
    gone = TakeWriter(writer.folder, replace(writer.take, writer=ended.pid))
    _write(gone, 9)
    assert read_take(writer.folder).abandoned
    assert TakeWriter.resume(writer.folder, "reference", "preset")[1] == b"state 0"


def test_a_writer_of_before_the_machine_was_started_anew_is_gone(
    writer: TakeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process id may be that of another process by now: here, of this one's parent."""
    _write(TakeWriter(writer.folder, replace(writer.take, writer=os.getppid())), 9)
    assert not read_take(writer.folder).abandoned
    content = json.loads((writer.folder / "take.json").read_text())
    (writer.folder / "take.json").write_text(json.dumps({**content, "boot": "an earlier one"}))
    assert read_take(writer.folder).abandoned
    assert TakeWriter.resume(writer.folder, "reference", "preset")[1] == b"state 0"
    # Where the system does not tell, and in takes from before there was such a thing, the process alone counts.
    del content["boot"]
    (writer.folder / "take.json").write_text(json.dumps({**content, "writer": os.getppid()}))
    assert not read_take(writer.folder).abandoned


def test_a_take_that_another_process_writes_is_left_alone(writer: TakeWriter) -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        _write(TakeWriter(writer.folder, replace(writer.take, writer=other.pid)), 9)
        with pytest.raises(ContinueError, match="another process"):
            TakeWriter.resume(writer.folder, "reference", "preset")
    finally:
        other.communicate(b"\n")


def test_take_json_is_read_strictly(writer: TakeWriter) -> None:
    content = read_take(writer.folder).to_json()
    assert Take.from_json(content) == writer.take
    for path, value in (
        ("state", "odd"),
        ("blocks_done", 99),
        ("coverage", ["a"]),
        ("timings", [1]),
        ("number", 0),
    ):
        with pytest.raises(FileFormatError, match=path):
            Take.from_json(_changed(content, path, value))
