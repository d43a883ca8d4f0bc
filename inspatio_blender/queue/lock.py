"""One process at a time runs a queue: a file beside it says which.

A lock is a process's by four things: the machine, which of its starts, the process's number, and when that was started.
A lock whose process is gone is taken over. Of another machine's process nothing is known from here: it is respected,
and said. No time of day is asked, and nothing has to be renewed while Blender is busy.
"""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...backend.protocol.disk import FileFormatError, process_alive, read_json, write_whole
from ...backend.protocol.fields import Fields
from ...backend.protocol.machine import boot_id, host, process_started

LOCK_FILE = "lock.json"


@dataclass(frozen=True)
class Owner:
    """The process that holds a lock. mark: which lock of this process, of all it ever took."""

    host: str
    boot: str
    pid: int
    started: str
    mark: str

    @staticmethod
    def this() -> Owner:
        """This process, with a mark of its own."""
        return Owner(host(), boot_id(), os.getpid(), process_started(os.getpid()), secrets.token_hex(8))

    @property
    def is_gone(self) -> bool:
        """Whether the process is certainly not there any more."""
        if self.host != host():
            return False
        if self.boot and boot_id() and self.boot != boot_id():
            return True
        if not process_alive(self.pid):
            return True
        started = process_started(self.pid)
        return bool(self.started and started and self.started != started)

    @property
    def is_this_process(self) -> bool:
        """Whether it is a lock of this process, perhaps from before a file was loaded anew."""
        return self.host == host() and self.pid == os.getpid() and not self.is_gone

    def to_json(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @staticmethod
    def read(path: Path) -> Owner | None:
        """Who holds the lock `path`; None where nobody does. Raises FileFormatError, OSError."""
        if not os.path.lexists(path):
            return None
        read = Fields(path.name, read_json(path))
        return Owner(
            read.text("host", 300),
            read.text("boot", 200),
            read.integer("pid", 1, 2**32),
            read.text("started", 100),
            read.text("mark", 100),
        )


class Held(Exception):
    """Another process holds the lock; the message says which, and what to do where that is gone all the same."""

    def __init__(self, owner: Owner, path: Path) -> None:
        if owner.host == host():
            super().__init__(f"Another Blender (process {owner.pid}) runs this queue")
        else:
            super().__init__(f"A Blender on “{owner.host}” runs this queue. If it is gone, delete {path}")
        self.owner = owner


class Lock:
    """The lock of a queue. For one thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mine: Owner | None = None

    def take(self) -> None:
        """Hold the lock, taken over from a process that is gone. Raises Held, OSError, FileFormatError."""
        mine = Owner.this()
        while True:
            try:
                owner = Owner.read(self.path)
            except FileFormatError as error:
                where = f"If no other Blender runs this queue, delete {self.path}"
                raise FileFormatError(f"{error}. {where}") from None
            if owner is not None:
                if not (owner.is_gone or owner.is_this_process):
                    raise Held(owner, self.path)
                self._put_away(owner)
            elif self._create(mine):
                self._mine = mine
                return

    def state(self) -> str:
        """ "mine", "gone" where its file is not there any more, "lost" where another process has it now.

        Raises OSError, FileFormatError.
        """
        owner = Owner.read(self.path)
        if owner is None:
            return "gone"
        return "mine" if owner == self._mine else "lost"

    def release(self) -> None:
        """Give the lock up; what cannot be removed is taken over by the next one, once this process is gone."""
        with suppress(OSError, FileFormatError):
            if self._mine is not None and self.state() == "mine":
                self.path.unlink()
        self._mine = None

    def _create(self, owner: Owner) -> bool:
        """Write the lock where there is none; whether it was this one that came first."""
        temporary = self.path.with_name(f".{self.path.name}.{owner.mark}.tmp")
        data = json.dumps(owner.to_json()).encode()
        try:
            write_whole(temporary, data, durable=True)
            try:
                os.link(temporary, self.path)  # The one way to make a file that is whole, and nobody's yet.
            except FileExistsError:
                return False
            except OSError:  # A drive without links: there a lock may, for a moment, be there and empty.
                try:
                    with open(self.path, "xb") as file:
                        file.write(data)
                except FileExistsError:
                    return False
            return True
        finally:
            temporary.unlink(missing_ok=True)

    def _put_away(self, owner: Owner) -> None:
        """Remove the lock of a process that is gone, if another process was not quicker.

        Between reading and renaming, the lock may have become another's: then that one gets it back.
        """
        aside = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}.tmp")
        try:
            os.rename(self.path, aside)
        except FileNotFoundError:
            return
        try:
            if Owner.read(aside) != owner:
                with suppress(OSError):
                    os.link(aside, self.path)
        finally:
            aside.unlink(missing_ok=True)
