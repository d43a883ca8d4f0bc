"""What the stages of a take's blocks took."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ..protocol.blocks import block_span
from ..protocol.files import Take

STAGES = {
    "render": "Render the reference",
    "complete": "Complete holes",
    "encode": "Encode",
    "prefill": "Prefill",
    "denoise": "Denoise",
    "decode": "Decode",
    "finish": "Keep reference detail",
    "png": "PNG",
}
"""Stages of a block in their order, and what people are told."""
REST = "Everything else"


@dataclass(frozen=True)
class BlockTime:
    """What a block took: all of it, and each stage. Of the `generated` frames the last block may keep only some."""

    block: int
    frames: int
    generated: int
    seconds: float
    stages: Mapping[str, float]


@dataclass(frozen=True)
class StageTime:
    """A stage over several blocks: milliseconds a generated frame and a block, and its share of all their time."""

    stage: str
    frame_ms: float
    block_ms: float
    share: float

    @property
    def label(self) -> str:
        return STAGES.get(self.stage, self.stage)


def block_times(take: Take) -> list[BlockTime]:
    """What was timed of a take's blocks; one that was kept from a preview has none."""
    times = []
    for timing in take.timings:
        block, stages = timing.get("block"), timing.get("milliseconds")
        if not isinstance(block, int) or not 0 <= block < take.blocks_total:
            continue
        named = (
            {str(name): _number(value) for name, value in stages.items()} if isinstance(stages, dict) else {}
        )
        span = block_span(block, len(take.shot.cameras))
        times.append(BlockTime(block, span.count, span.size, _number(timing.get("seconds")), named))
    return [time for time in times if time.seconds or any(time.stages.values())]


def steady(times: list[BlockTime]) -> list[BlockTime]:
    """The blocks whose time is the generating's alone: the first also waits for the backend to begin."""
    return times[1:] if len(times) > 1 else times


def stage_times(times: list[BlockTime]) -> list[StageTime]:
    """The stages of some blocks in their order, at last what belongs to none: waiting, sending and writing."""
    totals = dict.fromkeys(stage_names(times), 0.0)
    for time in times:
        for stage, milliseconds in time.stages.items():
            totals[stage] += milliseconds
    # The next block may be prepared beside this one: then the stages together take longer than the blocks.
    rest = 1000 * sum(time.seconds for time in times) - sum(totals.values())
    if rest > 0:
        totals[REST] = rest
    whole, frames = sum(totals.values()), sum(time.generated for time in times)
    return [
        StageTime(stage, total / frames, total / len(times), total / whole if whole else 0.0)
        for stage, total in totals.items()
    ]


def stage_names(times: list[BlockTime]) -> list[str]:
    """The stages that occur, the known ones in their order first."""
    occur = dict.fromkeys(stage for time in times for stage in time.stages)
    return [stage for stage in STAGES if stage in occur] + sorted(occur.keys() - STAGES.keys())


def frames_a_second(times: list[BlockTime]) -> float | None:
    """Frames a second over some blocks; None where nothing was timed."""
    seconds = sum(time.seconds for time in times)
    return sum(time.frames for time in times) / seconds if seconds > 0 else None


def _number(value: object) -> float:
    """A time in a take.json that anyone may have written."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return 0.0
    return max(0.0, float(value))
