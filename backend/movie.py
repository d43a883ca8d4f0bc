"""The frames of a take as one movie: H.264 in an MP4 file, which browsers, players and Blender all play.

    Movie(fps) -> add(png), add(png), ... -> finish() -> the file's bytes

Frames go in one at a time and nothing is written to disk, so that who writes the file can write it whole. The encoder
is x264, which PyAV brings along: OpenCV's wheels can write MPEG-4 part 2, which browsers do not play, and VP9, which
QuickTime does not.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from . import protocol
from .pictures import Bytes, PictureError, decode_png, png_size

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

ENCODING = {"crf": "14", "preset": "medium"}
"""Hardly to be told from the pictures: what is lost is mostly the halved resolution of colour."""
SRGB, BT709, BT601, LIMITED = 13, 1, 6, 1
"""Transfer, primaries, matrix and range that the file states (ITU-T H.273). The matrix is the one that programs which
do not look take for granted at the size of our frames."""


class MovieError(Exception):
    """There is no movie; the message says why."""


class Movie:
    """A movie that is being made, of the size of its first frame."""

    def __init__(self, fps: float) -> None:
        rate = Fraction(fps).limit_denominator(1001)
        if not 0 < rate <= protocol.MAX_FPS:
            raise MovieError(f"A movie cannot have {fps:g} frames a second.")
        self._rate = rate
        self._file = io.BytesIO()
        self._opened: tuple[OutputContainer, VideoStream] | None = None
        self._size = 0, 0
        self._count = 0

    def add(self, png: Bytes) -> None:
        """Append a frame. Raises MovieError, also for a frame that is damaged or of another size."""
        av = _av()
        try:
            width, height = png_size(png)
            if self._opened is None:
                self._opened = self._open(av, width, height)
            if (width, height) != self._size:
                raise PictureError(
                    f"is {width}x{height} pixels, the first is {self._size[0]}x{self._size[1]}"
                )
            container, stream = self._opened
            frame = av.VideoFrame.from_ndarray(decode_png(png, width, height), "rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace="ITU601", dst_color_range="MPEG")
            frame.pts, frame.time_base = self._count, 1 / self._rate
            container.mux(stream.encode(frame))
        except PictureError as error:
            raise MovieError(f"Frame {self._count + 1} of the movie {error}.") from None
        except (av.FFmpegError, ValueError) as error:
            raise _failed(error) from error
        self._count += 1
        if self._file.tell() > protocol.MAX_MOVIE_BYTES:
            raise MovieError(f"The movie would have more than {protocol.MAX_MOVIE_BYTES >> 20} MiB.")

    def finish(self) -> bytes:
        """The MP4 file. Raises MovieError."""
        if self._opened is None:
            raise MovieError("A movie needs a frame.")
        container, stream = self._opened
        try:
            container.mux(stream.encode(None))
            container.close()
        except _av().FFmpegError as error:
            raise _failed(error) from error
        return self._file.getvalue()

    def _open(self, av: Any, width: int, height: int) -> tuple[OutputContainer, VideoStream]:
        if max(width, height) > protocol.MAX_SIDE:
            raise PictureError(f"is {width}x{height} pixels, at most {protocol.MAX_SIDE} a side are allowed")
        self._size = width, height
        container = av.open(self._file, "w", format="mp4")
        stream = container.add_stream("libx264", rate=self._rate, options=ENCODING)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.color_primaries, context.color_trc = BT709, SRGB
        context.colorspace, context.color_range = BT601, LIMITED
        return container, stream


def encode_movie(pngs: Iterable[Bytes], fps: float) -> bytes:
    """The MP4 file of PNG files of one size, in order. Raises MovieError."""
    movie = Movie(fps)
    for png in pngs:
        movie.add(png)
    return movie.finish()


def _av() -> Any:
    """PyAV, loaded when a take is finished: nothing before needs to wait for it, or to fail without it."""
    try:
        import av
    except ImportError as error:
        raise MovieError(f"The backend's Python cannot load av ({error}): install it with pip.") from None
    return av


def _failed(error: Exception) -> MovieError:
    return MovieError(f"The movie cannot be encoded ({error}).")
