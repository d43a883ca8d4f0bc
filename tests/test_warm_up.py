"""The add-on's worker tells how far a large preset's warm-up is, and can be cancelled meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from inspatio_addon.inspatio_blender import jobs
from test_movie import Bench

SECONDS = 6.0


@pytest.fixture
def cold(tmp_path: Path, painting_python: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, painting_python)
    bench.setup = replace(bench.setup, environment={"INSPATIO_PAINT_WARM_UP": str(SECONDS)})
    yield bench
    bench.worker.shutdown(None, timeout=5.0)


def test_the_stages_of_a_warm_up_are_told(cold: Bench) -> None:
    cold.wait(cold.generate(), jobs.TakeStarted)
    told = [text for text in cold.stages if text.startswith("Warming")]
    assert told == [f"Warming up, {share}%" for share in (25, 75)]


def test_a_warm_up_is_cancelled_at_once_and_leaves_no_take(cold: Bench) -> None:
    job = cold.generate()
    while not any(text.startswith("Warming") for text in cold.stages):
        cold.wait(job, jobs.Stage)
    began = time.monotonic()
    cold.worker.cancel(job)
    ended = cold.wait(job)
    assert isinstance(ended, jobs.Ended) and ended.state == "cancelled"
    assert time.monotonic() - began < SECONDS / 3
    assert not list(cold.folder.glob("take_*"))
