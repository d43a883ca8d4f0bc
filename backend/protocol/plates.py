"""The plates of a take on disk: TAKE/plate/0001.png ..., and plate.json, which says what they were developed to.

A plate is made of files that are there, so it counts for itself: what is missing can be made at any time, and a folder
whose plates are of another size or strength is begun anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from . import MAX_PICTURE_BYTES, plates_at_a_time
from .cameras import Cameras
from .disk import FileFormatError, read_json, write_json, write_whole
from .files import PLATE_FILE, PLATE_FOLDER, PlateSettings, Take, frame_names

AT_A_TIME = 12
"""Most plates that are made between two words of progress."""

Develop = Callable[[Cameras, Sequence[bytes], PlateSettings], Sequence[bytes]]
"""Makes plates, PNG files, of frames, PNG files, with their cameras."""


class PlateWriteError(OSError):
    """The plates cannot be written; the message says why."""


def plates_of(folder: Path) -> PlateSettings | None:
    """What the plates in a take's folder were developed to; None where there are none."""
    try:
        return PlateSettings.from_json(PLATE_FILE, read_json(folder / PLATE_FOLDER / PLATE_FILE))
    except FileFormatError:
        return None


def missing_plates(folder: Path, take: Take, settings: PlateSettings) -> list[int]:
    """The frames of a take, counted from 0, that are there and have no plate of these settings."""
    names = frame_names(take.shot.cameras.frames)[: take.frames_done]
    if plates_of(folder) != settings:
        return list(range(len(names)))
    there = {path.name for path in (folder / PLATE_FOLDER).iterdir()}
    return [index for index, name in enumerate(names) if name not in there]


def shown_pictures(folder: Path, names: Sequence[str]) -> list[Path]:
    """What shows the frames `names` of the take in `folder`: their plates where each has one, else themselves."""
    plates = folder / PLATE_FOLDER
    if plates_of(folder) is not None and {path.name for path in plates.iterdir()}.issuperset(names):
        return [plates / name for name in names]
    return [folder / name for name in names]


def make_plates(folder: Path, take: Take, settings: PlateSettings, develop: Develop) -> Iterator[int]:
    """Make the plates that a take in `folder` lacks, some at a time; yields how many there are after each time.

    Plates of other settings go first. Raises PlateWriteError, FileFormatError for a frame that cannot be read, and
    what `develop` raises; plates that are made stay.
    """
    plates = folder / PLATE_FOLDER
    names = frame_names(take.shot.cameras.frames)
    try:
        plates.mkdir(exist_ok=True)
        if plates_of(folder) != settings:
            (plates / PLATE_FILE).unlink(missing_ok=True)
            for name in names:
                (plates / name).unlink(missing_ok=True)
            write_json(plates / PLATE_FILE, settings.to_json())
        missing = missing_plates(folder, take, settings)
    except OSError as error:
        raise _write_error(plates, error) from error
    done = take.frames_done - len(missing)
    for start, stop in _runs(missing, min(AT_A_TIME, plates_at_a_time(settings.width, settings.height))):
        frames = [_read(folder / name) for name in names[start:stop]]
        made = develop(take.shot.cameras.part(slice(start, stop)), frames, settings)
        try:
            for name, plate in zip(names[start:stop], made, strict=True):
                write_whole(plates / name, plate)
        except OSError as error:
            raise _write_error(plates, error) from error
        done += stop - start
        yield done


def _runs(numbers: Sequence[int], longest: int) -> Iterator[tuple[int, int]]:
    """Start and stop of runs of consecutive numbers, `longest` at most."""
    for _, group in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        run = [number for _, number in group]
        for start in range(0, len(run), longest):
            part = run[start : start + longest]
            yield part[0], part[-1] + 1


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_PICTURE_BYTES:
            raise FileFormatError(f"{path} is too large for a frame")
        return path.read_bytes()
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error


def _write_error(folder: Path, error: OSError) -> PlateWriteError:
    reason = (error.strerror or str(error)).lower()
    return PlateWriteError(f"{folder} cannot be written: {reason}. Make room, then press Make Plates.")
