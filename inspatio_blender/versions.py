"""The versions of a reference on disk: v001, v002 ... Knows nothing of Blender.

A version comes into being whole: it is written to a temporary folder beside its place, then renamed.
"""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from ..backend.protocol.files import REFERENCE_FILE, read_reference

REFERENCE_FOLDER = "reference"
"""Folder within a shot's that holds the versions."""

Tell = Callable[[str, float], None]
"""Is told what is done now, and the share that is done."""

_VERSION_FOLDER = re.compile(r"v(\d{3,6})")


def versions(folder: Path) -> list[tuple[int, Path]]:
    """Number and folder of the versions below `folder`, oldest first."""
    if not folder.is_dir():
        return []
    found = ((_VERSION_FOLDER.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted(
        (int(match[1]), path) for match, path in found if match and (path / REFERENCE_FILE).is_file()
    )


def add_version(temporary: Path, folder: Path) -> Path:
    """Rename a whole `temporary` folder to the next version below `folder`. Raises OSError.

    Two processes that do so at once get two numbers.
    """
    known = versions(folder)
    number = known[-1][0] + 1 if known else 1
    while True:
        version = folder / f"v{number:03d}"
        try:
            if not version.exists():
                os.rename(temporary, version)
                return version
        except OSError:
            if not version.exists():
                raise
        number += 1


def copy_version(version: Path, folder: Path) -> Path:
    """A copy of the reference in the folder `version` as the next version below `folder`.

    Raises OSError, and FileFormatError where `version` holds no reference.
    """
    temporary = folder / f".copy.{os.getpid()}.tmp"
    try:
        copy_files(version, temporary)
        return add_version(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def copy_files(version: Path, target: Path, tell: Tell = lambda _line, _share: None) -> None:
    """Copy the files of the reference in the folder `version` to the new folder `target`, and nothing else there.

    `tell` hears of each before it is copied, and ends it by raising. Raises OSError, and FileFormatError where
    `version` holds no reference.
    """
    names = (REFERENCE_FILE, *read_reference(version).file_names)
    target.mkdir(parents=True)
    for number, name in enumerate(names):
        tell(f"Copying {name}", number / len(names))
        shutil.copyfile(version / name, target / name)
