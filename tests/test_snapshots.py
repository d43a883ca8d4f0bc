"""How often the state of a take is kept."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from backend.protocol import MAX_SNAPSHOT_BYTES
from backend.snapshots import INTERVAL, SMALL_BYTES, Snapshots


@dataclass
class FakeState:
    snapshot_bytes: int

    def snapshot(self) -> bytes:
        return b"state"


@pytest.mark.parametrize(
    ("size", "kept"),
    [
        (SMALL_BYTES, [0, 1, 2, 3, 4, 5, 6]),
        (SMALL_BYTES + 1, [3, 6]),
        (MAX_SNAPSHOT_BYTES, []),
    ],
)
def test_small_ones_always_large_ones_seldom_huge_ones_never(size: int, kept: list[int]) -> None:
    seconds = 0.0
    snapshots = Snapshots(lambda: seconds)
    seen = []
    for block in range(7):
        seconds = block * INTERVAL / 3
        if snapshots.after_block(FakeState(size)) is not None:
            seen.append(block)
    assert seen == kept
