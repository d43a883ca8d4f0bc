"""A report as it is made: of a take's description first, then of its frames, one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2

from .. import protocol
from ..pictures import Bytes, PictureError, decode_png, png_size
from ..protocol.disk import write_whole
from ..protocol.files import REPORT_FILE, Reference, Take, frame_names, read_take
from ..protocol.reports import reference_of, sheet_paths
from .page import Thumbnail, page

SIDE = 384
"""Longest side of a picture on the contact sheet, in pixels."""
MAX_JPEG_BYTES = 96 * 1024
"""Of one picture: twenty make 2.5 MB of HTML."""
JPEG_QUALITIES = (90, 75, 50, 25, 5)


class ReportError(Exception):
    """There is no report; the message says why."""


@dataclass(frozen=True)
class _Place:
    index: int
    frame: float


class Report:
    """A report that is being made. `add` is given frames of `sheet_paths`, in order; `finish` gives the file."""

    def __init__(self, take: Take, reference: Reference | None = None) -> None:
        """reference: the one that the take was made from; without it no views are drawn."""
        if not take.frames_done:
            raise ReportError(f"Take {take.number} has no frames yet: generate some first.")
        frames = take.shot.cameras.frames
        names = frame_names(frames)[: take.frames_done]
        self._take, self._reference = take, reference
        self._places = {
            name: _Place(index, frame) for index, (name, frame) in enumerate(zip(names, frames, strict=False))
        }
        self._sheet: list[Thumbnail] = []

    def add(self, name: str, png: Bytes) -> None:
        """Put a frame of the take on the contact sheet. Raises ReportError, also for one that is damaged."""
        place = self._places.get(name)
        if place is None:
            raise ReportError(f"{name} is no frame of take {self._take.number}.")
        if len(self._sheet) == protocol.MAX_SHEET:
            raise ReportError(f"A contact sheet has at most {protocol.MAX_SHEET} frames.")
        try:
            jpeg, width, height = _jpeg(png)
        except PictureError as error:
            raise ReportError(f"{name} {error}.") from None
        coverage = self._take.coverage[place.index] if place.index < len(self._take.coverage) else None
        self._sheet.append(Thumbnail(name, place.frame, coverage, jpeg, width, height))

    def finish(self) -> bytes:
        """The HTML file."""
        return page(self._take, self._reference, self._sheet).encode()


def make_report(folder: Path, take: Take) -> bytes:
    """The report of a take in its folder, of which `take` is what take.json says or is about to say.

    Raises ReportError.
    """
    report = Report(take, reference_of(folder, take))
    for path in sheet_paths(folder, take):
        try:
            png = path.read_bytes()
        except FileNotFoundError:
            raise ReportError(f"{path.name} is missing in {folder}.") from None
        except OSError as error:
            raise ReportError(f"{path} cannot be read: {error.strerror}.") from error
        report.add(path.name, png)
    return report.finish()


def write_report(folder: Path) -> Path:
    """Write report.html into a take's folder, in place of one that is there; returns its path.

    Raises FileFormatError for a broken take.json, ReportError, and OSError where it cannot be written.
    """
    path = folder / REPORT_FILE
    write_whole(path, make_report(folder, read_take(folder)))
    return path


def _jpeg(png: Bytes) -> tuple[bytes, int, int]:
    """A frame as a small JPEG, its width and height. Raises PictureError."""
    width, height = png_size(png)
    if max(width, height) > protocol.MAX_SIDE:
        raise PictureError(f"is {width}x{height} pixels, at most {protocol.MAX_SIDE} a side are allowed")
    picture = decode_png(png, width, height)[:, :, ::-1]
    scale = SIDE / max(width, height)
    if scale < 1:
        width, height = max(1, round(scale * width)), max(1, round(scale * height))
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    for quality in JPEG_QUALITIES:
        done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if not done:
            raise PictureError("cannot be made smaller")
        if len(data) <= MAX_JPEG_BYTES:
            break
    return data.tobytes(), width, height
