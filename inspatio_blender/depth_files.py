"""Depth maps of a reference as arrays: OpenEXR and .npy, with numpy alone. Knows nothing of Blender.

Blender writes multi-layer EXR files but gives no pixels of them (an image of one has no data), so the files that
a reference holds are read here: scan lines, uncompressed or ZIP, as Capture Reference writes them. A file is
measured by its header before anything is decoded.
"""

import io
import mmap
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SKY = 1e9
"""Depth from here on is sky."""

_EXR_MAGIC = b"\x76\x2f\x31\x01"
_OTHER_THAN_SCAN_LINES = 0x200 | 0x800 | 0x1000
"""Flags of an EXR file's version: tiles, deep data, several parts."""
_LINES = {0: 1, 2: 1, 3: 16}
"""Lines in a chunk, by the number of the compression: none, ZIPS, ZIP."""
_TYPES = {0: np.dtype("<u4"), 1: np.dtype("<f2"), 2: np.dtype("<f4")}
_MAX_CHANNELS = 64


class DepthError(Exception):
    """A depth map cannot be read; the message names the file and says why."""


@dataclass(frozen=True)
class _Layout:
    """Where the wanted channel lies in each line of an EXR file."""

    compression: int
    top: int
    line_bytes: int
    offset: int
    dtype: np.dtype
    start: int
    """Where the table of chunks begins in the file."""


def read_depth(path: Path, width: int, height: int) -> np.ndarray:
    """(height, width) float32, as the file has it: planar z, sky >= SKY or inf, "no depth" 0, negative or NaN.

    Raises DepthError.
    """
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if path.suffix.lower() == ".npy":
                return _read_npy(data, width, height)
            return _read_exr(data, width, height)
    except DepthError as error:
        raise DepthError(f"{path.name} {error}") from None
    except OSError as error:
        raise DepthError(f"{path.name} cannot be read: {(error.strerror or str(error)).lower()}") from error
    except (ValueError, EOFError, SyntaxError, IndexError, KeyError, struct.error, zlib.error) as error:
        raise DepthError(f"{path.name} is damaged: {error}") from None


def _read_npy(data: mmap.mmap, width: int, height: int) -> np.ndarray:
    head = io.BytesIO(data[:4096])
    version = np.lib.format.read_magic(head)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(head)
    if shape != (height, width) or dtype != np.dtype("<f4") or fortran:
        raise DepthError(f"must be float32 of shape ({height}, {width}), got {dtype} of shape {shape}")
    values = data[head.tell() : head.tell() + 4 * width * height]
    if len(values) != 4 * width * height:
        raise DepthError("ends early: the file is damaged")
    return np.frombuffer(values, "<f4").reshape(height, width)


def _read_exr(data: mmap.mmap, width: int, height: int) -> np.ndarray:
    layout = _layout(data, width, height)
    lines = _LINES[layout.compression]
    count = -(-height // lines)
    places = np.frombuffer(data[layout.start : layout.start + 8 * count], "<u8")
    if len(places) != count:
        raise DepthError("ends early: the file is damaged")
    depth = np.full((height, width), np.nan, np.float32)
    for place in places.tolist():
        line, size = struct.unpack("<ii", data[place : place + 8])
        first = line - layout.top
        if not 0 <= first < height:
            raise DepthError("is damaged: a line lies outside the picture")
        here = min(lines, height - first)
        raw = _unpacked(data[place + 8 : place + 8 + size], here * layout.line_bytes, layout.compression)
        rows = np.frombuffer(raw, np.uint8).reshape(here, layout.line_bytes)
        end = layout.offset + width * layout.dtype.itemsize
        depth[first : first + here] = np.ascontiguousarray(rows[:, layout.offset : end]).view(layout.dtype)
    return depth


def _layout(data: mmap.mmap, width: int, height: int) -> _Layout:
    """Read the header and find the channel that holds depth."""
    if data[:4] != _EXR_MAGIC:
        raise DepthError("is not an OpenEXR file")
    (version,) = struct.unpack("<i", data[4:8])
    if version & _OTHER_THAN_SCAN_LINES:
        raise DepthError("has tiles, several parts or deep data: save one part of flat scan lines")
    at = 8
    attributes: dict[str, bytes] = {}
    while data[at]:
        name, at = _text(data, at)
        _, at = _text(data, at)
        (size,) = struct.unpack("<i", data[at : at + 4])
        if size < 0:
            raise DepthError("is damaged: an attribute has no size")
        attributes[name] = data[at + 4 : at + 4 + size]
        at += 4 + size
    left, top, right, bottom = struct.unpack("<4i", attributes["dataWindow"])
    if (right - left + 1, bottom - top + 1) != (width, height):
        found = f"{right - left + 1} × {bottom - top + 1}"
        raise DepthError(f"is {found} pixels, the reference is {width} × {height}")
    compression = attributes["compression"][0]
    if compression not in _LINES:
        raise DepthError("has a compression that cannot be read here: save it with ZIP, or as .npy")
    channels = _channels(attributes["channels"])
    wanted = _depth_channel([name for name, _ in channels])
    sizes = [dtype.itemsize * width for _, dtype in channels]
    return _Layout(compression, top, sum(sizes), sum(sizes[:wanted]), channels[wanted][1], at + 1)


def _channels(table: bytes) -> list[tuple[str, np.dtype]]:
    """Name and type of each channel, in the order in which a line holds them."""
    found, at = [], 0
    while table[at]:
        name, at = _text(table, at)
        kind, _, across, up = struct.unpack("<iiii", table[at : at + 16])
        if (across, up) != (1, 1):
            raise DepthError("has channels of different sizes")
        found.append((name, _TYPES[kind]))
        at += 16
        if len(found) > _MAX_CHANNELS:
            raise DepthError(f"has more than {_MAX_CHANNELS} channels")
    return found


def _depth_channel(names: list[str]) -> int:
    for wanted in ("Depth.Z", "Z", "V"):
        for index, name in enumerate(names):
            if name == wanted or name.endswith(f".{wanted}"):
                return index
    if len(names) == 1:
        return 0
    raise DepthError("has no channel Depth.Z, Z or V")


def _text(data: bytes | mmap.mmap, at: int) -> tuple[str, int]:
    """A text that ends with a zero byte, and where it ends."""
    end = data.find(b"\0", at, at + 256)
    if end < 0:
        raise DepthError("is damaged: a name does not end")
    return data[at:end].decode("latin-1"), end + 1


def _unpacked(packed: bytes, size: int, compression: int) -> bytes:
    """A chunk's `size` bytes. ZIP stores differences between bytes, all even ones first (OpenEXR, ImfZip.cpp)."""
    if compression == 0 or len(packed) == size:
        raw = packed
    else:
        inflated = zlib.decompressobj().decompress(packed, size)
        steps = np.frombuffer(inflated, np.uint8) - np.uint8(128)
        steps[:1] += np.uint8(128)
        mixed = np.cumsum(steps, dtype=np.uint8)
        half = (len(mixed) + 1) // 2
        ordered = np.empty_like(mixed)
        ordered[0::2], ordered[1::2] = mixed[:half], mixed[half:]
        raw = ordered.tobytes()
    if len(raw) != size:
        raise DepthError("ends early: the file is damaged")
    return raw
