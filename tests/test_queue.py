"""A film's queue: what changes do, who may run it, and that its files tell the truth whatever happens to them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspatio_addon.backend.protocol.cameras import Cameras
from inspatio_addon.backend.protocol.disk import FileFormatError
from inspatio_addon.backend.protocol.files import Shot, read_shot
from inspatio_addon.backend.protocol.takes import TakeWriter
from inspatio_addon.inspatio_blender.queue import keeper as keeping
from inspatio_addon.inspatio_blender.queue import lock as locking
from inspatio_addon.inspatio_blender.queue.items import ATTEMPTS, Content, Item, QueueError
from inspatio_addon.inspatio_blender.queue.keeper import Keeper
from inspatio_addon.inspatio_blender.queue.lock import Held, Lock, Owner
from inspatio_addon.inspatio_blender.queue.pace import Pace, Stopwatch, Work, pace_with, seconds_left
from inspatio_addon.inspatio_blender.queue.work import find_take, is_written_elsewhere, read_item_shot
from references import move, write_reference

WORK = Work("tiny", 64, 48, "final")


def queue_of(count: int) -> Content:
    content = Content()
    for number in range(count):
        content = content.added(f"Shot_{number + 1}", "v001", WORK, 21)
    return content


def states(content: Content) -> list[str]:
    return [item.state for item in content.items]


# What changes do.


def test_shots_are_made_one_after_the_other() -> None:
    content = queue_of(3).started()
    for number in (1, 2, 3):
        item = content.next
        assert item is not None and item.id == number
        content = content.begun(number, newest_take=number).has_take(number, number + 1, 0)
        assert content.running is not None and (content.running.after, content.running.take) == (
            number,
            number + 1,
        )
        assert content.going
        content = content.ended(number, "finished", "", 21)
    assert states(content) == ["done"] * 3
    assert not content.going and content.next is None
    with pytest.raises(QueueError, match="Nothing is waiting"):
        content.started()


def test_what_is_paused_goes_on_before_anything_new() -> None:
    content = queue_of(2).started().begun(1, 4).has_take(1, 5, 0).paused(frames_done=9)
    item = content.items[0]
    assert (item.state, item.take, item.after, item.frames_done, content.going) == ("waiting", 5, 4, 9, False)
    content = content.started().begun(1, 7)
    assert content.running is not None and content.running.after == 4, "its take is still its own"


def test_an_item_that_stops_is_tried_again_while_it_comes_on() -> None:
    content = queue_of(2).started().begun(1, 0)
    for frames in (9, 21):
        content = content.ended(1, "failed", "The backend ended.", frames)
        assert content.next is not None and content.next.id == 1
    for _ in range(ATTEMPTS - 1):
        assert content.items[0].state == "running"
        content = content.ended(1, "failed", "The backend ended.", 21)
    assert states(content) == ["failed", "waiting"] and content.going
    assert content.items[0].message == "The backend ended."
    content = content.retried(1)
    assert (content.items[0].state, content.items[0].attempts, content.items[0].frames_done) == (
        "waiting",
        0,
        21,
    )


def test_a_done_shot_that_is_retried_gets_a_new_take() -> None:
    content = queue_of(1).started().begun(1, 0).has_take(1, 1, 0).ended(1, "finished", "", 21).retried(1)
    item = content.items[0]
    assert (item.state, item.take, item.after, item.frames_done) == ("waiting", 0, -1, 0)


def test_skipped_and_removed() -> None:
    content = queue_of(3).started().begun(1, 0)
    with pytest.raises(QueueError, match="being generated"):
        content.removed(1)
    content = content.skipped(1).skipped(2)
    assert states(content) == ["skipped", "skipped", "waiting"] and content.going
    content = content.ended(1, "finished", "", 21)
    assert states(content)[0] == "skipped", "what ended afterwards changes nothing"
    content = content.removed(2)
    assert [item.id for item in content.items] == [1, 3]
    content = content.skipped(3)
    assert not content.going, "nothing is left to do"
    with pytest.raises(QueueError, match="not in the queue"):
        content.removed(2)
    assert content.added("Shot_9", "v001", WORK, 9).items[-1].id == 4, "ids are given once"


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(-6, 6)), max_size=12))
def test_moving_loses_nothing(moves: list[tuple[int, int]]) -> None:
    content = queue_of(5)
    for number, by in moves:
        before = [item.id for item in content.items]
        content = content.moved(number, by)
        after = [item.id for item in content.items]
        assert sorted(after) == [1, 2, 3, 4, 5]
        assert after.index(number) == max(0, min(4, before.index(number) + by))
        assert [n for n in after if n != number] == [n for n in before if n != number]


def test_a_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    content = replace(
        Content(), items=tuple(Item(n, "Shot", "v001", WORK, 9) for n in range(1, 1001)), next_id=1001
    )
    with pytest.raises(QueueError, match="remove some"):
        content.added("Shot", "v001", WORK, 9)


# What is on disk.


def test_a_queue_is_read_as_it_was_written() -> None:
    content = queue_of(3).started().begun(1, 0).has_take(1, 1, 9).noted(1, "Little is covered")
    content = content.ended(1, "failed", "Disk full", 9, Pace(WORK, 0.25))
    assert Content.from_json(json.loads(json.dumps(content.to_json()))) == content


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "zip"}, "format"),
        ({"going": 1}, "going must be true or false"),
        ({"items": 3}, "items must be a list"),
        ({"items": [{}] * 1001}, "at most 1000"),
        ({"items": ["a"]}, "item 0: frames is missing"),
        ({"next_id": 2}, "id of its own"),
        ({"paces": [{"preset": "tiny"}]}, "paces"),
    ],
)
def test_queue_json_is_read_strictly(change: dict, words: str) -> None:
    with pytest.raises(FileFormatError, match=words):
        Content.from_json({**queue_of(2).to_json(), **change})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shot", "../elsewhere"),
        ("shot", "/etc"),
        ("shot", ".."),
        ("shot", "a\\b"),
        ("shot", "C:"),
        ("shot", ""),
        ("reference", "../../v001"),
        ("state", "odd"),
        ("take", -1),
        ("frames_done", 22),
        ("frames", 0),
        ("width", 10**6),
        ("quality", "best"),
        ("id", 0),
        ("message", "x" * 3000),
    ],
)
def test_no_item_leads_outside_its_place(name: str, value: object) -> None:
    content = queue_of(1).to_json()
    content["items"][0][name] = value
    with pytest.raises(FileFormatError, match=name):
        Content.from_json(content)


def test_two_running_items_are_none() -> None:
    content = queue_of(2).to_json()
    for item in content["items"]:
        item["state"] = "running"
    with pytest.raises(FileFormatError, match="one item at most"):
        Content.from_json(content)


# How long it will take.


def test_time_left_is_that_of_every_frame_that_is_missing() -> None:
    large = Work("tiny", 128, 96, "final")
    assert seconds_left((), [(WORK, 10)]) is None
    assert seconds_left((), []) == 0.0
    paces = pace_with((), Pace(WORK, 0.5))
    assert seconds_left(paces, [(WORK, 10), (WORK, 4)]) == pytest.approx(7.0)
    assert seconds_left(paces, [(large, 10)]) == pytest.approx(20.0), "four times the pixels"
    assert seconds_left(paces, [(Work("inspatio-1.3b", 64, 48, "final"), 1)]) is None
    assert seconds_left(paces, [(Work("inspatio-1.3b", 64, 48, "final"), 0)]) == 0.0


def test_the_first_block_counts_only_while_there_is_no_other() -> None:
    """It is measured from the press of the button: the backend starts and the preset warms up."""
    watch = Stopwatch(WORK)
    assert watch.pace is None
    watch.block(90.0, 9)
    assert watch.pace == Pace(WORK, 10.0)
    watch.block(6.0, 12)
    watch.block(6.0, 12)
    assert watch.pace == Pace(WORK, 0.5)
    watch.block(-3600.0, 12)
    watch.block(0.0, 12)
    assert watch.pace == Pace(WORK, 0.5), "a clock that runs back measures nothing"


@given(st.lists(st.floats(-1e9, 1e9, allow_nan=False), max_size=20))
def test_no_measurement_makes_time_left_wild(seconds: list[float]) -> None:
    paces: tuple[Pace, ...] = ()
    for measured in seconds:
        paces = pace_with(paces, Pace(WORK, measured))
    left = seconds_left(paces, [(WORK, 100)])
    assert left is None or 0.0 < left <= 100 * 86_400.0
    assert len(paces) <= 1


# Who may run it.


@pytest.fixture
def lock(tmp_path: Path) -> Lock:
    return Lock(tmp_path / "lock.json")


def other_process() -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)


def write_owner(path: Path, **changes: object) -> Owner:
    owner = replace(Owner.this(), **changes)
    path.write_text(json.dumps(owner.to_json()))
    return owner


def test_a_lock_is_one_process_s(lock: Lock) -> None:
    lock.take()
    assert lock.state() == "mine"
    lock.release()
    assert not lock.path.exists() and lock.state() == "gone"
    other = other_process()
    try:
        write_owner(lock.path, pid=other.pid, started=locking.process_started(other.pid))
        with pytest.raises(Held, match=rf"Another Blender \(process {other.pid}\)"):
            lock.take()
        assert lock.state() == "lost"
        lock.release()
        assert lock.path.exists(), "it is not ours to remove"
    finally:
        other.communicate(b"\n")
    lock.take()
    assert lock.state() == "mine", "the lock of a process that is gone is taken over"
    assert [path.name for path in lock.path.parent.iterdir()] == ["lock.json"]


def test_a_lock_of_before_the_machine_s_start_is_gone(lock: Lock) -> None:
    write_owner(lock.path, pid=os.getppid(), boot="an earlier start", started="")
    lock.take()
    assert lock.state() == "mine"


def test_a_process_that_got_the_number_of_a_dead_one_holds_nothing(lock: Lock) -> None:
    if not locking.process_started(os.getppid()):
        pytest.skip("the system does not tell when a process was started")
    write_owner(lock.path, pid=os.getppid(), started="1")
    lock.take()
    assert lock.state() == "mine"


def test_the_lock_of_another_machine_is_respected_and_said(lock: Lock) -> None:
    write_owner(lock.path, host="farm-07", pid=2**22 - 3, boot="another")
    with pytest.raises(Held, match=r"A Blender on “farm-07” runs this queue.*delete .*lock.json"):
        lock.take()


def test_a_lock_that_cannot_be_read_says_what_to_do(lock: Lock) -> None:
    lock.path.write_text("")
    with pytest.raises(FileFormatError, match="If no other Blender runs this queue, delete"):
        lock.take()


def test_of_many_that_take_a_dead_lock_one_holds_it(tmp_path: Path) -> None:
    """Each in a process of its own, which lives until all have tried."""
    path = tmp_path / "lock.json"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    script = (
        "import sys, types; from pathlib import Path\n"
        "package = sys.modules['inspatio_addon'] = types.ModuleType('inspatio_addon')\n"
        "package.__path__ = [sys.argv[2]]\n"
        "from inspatio_addon.inspatio_blender.queue.lock import Held, Lock\n"
        "lock = Lock(Path(sys.argv[1])); print('ready', flush=True); sys.stdin.readline()\n"
        "try: lock.take(); print('held', flush=True)\n"
        "except Held: print('not', flush=True)\n"
        "sys.stdin.readline(); print(lock.state(), flush=True)\n"
    )
    root = str(Path(__file__).resolve().parent.parent)
    for round in range(2):
        write_owner(path, pid=ended.pid, mark=f"dead {round}")
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", script, str(path), root],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(4)
        ]
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        said = [process.stdout.readline().strip() for process in processes]
        assert said.count("held") >= 1
        found = [process.communicate("\n")[0].strip() for process in processes]
        assert found.count("mine") == 1, (said, found)
        path.unlink()


# The keeper.


@pytest.fixture
def keepers(tmp_path: Path):
    """Makes keepers of one place, all ended at the end."""
    made: list[Keeper] = []

    def make(place: Path = tmp_path / "inspatio") -> Keeper:
        made.append(Keeper(place))
        made[-1].look().wait()
        return made[-1]

    yield make
    for one in made:
        one.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "inspatio-queue"]


def shot(name: str = "Shot", frames: int = 21) -> Shot:
    cameras = move(frames, 64, 48)
    return Shot(name, "tiny", 0, 64, 48, Cameras(**vars(cameras)))


def add(keeper: Keeper, name: str, frames: int = 21) -> None:
    version = keeper.shot_folder(name) / "reference" / "v001"
    if not version.exists():
        write_reference(version)
    keeper.change(keeper.adding(shot(name, frames), name, version)).wait()


def test_what_is_added_is_on_disk_and_found_again(keepers) -> None:
    first = keepers()
    assert first.read and first.content == Content() and not first.folder.exists(), "looking makes nothing"
    add(first, "One")
    add(first, "Two", frames=9)
    assert not first.held, "who only fills a queue does not keep it from others"
    second = keepers()
    assert second.content == first.content
    item = second.content.items[1]
    assert (item.shot, item.reference, item.frames, item.work) == ("Two", "v001", 9, WORK)
    assert read_item_shot(second.folder / item.shot_file) == replace(
        shot("Two", 9), reference="reference/v001"
    )
    second.change(lambda content: content.removed(1)).wait()
    assert sorted(path.name for path in second.folder.iterdir()) == ["000002.json", "queue.json"]
    add(first, "Three")
    assert [item.shot for item in first.content.items] == ["Two", "Three"], (
        "a change is made of what is on disk"
    )
    second.look().wait()
    assert second.content == first.content


def test_a_reference_from_elsewhere_is_brought_along(keepers, tmp_path: Path) -> None:
    keeper = keepers()
    write_reference(tmp_path / "unsaved" / "v003")
    keeper.change(keeper.adding(shot("One"), "One", tmp_path / "unsaved" / "v003")).wait()
    assert keeper.content.items[0].reference == "v001"
    assert (keeper.shot_folder("One") / "reference/v001/reference.json").is_file()


def test_a_queue_that_goes_is_run_by_one(keepers, tmp_path: Path) -> None:
    keeper = keepers()
    add(keeper, "One")
    other = other_process()
    try:
        write_owner(keeper.folder / "lock.json", pid=other.pid, started=locking.process_started(other.pid))
        with pytest.raises(QueueError, match="Another Blender"):
            keeper.change(Content.started).wait()
        assert not keeper.held and not keeper.content.going
        keeper.look().wait()
        assert "Another Blender" in keeper.problem
    finally:
        other.communicate(b"\n")
    keeper.look().wait()
    assert not keeper.problem
    keeper.change(Content.started).wait()
    assert keeper.held and keeper.content.going
    keeper.change(Content.paused).wait()
    assert not keeper.held and not (keeper.folder / "lock.json").exists()


def test_closed_while_it_goes_it_goes_on_next_time(keepers) -> None:
    keeper = keepers()
    add(keeper, "One")
    keeper.change(Content.started).wait()
    keeper.change(keeper.beginning(1)).wait()
    keeper.close()
    assert not (keeper.folder / "lock.json").exists()
    again = keepers()
    assert again.content.going and not again.held
    again.change(lambda content: content).wait()
    assert again.held and again.content.next == again.content.running


def test_an_item_that_is_begun_remembers_the_takes_before_it(keepers) -> None:
    keeper = keepers()
    add(keeper, "One")
    folder = keeper.shot_folder("One")
    for _ in range(2):
        TakeWriter.create(folder, shot("One"), "r", "p", "0")
    keeper.change(keeper.beginning(1)).wait()
    assert keeper.content.running.after == 2
    # Skipped or removed a moment before, it is not begun.
    add(keeper, "Two")
    for change in (Content.skipped, Content.removed):
        keeper.change(lambda content, change=change: change(content.retried(2), 2)).wait()
        before = keeper.content
        keeper.change(keeper.beginning(2)).wait()
        assert keeper.content == before


def test_a_file_that_cannot_be_read_is_said_and_left_alone(keepers) -> None:
    keeper = keepers()
    keeper.folder.mkdir(parents=True)
    path = keeper.folder / "queue.json"
    for content, words in (("{", "queue.json"), ('{"format": "inspatio-queue", "version": 2}', "version 1")):
        path.write_text(content)
        with pytest.raises(QueueError, match=words):
            keeper.change(Content.started).wait()
        assert words in keeper.problem
        assert path.read_text() == content
    path.unlink()
    add(keeper, "One")
    assert not keeper.problem


def test_nothing_changes_where_the_disk_is_full(keepers, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = keepers()
    add(keeper, "One")
    before, on_disk = keeper.content, (keeper.folder / "queue.json").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keeping, "write_json", full)
    with pytest.raises(QueueError, match="cannot be written: no space left on device"):
        keeper.change(Content.started).wait()
    assert (keeper.content, keeper.held, (keeper.folder / "queue.json").read_bytes()) == (
        before,
        False,
        on_disk,
    )
    assert "no space left" in keeper.problem
    monkeypatch.undo()
    keeper.change(Content.started).wait()
    assert keeper.held and not keeper.problem


def test_a_folder_that_goes_away_is_waited_for(keepers, tmp_path: Path) -> None:
    """It may lie on a drive that comes back: nothing is written where it was meanwhile."""
    keeper = keepers()
    add(keeper, "One")
    keeper.change(Content.started).wait()
    keeper.place.rename(tmp_path / "away")
    with pytest.raises(QueueError, match="put it back, or press Pause"):
        keeper.change(keeper.beginning(1)).wait()
    assert not keeper.place.exists() and keeper.held
    (tmp_path / "away").rename(keeper.place)
    keeper.change(keeper.beginning(1)).wait()
    assert keeper.content.running and not keeper.problem
    shutil.rmtree(keeper.place)
    keeper.change(Content.paused, or_forget=True).wait()
    assert keeper.content == Content() and not keeper.held and not keeper.place.exists()
    add(keeper, "Two")
    assert [item.shot for item in keeper.content.items] == ["Two"]


def test_a_lock_that_was_deleted_is_made_again_and_one_that_was_taken_is_lost(keepers) -> None:
    keeper = keepers()
    add(keeper, "One")
    keeper.change(Content.started).wait()
    (keeper.folder / "lock.json").unlink()
    keeper.change(keeper.beginning(1)).wait()
    assert keeper.held and (keeper.folder / "lock.json").exists()
    other = other_process()
    try:
        write_owner(keeper.folder / "lock.json", pid=other.pid, started=locking.process_started(other.pid))
        with pytest.raises(QueueError, match="Another Blender"):
            keeper.change(Content.paused).wait()
        assert not keeper.held
    finally:
        other.communicate(b"\n")


def test_a_late_drive_holds_up_nobody_else(keepers, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file that the queue's own thread opens answers before everybody else has gone on."""
    keeper = keepers()
    add(keeper, "One")
    opened, answers = open, threading.Event()

    def late(*arguments: object, **options: object) -> object:
        if threading.current_thread().name == "inspatio-queue":
            assert answers.wait(30)
        return opened(*arguments, **options)

    monkeypatch.setattr("builtins.open", late)
    changes = [keeper.change(Content.started), keeper.change(keeper.beginning(1)), keeper.look()]
    assert not keeper.content.running
    answers.set()
    for change in changes:
        change.wait()
    assert keeper.content.running


# The take of an item.


def test_the_take_of_an_item_is_found_by_its_shot(tmp_path: Path) -> None:
    mine, other = shot("One"), replace(shot("One"), seed=7)
    for made in (mine, other):
        TakeWriter.create(tmp_path, made, "r", "p", "0")
    assert find_take(tmp_path, mine, 0, -1) is None, "not begun: takes of before are no business of it"
    assert find_take(tmp_path, mine, 0, 1) is None
    assert find_take(tmp_path, mine, 0, 0)[0].name == "take_001"
    TakeWriter.create(tmp_path, mine, "r", "p", "0")
    TakeWriter.create(tmp_path, other, "r", "p", "0")
    assert find_take(tmp_path, mine, 0, 1)[0].name == "take_003"
    assert find_take(tmp_path, mine, 1, 1)[0].name == "take_001", "that it is known to have"
    (tmp_path / "take_003" / "take.json").write_text("{")
    assert find_take(tmp_path, mine, 0, 1) is None
    shutil.rmtree(tmp_path / "take_001")
    assert find_take(tmp_path, mine, 1, 1) is None, "deleted: a new one is made"


def test_a_take_that_another_process_writes_is_told(tmp_path: Path) -> None:
    writer = TakeWriter.create(tmp_path, shot(), "r", "p", "0")
    assert not is_written_elsewhere(writer.take)
    assert is_written_elsewhere(replace(writer.take, writer=os.getppid()))
    assert not is_written_elsewhere(replace(writer.take, writer=os.getppid(), state="cancelled"))
    assert not is_written_elsewhere(replace(writer.take, writer=os.getppid(), boot="an earlier start"))


def test_the_shot_of_an_item_is_read_strictly(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"000001\.json is missing"):
        read_item_shot(tmp_path / "000001.json")
    (tmp_path / "shot.json").write_text(json.dumps(shot().to_json()))
    assert read_item_shot(tmp_path / "shot.json") == read_shot(tmp_path)
