"""The store of a preview's pictures: its budgets, its files, and who asks while it works."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inspatio_addon.inspatio_blender.live.store import Store

HEIGHT, WIDTH = 16, 32
BYTES = HEIGHT * WIDTH * 3
TESTS = Path(__file__).parent


def picture(frame: float) -> np.ndarray:
    """A picture that only this frame has."""
    return np.random.default_rng(int(frame) + 10**6).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def until(holds: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def put(store: Store, frame: float, serial: int = 1) -> None:
    store.make_room(BYTES)
    store.put(frame, picture(frame), 0.5, serial)


def brought(store: Store, frame: float) -> np.ndarray:
    until(lambda: store.get(frame) is not None)
    return store.get(frame).array


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Room for ten pictures in memory and twenty on disk."""
    store = Store(10 * BYTES, tmp_path, 20 * BYTES)
    yield store
    store.close()


def test_a_picture_comes_back_as_it_was_put(store: Store) -> None:
    assert store.get(3) is None
    put(store, 3, 7)
    found = store.get(3.0)
    np.testing.assert_array_equal(found.array, picture(3))
    assert (found.coverage, found.serial, found.stale) == (0.5, 7, False)
    assert not found.array.flags.writeable
    assert store.frames() == {3: "fresh"}
    put(store, 3, 8)
    assert store.get(3).serial == 8
    assert store.memory == BYTES


def test_beyond_its_memory_the_farthest_go_to_files_and_come_back(store: Store, tmp_path: Path) -> None:
    store.set_playhead(1)
    for frame in range(1, 26):
        put(store, frame)
        assert store.memory <= 10 * BYTES
    assert store.frames() == dict.fromkeys(range(1, 26), "fresh")
    assert all(store.get(frame) is not None for frame in (1, 2, 3)), "near the playhead they stay"
    away = next(frame for frame in range(1, 26) if store.get(frame) is None)
    before = store.changes
    until(lambda: store.changes > before)
    np.testing.assert_array_equal(store.get(away).array, picture(away))
    for frame in (24, 13, 1, 20):
        np.testing.assert_array_equal(brought(store, frame), picture(frame))
        assert store.memory <= 10 * BYTES
    assert store.disk <= 20 * BYTES
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 20 * BYTES


def test_the_playhead_decides_what_stays(store: Store) -> None:
    for frame in range(1, 26):
        store.set_playhead(frame)
        put(store, frame)
    assert all(store.get(frame) is not None for frame in (25, 24, 23))
    assert store.get(1) is None and store.holds(1)


def test_beyond_both_the_farthest_are_dropped(store: Store) -> None:
    store.set_playhead(100)
    for frame in range(100, 160):
        put(store, frame)
    until(lambda: store._next_to_write() is None)
    held = set(store.frames())
    assert 20 <= len(held) <= 30
    assert {100, 101, 102} <= held and max(held) < 150
    for frame in held:
        np.testing.assert_array_equal(brought(store, frame), picture(frame))


def test_without_disk_the_memory_is_all_there_is(tmp_path: Path) -> None:
    store = Store(10 * BYTES, tmp_path, 0)
    for frame in range(30):
        put(store, frame)
    assert set(store.frames()) == set(range(10))
    assert files(tmp_path) == []
    store.close()


def test_a_folder_that_cannot_be_written_costs_pictures_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(10 * BYTES, tmp_path / "file", 10**9)
    for frame in range(30):
        put(store, frame)
        assert store.memory <= 10 * BYTES
    assert {0, 1, 2, 3} <= set(store.frames())
    store.close()


def test_a_picture_larger_than_the_whole_budget_is_not_held(tmp_path: Path) -> None:
    store = Store(BYTES - 1, tmp_path, 0)
    put(store, 1)
    assert store.frames() == {} and store.memory == 0
    store.close()


def test_the_newest_request_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(10 * BYTES, tmp_path, 10**9)
    for frame in range(30):
        put(store, frame, frame)
    read, order, gate = store._files.read, [], threading.Event()

    def slowly(name: str, shape: tuple[int, ...]) -> object:
        gate.wait(10)
        order.append(int(name.split("_")[0]))
        return read(name, shape)

    monkeypatch.setattr(store._files, "read", slowly)
    away = [frame for frame in range(30) if store._entries[frame].array is None]
    assert store.get(away[0]) is None
    until(lambda: not store._requests)  # It is being read.
    for frame in away[1:5]:
        assert store.get(frame) is None
    gate.set()
    until(lambda: len(order) == 5)
    assert order == [away[0], *reversed(away[1:5])]
    store.close()


def test_get_never_waits_for_the_disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for frame in range(1, 26):
        put(store, frame)
    gate, readers = threading.Event(), set()

    def read(name: str, shape: object) -> None:
        readers.add(threading.current_thread())
        gate.wait(5)

    monkeypatch.setattr(store._files, "read", read)
    far = [frame for frame in range(1, 26) if store._entries[frame].array is None]
    assert [store.get(frame) for frame in far] == [None] * len(far)
    until(lambda: readers)
    assert threading.current_thread() not in readers
    gate.set()


def test_what_is_stale_is_told_also_of_what_comes_later(store: Store) -> None:
    put(store, 1)
    before = store.changes
    store.mark_stale([1, 2])
    assert store.changes == before + 1
    put(store, 2)
    assert store.get(1).stale and store.get(2).stale
    assert store.frames() == {1: "stale", 2: "stale"}
    store.mark_stale([2])
    assert not store.get(1).stale and store.get(2).stale
    store.clear()
    put(store, 2)
    assert not store.get(2).stale


def test_dropped_and_replaced_pictures_leave_no_files(store: Store, tmp_path: Path) -> None:
    for frame in range(1, 26):
        put(store, frame)
    until(lambda: len(files(tmp_path)) >= 15)
    for frame in range(1, 26):
        put(store, frame, 2)
    store.drop(range(1, 20))
    assert set(store.frames()) == set(range(20, 26))
    assert store.memory <= 6 * BYTES
    store.clear()
    assert (store.memory, store.disk, store.frames()) == (0, 0, {})
    until(lambda: not files(tmp_path))


def test_closed_it_leaves_nothing(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    store = Store(10 * BYTES, tmp_path, 20 * BYTES)
    for frame in range(1, 26):
        put(store, frame)
    store.close()
    assert list(tmp_path.iterdir()) == []
    assert set(threading.enumerate()) <= before
    put(store, 1)
    assert store.get(1) is None and store.frames() == {}


def test_what_a_killed_process_left_goes_with_the_next_start(tmp_path: Path) -> None:
    code = f"""
import os, sys
sys.path[:0] = [{str(TESTS)!r}, {str(TESTS.parent)!r}]
import conftest
from pathlib import Path
from test_live_store import *
store = Store(10 * BYTES, Path({str(tmp_path)!r}), 20 * BYTES)
for frame in range(1, 26):
    put(store, frame)
until(lambda: files(Path({str(tmp_path)!r})))
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    left = list(tmp_path.iterdir())
    assert len(left) == 1 and files(tmp_path)
    other = Store(10**6, tmp_path / "elsewhere", 10**6)
    mine = tmp_path / f"preview_{os.getppid()}_1"  # As of another Blender that runs.
    mine.mkdir()
    (tmp_path / "take.png").write_bytes(b"")
    store = Store(10 * BYTES, tmp_path, 20 * BYTES)
    until(lambda: not left[0].exists())
    assert mine.exists() and (tmp_path / "take.png").exists()
    store.close()
    other.close()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    memory=st.integers(1, 12),
    disk=st.integers(0, 20),
    steps=st.lists(
        st.tuples(st.sampled_from(["put", "get", "go", "drop"]), st.integers(0, 40)), min_size=5, max_size=80
    ),
)
def test_the_budgets_hold_whatever_happens(
    tmp_path: Path, memory: int, disk: int, steps: list[tuple[str, int]]
) -> None:
    store = Store(memory * BYTES, tmp_path, disk * BYTES)
    try:
        for what, frame in steps:
            if what == "put":
                put(store, frame)
                assert store.memory <= memory * BYTES
            elif what == "get":
                found = store.get(frame)
                if found is not None:
                    np.testing.assert_array_equal(found.array, picture(frame))
            elif what == "go":
                store.set_playhead(frame)
            else:
                store.drop([frame])
                assert not store.holds(frame)
            with store._lock:
                entries = store._entries.values()
                assert store._memory == sum(e.bytes for e in entries if e.array is not None)
                assert store._disk == sum(e.bytes for e in entries if e.name)
                assert store._memory <= memory * BYTES and store._disk <= disk * BYTES
        for frame in store.frames():
            np.testing.assert_array_equal(store.read(frame).array, picture(frame))
    finally:
        store.close()
    assert list(tmp_path.iterdir()) == []


def test_many_ask_while_one_puts(tmp_path: Path) -> None:
    store = Store(10 * BYTES, tmp_path, 200 * BYTES)
    over, wrong = threading.Event(), []

    def ask(seed: int) -> None:
        chance = np.random.default_rng(seed)
        while not over.is_set():
            frame = int(chance.integers(0, 60))
            store.set_playhead(frame)
            found = store.get(frame)
            if found is not None and not np.array_equal(found.array, picture(frame)):
                wrong.append(frame)
            if store.memory > 10 * BYTES:
                wrong.append("memory")

    asking = [threading.Thread(target=ask, args=(seed,)) for seed in range(3)]
    for thread in asking:
        thread.start()
    for serial in range(1, 4):
        for frame in range(60):
            put(store, frame, serial)
    over.set()
    for thread in asking:
        thread.join()
    assert wrong == []
    assert set(store.frames()) == set(range(60))
    store.close()
