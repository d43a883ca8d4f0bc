"""What an MP4 file holds, as OpenCV reads it: nothing that wrote it is asked. And a movie to be read by others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np


@dataclass(frozen=True)
class Film:
    """Frames uint8 (F, H, W, 3), blue first as OpenCV has them; frames a second; the codec's four letters."""

    frames: np.ndarray
    fps: float
    codec: str


def read_film(path: Path) -> Film:
    """Decode a whole movie."""
    capture = cv2.VideoCapture(str(path))
    assert capture.isOpened(), path
    codec = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode()
    fps, frames = capture.get(cv2.CAP_PROP_FPS), []
    while True:
        read, frame = capture.read()
        if not read:
            return Film(np.stack(frames), fps, codec)
        frames.append(frame)


def write_movie(path: Path, size: tuple[int, int], frames: int, fps: int = 24) -> Path:
    """An H.264 movie of greys that get 20 codes lighter from frame to frame, and dark again after 12."""
    width, height = size
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=fps, options={"crf": "5"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(frames):
            grey = np.full((height, width, 3), 20 * (number % 12), np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        file.mux(stream.encode())
    return path


def check_film(path: Path, pictures: Sequence[Path], fps: float) -> None:
    """`path` is H.264 and shows exactly these PNG files, in order, at this rate and in their colours."""
    film = read_film(path)
    assert film.codec in ("avc1", "h264")
    assert abs(film.fps - fps) < 1e-3
    truth = np.stack([cv2.imread(str(picture)) for picture in pictures])
    assert film.frames.shape == truth.shape
    for shown, picture in zip(film.frames, truth, strict=True):
        # Colour has half the resolution in a movie: edges bleed, areas must not change.
        assert np.abs(shown.mean(axis=(0, 1)) - picture.mean(axis=(0, 1))).max() < 2
        assert cv2.PSNR(cv2.blur(shown, (8, 8)), cv2.blur(picture, (8, 8))) > 33
