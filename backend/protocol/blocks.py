"""How a frame range is cut into blocks: 9 frames first, then 12.

The autoencoder turns frame 0 alone into one latent and every four later frames into one more; a block is
three latents, so the first holds 1 + 4 + 4 frames and each later one 12. A last block that holds fewer real
frames is filled up with its last camera and the surplus frames are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

FIRST_BLOCK = 9
NEXT_BLOCK = 12
BLOCK_SIZES = (FIRST_BLOCK, NEXT_BLOCK)

Item = TypeVar("Item")


def block_size(block: int) -> int:
    """Frames that block number `block` (from 0) yields."""
    if block < 0:
        raise ValueError(f"block numbers start at 0, got {block}")
    return FIRST_BLOCK if block == 0 else NEXT_BLOCK


def block_start(block: int) -> int:
    """Frames that lie before block number `block`."""
    return 0 if block == 0 else FIRST_BLOCK + (block - 1) * NEXT_BLOCK


def block_at(index: int) -> int:
    """The block that the frame of this index (from 0) lies in."""
    return 0 if index < FIRST_BLOCK else 1 + (index - FIRST_BLOCK) // NEXT_BLOCK


def block_count(frames: int) -> int:
    """Blocks it takes to generate `frames` frames."""
    if frames < 0:
        raise ValueError(f"a shot cannot have {frames} frames")
    if frames <= FIRST_BLOCK:
        return 0 if frames == 0 else 1
    return 1 + -(-(frames - FIRST_BLOCK) // NEXT_BLOCK)


@dataclass(frozen=True)
class Span:
    """Where block `number` lies in a shot: it yields `size` frames from index `start` on, `count` of them real."""

    number: int
    start: int
    size: int
    count: int

    @property
    def stop(self) -> int:
        """One past the index of the block's last real frame."""
        return self.start + self.count


def block_span(block: int, frames: int) -> Span:
    """The span of `block` in a shot of `frames` frames; raises ValueError for a block behind its end."""
    size = block_size(block)
    start = block_start(block)
    if start >= frames:
        raise ValueError(f"a shot of {frames} frames has no block {block}")
    return Span(block, start, size, min(size, frames - start))


def blocks_of(frames: int) -> list[Span]:
    """The spans of every block of a shot of `frames` frames, in order."""
    return [block_span(block, frames) for block in range(block_count(frames))]


def padded(items: Sequence[Item], size: int) -> list[Item]:
    """`items` followed by repeats of its last one, `size` in all."""
    if not items or len(items) > size:
        raise ValueError(f"cannot fill {len(items)} items up to {size}")
    return [*items, *[items[-1]] * (size - len(items))]
