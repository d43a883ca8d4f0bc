"""Which frames of the preview there are, as runs of one state (bpy-free)."""

from collections.abc import Mapping, Sequence
from typing import Literal

State = Literal["fresh", "stale"]
Run = tuple[int, int, State | None]
"""First and last frame, and what both and all between are; None: missing."""


def runs(frames: Sequence[int], states: Mapping[int, State]) -> list[Run]:
    """`frames`, which rise, as runs of one state; a frame without one is missing."""
    found: list[Run] = []
    for frame in frames:
        state = states.get(frame)
        if found and found[-1][1] == frame - 1 and found[-1][2] == state:
            found[-1] = (found[-1][0], frame, state)
        else:
            found.append((frame, frame, state))
    return found
