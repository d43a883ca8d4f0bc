"""What a scene folder holds, whichever version wrote it: a source, and the cameras that it is to be seen from.

The world is the first source camera; cameras are OpenCV's, poses world-to-camera, float64. Depth is planar z in the
unit of the poses: inf is sky, 0 is "no depth".
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

Show = Callable[[str, float], None]
"""Is given a line for a person, and the share that is done."""

Result = TypeVar("Result")

RELEASE_SIZE = 832, 480
"""Width and height that the release's checkpoints were made for: its folders have no other."""


class Picture(NamedTuple):
    """One view of a source, decoded when it is asked for, in whichever thread asks."""

    colour: Callable[[], np.ndarray]
    """(H, W, 3) uint8, red first."""
    depth: Callable[[], np.ndarray]
    """(H, W) float32."""


@dataclass(frozen=True)
class Scene:
    """A source and the target's cameras.

    kind: "still", "stills" or "moving"; a moving source has a view a frame.
    intrinsics (V, 3, 3), world_to_camera (V, 4, 4) of the source; target_world_to_camera (F, 4, 4).
    pictures: the views' pictures, from the first on, every time that it is called.
    """

    name: str
    prompt: str
    kind: str
    fps: float
    width: int
    height: int
    intrinsics: np.ndarray
    world_to_camera: np.ndarray
    target_world_to_camera: np.ndarray
    pictures: Callable[[], Iterator[Picture]]
    origin: str = ""


@contextmanager
def in_order(jobs: Iterable[Callable[[], Result]]) -> Iterator[Iterator[Result]]:
    """The results of jobs that run in threads, in order; a few are begun ahead.

    When the block has ended, for whatever reason, no job is running any more: what they wrote may be removed.
    """
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    pool = ThreadPoolExecutor(max_workers=workers + 1, thread_name_prefix="scene")

    def results() -> Iterator[Result]:
        waiting: deque[Future[Result]] = deque()
        for job in jobs:
            waiting.append(pool.submit(job))
            if len(waiting) > 2 * workers + 2:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    try:
        yield results()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
