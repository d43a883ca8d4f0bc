"""Files of a folder that comes from someone else, and a folder of our own that appears whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..protocol.disk import parents_of, process_alive, read_chunks

MAX_PICTURE_BYTES = 256 * 1024 * 1024
MAX_PROMPT = 10_000
MAX_ENTRIES = 100_000


class SceneFolderError(Exception):
    """A scene folder cannot be read or written; the message is a sentence that says why."""


class Folder:
    """A scene folder: its files by name, never one outside it.

    Where the folder lies, and by which links one gets there, is the user's; below it everything must be its own.
    """

    def __init__(self, root: Path) -> None:
        try:
            self.root = root.resolve(strict=True)
        except (OSError, RuntimeError):  # RuntimeError: links in a circle, until Python 3.13
            raise SceneFolderError(f"There is no folder {root}.") from None
        if not self.root.is_dir():
            raise SceneFolderError(f"{root} is a file: name the folder that it lies in.")

    def has(self, name: str) -> bool:
        return os.path.lexists(self.root / name)

    def file(self, name: str) -> Path:
        """The path of a file that lies in the folder itself. Raises SceneFolderError."""
        path = self._own(name)
        if not path.is_file():
            raise SceneFolderError(f"{name} is missing in {self.root}.")
        return path

    def bytes(self, name: str, largest: int = MAX_PICTURE_BYTES) -> bytes:
        """A file's content. Raises SceneFolderError for one of more than `largest` bytes, too."""
        path = self.file(name)
        size = path.stat().st_size
        if size > largest:
            raise SceneFolderError(f"{name} has {size} bytes, more than what should be in it.")
        return b"".join(read_chunks(path))

    def text(self, name: str, largest: int) -> str:
        """A text file's content, UTF-8. Raises SceneFolderError."""
        try:
            return self.bytes(name, largest).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise SceneFolderError(f"{name} is not a text in UTF-8.") from None

    def prompt(self, name: str) -> str:
        """The prompt in a file, which may be missing."""
        prompt = self.text(name, 4 * MAX_PROMPT).strip() if self.has(name) else ""
        if len(prompt) > MAX_PROMPT:
            raise SceneFolderError(f"{name} has {len(prompt)} letters: a prompt has at most {MAX_PROMPT}.")
        return prompt

    def numbered(self, name: str) -> list[str]:
        """The PNG files of a folder within this one whose names are numbers, in their order."""
        folder = self._own(name)
        if not folder.is_dir():
            raise SceneFolderError(f"{name} is missing in {self.root}.")
        found = []
        with os.scandir(folder) as entries:
            for entry in entries:
                stem, ending = os.path.splitext(entry.name)
                if ending.lower() == ".png" and stem.isascii() and stem.isdigit() and len(stem) < 10:
                    found.append((int(stem), f"{name}/{entry.name}"))
                if len(found) > MAX_ENTRIES:
                    raise SceneFolderError(f"{name} holds more than {MAX_ENTRIES} pictures.")
        return [path for _, path in sorted(found)]

    def _own(self, name: str) -> Path:
        path = self.root
        for part in name.split("/"):
            path /= part
            if path.is_symlink():
                raise SceneFolderError(
                    f"{name} is a link in {self.root}: a scene folder must hold its files itself."
                )
        if not path.resolve().is_relative_to(self.root):  # a junction
            raise SceneFolderError(f"{name} lies outside of {self.root}.")
        return path


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A temporary folder beside `out` that gets its name when the block ends, and is removed when it fails.

    Folders above it that are missing are made, and removed with it. What a killed process has left of such a folder
    goes first. Raises SceneFolderError when `out` is there already, and OSError.
    """
    out = out.absolute()
    if os.path.lexists(out):
        raise SceneFolderError(f"{out} exists already: choose another name.")
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    with parents_of(out):
        _remove_left_over(out)
        try:
            temporary.mkdir()
            yield temporary
            if os.path.lexists(out):
                raise SceneFolderError(f"{out} has been made by someone else meanwhile: choose another name.")
            os.rename(temporary, out)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _remove_left_over(out: Path) -> None:
    for entry in os.scandir(out.parent):
        pid = entry.name.removeprefix(f".{out.name}.").removesuffix(".tmp")
        if entry.name == f".{out.name}.{pid}.tmp" and pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(entry.path, ignore_errors=True)


def _alive(pid: int) -> bool:
    return pid != os.getpid() and process_alive(pid)
