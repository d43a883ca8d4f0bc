"""Pictures of a preview in files: raw bytes in a folder of their own, whole or not at all, gone with the preview."""

from __future__ import annotations

import itertools
import logging
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np

from ...backend.protocol.disk import process_alive, write_whole

log = logging.getLogger(__name__)

_FOLDER = re.compile(r"preview_(\d+)_\d+")
_numbers = itertools.count(1)
_mine: set[str] = set()


class Spill:
    """A folder below `parent`, made when the first picture is written. Every call waits for the disk."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._folder = parent / f"preview_{os.getpid()}_{next(_numbers)}"
        _mine.add(self._folder.name)

    def write(self, name: str, picture: np.ndarray) -> None:
        """Write a picture (H, W, 3) uint8. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_whole(self._folder / name, memoryview(picture).cast("B"))

    def read(self, name: str, shape: tuple[int, ...]) -> np.ndarray | None:
        """The picture of this shape; None where it cannot be read."""
        try:
            data = (self._folder / name).read_bytes()
            return np.frombuffer(data, np.uint8).reshape(shape)
        except (OSError, ValueError) as error:
            log.warning("a picture of the preview cannot be read: %s", error)
            return None

    def remove(self, name: str) -> None:
        """Remove a picture's file."""
        with suppress(OSError):
            (self._folder / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)
        _mine.discard(self._folder.name)

    def remove_leftovers(self) -> None:
        """Remove what processes left below `parent` that are gone, and earlier ones with this one's id."""
        with suppress(OSError):
            for path in self._parent.iterdir():
                match = _FOLDER.fullmatch(path.name)
                if match is None or path.name in _mine:
                    continue
                if int(match[1]) == os.getpid() or not process_alive(int(match[1])):
                    shutil.rmtree(path, ignore_errors=True)
