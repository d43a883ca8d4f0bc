"""Frames as PNG files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

COMPRESSION = 1
"""zlib's level. Higher ones take several times as long for a few per cent."""

_pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="png")


def encode_png(frame: np.ndarray) -> bytes:
    """An 8-bit sRGB PNG of a frame (H, W, 3), uint8, red first."""
    done, data = cv2.imencode(".png", frame[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, COMPRESSION])
    if not done:
        raise RuntimeError("a frame could not be encoded as PNG")
    return data.tobytes()


def encode_pngs(frames: np.ndarray) -> list[bytes]:
    """PNG files of frames (n, H, W, 3), several at a time."""
    return list(_pool.map(encode_png, frames))
