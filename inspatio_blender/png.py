"""A picture as a PNG file, code for code: Blender's own would go through floats, and take longer. bpy-free."""

import struct
import zlib
from pathlib import Path

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LEVEL = 1
"""Grain hardly gets smaller, whatever time is spent on it."""


def encode_png(picture: np.ndarray) -> bytes:
    """The file of a picture (H, W, 3) uint8, sRGB, red first, highest row first."""
    height, width, _ = picture.shape
    # Each row as its difference to the one above (filter type 2), which packs better.
    rows = np.empty((height, 1 + width * 3), np.uint8)
    rows[:, 0] = 2
    flat = picture.reshape(height, width * 3)
    rows[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"sRGB", b"\0"), (b"IDAT", zlib.compress(rows, LEVEL)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(kind, data) for kind, data in parts)


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of a PNG file. Raises OSError where it cannot be read, ValueError where it is none."""
    with open(path, "rb") as file:
        start = file.read(24)
    if len(start) < 24 or start[:8] != SIGNATURE or start[12:16] != b"IHDR":
        raise ValueError(f"{path} is no PNG file")
    width, height = struct.unpack(">II", start[16:])
    return width, height


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
