"""When a take's state is kept: after every block where it is small, else so seldom that it costs little.

A take that stopped goes on from the newest state; blocks after it are generated again, to the same frames. So a state
may be old, or missing: that costs time when a take is continued, never a frame.

    tiny, 256x144       0.4 MB   after every block
    Draft, 832x480      180 MB   every half minute
    Final, 832x480      2.9 GB   never: it would take longer to write than the blocks take to generate again
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from .protocol import MAX_SNAPSHOT_BYTES, MIB

SMALL_BYTES = 16 * MIB
INTERVAL = 30.0
"""Seconds between two large states."""


class Keeps(Protocol):
    """What has a state to keep."""

    @property
    def snapshot_bytes(self) -> int: ...
    def snapshot(self) -> bytes: ...


class Snapshots:
    """The states of one take; ask `after_block` once a block."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()

    def after_block(self, session: Keeps) -> bytes | None:
        """The state after the block that was just generated, or None where it isn't worth keeping."""
        size = session.snapshot_bytes
        if size > SMALL_BYTES and self._clock() - self._last < INTERVAL:
            return None
        self._last = self._clock()
        return self.now(session)

    def now(self, session: Keeps) -> bytes | None:
        """The state, or None where it is too large to be handed over."""
        # The form around the tensors takes a little, too.
        return None if session.snapshot_bytes > MAX_SNAPSHOT_BYTES - MIB else session.snapshot()
