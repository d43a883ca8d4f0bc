"""Files written whole, read bounded, and whether the process that wrote one is still there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from . import MAX_FILE_BYTES, MIB
from .envelope import Blob, EnvelopeError, head, parse_json

_CHUNK = 1 * MIB


class FileFormatError(ValueError):
    """A file does not hold what docs/files.md says; the message names the file and the place."""


def write_whole(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write `data` under a temporary name beside `path` and rename; `durable` also waits for the disk.

    Raises OSError (disk full, folder read-only); the temporary file is removed then and `path` is as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def keep_written(path: Path) -> None:
    """Wait until a file that was written is on the disk. Raises OSError."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file whole and durably. Raises OSError."""
    write_whole(path, json_bytes(content), durable=True)


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """A JSON file's bytes."""
    return json.dumps(content, indent=1, allow_nan=False).encode() + b"\n"


@contextmanager
def parents_of(path: Path) -> Iterator[None]:
    """Make the folders above `path`. Where the block fails, those that were not there go again, if they are empty."""
    made = [parent for parent in path.parents if not parent.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for parent in made:
            with suppress(OSError):  # It wasn't made after all, or somebody has put something there.
                parent.rmdir()
        raise


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; raises FileFormatError when it is missing, too large or not one."""
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise FileFormatError(f"{path.name} has {size} bytes: that is no such file")
        return parse_json(path.read_bytes())
    except FileNotFoundError:
        raise FileFormatError(f"{path.name} is missing in {path.parent}") from None
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}") from error
    except EnvelopeError as error:
        raise FileFormatError(f"{path.name}: {error}") from None


def read_chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, at most a mebibyte at a time; raises FileFormatError when it cannot be read."""
    try:
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}") from error


def files_body(
    header: Mapping[str, Any], paths: Sequence[Path], before: Sequence[Blob] = ()
) -> tuple[int, Iterator[bytes]]:
    """Length and chunks of the envelope that holds files under their names; they are read piece by piece.

    `before` are blobs that go before them. Raises FileFormatError for a file that is missing.
    """
    try:
        sizes = [path.stat().st_size for path in paths]
    except OSError as error:
        missing = Path(str(error.filename))
        raise FileFormatError(f"{missing.name} is missing in {missing.parent}") from None
    files = [(path.name, "bytes", (size,)) for path, size in zip(paths, sizes, strict=True)]
    start = head(header, [*((blob.name, blob.dtype, blob.shape) for blob in before), *files])

    def chunks() -> Iterator[bytes]:
        yield start
        for blob in before:
            yield bytes(blob.data)
        for path in paths:
            yield from read_chunks(path)

    return len(start) + sum(len(blob.data) for blob in before) + sum(sizes), chunks()


def process_alive(pid: int) -> bool:
    """Whether a process with this id exists on this machine."""
    if pid <= 0:
        return False
    if os.name == "nt":
        import ctypes

        kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
        handle = kernel.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
        if not handle:
            return False
        code = ctypes.c_ulong()
        kernel.GetExitCodeProcess(handle, ctypes.byref(code))
        kernel.CloseHandle(handle)
        return code.value == 259  # STILL_ACTIVE
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
