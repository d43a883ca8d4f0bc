"""Pictures of any size, still or out of a video, measured by their headers before they are decoded.

A still is a PNG or a JPEG in sRGB. Of a JPEG its EXIF is read for two things: which way up it is, and the focal
length, as what that would be on 35 mm film.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..pictures import PictureError, png_header
from ..protocol import MIB
from .error import RecoverError

STILLS = (".png", ".jpg", ".jpeg")
VIDEOS = (".mp4", ".mov", ".m4v", ".mkv", ".avi", ".webm")
MAX_PICTURE_BYTES = 512 * MIB
MAX_PICTURE_PIXELS = 128 * 1024 * 1024

_FOCAL_35MM, _EXIF_FOLDER = 0xA405, 0x8769
_WITHOUT_SIZE = {0xC4, 0xC8, 0xCC}
"""Markers among those of a JPEG's frames that start no frame."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture (H, W, 3) uint8, red first. focal: millimetres on 35 mm film, None where it does not say."""

    name: str
    pixels: np.ndarray
    focal: float | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.pixels.shape[1], self.pixels.shape[0]


@dataclass(frozen=True)
class VideoInfo:
    """What a video says of itself: frames that it holds, and its rate."""

    frames: int
    fps: float


def is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEOS


def read_still(path: Path, upright: bool = True) -> Picture:
    """A PNG or JPEG; `upright` turns it as its EXIF says, as a viewer of photographs does and Blender does not.

    Raises RecoverError.
    """
    if path.suffix.lower() not in STILLS:
        raise RecoverError(f"{path.name} is no picture that can be read: save it as PNG or JPEG.")
    try:
        if path.stat().st_size > MAX_PICTURE_BYTES:
            raise RecoverError(f"{path.name} has {path.stat().st_size >> 20} MiB: that is no picture.")
        data = path.read_bytes()
    except OSError as error:
        raise RecoverError(f"{path} cannot be read: {error.strerror or error}.") from None
    size = jpeg_size(data)
    with suppress(PictureError):
        size = png_header(data)[:2]
    if size is None:
        raise RecoverError(f"{path.name} is neither a PNG nor a JPEG.")
    _check_pixels(path.name, *size)
    how = cv2.IMREAD_COLOR if upright else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), how)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise RecoverError(f"{path.name} cannot be decoded: the file is damaged.")
    return Picture(path.name, np.ascontiguousarray(pixels[:, :, ::-1]), jpeg_focal(data))


class Pictures:
    """Reads the pictures that views name; a video is decoded on from where it stands, so frames are asked in order."""

    def __init__(self, upright: bool) -> None:
        self._upright = upright
        self._path: Path | None = None
        self._frames: Iterator[np.ndarray] = iter(())
        self._next = 0

    def read(self, path: Path, frame: int) -> Picture:
        """The picture in `path`, of a video its `frame`, counted from 0. Raises RecoverError."""
        if not is_video(path):
            return read_still(path, self._upright)
        if path != self._path or frame < self._next:
            self._path, self._frames, self._next = path, video_frames(path), 0
        for pixels in self._frames:
            self._next += 1
            if self._next == frame + 1:
                return Picture(f"{path.name}, frame {frame + 1}", pixels)
        raise RecoverError(f"{path.name} has {self._next} frames, frame {frame + 1} was asked for.")


def video_info(path: Path) -> VideoInfo:
    """How many frames a video holds, and how many a second. Raises RecoverError."""
    av = _av()
    try:
        with av.open(str(path)) as container:
            stream = _stream(path, container)
            fps = float(stream.average_rate or stream.base_rate or 24)
            frames = stream.frames or sum(1 for packet in container.demux(stream) if packet.size)
    except (av.FFmpegError, OSError) as error:
        raise RecoverError(f"{path.name} cannot be read as a video: {error.strerror or error}.") from None
    return VideoInfo(frames, fps)


def video_frames(path: Path) -> Iterator[np.ndarray]:
    """The frames of a video (H, W, 3) uint8, upright, one after the other. Raises RecoverError."""
    av = _av()
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(_stream(path, container)):
                # A telephone held upright films lying down and says so.
                yield np.ascontiguousarray(
                    np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
                )
    except (av.FFmpegError, OSError) as error:
        raise RecoverError(f"{path.name} cannot be read as a video: {error.strerror or error}.") from None


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height that a JPEG claims; None where it is no JPEG."""
    for marker, body in _jpeg_segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in _WITHOUT_SIZE and len(body) >= 5:
            height, width = struct.unpack(">HH", body[1:5])
            return width, height
    return None


def jpeg_focal(data: bytes) -> float | None:
    """The focal length that a JPEG's EXIF states, in millimetres on 35 mm film; None where it states none."""
    for marker, body in _jpeg_segments(data):
        if marker == 0xE1 and body[:6] == b"Exif\0\0":
            focal = _tag(body[6:], _FOCAL_35MM)
            return float(focal) if focal else None
    return None


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and content of every segment before the picture's own data."""
    if data[:2] != b"\xff\xd8":
        return
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA or length < 2:
            return
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + length


def _tag(tiff: bytes, wanted: int) -> int | None:
    """The short or long integer of a tag in the first or the EXIF folder of a TIFF header."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return None
    try:
        folders = [struct.unpack_from(f"{order}I", tiff, 4)[0]]
        for start in folders:
            (count,) = struct.unpack_from(f"{order}H", tiff, start)
            for entry in range(start + 2, start + 2 + 12 * count, 12):
                tag, kind = struct.unpack_from(f"{order}HH", tiff, entry)
                (value,) = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", tiff, entry + 8)
                if tag == wanted:
                    return int(value)
                if tag == _EXIF_FOLDER and len(folders) == 1:
                    folders.append(value)
    except struct.error:
        pass  # It points outside of itself: as good as none.
    return None


def _check_pixels(name: str, width: int, height: int) -> None:
    if width < 1 or height < 1 or width * height > MAX_PICTURE_PIXELS:
        raise RecoverError(f"{name} claims {width}x{height} pixels: make it smaller.")


def _stream(path: Path, container: Any) -> Any:
    if not container.streams.video:
        raise RecoverError(f"{path.name} holds no video.")
    stream = container.streams.video[0]
    _check_pixels(path.name, stream.width, stream.height)
    stream.thread_type = "AUTO"
    return stream


def _av() -> Any:
    """PyAV, loaded for videos alone."""
    try:
        import av
    except ImportError as error:
        raise RecoverError(
            f"The backend's Python cannot load av ({error}): set up the backend again."
        ) from None
    return av
