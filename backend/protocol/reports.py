"""What a take's report is made of: take.json, its reference's views where they are still there, some of its frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import MAX_SHEET
from .disk import FileFormatError, files_body, json_bytes
from .envelope import Blob
from .files import REFERENCE_FILE, TAKE_FILE, Reference, Take, frame_names, read_reference
from .references import reference_digest


def sheet_paths(folder: Path, take: Take) -> list[Path]:
    """The frames on the contact sheet: at most MAX_SHEET of those that are written, evenly, first and last too."""
    names = frame_names(take.shot.cameras.frames)[: take.frames_done]
    last, count = len(names) - 1, min(len(names), MAX_SHEET)
    return [folder / names[round(last * place / max(1, count - 1))] for place in range(count)]


def reference_of(folder: Path, take: Take) -> Reference | None:
    """The reference that a take was made from, where it lies beside the take as it was then; else None."""
    lies = folder.parent / take.shot.reference
    try:
        return read_reference(lies) if reference_digest(lies) == take.reference_digest else None
    except FileFormatError:
        return None


def report_body(folder: Path, take: Take) -> tuple[int, Iterator[bytes]]:
    """Length and chunks of the envelope that a report is asked for with, as docs/protocol.md describes it.

    Raises FileFormatError for a frame that is missing.
    """
    reference = reference_of(folder, take)
    described = [Blob.of(TAKE_FILE, json_bytes(take.to_json()))]
    if reference is not None:
        described.append(Blob.of(REFERENCE_FILE, json_bytes(reference.to_json())))
    return files_body({}, sheet_paths(folder, take), described)
