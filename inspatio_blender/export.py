"""A shot folder on disk: all that `inspatio shot FOLDER` needs, without Blender. Knows nothing of Blender.

    FOLDER/shot.json
    FOLDER/reference/v001/      a copy, under the number that the version has in the shot

It comes into being whole: it is written to a temporary folder beside its place, then renamed.
"""

import os
import shutil
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
        folder, number = parent / name, 1
        while os.path.lexists(folder):
            if _holds(folder, shot, digest):
                return folder
            number += 1
            folder = parent / f"{name}_{number:03d}"
        copy_files(reference, temporary / shot.reference, tell)
        write_json(temporary / SHOT_FILE, shot.to_json())
        os.rename(temporary, folder)
        return folder
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ExportError(f"No shot can be exported to {parent}: {reason}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _holds(folder: Path, shot: Shot, digest: str) -> bool:
    """Whether a folder holds this shot and this reference already."""
    try:
        return read_shot(folder) == shot and reference_digest(folder / shot.reference) == digest
    except FileFormatError:
        return False
