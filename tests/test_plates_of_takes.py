"""Plates by the add-on's worker over a real backend process: with a take, after it, and whatever happens meanwhile.

The generator behind it is the stand-in of tests/painting_backend.py; plates are developed for real.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
from inspatio_addon.backend.protocol.files import PlateSettings, read_take
from inspatio_addon.backend.protocol.plates import missing_plates, plates_of
from inspatio_addon.inspatio_blender import jobs
from inspatio_addon.inspatio_blender.client import BackendError, Client
from test_movie import Bench

SIZE = PlateSettings(160, 120, 1.0)


@pytest.fixture
def bench(tmp_path: Path, painting_python: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, painting_python)
    bench.shot = replace(bench.shot, plate=SIZE)
    yield bench
    bench.worker.shutdown(None, timeout=5.0)


def ended(bench: Bench, job: jobs.Job) -> tuple[str, str]:
    event = bench.wait(job)
    assert isinstance(event, jobs.Ended)
    return event.state, event.message


def plates(bench: Bench, number: int) -> list[bytes]:
    folder = bench.folder / f"take_{number:03d}"
    return [path.read_bytes() for path in sorted((folder / "plate").glob("*.png"))]


def develop(bench: Bench, number: int, settings: PlateSettings) -> jobs.Job:
    references = (bench.folder / "reference" / "v001",)
    folder = bench.folder / f"take_{number:03d}"
    return bench.worker.submit(
        jobs.Develop(setup=bench.setup, folder=folder, references=references, settings=settings)
    )


def test_a_take_has_its_plates_also_when_it_was_continued(bench: Bench) -> None:
    assert ended(bench, bench.generate()) == ("finished", "")
    whole = plates(bench, 1)
    assert len(whole) == 30 and "Developing plates" in bench.stages
    assert cv2.imread(str(bench.folder / "take_001" / "plate" / "0030.png")).shape == (120, 160, 3)
    second = bench.generate()
    bench.wait(second, jobs.BlockDone)
    bench.worker.cancel(second)
    assert ended(bench, second)[0] == "cancelled"
    folder = bench.folder / "take_002"
    assert read_take(folder).frames_done < 30
    (folder / "plate" / "0002.png").unlink(missing_ok=True)
    assert ended(bench, bench.go_on(folder)) == ("finished", "")
    assert plates(bench, 2) == whole

    # Made anew in another strength, cancelled on the way, and completed.
    weaker = replace(SIZE, strength=0.5)
    job = develop(bench, 2, weaker)
    first = bench.wait(job, jobs.PlatesDone)
    assert isinstance(first, jobs.PlatesDone) and first.done == 12
    bench.worker.cancel(job)
    assert ended(bench, job)[0] == "cancelled"
    assert plates_of(folder) == weaker
    assert 12 <= 30 - len(missing_plates(folder, read_take(folder), weaker)) < 30
    assert ended(bench, develop(bench, 2, weaker)) == ("finished", "")
    assert len(plates(bench, 2)) == 30 and plates(bench, 2) != whole
    before = {path.name: path.stat().st_mtime_ns for path in (folder / "plate").iterdir()}
    assert ended(bench, develop(bench, 2, weaker)) == ("finished", ""), (
        "all are there, and none is made again"
    )
    assert {path.name: path.stat().st_mtime_ns for path in (folder / "plate").iterdir()} == before
    assert read_take(folder).state == "finished"


def test_a_take_is_finished_whatever_happens_to_its_plates(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise BackendError("out_of_memory", "There was not enough memory.", 507)

    made = Client.plates
    monkeypatch.setattr(Client, "plates", refused)
    job = bench.generate()
    assert ended(bench, job) == ("finished", "Not all plates are there: There was not enough memory.")
    take = read_take(bench.folder / "take_001")
    assert (take.state, take.frames_done) == ("finished", 30)
    assert ended(bench, develop(bench, 1, SIZE)) == ("failed", "There was not enough memory.")
    monkeypatch.setattr(Client, "plates", made)
    assert ended(bench, develop(bench, 1, SIZE)) == ("finished", "")
    assert len(plates(bench, 1)) == 30
