"""A JSON header and raw blobs in one body.

    b"INSP" | u32 little-endian header length | header JSON (UTF-8) | blobs, in order
    header: {..., "blobs": [{"name": "frames", "dtype": "float64", "shape": [9]}, ...]}

Numbers are little-endian. Sizes follow from dtype and shape, and the body's length must match exactly, so a
body that was cut short or has something behind it is noticed before any of it is used. `unpack` takes no
memory for a blob: blobs are views into the body, whose size the caller has bounded.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from . import MAX_HEADER_BYTES

MAGIC = b"INSP"
HEAD_BYTES = 8
DTYPE_SIZES = {"bytes": 1, "uint8": 1, "int32": 4, "float32": 4, "float64": 8}
MAX_BLOBS = 20_000
MAX_NAME = 255
MAX_DIMENSIONS = 8

Layout = list[tuple[str, str, tuple[int, ...], int]]
"""Name, dtype, shape and bytes of blobs, in order."""


class EnvelopeError(ValueError):
    """The body is not an envelope, or not one of the asked form; the message says what is wrong with it."""


@dataclass(frozen=True)
class Blob:
    """One named array: little-endian `data` of `dtype` and `shape` in row-major order."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    data: bytes | memoryview

    @staticmethod
    def of(name: str, data: bytes | memoryview) -> Blob:
        """A blob of plain bytes, for example a file."""
        return Blob(name, "bytes", (len(data),), data)


def head(header: Mapping[str, Any], blobs: Iterable[tuple[str, str, tuple[int, ...]]]) -> bytes:
    """Everything before the first blob, for (name, dtype, shape) of each: to stream a body piece by piece."""
    entries = [{"name": name, "dtype": dtype, "shape": list(shape)} for name, dtype, shape in blobs]
    text = json.dumps({**header, "blobs": entries}, allow_nan=False, separators=(",", ":")).encode()
    if len(text) > MAX_HEADER_BYTES:
        raise EnvelopeError(f"the header has {len(text)} bytes, at most {MAX_HEADER_BYTES} are allowed")
    _layout(entries)
    return MAGIC + struct.pack("<I", len(text)) + text


def pack(header: Mapping[str, Any], blobs: Iterable[Blob]) -> bytes:
    """A whole body. Raises EnvelopeError where a blob's data has not the size of its dtype and shape."""
    blobs = list(blobs)
    parts: list[bytes | memoryview] = [head(header, [(b.name, b.dtype, b.shape) for b in blobs])]
    for blob in blobs:
        size = memoryview(blob.data).nbytes
        if size != _size(blob.name, blob.dtype, blob.shape):
            raise EnvelopeError(
                f"the blob {blob.name!r} has {size} bytes, not those of {blob.dtype} {blob.shape}"
            )
        parts.append(blob.data)
    return b"".join(parts)


def unpack(body: bytes | bytearray | memoryview) -> tuple[dict[str, Any], dict[str, Blob]]:
    """Header (without "blobs") and blobs by name; raises EnvelopeError for anything that is not exact."""
    view = memoryview(body).cast("B")
    start = HEAD_BYTES + header_bytes(view[:HEAD_BYTES])
    if len(view) < start:
        raise EnvelopeError("the body ends within its header")
    header, layout = read_header(view[HEAD_BYTES:start], len(view))
    blobs: dict[str, Blob] = {}
    for name, dtype, shape, size in layout:
        blobs[name] = Blob(name, dtype, shape, view[start : start + size])
        start += size
    return header, blobs


def header_bytes(head: bytes | memoryview) -> int:
    """Bytes of the header, from the body's first HEAD_BYTES. With `read_header`: a body read piece by piece."""
    if len(head) < HEAD_BYTES or bytes(head[:4]) != MAGIC:
        raise EnvelopeError("the body does not start like an envelope")
    (length,) = struct.unpack("<I", head[4:])
    if length > MAX_HEADER_BYTES:
        raise EnvelopeError(f"the header claims {length} bytes, at most {MAX_HEADER_BYTES} are allowed")
    return int(length)


def read_header(text: bytes | memoryview, body_bytes: int) -> tuple[dict[str, Any], Layout]:
    """Header (without "blobs") and the blobs' layout, of a body of exactly `body_bytes`. Raises EnvelopeError."""
    header = parse_json(bytes(text))
    layout = _layout(header.pop("blobs", None))
    total = HEAD_BYTES + len(text) + sum(size for _, _, _, size in layout)
    if body_bytes != total:
        raise EnvelopeError(f"the body has {body_bytes} bytes, its header describes {total}")
    return header, layout


def parse_json(text: bytes | str) -> dict[str, Any]:
    """A JSON object, strictly: no NaN, no infinities. Raises EnvelopeError."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise EnvelopeError(f"not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise EnvelopeError("expected a JSON object")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _size(name: str, dtype: str, shape: Iterable[int]) -> int:
    if dtype not in DTYPE_SIZES:
        raise EnvelopeError(f"the blob {name!r} has the unknown dtype {dtype!r}")
    size = DTYPE_SIZES[dtype]
    for length in shape:
        size *= length
    return size


def _layout(entries: object) -> Layout:
    """The layout that a header's blob list describes."""
    if not isinstance(entries, list):
        raise EnvelopeError('the header has no list "blobs"')
    if len(entries) > MAX_BLOBS:
        raise EnvelopeError(f"{len(entries)} blobs, at most {MAX_BLOBS} are allowed")
    layout: Layout = []
    names: set[str] = set()
    for entry in entries:
        if not isinstance(entry, dict):
            raise EnvelopeError("a blob's entry must be an object")
        name, dtype, shape = entry.get("name"), entry.get("dtype"), entry.get("shape")
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or name in names:
            raise EnvelopeError("every blob needs a name of its own")
        if not isinstance(dtype, str):
            raise EnvelopeError(f"the blob {name!r} has no dtype")
        if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
            raise EnvelopeError(f"the blob {name!r} has no shape")
        if any(type(length) is not int or not 0 <= length < 2**40 for length in shape):
            raise EnvelopeError(f"the blob {name!r} has a shape of something else than sizes")
        if dtype == "bytes" and len(shape) != 1:
            raise EnvelopeError(f"the blob {name!r} is bytes and must have one dimension")
        names.add(name)
        layout.append((name, dtype, tuple(shape), _size(name, dtype, shape)))
    return layout
