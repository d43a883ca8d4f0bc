"""What a preview has generated next: orders, and where they come from.

The main thread tells a source what has changed (cameras, playhead); the worker's thread asks it for the next order and
tells it what came of the last. Neither waits for the other: the lock is held for the time of a decision.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...backend.protocol.cameras import Cameras
from .store import Store

_serials = itertools.count(1)


def next_serial() -> int:
    """A number that grows and is never given twice."""
    return next(_serials)


@dataclass(frozen=True)
class Order:
    """One block to generate. A chain is an unbroken causal run of blocks: one take of the backend's.

    serial: grows, never given twice. block: its number in the chain. frames: those that it is for, without what a
    last block is filled up with; cameras: all that the block has. following: those of the chain's next block, where it
    will go on. rewind_to: the block that the chain's take has to stand before first, where it may not. chains: those
    whose takes stay open. replay: every frame of it is there, and only the state after it is needed.
    """

    serial: int
    chain: int
    block: int
    frames: tuple[float, ...]
    cameras: Cameras
    following: Cameras | None = None
    rewind_to: int | None = None
    chains: frozenset[int] = frozenset()
    replay: bool = False
    digest: bytes = b""
    """Of the cameras of the chain's blocks up to this one."""


@dataclass(frozen=True)
class Origin:
    """What pictures were generated from and by, as a take's file says it."""

    reference_digest: str
    preset_digest: str
    backend_version: str
    device: str


class Source:
    """What a `Plan` and a `Flight` have in common. Any thread; no call waits for the backend or the disk."""

    endless = False
    """Whether it only goes forward: none of its blocks is generated again."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.origin: Origin | None = None
        """What the pictures come from; None until the first take is open."""
        self.changes = 0
        """Grows whenever `next` may answer something else."""
        self.blocks_generated = 0
        """Blocks that gave frames."""
        self.blocks_replayed = 0
        """Blocks generated again for the state after them alone, since it was lost."""
        self._lock = threading.Lock()
        self._turn = threading.Condition()
        self._closed = False
        self._in_flight: Order | None = None

    @property
    def closed(self) -> bool:
        """Whether there will be no more orders."""
        return self._closed

    @property
    def working(self) -> tuple[float, ...]:
        """The frames of the block that is being generated."""
        order = self._in_flight
        return () if order is None else order.frames

    @property
    def in_flight_is_stale(self) -> bool:
        """Whether the block that is being generated would show what is not so any more."""
        raise NotImplementedError

    def next(self) -> Order | None:
        """What to generate now; None where there is nothing to do."""
        raise NotImplementedError

    def done(self, order: Order, coverage: Sequence[float], pictures: Sequence[np.ndarray]) -> int:
        """Take in a generated block: its pictures, (H, W, 3) uint8 each, go to the store as far as they are needed.

        Returns how many those are. What lies behind `order.frames` is dropped.
        """
        raise NotImplementedError

    def failed(self, order: Order) -> None:
        """The block was not generated, or nobody knows: the chain's take has to be rewound before it goes on."""
        raise NotImplementedError

    def rewound(self, order: Order, block: int) -> bool:
        """The chain's take stands before `block` now; whether the order can be carried out. If not, ask anew."""
        raise NotImplementedError

    def lost(self, chain: int | None = None) -> None:
        """The take of a chain, or all of them, are gone from the backend; the pictures stay."""
        raise NotImplementedError

    def wait(self, since: int, timeout: float | None = None) -> None:
        """Wait until `changes` is not `since` any more, at most `timeout` seconds."""
        with self._turn:
            self._turn.wait_for(lambda: self.changes != since, timeout)

    def wake(self) -> None:
        """Say that something has changed."""
        with self._turn:
            self.changes += 1
            self._turn.notify_all()

    def close(self) -> None:
        """There are no more orders from now on."""
        with self._lock:
            self._closed = True
        self.wake()
