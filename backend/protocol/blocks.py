"""How a frame range is cut into blocks: 9 frames first, then 12.

The autoencoder turns frame 0 alone into one latent and every four later frames into one more; a block is
three latents, so the first holds 1 + 4 + 4 frames and each later one 12. A last block that holds fewer real
frames is filled up with its last camera and the surplus frames are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
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


def block_count(frames: int) -> int:
    """Blocks it takes to generate `frames` frames."""
    if frames < 0:
        raise ValueError(f"a shot cannot have {frames} frames")
    if frames <= FIRST_BLOCK:
        return 0 if frames == 0 else 1
    return 1 + -(-(frames - FIRST_BLOCK) // NEXT_BLOCK)


def block_span(block: int, frames: int) -> tuple[int, int]:
    """First index and one past the last index of the real frames of `block` in a shot of `frames` frames."""
    start = 0 if block == 0 else FIRST_BLOCK + (block - 1) * NEXT_BLOCK
    stop = min(start + block_size(block), frames)
    if start >= stop:
        raise ValueError(f"a shot of {frames} frames has no block {block}")
    return start, stop


def padded(items: Sequence[Item], size: int) -> list[Item]:
    """`items` followed by repeats of its last one, `size` in all."""
    if not items or len(items) > size:
        raise ValueError(f"cannot fill {len(items)} items up to {size}")
    return [*items, *[items[-1]] * (size - len(items))]
