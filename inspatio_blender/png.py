"""A picture as a PNG file, code for code: Blender's own would go through floats, and take longer. bpy-free."""

import struct
from pathlib import Path

import numpy as np

from ..backend.protocol.png import SIGNATURE, png_of_rows

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
    return png_of_rows(width, height, rows.data, LEVEL)


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of a PNG file. Raises OSError where it cannot be read, ValueError where it is none."""
    with open(path, "rb") as file:
        start = file.read(24)
    if len(start) < 24 or start[:8] != SIGNATURE or start[12:16] != b"IHDR":
        raise ValueError(f"{path} is no PNG file")
    width, height = struct.unpack(">II", start[16:])
    return width, height
