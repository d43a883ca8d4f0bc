"""What lies in the folders of a film's shots, looked at in a thread of its own. Knows nothing of Blender.

A film has many shots, and a drive may answer late: panels draw what was found last, and never wait.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..backend.protocol.disk import FileFormatError
from ..backend.protocol.files import TAKE_FILE, read_take
from ..backend.protocol.takes import take_folders
from .versions import REFERENCE_FOLDER, versions

log = logging.getLogger(__name__)

Folders = Mapping[str, tuple[Path, ...]]
"""The folders of each shot, by its name."""


@dataclass(frozen=True)
class Found:
    """reference: the newest version, empty where there is none. take: number of the newest finished one, else 0.

    folder: of that take.
    """

    reference: str = ""
    take: int = 0
    folder: Path | None = None


class ShotFiles:
    """Looks at folders when asked to; `found` and `version`, which grows with every change, are for any thread."""

    def __init__(self) -> None:
        self.found: dict[str, Found] = {}
        self.version = 0
        self._looking = threading.Event()
        self._states: dict[Path, tuple[int, str]] = {}
        """Of take.json files: when they were written, and the state they tell."""
        self._asked: queue.SimpleQueue[Folders | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name="inspatio-film", daemon=True)
        self._thread.start()

    def look(self, folders: Folders) -> None:
        """Have the folders looked at; returns at once. While that goes on, asking again changes nothing."""
        if not self._looking.is_set():
            self._looking.set()
            self._asked.put(dict(folders))

    def close(self, seconds: float = 1.0) -> None:
        """End the thread."""
        self._asked.put(None)
        self._thread.join(seconds)

    def _loop(self) -> None:
        while (folders := self._asked.get()) is not None:
            try:
                found = {name: self._look(some) for name, some in folders.items()}
                if found != self.found:
                    self.found = found
                    self.version += 1
            except Exception:
                log.exception("the shots of the film cannot be looked at")
            finally:
                self._looking.clear()

    def _look(self, folders: tuple[Path, ...]) -> Found:
        reference, number, take = "", 0, None
        for folder in folders:
            try:
                known = versions(folder / REFERENCE_FOLDER)
                if known and not reference:
                    reference = known[-1][1].name
                if take is None:
                    number, take = self._newest_finished(folder)
            except OSError as error:
                log.info("%s: %s", folder, error)
        return Found(reference, number, take)

    def _newest_finished(self, folder: Path) -> tuple[int, Path | None]:
        for number, path in reversed(take_folders(folder)):
            if self._state(path) == "finished":
                return number, path
        return 0, None

    def _state(self, take: Path) -> str:
        file = take / TAKE_FILE
        try:
            written = file.stat().st_mtime_ns
            if self._states.get(file, (0, ""))[0] != written:
                self._states[file] = (written, read_take(take).state)
        except (OSError, FileFormatError) as error:
            log.info("%s: %s", take, error)
            return ""
        return self._states[file][1]
