"""The pictures of a preview, by frame: within a budget of memory, the others in files within one of the disk.

The main thread asks with `get`, which never waits: a picture that lies in a file is None now, and is brought by the
store's own thread, after which `changes` has grown. That thread writes, too: pictures far from the playhead are written
before memory runs out, so that those can go at once when it does. Beyond both budgets the farthest are dropped.

    memory_bytes   |---- nearest: memory alone ----|---- memory and file ----|   then file alone, then dropped
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .spill import Spill

log = logging.getLogger(__name__)

UNWRITTEN = 0.6
"""Share of the memory that pictures without a file may take before the farthest are written."""
MAX_REQUESTS = 16
"""Pictures that are waited for; of more only the newest are brought."""


@dataclass(frozen=True)
class Picture:
    """A generated frame: array (H, W, 3) uint8 sRGB, read-only; coverage 0 to 1; serial grows with every new picture.

    stale: the camera has changed since.
    """

    array: np.ndarray
    coverage: float
    serial: int
    stale: bool = False


@dataclass
class _Entry:
    """A picture in memory, in a file, or both. name: of the file, where it is whole."""

    shape: tuple[int, ...]
    coverage: float
    serial: int
    array: np.ndarray | None
    name: str = ""

    @property
    def bytes(self) -> int:
        height, width, channels = self.shape
        return height * width * channels


class Store:
    """Pictures by frame number; 5 and 5.0 are the same. Any thread.

    memory_bytes, disk_bytes: never exceeded. folder: files lie in a folder of their own below it, which is made when
    the first is written and removed by `close`; what a process left there that is gone is removed, too.
    """

    def __init__(self, memory_bytes: int, folder: Path, disk_bytes: int) -> None:
        self.changes = 0
        """Grows whenever `get` or `frames` may answer something else."""
        self._memory_bytes = memory_bytes
        self._disk_bytes = disk_bytes
        self._files = Spill(folder)
        self._entries: dict[float, _Entry] = {}
        self._stale: frozenset[float] = frozenset()
        self._playhead = 0.0
        self._memory = self._disk = 0
        self._requests: list[float] = []
        self._removals: list[str] = []
        self._closed = False
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._thread = threading.Thread(target=self._run, name="inspatio-store", daemon=True)
        self._thread.start()

    @property
    def memory(self) -> int:
        """Bytes of the pictures in memory."""
        return self._memory

    @property
    def disk(self) -> int:
        """Bytes of the pictures in files."""
        return self._disk

    def set_playhead(self, frame: float) -> None:
        """What lies near `frame` stays in memory."""
        self._playhead = frame

    def make_room(self, size: int) -> None:
        """Wait until `size` bytes can be put without a picture being dropped that could be written instead.

        For the thread that puts; never waits for more than the disk takes.
        """
        with self._lock:
            size = min(size, self._memory_bytes)
            while self._memory + size > self._memory_bytes and not self._closed:
                if self._evict():
                    continue
                if self._next_to_write() is None or not self._thread.is_alive():
                    return
                self._work.notify()
                self._room.wait(1.0)

    def put(self, frame: float, picture: np.ndarray, coverage: float, serial: int) -> None:
        """Hold a picture (H, W, 3) uint8, which is the store's from now on: nobody may write to it. Does not wait.

        Whether it is stale says `mark_stale`. One that is larger than the whole budget is not held.
        """
        picture = np.ascontiguousarray(picture, np.uint8)
        picture.flags.writeable = False
        with self._lock:
            if self._closed:
                return
            self._remove(frame)
            self._entries[frame] = _Entry(picture.shape, coverage, serial, picture)
            self._memory += picture.nbytes
            self._fit()
            self.changes += 1
            self._work.notify()

    def get(self, frame: float) -> Picture | None:
        """The picture of a frame; None where there is none, or none yet: then it is brought and `changes` grows."""
        with self._lock:
            entry = self._entries.get(frame)
            if entry is None:
                return None
            if entry.array is None:
                self._request(frame)
                return None
            return self._picture(frame, entry, entry.array)

    def read(self, frame: float) -> Picture | None:
        """The picture of a frame, read from its file if need be, for a thread that may wait for the disk."""
        with self._lock:
            entry = self._entries.get(frame)
            if entry is None:
                return None
            if entry.array is not None:
                return self._picture(frame, entry, entry.array)
            entry = replace(entry)
        array = self._files.read(entry.name, entry.shape)
        return None if array is None else self._picture(frame, entry, array)

    def holds(self, frame: float) -> bool:
        """Whether there is a picture of the frame, in memory or in a file."""
        return frame in self._entries

    def frames(self) -> dict[float, str]:
        """The frames there are pictures of: "fresh" or "stale"."""
        with self._lock:
            return {frame: "stale" if frame in self._stale else "fresh" for frame in self._entries}

    def mark_stale(self, frames: Iterable[float]) -> None:
        """Exactly these frames are stale now, also those that are put later; all others are fresh."""
        stale = frozenset(frames)
        with self._lock:
            if stale != self._stale:
                self._stale = stale
                self.changes += 1

    def drop(self, frames: Iterable[float]) -> None:
        """Forget pictures."""
        with self._lock:
            for frame in list(frames):
                self._remove(frame)
            self.changes += 1
            self._work.notify()

    def clear(self) -> None:
        """Forget every picture."""
        with self._lock:
            self._stale = frozenset()
        self.drop(self._entries)

    def close(self, timeout: float = 1.0) -> None:
        """Forget everything and end the thread, which removes its files; waits at most `timeout` seconds for that."""
        with self._lock:
            self._closed = True
            self._entries.clear()
            self._memory = self._disk = 0
            self.changes += 1
            self._work.notify_all()
            self._room.notify_all()
        self._thread.join(timeout)

    def _picture(self, frame: float, entry: _Entry, array: np.ndarray) -> Picture:
        return Picture(array, entry.coverage, entry.serial, frame in self._stale)

    # With the lock held:

    def _request(self, frame: float) -> None:
        if frame in self._requests:
            self._requests.remove(frame)
        self._requests.append(frame)
        del self._requests[:-MAX_REQUESTS]
        self._work.notify()

    def _remove(self, frame: float) -> None:
        entry = self._entries.pop(frame, None)
        if entry is None:
            return
        if entry.array is not None:
            self._memory -= entry.bytes
        if entry.name:
            self._disk -= entry.bytes
            self._removals.append(entry.name)
        self._room.notify_all()

    def _distance(self, frame: float) -> float:
        return abs(frame - self._playhead)

    def _evict(self) -> bool:
        """Let the farthest picture go that has a file; whether there was one."""
        written = [frame for frame, entry in self._entries.items() if entry.name and entry.array is not None]
        if not written:
            return False
        entry = self._entries[max(written, key=self._distance)]
        entry.array = None
        self._memory -= entry.bytes
        return True

    def _fit(self, more: int = 0) -> None:
        """Be within the memory's budget at once, also with `more` bytes, whatever must go."""
        while self._memory and self._memory + more > self._memory_bytes:
            if not self._evict():
                held = [frame for frame, entry in self._entries.items() if entry.array is not None]
                self._remove(max(held, key=self._distance))

    def _next_to_write(self) -> float | None:
        """The farthest picture that ought to have a file and has none; None where there is none, or no room for it."""
        unwritten = {f: e for f, e in self._entries.items() if e.array is not None and not e.name}
        if sum(entry.bytes for entry in unwritten.values()) <= UNWRITTEN * self._memory_bytes:
            return None
        frame = max(unwritten, key=self._distance)
        room = self._disk_bytes - self._disk
        for other in self._farther(frame):
            if room >= unwritten[frame].bytes:
                break
            room += self._entries[other].bytes
        return frame if room >= unwritten[frame].bytes else None

    def _farther(self, frame: float) -> list[float]:
        """The frames with files that lie farther from the playhead, the farthest first."""
        distance = self._distance(frame)
        found = [f for f, e in self._entries.items() if e.name and self._distance(f) > distance]
        return sorted(found, key=self._distance, reverse=True)

    # The store's thread:

    def _run(self) -> None:
        try:
            self._files.remove_leftovers()
            while self._step():
                pass
        finally:
            self._files.close()

    def _step(self) -> bool:
        """Do the most urgent piece of work, or wait for some; False at the end."""
        with self._lock:
            while not (self._closed or self._requests or self._removals or self._next_to_write() is not None):
                self._work.wait()
            if self._closed:
                return False
            request = self._requests.pop() if self._requests else None
            removals, self._removals = self._removals, []
        for name in removals:
            self._files.remove(name)
        if request is not None:
            self._bring(request)
        else:
            self._write_one()
        return True

    def _bring(self, frame: float) -> None:
        with self._lock:
            entry = self._entries.get(frame)
            if entry is None or entry.array is not None:
                return
            before = replace(entry)
        array = self._files.read(before.name, before.shape)
        while not self._take_up(frame, entry, array):
            self._write_one()

    def _take_up(self, frame: float, entry: _Entry, array: np.ndarray | None) -> bool:
        """Hold a picture in memory that was read; False where one has to be written before there is room."""
        with self._lock:
            if self._closed or self._entries.get(frame) is not entry or entry.array is not None:
                return True
            if array is None:
                self._remove(frame)
            else:
                while self._memory + entry.bytes > self._memory_bytes and self._evict():
                    pass
                if self._memory + entry.bytes > self._memory_bytes and self._next_to_write() is not None:
                    return False
                self._fit(entry.bytes)
                entry.array = array
                self._memory += entry.bytes
            self.changes += 1
            return True

    def _write_one(self) -> None:
        with self._lock:
            frame = self._next_to_write()
            if frame is None:
                return
            entry = self._entries[frame]
            array = entry.array
            for other in self._farther(frame):
                if self._disk + entry.bytes <= self._disk_bytes:
                    break
                self._remove(other)
            name = f"{entry.serial}_{frame}.raw"
        try:
            self._files.write(name, array)
        except OSError as error:
            log.warning("pictures of the preview cannot be written: %s", error)
            with self._lock:
                self._disk_bytes = 0
                self._room.notify_all()
            return
        with self._lock:
            if self._entries.get(frame) is entry:
                entry.name = name
                self._disk += entry.bytes
            else:
                self._removals.append(name)
            self._room.notify_all()
