"""What a change in the scene means for its preview, and when it counts. Knows nothing of Blender.

    another mode, reference, size, preset, seed …   every picture is of something else: begin anew
    another camera, range, key, parent …            read the cameras again; which pictures are stale, the plan knows
    a transform that is being dragged               nothing yet: it counts when the mouse is let go
    the first change after quiet                    read at once, as far as that takes no time: often it is the only one

`Playback` says which picture of a flight is to be seen when.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

DEBOUNCE_S = 0.03
"""How long nothing has to change before the cameras are read again."""
QUIET_S = 0.25
"""What changes after nothing did for so long is likely the only change, or the first of many."""

Meaning = Literal["nothing", "sample", "begin"]


@dataclass(frozen=True)
class Wish:
    """What a preview is asked to show, at a glance: cheap to read at each tick.

    made: what pictures are made with besides cameras. seen: what the cameras are read from, as far as Blender does not
    tell when it changes. source: the name of the reference's version.
    """

    mode: str
    source: str
    made: tuple[Any, ...]
    seen: tuple[Any, ...]

    def since(self, before: Wish | None) -> Meaning:
        """What it means that `before` became this."""
        if before is None or (self.mode, self.source, self.made) != (before.mode, before.source, before.made):
            return "begin"
        return "nothing" if self.seen == before.seen else "sample"


class Debounce:
    """Many changes one after another count as one, when they are over."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._noted = -math.inf

    @property
    def waiting(self) -> bool:
        """Whether something has changed that did not count yet."""
        return self._last is not None

    def note(self, now: float) -> bool:
        """Something has changed at `now` seconds; whether that is the first change after quiet."""
        quiet = now - self._noted >= QUIET_S
        self._last = self._noted = now
        return quiet

    def due(self, now: float, dragging: bool) -> bool:
        """Whether what has changed counts now; it does so once."""
        if self._last is None:
            return False
        if dragging:
            self._last = self._noted = now
            return False
        if now - self._last < DEBOUNCE_S:
            return False
        self._last = None
        return True


def dragging(operators: Iterable[str]) -> bool:
    """Whether one of the modal operators that run moves something by the mouse."""
    return any(name.startswith(("TRANSFORM_OT_", "VIEW3D_OT_")) for name in operators)


@dataclass
class Playback:
    """A flight's pictures at the rate they are made: each block lasts as long as it took, and is seen once it is there.

    A block that arrives early, or late, is begun at once: the newest is always on the screen.
    """

    first: float = 0.0
    count: int = 0
    seconds: float = 0.0
    began: float = 0.0

    def arrived(self, first: float, count: int, seconds: float, now: float) -> None:
        """A block is there since `now`: its pictures are `first` and so on."""
        self.first, self.count, self.seconds, self.began = first, count, seconds, now

    def number(self, now: float) -> float | None:
        """The picture to be seen; None before the first block."""
        if not self.count:
            return None
        elapsed = max(0.0, now - self.began)
        share = elapsed / self.seconds if elapsed < self.seconds else 1.0  # Its seconds may be none at all.
        return self.first + min(self.count - 1, int(share * self.count))
