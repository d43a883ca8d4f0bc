"""A preview by the add-on's worker over a real backend process: generated, edited, interrupted, killed, kept.

The generator behind it is the stand-in of tests/painting_backend.py, or the real tiny where pixels count.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from inspatio_addon.backend.protocol.files import PlateSettings
from inspatio_addon.inspatio_blender import jobs
from inspatio_addon.inspatio_blender.client import Client
from inspatio_addon.inspatio_blender.live.flight import Flight
from inspatio_addon.inspatio_blender.live.plan import Plan
from inspatio_addon.inspatio_blender.live.store import Store
from inspatio_addon.inspatio_blender.worker import Worker
from movies import check_film
from references import lens, pose, write_shot

from backend.protocol.blocks import block_count
from backend.protocol.cameras import Cameras
from backend.protocol.files import Shot, read_take

ROOT = Path(__file__).resolve().parent.parent
WIDTH, HEIGHT = 64, 48
PATIENCE = 120.0


class Bench:
    """The add-on's worker at work on a preview of a shot of 57 frames, which are five blocks."""

    def __init__(self, folder: Path, python: Path | str, environment: dict[str, str]) -> None:
        self.folder = folder
        written = write_shot(folder / "made", frames=57, width=WIDTH, height=HEIGHT)
        self.shot: Shot = replace(written, reference="reference/v001")
        (folder / "reference").mkdir()
        self.reference = (folder / "made" / "reference").rename(folder / "reference" / "v001")
        self.worker = Worker()
        self.setup = jobs.Setup(str(python), ROOT, folder / "backend.log", True, environment)
        self.store = Store(64 << 20, folder / "pictures", 64 << 20)
        self.plan = Plan(self.store, self.shot.cameras)
        self.events: list[jobs.Event] = []
        self.heard = threading.Condition()
        self._ended = False
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while not self._ended:
            try:
                event = self.worker.events.get(timeout=0.1)
            except queue.Empty:
                continue
            with self.heard:
                self.events.append(event)
                self.heard.notify_all()

    def end(self) -> None:
        self.worker.shutdown(None, timeout=5.0)
        self.store.close()
        self._ended = True

    def preview(self, source: Plan | Flight | None = None, **settings: object) -> jobs.Preview:
        shot = self.shot
        job = jobs.Preview(
            setup=self.setup,
            source=source or self.plan,
            reference=self.reference,
            **{"preset": "tiny", "width": WIDTH, "height": HEIGHT, "seed": shot.seed, **settings},
        )
        self.worker.submit(job)
        return job

    def keep(self, **more: object) -> jobs.Keep:
        job = jobs.Keep(
            setup=self.setup,
            **{
                "source": self.plan,
                "shot": self.shot,
                "folder": self.folder,
                "reference": self.reference,
                **more,
            },
        )
        self.worker.submit(job)
        return job

    def generate(self) -> jobs.Generate:
        job = jobs.Generate(
            setup=self.setup,
            shot=self.shot,
            folder=self.folder,
            reference=self.reference,
            check_coverage=False,
        )
        self.worker.submit(job)
        return job

    def until(self, holds: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Wait until something holds, which is asked after every event and now and then."""
        deadline = time.monotonic() + seconds
        with self.heard:
            while not holds():
                assert time.monotonic() < deadline, self.events[-5:]
                assert not any(
                    isinstance(event, jobs.Ended) and event.state == "failed" for event in self.events
                ), self.events[-5:]
                self.heard.wait(0.02)

    def of(self, kind: type[jobs.Event], job: jobs.Job | None = None) -> list:
        return [e for e in self.events if isinstance(e, kind) and (job is None or e.job == job.id)]

    def ended(self, job: jobs.Job) -> jobs.Ended:
        """The job's last event."""
        deadline = time.monotonic() + PATIENCE
        with self.heard:
            while not self.of(jobs.Ended, job):
                assert time.monotonic() < deadline, self.events[-5:]
                self.heard.wait(0.1)
        return self.of(jobs.Ended, job)[0]

    def cancel(self, job: jobs.Preview) -> None:
        self.worker.cancel(job)
        assert self.ended(job).state == "cancelled"

    def complete(self) -> None:
        self.until(lambda: self.plan.missing == 0 and not self.plan.working)
        self.until(lambda: self.told() == self.plan.blocks_generated)  # An event later than its pictures.

    def told(self) -> int:
        return len(self.of(jobs.PreviewBlock))

    def generated(self) -> int:
        return self.plan.blocks_generated

    def status(self) -> dict:
        ready = self.worker.backend.ready
        return Client(ready.port, ready.token).status()


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def bench(tmp_path: Path, painting_python: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    seconds = getattr(request, "param", 0.0)
    bench = Bench(tmp_path, painting_python, {"INSPATIO_PAINT_SECONDS": str(seconds)})
    yield bench
    bench.end()


slowly = pytest.mark.parametrize("bench", [0.5], indirect=True)


def turned(cameras: Cameras, first: int, by: float = 0.3) -> Cameras:
    """Other cameras from index `first` on."""
    poses = [
        tuple(pose(x=by, y=0.01 * index)) if index >= first else m
        for index, m in enumerate(cameras.world_to_camera)
    ]
    return replace(cameras, world_to_camera=tuple(poses))


def bar(picture: np.ndarray) -> int:
    """How many frames of its take were painted before this one: the stand-in writes it into the bar's blue."""
    row = picture[-3].astype(int)
    at = np.flatnonzero((row[:, 0] == 255) & (row[:, 1] == 3))
    return int(row[at[0], 2]) // 7


def test_a_preview_is_generated_to_its_end_and_then_rests(bench: Bench) -> None:
    job = bench.preview()
    bench.complete()
    assert bench.generated() == block_count(57) == 5
    assert [event.first for event in bench.of(jobs.PreviewBlock, job)] == [1.0, 10.0, 22.0, 34.0, 46.0]
    assert sum(event.count for event in bench.of(jobs.PreviewBlock, job)) == 57
    for index, frame in enumerate(bench.shot.cameras.frames[:36]):
        picture = bench.store.get(frame)
        assert picture.array.shape == (HEIGHT, WIDTH, 3)
        assert not picture.stale and 0.5 < picture.coverage <= 1.0
        assert bar(picture.array) == index
    spent = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - spent < 0.05, "it waits without turning"
    bench.cancel(job)
    assert bench.status()["state"] == "idle"


def test_an_edit_restarts_from_the_block_before_it(bench: Bench) -> None:
    job = bench.preview()
    bench.complete()
    bench.plan.set_cameras(turned(bench.shot.cameras, 25))
    bench.worker.interrupt_block(job)
    bench.complete()
    assert (bench.generated(), bench.plan.blocks_replayed) == (5 + 3, 0)
    assert [event.first for event in bench.of(jobs.PreviewBlock, job)][5:] == [22.0, 34.0, 46.0]
    # From the state before the third block: the frames count on from there.
    assert [bar(bench.store.get(frame).array) for frame in (21.0, 22.0, 34.0)] == [20, 21, 33]


@slowly
def test_a_block_in_flight_that_became_stale_is_dropped_and_no_other(bench: Bench) -> None:
    job = bench.preview()
    bench.until(lambda: bench.plan.working and bench.plan.working[0] == 22.0)
    assert not bench.plan.set_cameras(turned(bench.shot.cameras, 50))
    bench.worker.interrupt_block(job)
    bench.until(lambda: bench.plan.working and bench.plan.working[0] == 34.0)
    assert bench.generated() == 3, "it was not dropped"
    serial = bench.plan._in_flight.serial
    assert bench.plan.set_cameras(turned(bench.shot.cameras, 34))
    bench.worker.interrupt_block(job)
    bench.until(lambda: bench.plan.working and bench.plan._in_flight.serial != serial)
    assert bench.generated() == 3, "it was generated to its end"
    bench.complete()
    assert bench.generated() == 5
    assert set(bench.store.frames().values()) == {"fresh"}
    assert [bar(bench.store.get(frame).array) for frame in (33.0, 34.0)] == [32, 33]


@slowly
def test_killed_it_is_started_again_and_the_pictures_stay(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspatio_addon.inspatio_blender.process.RESTART_INTERVAL", 1.0)
    job = bench.preview()
    bench.until(lambda: bench.plan.working and bench.plan.working[0] == 22.0)
    pid = bench.worker.backend.ready.pid
    os.kill(pid, signal.SIGKILL)
    bench.until(lambda: bench.of(jobs.PreviewPaused, job))
    assert "signal 9" in bench.of(jobs.PreviewPaused, job)[0].message
    assert set(bench.store.frames()) == set(map(float, range(1, 22)))
    assert set(bench.store.frames().values()) == {"fresh"}
    bench.complete()
    assert bench.worker.backend.ready.pid != pid
    assert (bench.generated(), bench.plan.blocks_replayed) == (5, 2)
    assert [bar(bench.store.get(frame).array) for frame in (21.0, 22.0, 34.0)] == [20, 21, 33]
    assert len(bench.of(jobs.PreviewPaused, job)) == 1


def test_killed_while_it_rests_it_comes_back_with_the_next_edit(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspatio_addon.inspatio_blender.process.RESTART_INTERVAL", 0.0)
    bench.preview()
    bench.complete()
    os.kill(bench.worker.backend.ready.pid, signal.SIGKILL)
    bench.plan.set_cameras(turned(bench.shot.cameras, 50))
    bench.complete()
    assert (bench.generated(), bench.plan.blocks_replayed) == (5 + 1, 4)


def test_a_backend_that_dies_again_and_again_ends_the_preview(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspatio_addon.inspatio_blender.process.RESTART_INTERVAL", 0.0)
    ask = Client.preview_block

    def killed(client: Client, *request: object) -> object:
        os.kill(bench.worker.backend.ready.pid, signal.SIGKILL)
        return ask(client, *request)

    monkeypatch.setattr(Client, "preview_block", killed)
    job = bench.preview()
    ended = bench.ended(job)
    assert ended.state == "failed" and "does not answer" in ended.message
    assert len(bench.of(jobs.PreviewPaused, job)) == 3


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"preset": "none"}, "none"), ({"width": 63}, "63"), ({"seed": -1}, "seed")],
)
def test_what_cannot_be_generated_is_refused_with_a_sentence(
    bench: Bench, settings: dict[str, object], words: str
) -> None:
    ended = bench.ended(bench.preview(**settings))
    assert ended.state == "failed" and words in ended.message


@slowly
def test_a_closed_source_or_a_cancelled_job_ends_within_a_second(bench: Bench) -> None:
    job = bench.preview()
    bench.until(lambda: bench.plan.working)
    began = time.monotonic()
    bench.cancel(job)
    assert time.monotonic() - began < 1.0
    again = bench.preview()
    bench.until(lambda: bench.store.holds(10.0))
    bench.plan.close()
    assert bench.ended(again).state == "finished"
    assert bench.status()["state"] == "idle"


@slowly
def test_it_gives_way_to_a_take_and_goes_on_afterwards(bench: Bench) -> None:
    job = bench.preview()
    bench.until(lambda: bench.store.holds(10.0))
    take = bench.generate()
    assert bench.ended(take).state == "finished"
    assert not bench.of(jobs.Ended, job)
    bench.complete()
    assert bench.generated() == 5
    assert read_take(bench.folder / "take_001").frames_done == 57
    bench.cancel(job)


@slowly
def test_a_take_is_cancelled_without_the_preview_and_the_other_way_round(bench: Bench) -> None:
    job = bench.preview()
    bench.until(lambda: bench.store.holds(10.0))
    take = bench.generate()
    bench.until(lambda: bench.of(jobs.BlockDone, take))
    bench.worker.cancel(take)
    assert bench.ended(take).state == "cancelled"
    bench.complete()
    assert not bench.of(jobs.Ended, job)
    second = bench.generate()
    bench.until(lambda: bench.of(jobs.BlockDone, second))
    bench.worker.cancel(job)
    assert bench.ended(second).state == "finished"
    assert bench.ended(job).state == "cancelled"


def test_another_preview_or_a_stop_ends_it(bench: Bench) -> None:
    first = bench.preview()
    bench.complete()
    other = Plan(bench.store, bench.shot.cameras)
    second = bench.preview(other)
    assert bench.ended(first).state == "cancelled"
    bench.until(lambda: other.missing == 0)
    bench.worker.submit(jobs.Stop(setup=bench.setup))
    assert bench.ended(second).state == "cancelled"
    bench.until(lambda: not bench.worker.backend.running)


@slowly
def test_the_worker_shuts_down_in_the_middle_of_a_preview(bench: Bench) -> None:
    job = bench.preview()
    bench.until(lambda: bench.plan.working)
    pid = bench.worker.backend.ready.pid
    began = time.monotonic()
    bench.worker.shutdown(None, timeout=5.0)
    assert time.monotonic() - began < 3.0
    assert bench.ended(job).state == "cancelled"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not bench.worker._thread.is_alive()


def test_a_flown_camera_streams_is_recorded_and_kept(bench: Bench) -> None:
    flight = Flight(bench.store, kept_seconds=2.0)
    over = threading.Event()

    def fly() -> None:
        began = time.monotonic()
        while not over.wait(0.02):
            now = time.monotonic()
            flight.add(now, tuple(lens(WIDTH, HEIGHT)), tuple(pose(x=0.1 * (now - began))), 1.0)

    pilot = threading.Thread(target=fly)
    pilot.start()
    try:
        job = bench.preview(flight)
        bench.until(lambda: len(bench.of(jobs.PreviewBlock, job)) >= 3)
        flight.begin_recording()
        blocks = len(bench.of(jobs.PreviewBlock, job))
        bench.until(lambda: len(bench.of(jobs.PreviewBlock, job)) >= blocks + 5)
        recording = flight.end_recording()
        assert len(recording.numbers) >= 24
        shot = replace(bench.shot, cameras=recording.cameras_from(101))
        kept = bench.keep(source=flight, shot=shot, recording=recording)
        assert bench.ended(kept).state == "finished"
        assert not bench.of(jobs.Ended, job), "it flies on"
    finally:
        over.set()
        pilot.join()
    take = read_take(bench.folder / "take_001")
    assert (take.state, take.message) == ("finished", "")
    assert vars(take.shot.cameras) == vars(recording.cameras_from(101))
    names = sorted(path.name for path in (bench.folder / "take_001").glob("*.png"))
    assert names == [f"{101 + index:04d}.png" for index in range(len(recording.numbers))]
    first = cv2.imread(str(bench.folder / "take_001" / "0101.png"))[..., ::-1]
    assert bar(first) == int(recording.numbers[0]) % 37 or recording.numbers[0] > 36
    check_film(
        bench.folder / "take_001" / "shot.mp4", sorted((bench.folder / "take_001").glob("*.png")), 24.0
    )
    nothing = bench.keep(source=flight)
    assert "press Record" in bench.ended(nothing).message


@slowly
def test_what_is_flown_is_a_picture_one_block_later(bench: Bench) -> None:
    flight = Flight(bench.store)
    flight.begin_recording()
    over = threading.Event()

    def fly() -> None:
        while not over.wait(0.02):
            flight.add(time.monotonic(), tuple(lens(WIDTH, HEIGHT)), tuple(pose()), 1.0)

    pilot = threading.Thread(target=fly)
    pilot.start()
    job = bench.preview(flight)
    bench.until(lambda: len(bench.of(jobs.PreviewBlock, job)) >= 5)
    over.set()
    pilot.join()
    recording = flight.end_recording()
    seconds = dict(zip(recording.numbers, recording.seconds, strict=True))
    for event in bench.of(jobs.PreviewBlock, job)[1:]:
        first, last = seconds[event.first], seconds[event.first + event.count - 1]
        assert event.generated_at - last < event.seconds + 0.05, "it was flown when the block began"
        assert event.generated_at - first < 2 * event.seconds + 0.1


def test_what_was_generated_in_pieces_says_so(bench: Bench) -> None:
    bench.plan.set_playhead(30, False)
    job = bench.preview()
    bench.complete()
    assert bench.ended(bench.keep()).state == "finished"
    take = read_take(bench.folder / "take_001")
    assert (take.state, take.pieces) == ("finished", (30.0,))
    bench.cancel(job)


def test_what_is_kept_has_its_plates(bench: Bench) -> None:
    job = bench.preview()
    bench.complete()
    shot = replace(bench.shot, plate=PlateSettings(96, 72))
    assert bench.ended(bench.keep(shot=shot)).state == "finished"
    plates = sorted((bench.folder / "take_001" / "plate").glob("*.png"))
    assert len(plates) == 57 and cv2.imread(str(plates[-1])).shape == (72, 96, 3)
    assert read_take(bench.folder / "take_001").message == ""
    bench.cancel(job)


def test_nothing_is_kept_of_nothing(bench: Bench) -> None:
    ended = bench.ended(bench.keep())
    assert (ended.state, ended.message) == (
        "failed",
        "There is nothing to keep yet: wait for the first frames",
    )
    assert not list(bench.folder.glob("take_*"))


@slowly
def test_a_part_is_kept_in_whole_blocks_with_its_state_and_continued_from_there(bench: Bench) -> None:
    job = bench.preview()
    bench.until(lambda: bench.store.holds(22.0))
    kept = bench.keep()
    assert bench.ended(kept).state == "finished"
    bench.cancel(job)
    folder = bench.folder / "take_001"
    take = read_take(folder)
    done = take.blocks_done
    assert (take.state, take.state_after) == ("cancelled", done)
    assert done >= 3 and take.frames_done == 9 + 12 * (done - 1)
    assert take.message == f"{take.frames_done} of 57 frames were kept from a preview."
    go_on = jobs.Continue(setup=bench.setup, folder=folder, references=(bench.reference,))
    bench.worker.submit(go_on)
    assert bench.ended(go_on).state == "finished"
    assert len(bench.of(jobs.BlockDone, go_on)) == 5 - done
    frames = [cv2.imread(str(folder / f"{number:04d}.png"))[..., ::-1] for number in range(1, 37)]
    assert [bar(frame) for frame in frames] == list(range(36))


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Bench]:
    """Over the tiny preset that ships."""
    bench = Bench(tmp_path, sys.executable, {})
    yield bench
    bench.end()


def test_kept_or_continued_it_is_what_generate_makes_pixel_by_pixel(real: Bench) -> None:
    assert real.ended(real.generate()).state == "finished"
    job = real.preview()
    real.until(lambda: real.store.holds(22.0))
    part = real.keep()
    assert real.ended(part).state == "finished"
    # An edit and its undoing lie between: rewound, what comes is the same again.
    real.complete()
    real.plan.set_cameras(turned(real.shot.cameras, 30))
    real.worker.interrupt_block(job)
    real.complete()
    real.plan.set_cameras(real.shot.cameras)
    real.complete()
    assert (real.generated(), real.plan.blocks_replayed) == (5 + 3 + 3, 0)
    assert real.ended(real.keep()).state == "finished"
    real.cancel(job)
    go_on = jobs.Continue(setup=real.setup, folder=real.folder / "take_002", references=(real.reference,))
    real.worker.submit(go_on)
    assert real.ended(go_on).state == "finished"
    takes = [read_take(real.folder / f"take_{number:03d}") for number in (1, 2, 3)]
    assert [take.state for take in takes] == ["finished"] * 3
    assert takes[1].coverage == takes[2].coverage == takes[0].coverage
    for number in range(1, 58):
        made, *kept = (
            cv2.imread(str(real.folder / f"take_{t:03d}" / f"{number:04d}.png")) for t in (1, 2, 3)
        )
        for other in kept:
            np.testing.assert_array_equal(made, other, f"frame {number}")


def test_a_large_move_in_a_preview_is_what_generate_makes_of_it(real: Bench) -> None:
    """Edited while it is generated, the cameras of every picture are the last ones."""
    job = real.preview()
    for first in (50, 40, 30, 20, 5):
        blocks = real.generated()
        real.until(lambda blocks=blocks: real.generated() > blocks)
        real.plan.set_cameras(turned(real.plan.cameras, first, first / 100))
        real.worker.interrupt_block(job)
    real.complete()
    assert real.ended(real.keep()).state == "finished"
    real.cancel(job)
    real.shot = replace(real.shot, cameras=real.plan.cameras)
    assert real.ended(real.generate()).state == "finished"
    for number in range(1, 58):
        kept, made = (cv2.imread(str(real.folder / f"take_{t:03d}" / f"{number:04d}.png")) for t in (1, 2))
        np.testing.assert_array_equal(made, kept, f"frame {number}")
