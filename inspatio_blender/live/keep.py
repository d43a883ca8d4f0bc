"""A take made of a preview's pictures, without generating them again.

A preview's chain that began at the shot's first frame is the very take that Generate would make: same blocks, same
seed, so same pictures. As far as it came it is kept in whole blocks, and Continue goes on with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ...backend.protocol import blocks
from ...backend.protocol.files import Shot
from ...backend.protocol.takes import TakeWriter
from ..png import encode_png
from .flight import Recording
from .orders import Source
from .plan import Plan
from .store import Store


class NothingToKeep(Exception):
    """There are no pictures that a take could be made of; the message says what to do."""


@dataclass(frozen=True)
class Kept:
    """What becomes a take: the shot, of its cameras the first `count` in whole blocks, and their pictures' numbers.

    pieces: the scene frames at which another chain begins. chain: the one whose take stands right after them, if any.
    """

    shot: Shot
    numbers: tuple[float, ...]
    count: int
    pieces: tuple[float, ...]
    chain: int | None = None


def what_is_kept(source: Source, shot: Shot, recording: Recording | None) -> Kept:
    """The leading unbroken frames of a preview, or a recording. Raises NothingToKeep."""
    if recording is not None:
        cameras, numbers, chain = shot.cameras, recording.numbers, None
        count, starts = len(numbers), recording.pieces
        if len(cameras) != count:
            raise ValueError(f"a recording of {count} frames has {len(cameras)} cameras")
    elif isinstance(source, Plan):
        leading = source.leading()
        cameras, numbers, chain = leading.cameras, leading.cameras.frames, leading.chain
        count, starts = leading.count, leading.pieces
    else:
        raise NothingToKeep("Nothing was recorded: press Record while you fly")
    held = next((index for index in range(count) if not source.store.holds(numbers[index])), count)
    if recording is not None and held > 0:
        cameras, numbers = cameras.part(slice(held)), numbers[:held]
    whole = held if held == len(cameras) else _whole_blocks(held)
    if not whole:
        raise NothingToKeep("There is nothing to keep yet: wait for the first frames")
    pieces = tuple(cameras.frames[index] for index in starts if index < whole)
    return Kept(replace(shot, cameras=cameras), numbers, whole, pieces, chain if whole == count else None)


def write_blocks(
    kept: Kept, store: Store, writer: TakeWriter, snapshot: bytes | None
) -> Iterator[list[Path]]:
    """Write the take's blocks, the state with the last of them; yields the paths of each block's frames.

    Raises TakeWriteError; NothingToKeep where a picture was dropped meanwhile.
    """
    for span in blocks.blocks_of(kept.count):
        pictures = [store.read(number) for number in kept.numbers[span.start : span.stop]]
        if any(picture is None for picture in pictures):
            raise NothingToKeep("The preview's pictures are gone: keep it before it is changed")
        last = span.stop == kept.count
        yield writer.write_block(
            [encode_png(picture.array) for picture in pictures],
            snapshot if last else None,
            [picture.coverage for picture in pictures],
            seconds=0.0,
            milliseconds={},
            peak_mb=0.0,
        )


def _whole_blocks(frames: int) -> int:
    """The frames of the blocks that fit into so many."""
    if frames < blocks.FIRST_BLOCK:
        return 0
    return frames - (frames - blocks.FIRST_BLOCK) % blocks.NEXT_BLOCK
