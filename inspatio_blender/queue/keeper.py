"""The files of a queue, and the one thread that reads and writes them.

    PLACE/queue/queue.json      items in order, and whether the queue is going
    PLACE/queue/000007.json     the shot of an item, as it was when it was added
    PLACE/queue/lock.json       who runs it
    PLACE/SHOT/                 an item's references and takes

The main thread asks for a change and goes on; it sees in `content` what is on disk. A change is made of what the file
holds at that moment, under the lock, and counts once the file is written: where that fails nothing has changed, and
`Change.error` says why. The lock is kept while the queue is going, and given back otherwise, so that two Blenders may
fill one queue in turn, but not run it at once. A drive that answers late holds up this thread and nothing else.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ...backend.protocol.disk import FileFormatError, read_json, write_json
from ...backend.protocol.files import Shot
from ...backend.protocol.takes import take_folders
from ..versions import REFERENCE_FOLDER, copy_version
from .items import QUEUE_FILE, Content, QueueError
from .lock import LOCK_FILE, Held, Lock, Owner
from .pace import Work

log = logging.getLogger(__name__)

QUEUE_FOLDER = "queue"

Make = Callable[[Content], Content]
"""Makes a changed content, in the keeper's thread, so that it may look at the disk. Raises QueueError, OSError."""


class Change:
    """Something that was asked of a keeper. `done` is set once it is on disk, or `error` says why it isn't."""

    def __init__(self, make: Make | None, or_forget: bool = False) -> None:
        self.make = make
        self.or_forget = or_forget
        self.error = ""
        self.done = threading.Event()

    def wait(self, seconds: float = 30.0) -> None:
        """For who may wait. Raises QueueError where it failed, or takes longer."""
        if not self.done.wait(seconds):
            raise QueueError("The disk does not answer: try again when it does")
        if self.error:
            raise QueueError(self.error)


class Keeper:
    """Keeps the queue of a place. Its attributes are for any thread to read; each is replaced as a whole.

    content   what the file holds, as far as is known
    held      whether this process runs the queue
    read      whether the file was looked at yet
    version   grows whenever there is something new to show
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        self.folder = place / QUEUE_FOLDER
        self.content = Content()
        self.held = False
        self.read = False
        self.version = 0
        self._error = ""
        self._elsewhere = ""
        self._lock = Lock(self.folder / LOCK_FILE)
        self._stamp = ""
        self._asked: Change | None = None
        self._orders: queue.SimpleQueue[Change | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name="inspatio-queue", daemon=True)
        self._thread.start()
        self.look()

    @property
    def problem(self) -> str:
        """Why the queue cannot be read, written or run here, in a sentence; empty where all is well."""
        return self._error or self._elsewhere

    def change(self, make: Make, or_forget: bool = False) -> Change:
        """Have the queue changed; returns at once.

        or_forget: where its folder is gone, the queue is dropped instead, as one that there never was.
        """
        change = Change(make, or_forget)
        self._orders.put(change)
        return change

    def look(self) -> Change:
        """Have the files read again if another process has changed them; returns at once."""
        if self._asked is None or self._asked.done.is_set():
            self._asked = Change(None)
            self._orders.put(self._asked)
        return self._asked

    def close(self, seconds: float = 2.0) -> None:
        """Give the lock up and end the thread, after what was asked for; a queue that is going stays so on disk."""
        self._orders.put(None)
        self._thread.join(seconds)

    def shot_folder(self, shot: str) -> Path:
        """The folder of a shot's references and takes."""
        return self.place / shot

    def adding(self, shot: Shot, folder: str, reference: Path) -> Make:
        """A change that adds a shot, to be generated in `folder` of the queue's place.

        reference: the folder of a version of the reference; one that lies elsewhere is copied to the shot's.
        """

        def make(content: Content) -> Content:
            versions = self.shot_folder(folder) / REFERENCE_FOLDER
            version = reference if reference.parent == versions else copy_version(reference, versions)
            work = Work(shot.preset, shot.width, shot.height, shot.quality)
            added = content.added(folder, version.name, work, len(shot.cameras))
            whole = replace(shot, reference=f"{REFERENCE_FOLDER}/{version.name}")
            write_json(self.folder / added.items[-1].shot_file, whole.to_json())
            return added

        return make

    def beginning(self, item_id: int) -> Make:
        """A change that begins an item: takes of its shot that are newer than those there now will be its own.

        One that was skipped or removed meanwhile is left so.
        """

        def make(content: Content) -> Content:
            if not content.may_begin(item_id):
                return content
            found = take_folders(self.shot_folder(content.find(item_id).shot))
            return content.begun(item_id, found[-1][0] if found else 0)

        return make

    # In the thread.

    def _loop(self) -> None:
        while (change := self._orders.get()) is not None:
            try:
                if change.make is None:
                    self._look()
                else:
                    self._make(change.make, change.or_forget)
            except Held as error:
                change.error = self._elsewhere = str(error)
            except Exception as error:  # The thread must outlive anything; what happened is said and logged.
                log.info("the queue in %s", self.folder, exc_info=True)
                change.error = self._error = self._sentence(error)
            finally:
                self.version += 1
                change.done.set()
        self._lock.release()
        self.held = False

    def _make(self, make: Make, or_forget: bool) -> None:
        try:
            if or_forget and not self.folder.is_dir():
                self.content, self._stamp = Content(), ""
            else:
                content = self._hold()
                new = make(content)
                self._write(content, new)
                self.content = new
            self._error = self._elsewhere = ""
        finally:
            if not self.content.going:
                self._lock.release()
                self.held = False

    def _hold(self) -> Content:
        """The queue as it is, under the lock. Raises Held, QueueError, OSError, FileFormatError."""
        if self.held and not self.folder.is_dir():
            # It may lie on a drive that comes back: nothing is made in its place.
            raise QueueError(f"The folder {self.folder} is gone: put it back, or press Pause")
        if self.held and self._lock.state() == "mine":
            return self.content
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.take()
        except BaseException:
            self.held = False
            raise
        if not self.held:
            self.content, self.read = self._read(), True
            self.held = True
        return self.content

    def _write(self, before: Content, after: Content) -> None:
        path = self.folder / QUEUE_FILE
        if after == before and path.exists():
            return
        write_json(path, after.to_json())
        self._stamp = _stamp(path)
        kept = {item.id for item in after.items}
        for item in before.items:
            if item.id not in kept:
                (self.folder / item.shot_file).unlink(missing_ok=True)

    def _read(self) -> Content:
        path = self.folder / QUEUE_FILE
        self._stamp = _stamp(path)
        return Content.from_json(read_json(path)) if self._stamp else Content()

    def _look(self) -> None:
        if self.held:
            return
        if not self.read or _stamp(self.folder / QUEUE_FILE) != self._stamp:
            self.content, self.read = self._read(), True
            self._error = ""
        owner = Owner.read(self._lock.path)
        elsewhere = owner is not None and not (owner.is_gone or owner.is_this_process)
        self._elsewhere = str(Held(owner, self._lock.path)) if elsewhere else ""

    def _sentence(self, error: Exception) -> str:
        if isinstance(error, (QueueError, FileFormatError)):
            return str(error)
        if isinstance(error, OSError):
            return f"The queue in {self.folder} cannot be written: {(error.strerror or str(error)).lower()}"
        return f"{type(error).__name__}: {error}"


def _stamp(path: Path) -> str:
    """What is different once a file has changed; empty where there is none."""
    try:
        found = path.stat()
    except OSError:
        return ""
    return f"{found.st_mtime_ns} {found.st_size} {found.st_ino}"
