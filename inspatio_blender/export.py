"""A shot folder on disk: all that `inspatio shot FOLDER` needs, without Blender. Knows nothing of Blender.

    FOLDER/shot.json
    FOLDER/reference/v001/      a copy, under the number that the version has in the shot

It comes into being whole: it is written to a temporary folder beside its place, then renamed.
"""

import itertools
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..backend.protocol.disk import FileFormatError, write_json
from ..backend.protocol.files import SHOT_FILE, Shot, read_shot
from ..backend.protocol.references import reference_digest
from .versions import REFERENCE_FOLDER, Tell, copy_files


class ExportError(Exception):
    """The shot cannot be exported; the message says why."""


def export_shot(
    shot: Shot, reference: Path, parent: Path, name: str, tell: Tell = lambda _line, _share: None
) -> Path:
    """The folder `name` below `parent` that holds the shot and a copy of the reference in the folder `reference`.

    Nothing is ever overwritten: where another folder has the name, a number is added to it (`name`_002); where it
    holds this very shot already, there is nothing to do. `tell` hears how far it is, and ends it by raising. Raises
    ExportError, and FileFormatError for a reference of which something is missing.
    """
    shot = replace(shot, reference=f"{REFERENCE_FOLDER}/{reference.name}")
    digest = reference_digest(reference)
    temporary = parent / f".{name}.{os.getpid()}.tmp"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        folder = next(
            path for path in numbered(parent, name) if not os.path.lexists(path) or _holds(path, shot, digest)
        )
        if os.path.lexists(folder):
            return folder
        copy_files(reference, temporary / shot.reference, tell)
        write_json(temporary / SHOT_FILE, shot.to_json())
        os.rename(temporary, folder)
        return folder
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ExportError(f"No shot can be exported to {parent}: {reason}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def numbered(parent: Path, name: str) -> Iterator[Path]:
    """Folders to choose one from that isn't there yet: NAME, NAME_002 ..."""
    yield parent / name
    for number in itertools.count(2):
        yield parent / f"{name}_{number:03d}"


def _holds(folder: Path, shot: Shot, digest: str) -> bool:
    """Whether a folder holds this shot and this reference already."""
    try:
        return read_shot(folder) == shot and reference_digest(folder / shot.reference) == digest
    except FileFormatError:
        return False
