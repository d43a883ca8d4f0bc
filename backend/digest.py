"""What tells one set of files from another, without reading gigabytes.

    files -> name, size, bytes (of a large file: samples) -> sha256

It is no checksum: weights that were trained or rounded differently differ all over, but a single wrong byte in a
large file goes unseen. Checksums are verified once, when a file is downloaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

WHOLE_BYTES = 1 << 25
"""Files up to this size go in with all of their bytes, larger ones with samples."""
SAMPLES, SAMPLE_BYTES = 64, 1 << 16


def digest_files(*files: Path) -> str:
    """sha256 that changes with the files' names and content. Raises OSError where one cannot be read."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"\0{path.name}\0{path.stat().st_size}\0".encode())
        for piece in _pieces(path):
            digest.update(piece)
    return digest.hexdigest()


def _pieces(path: Path) -> Iterator[bytes]:
    """A small file's bytes; of a large one evenly spread samples, the first and the last bytes among them."""
    size = path.stat().st_size
    if size <= WHOLE_BYTES:
        yield path.read_bytes()
        return
    with open(path, "rb") as file:
        for sample in range(SAMPLES):
            file.seek((size - SAMPLE_BYTES) * sample // (SAMPLES - 1))
            yield file.read(SAMPLE_BYTES)
