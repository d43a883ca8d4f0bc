"""Movies of a scene folder: colour of any H.264, depth as lossless RGB, whose red and green are a code's two bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np

from .folder import SceneFolderError

LOSSLESS = {"crf": "0", "preset": "veryfast"}
"""Of libx264rgb: what was written comes back bit by bit. Slower presets hardly make smaller files."""


@contextmanager
def film(path: Path, fps: float, width: int, height: int) -> Iterator[Callable[[np.ndarray], None]]:
    """A lossless movie that is written while the block runs: gives what a frame (H, W, 3) uint8 is appended with."""
    # The file is opened here: FFmpeg would take some names for a protocol.
    with open(path, "wb") as file, av.open(file, "w", format="mp4") as container:
        rate = Fraction(fps).limit_denominator(1001)
        stream = container.add_stream("libx264rgb", rate=rate, options=LOSSLESS)
        stream.width, stream.height, stream.pix_fmt = width, height, "rgb24"

        def add(picture: np.ndarray) -> None:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))

        yield add
        container.mux(stream.encode(None))


def depth_picture(codes: np.ndarray) -> np.ndarray:
    """The frame (H, W, 3) uint8 of a depth movie that holds codes (H, W) uint16."""
    picture = np.zeros((*codes.shape, 3), np.uint8)
    picture[..., 0], picture[..., 1] = codes >> 8, codes & 0xFF
    return picture


def depth_codes(frame: av.VideoFrame) -> np.ndarray:
    """The codes (H, W) uint16 in a frame of a depth movie. Raises SceneFolderError when it is none."""
    green, blue, red = (_plane(frame, index) for index in range(3))  # gbrp
    if blue.any():
        raise SceneFolderError("depth/depth.mp4 has something in its blue channel: it holds no 16-bit depth.")
    return red.astype(np.uint16) << 8 | green


def colour_picture(frame: av.VideoFrame) -> np.ndarray:
    """(H, W, 3) uint8, red first."""
    return frame.to_ndarray(format="rgb24")


def read_frames(
    path: Path, name: str, frames: int, wanted: int, width: int, height: int, *, lossless: bool = False
) -> Iterator[av.VideoFrame]:
    """The first `wanted` of a movie's `frames` frames. Raises SceneFolderError when it is not as it should be.

    Nothing is decoded before the file claims the right size and count. Only MP4 is opened, which names no other file.
    """
    done = 0
    with open(path, "rb") as file:
        try:
            for frame in _decoded(file, name, frames, width, height, lossless):
                yield frame
                done += 1
                if done == wanted:
                    return
        except (
            av.FFmpegError,
            OSError,
        ):  # OSError: FFmpeg seeks to where a table says that there is something
            pass
    ends = f" after {done} of {wanted} frames" if done else ""
    raise SceneFolderError(f"{name} is damaged or cut short{ends}.")


def _decoded(
    file: BinaryIO, name: str, frames: int, width: int, height: int, lossless: bool
) -> Iterator[av.VideoFrame]:
    """The frames of a movie until it ends or is damaged."""
    with av.open(file, "r", format="mp4") as container:
        if not container.streams.video:
            raise SceneFolderError(f"{name} holds no video.")
        stream = container.streams.video[0]
        codec = stream.codec_context
        if (codec.width, codec.height) != (width, height):
            raise SceneFolderError(
                f"{name} is {codec.width}x{codec.height} pixels, the scene is {width}x{height}."
            )
        if stream.frames and stream.frames != frames:
            raise SceneFolderError(f"{name} has {stream.frames} frames, the scene has {frames}.")
        stream.thread_type = "AUTO"
        for packet in container.demux(stream):
            if packet.is_corrupt:
                return
            for frame in packet.decode():
                if frame.is_corrupt or (frame.width, frame.height) != (width, height):
                    return
                if lossless and frame.format.name != "gbrp":
                    raise SceneFolderError(
                        f"{name} is {frame.format.name}, not lossless RGB: its depth is lost."
                    )
                yield frame


def _plane(frame: av.VideoFrame, index: int) -> np.ndarray:
    plane = frame.planes[index]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[call-overload]
    return rows[: frame.height, : frame.width]
