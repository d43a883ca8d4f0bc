"""A frame range is cut into blocks of 9, then 12, with nothing lost and nothing twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.protocol.blocks import (
    block_at,
    block_count,
    block_size,
    block_span,
    block_start,
    blocks_of,
    padded,
)
from backend.protocol.cameras import Cameras


@given(st.integers(1, 2000))
def test_blocks_tile_the_range(frames: int) -> None:
    spans = blocks_of(frames)
    assert [index for span in spans for index in range(span.start, span.stop)] == list(range(frames))
    assert [span.size for span in spans] == [9, *[12] * (len(spans) - 1)]
    assert all(span.count == span.size for span in spans[:-1])
    assert len(spans) == block_count(frames)


@pytest.mark.parametrize(("frames", "blocks"), [(0, 0), (1, 1), (9, 1), (10, 2), (21, 2), (22, 3), (97, 9)])
def test_block_counts(frames: int, blocks: int) -> None:
    assert block_count(frames) == blocks


def test_every_frame_lies_in_its_block() -> None:
    for span in blocks_of(100):
        assert span.start == block_start(span.number)
        assert {block_at(index) for index in range(span.start, span.stop)} == {span.number}


def test_there_is_no_block_behind_the_end_or_before_the_start() -> None:
    for block in (1, 5):
        with pytest.raises(ValueError):
            block_span(block, 9)
    with pytest.raises(ValueError):
        block_size(-1)
    with pytest.raises(ValueError):
        block_count(-1)


def test_a_last_block_is_filled_up_with_its_last_camera() -> None:
    lens = [1.0, 0, 0, 0, 1, 0, 0, 0, 1]
    poses = [[1.0, 0, 0, float(i), 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1] for i in range(11)]
    cameras = Cameras.checked([float(i) for i in range(11)], [lens] * 11, poses)
    assert cameras.block(0).frames == tuple(range(9))
    assert cameras.block(1).frames == (9.0, *[10.0] * 11)
    assert cameras.block(1).world_to_camera[-1] == tuple(poses[-1])
    with pytest.raises(ValueError):
        padded([], 9)
