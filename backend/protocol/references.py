"""A reference folder as bytes: its digest, and the envelope that hands it to the backend.

Folders of a moving reference hold hundreds of megabytes, so both read a piece at a time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from .disk import FileFormatError, files_body, read_chunks
from .files import Reference, read_reference


class Digest:
    """sha256 over a reference: its canonical JSON, then name, length and bytes of every file in order."""

    def __init__(self, reference: Reference) -> None:
        content = Reference.from_json(reference.to_json()).to_json()  # 1 and 1.0 are the same number
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        self._hash = hashlib.sha256(text.encode())

    def start_file(self, name: str, size: int) -> None:
        self._hash.update(f"\0{name}\0{size}\0".encode())

    def update(self, data: bytes | memoryview) -> None:
        self._hash.update(data)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def reference_digest(folder: Path) -> str:
    """The digest of a reference folder as it lies on disk; raises FileFormatError when a file is missing."""
    reference = read_reference(folder)
    digest = Digest(reference)
    for name, size in reference_sizes(folder, reference):
        digest.start_file(name, size)
        for chunk in read_chunks(folder / name):
            digest.update(chunk)
    return digest.hexdigest()


def reference_sizes(folder: Path, reference: Reference) -> list[tuple[str, int]]:
    """Name and bytes of each of the reference's files; raises FileFormatError for one that is missing."""
    sizes = []
    for name in reference.file_names:
        try:
            sizes.append((name, (folder / name).stat().st_size))
        except OSError:
            raise FileFormatError(f"the reference's file {name} is missing in {folder}") from None
    return sizes


def reference_body(folder: Path) -> tuple[int, Iterator[bytes]]:
    """Length and chunks of the envelope that hands a reference folder over; read piece by piece."""
    reference = read_reference(folder)
    return files_body(reference.to_json(), [folder / name for name in reference.file_names])
