"""Frames as PNG files, and PNG files as pictures."""

from __future__ import annotations

import struct
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from .protocol.png import SIGNATURE, png_of_rows

Bytes = bytes | memoryview

GREY, RGB = 0, 2
"""Colour types."""

ENCODING = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
"""Runs only: 2 ms for a frame of 256x144, and smaller than what zlib's faster levels make of it."""

pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="png")
"""Where pictures are packed: a few threads, for whoever has some."""


class PictureError(ValueError):
    """A file is no picture that can be used; the message goes on from the file's name."""


def encode_png(picture: np.ndarray) -> bytes:
    """A PNG of colour (H, W, 3) uint8, red first, sRGB, or of grey (H, W) in 8 or 16 bits."""
    done, data = cv2.imencode(".png", picture[:, :, ::-1] if picture.ndim == 3 else picture, ENCODING)
    if not done:
        raise RuntimeError("a picture could not be encoded as PNG")
    return data.tobytes()


def store_png(picture: np.ndarray) -> bytes:
    """A PNG of colour (H, W, 3) uint8, red first, sRGB, that is not packed: a tenth of the time, twice the room."""
    height, width, _ = picture.shape
    rows = np.zeros((height, 1 + width * 3), np.uint8)  # Each row begins with its filter: none.
    rows[:, 1:] = picture.reshape(height, -1)
    return png_of_rows(width, height, rows.data, level=0)


def encode_pngs(frames: np.ndarray) -> list[bytes]:
    """PNG files of frames (n, H, W, 3), several at a time."""
    return list(pool.map(encode_png, frames))


def png_header(data: Bytes) -> tuple[int, int, int, int]:
    """Width, height, bits a channel and colour type (GREY, RGB ...) that a PNG claims. Raises PictureError."""
    header = bytes(data[:26])
    if len(header) < 26 or header[:8] != SIGNATURE or header[12:16] != b"IHDR":
        raise PictureError("is not a PNG")
    width, height, bits, colour = struct.unpack(">IIBB", header[16:26])
    return width, height, bits, colour


def png_size(data: Bytes) -> tuple[int, int]:
    """Width and height that a PNG of 8 bits a channel claims in its header. Raises PictureError."""
    width, height, bits, _ = png_header(data)
    if bits > 8:
        raise PictureError(f"has {bits} bits a channel: save it with 8")
    return width, height


def decode_png(data: Bytes, width: int, height: int) -> np.ndarray:
    """(H, W, 3) uint8, red first, of a PNG of that `png_size`; transparency is ignored. Raises PictureError."""
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise PictureError(f"cannot be decoded: {error}") from None
    if picture is None or picture.shape != (height, width, 3):
        raise PictureError("cannot be decoded: the file is damaged")
    return np.ascontiguousarray(picture[:, :, ::-1])
