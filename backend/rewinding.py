"""What previews can go back to: the states before their blocks, of all previews together within a bound of bytes.

    past = Past(room, session.state)          before block 0
    past.keep(session.state)                  after every block
    session.go_to(past.back_to(block))        the newest that is not behind `block`; later ones are forgotten

The newest state of a preview is its session's own and costs nothing; as soon as it is past, it lies in the host's
memory. Where past ones take too much room, that goes which leaves the shortest gap, so that what stays of a preview
with n blocks lies evenly over them: with room for half of them no gap is longer than two blocks, for a quarter four.
The first state of a preview, which holds nothing, and its newest always stay. Of one without end (a flown camera, which
nobody asks to go back) only those and the one before the newest: it would fill the room with what is never used.
"""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass
from itertools import count
from typing import Generic, Protocol, Self, TypeVar

from .protocol import MIB

MAX_PAST_BYTES = 1024 * MIB
"""Host memory that the past states of all previews may take together."""


class Keepable(Protocol):
    """What is asked of a `State`."""

    @property
    def block(self) -> int: ...
    @property
    def host_bytes(self) -> int: ...
    def on_host(self) -> Self: ...


S = TypeVar("S", bound=Keepable)


class Room:
    """The bound that the pasts of all previews share. A past that nobody holds any more takes no room."""

    def __init__(self, limit: int = MAX_PAST_BYTES) -> None:
        self.limit = limit
        self.lock = threading.RLock()
        self._pasts: weakref.WeakSet[Past] = weakref.WeakSet()  # type: ignore[type-arg]
        self._numbers = count()

    @property
    def bytes(self) -> int:
        """What is taken of it."""
        with self.lock:
            return sum(past.bytes for past in self._pasts)

    def enter(self, past: Past[S]) -> int:
        """Count a past; its number says how old it is."""
        with self.lock:
            self._pasts.add(past)
            return next(self._numbers)

    def thin(self) -> None:
        """Have the states that leave the shortest gaps forgotten, of equal ones the oldest, until all others fit."""
        with self.lock:
            while self.bytes > self.limit:
                gaps = [(*gap, past) for past in self._pasts if (gap := past.shortest_gap()) is not None]
                if not gaps:
                    return
                _, _, index, past = min(gaps, key=lambda gap: gap[:3])
                past.forget(index)


@dataclass(eq=False)
class _Held(Generic[S]):
    """A state; `bytes` is what it takes of the room."""

    state: S
    bytes: int = 0


class Past(Generic[S]):
    """The states of one preview, in order of their blocks. Of one thread at a time."""

    def __init__(self, room: Room, first: S, endless: bool = False) -> None:
        self._room = room
        self._endless = endless
        self._held = [_Held(first)]
        self._number = room.enter(self)

    @property
    def blocks(self) -> list[int]:
        """The blocks that can be gone back to."""
        return [held.state.block for held in self._held]

    @property
    def bytes(self) -> int:
        """What it takes of the room."""
        return sum(held.bytes for held in self._held)

    def keep(self, state: S) -> None:
        """Keep the state that the session has come to: a later one than those kept."""
        with self._room.lock:
            before = self._held[-1]
            before.bytes = before.state.host_bytes
            self._held.append(_Held(state))
            if self._endless:
                del self._held[1:-2]
            self._room.thin()
            if before in self._held:
                before.state = before.state.on_host()

    def back_to(self, block: int) -> S:
        """The newest state that is not behind `block`, counted from 0; those behind it are forgotten."""
        with self._room.lock:
            while len(self._held) > 1 and self._held[-1].state.block > block:
                self._held.pop()
            return self._held[-1].state

    def shortest_gap(self) -> tuple[int, int, int] | None:
        """The blocks between the neighbours of the state that is missed least, the past's number, and its index."""
        blocks = self.blocks
        gaps = [
            (blocks[index + 1] - blocks[index - 1], self._number, index)
            for index in range(1, len(blocks) - 1)
        ]
        return min(gaps, default=None)

    def forget(self, index: int) -> None:
        """Let a state go."""
        del self._held[index]
