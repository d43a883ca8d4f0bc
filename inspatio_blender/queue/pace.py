"""How long what is left of a queue will take, from how long frames took lately.

Seconds are counted by a clock that only runs forward, so that the time of day may be set to whatever it likes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ...backend.protocol import MAX_SIDE
from ...backend.protocol.fields import Fields
from ...backend.protocol.files import QUALITIES

MAX_PACES = 32
LONGEST_S = 86_400.0
"""A frame that takes longer was not being generated: the machine slept."""
NEWEST_COUNTS = 0.3
"""The share of a new measurement in what is known, so that one slow block changes little."""


@dataclass(frozen=True)
class Work:
    """What the time a frame takes depends on."""

    preset: str
    width: int
    height: int
    quality: str

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @staticmethod
    def from_fields(read: Fields) -> Work:
        return Work(
            read.text("preset", 100),
            read.integer("width", 16, MAX_SIDE),
            read.integer("height", 16, MAX_SIDE),
            read.choice("quality", QUALITIES),
        )


@dataclass(frozen=True)
class Pace:
    """Measured seconds for a frame of such work."""

    work: Work
    seconds: float

    def to_json(self) -> dict[str, Any]:
        return {**self.work.to_json(), "seconds": round(self.seconds, 5)}

    @staticmethod
    def from_json(content: Any) -> Pace:
        read = Fields("queue.json: paces", content)
        return Pace(Work.from_fields(read), min(read.number("seconds", above=0.0), LONGEST_S))


def pace_with(paces: tuple[Pace, ...], measured: Pace) -> tuple[Pace, ...]:
    """The paces with a new measurement, newest last; the oldest go."""
    if not 0.0 < measured.seconds < LONGEST_S:
        return paces
    known = next((pace for pace in paces if pace.work == measured.work), None)
    others = [pace for pace in paces if pace.work != measured.work]
    if known is not None:
        seconds = known.seconds + NEWEST_COUNTS * (measured.seconds - known.seconds)
        measured = replace(measured, seconds=seconds)
    return (*others, measured)[-MAX_PACES:]


def seconds_per_frame(paces: tuple[Pace, ...], work: Work) -> float | None:
    """What a frame of such work takes: as measured, else as that of another size of the preset, by their pixels."""
    kin = [pace for pace in paces if (pace.work.preset, pace.work.quality) == (work.preset, work.quality)]
    if not kin:
        return None
    same = next((pace for pace in kin if pace.work == work), None)
    if same is not None:
        return same.seconds
    nearest = kin[-1]
    return nearest.seconds * (work.width * work.height) / (nearest.work.width * nearest.work.height)


def seconds_left(paces: tuple[Pace, ...], left: Iterable[tuple[Work, int]]) -> float | None:
    """Seconds for so many frames of each work; None while the time of any of them was never measured."""
    total = 0.0
    for work, frames in left:
        if frames <= 0:
            continue
        seconds = seconds_per_frame(paces, work)
        if seconds is None:
            return None
        total += frames * seconds
    return total


class Stopwatch:
    """Measures the pace of one take, block by block.

    A first block is measured from the press of the button, with the backend's start and the warm-up: it counts only
    while nothing else is known.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._first: tuple[float, int] | None = None
        self._seconds, self._frames = 0.0, 0

    def block(self, seconds: float, frames: int) -> None:
        """A block of so many frames took so long."""
        if frames <= 0 or seconds <= 0.0:
            return
        if self._first is None:
            self._first = (seconds, frames)
        else:
            self._seconds, self._frames = self._seconds + seconds, self._frames + frames

    @property
    def pace(self) -> Pace | None:
        """What was measured; None before the first block."""
        if self._frames:
            return Pace(self._work, self._seconds / self._frames)
        return Pace(self._work, self._first[0] / self._first[1]) if self._first is not None else None
