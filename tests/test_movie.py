"""A take's movie, decoded by OpenCV: what the encoder makes, and what the worker leaves in a folder, report and all.

The worker is the add-on's own, over the real server in a process of its own; the generator behind it is the
stand-in of tests/painting_backend.py.
"""

from __future__ import annotations

import html
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from inspatio_addon.inspatio_blender import jobs
from inspatio_addon.inspatio_blender.client import Client
from inspatio_addon.inspatio_blender.worker import Worker
from movies import check_film, read_film
from references import picture, write_shot

from backend.movie import MovieError, encode_movie
from backend.pictures import encode_png
from backend.protocol.files import Shot, Take, read_take
from backend.report import make_report

ROOT = Path(__file__).resolve().parent.parent
COLOURS = [(r, g, b) for r in (0, 120, 255) for g in (0, 120, 255) for b in (0, 120, 255)]
PATIENCE = 120.0


def _flat(colour: tuple[int, int, int], width: int = 64, height: int = 48) -> bytes:
    return encode_png(np.full((height, width, 3), colour, np.uint8))


@pytest.mark.parametrize("fps", [24.0, 24 / 1.001, 30 / 1.001, 12.5, 60.0, 1.0])
def test_a_movie_has_the_frames_their_colours_and_the_rate(tmp_path: Path, fps: float) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(encode_movie([_flat(colour) for colour in COLOURS], fps))
    film = read_film(path)
    assert film.frames.shape == (len(COLOURS), 48, 64, 3)
    assert film.fps == pytest.approx(fps, rel=1e-5)
    for frame, colour in zip(film.frames, COLOURS, strict=True):
        assert np.abs(frame[..., ::-1].astype(int) - colour).max() <= 4


def test_a_movie_shows_detail(tmp_path: Path) -> None:
    frames = []
    for index in range(30):
        frames.append(tmp_path / f"{index:04d}.png")
        frames[-1].write_bytes(encode_png(picture(256, 144, index)))
    (tmp_path / "film.mp4").write_bytes(encode_movie([path.read_bytes() for path in frames], 25))
    check_film(tmp_path / "film.mp4", frames, 25)


def test_one_frame_is_a_movie(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(encode_movie([_flat((200, 10, 10))], 24))
    assert len(read_film(tmp_path / "film.mp4").frames) == 1


@pytest.mark.parametrize(
    ("pngs", "fps", "words"),
    [
        ([], 24, "needs a frame"),
        ([b"GIF89a" + bytes(100)], 24, "Frame 1 of the movie is not a PNG"),
        ([_flat((1, 2, 3)), _flat((1, 2, 3))[:-30]], 24, "Frame 2 .* damaged"),
        (
            [_flat((1, 2, 3)), _flat((1, 2, 3), width=80)],
            24,
            "Frame 2 .* is 80x48 pixels, the first is 64x48",
        ),
        ([_flat((1, 2, 3), width=9000, height=2)], 24, "at most 8192"),
        ([_flat((1, 2, 3), width=63)], 24, "cannot be encoded"),
        ([_flat((1, 2, 3))], 0.0, "0 frames a second"),
        ([_flat((1, 2, 3))], 1e-9, "1e-09 frames a second"),
        ([_flat((1, 2, 3))], 1e9, "1e\\+09 frames a second"),
    ],
)
def test_what_cannot_be_a_movie_is_said(pngs: list[bytes], fps: float, words: str) -> None:
    with pytest.raises(MovieError, match=words):
        encode_movie(pngs, fps)


def test_a_movie_that_grows_too_large_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.protocol.MAX_MOVIE_BYTES", 20_000)
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    with pytest.raises(MovieError, match="more than"):
        encode_movie([encode_png(np.roll(noise, index, 0)) for index in range(90)], 24)


def test_without_its_package_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MovieError, match=r"cannot load av .*install it"):
        encode_movie([_flat((1, 2, 3))], 24)


class Bench:
    """The add-on's worker at work on a shot folder."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder = folder
        written = write_shot(folder / "made", frames=30)
        self.shot: Shot = replace(written, fps=24 / 1.001, reference="reference/v001")
        (folder / "reference").mkdir()
        (folder / "made" / "reference").rename(folder / "reference" / "v001")
        self.worker = Worker()
        self.stages: list[str] = []
        self.setup = jobs.Setup(str(python), ROOT, folder / "backend.log", autostart=True)

    def generate(self) -> jobs.Job:
        return self.worker.submit(
            jobs.Generate(
                setup=self.setup,
                shot=self.shot,
                folder=self.folder,
                reference=self.folder / "reference" / "v001",
                check_coverage=False,
            )
        )

    def go_on(self, take: Path) -> jobs.Job:
        references = (self.folder / "reference" / "v001",)
        return self.worker.submit(jobs.Continue(setup=self.setup, folder=take, references=references))

    def wait(self, job: jobs.Job, until: type[jobs.Event] = jobs.Ended) -> jobs.Event:
        """The first event of a kind that the job tells."""
        while True:
            event = self.worker.events.get(timeout=PATIENCE)
            if isinstance(event, jobs.Stage):
                self.stages.append(event.text)
            if event.job == job.id and isinstance(event, until):
                return event

    def check(self, number: int) -> Take:
        """The take is finished, with a movie that shows all of it and nothing left over."""
        folder = self.folder / f"take_{number:03d}"
        take = read_take(folder)
        assert (take.state, take.message) == ("finished", "")
        check_film(folder / "shot.mp4", sorted(folder.glob("*.png")), self.shot.fps)
        assert (folder / "report.html").read_bytes() == make_report(folder, take), "the backend's is the same"
        assert len(list(folder.iterdir())) == 30 + len(("take.json", "shot.mp4", "report.html"))
        return take


@pytest.fixture
def bench(tmp_path: Path, painting_python: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, painting_python)
    yield bench
    bench.worker.shutdown(None, timeout=5.0)


def test_a_finished_take_has_its_movie_also_when_it_was_continued(bench: Bench) -> None:
    assert _ended(bench, bench.generate()) == ("finished", "")
    bench.check(1)
    assert bench.stages[-2:] == ["Making shot.mp4", "Making report.html"]
    second = bench.generate()
    bench.wait(second, jobs.BlockDone)
    bench.worker.cancel(second)
    assert _ended(bench, second)[0] == "cancelled"
    assert not (bench.folder / "take_002" / "shot.mp4").exists()
    # In a new process, which has none of the frames from before.
    bench.worker.backend.stop()
    assert _ended(bench, bench.go_on(bench.folder / "take_002")) == ("finished", "")
    bench.check(2)


def _ended(bench: Bench, job: jobs.Job) -> tuple[str, str]:
    ended = bench.wait(job)
    assert isinstance(ended, jobs.Ended)
    return ended.state, ended.message


def test_a_backend_killed_over_the_movie_is_started_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, killed = Client.movie, []

    def killed_once(client: Client, frames: list[Path], fps: float) -> bytes:
        if not killed:
            killed.append(bench.worker.backend.ready.pid)
            os.kill(killed[0], signal.SIGKILL)
        return make(client, frames, fps)

    monkeypatch.setattr(Client, "movie", killed_once)
    assert _ended(bench, bench.generate()) == ("finished", "")
    assert killed != [bench.worker.backend.ready.pid]
    bench.check(1)


def test_whatever_happens_to_the_movie_the_take_is_finished(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = Client.movie
    job: jobs.Job

    def backend_killed(client: Client, frames: list[Path], fps: float) -> bytes:
        os.kill(bench.worker.backend.ready.pid, signal.SIGKILL)
        return make(client, frames, fps)

    def cancelled(client: Client, frames: list[Path], fps: float) -> bytes:
        bench.worker.cancel(job)
        return make(client, frames, fps)

    def frame_lost(client: Client, frames: list[Path], fps: float) -> bytes:
        moved = [frame.rename(frame.with_suffix(".lost")) for frame in frames[3:4]]
        try:
            return make(client, frames, fps)
        finally:
            moved[0].rename(frames[3])

    def frame_broken(client: Client, frames: list[Path], fps: float) -> bytes:
        kept = frames[0].read_bytes()
        frames[0].write_bytes(kept[:-40])
        try:
            return make(client, frames, fps)
        finally:
            frames[0].write_bytes(kept)

    def place_taken(client: Client, frames: list[Path], fps: float) -> bytes:
        (frames[0].parent / "shot.mp4").mkdir()
        return make(client, frames, fps)

    movie, both = "shot.mp4 is not", "shot.mp4 and report.html are not"
    for number, (happens, why) in enumerate(
        (
            (frame_lost, f"{movie}: 0004.png is missing in"),
            (frame_broken, f"{movie}: Frame 1 of the movie cannot be decoded"),
            (place_taken, f"{movie}: is a directory"),
            (cancelled, f"{both}: Cancelled"),
            (backend_killed, f"{movie}: the backend went away"),
        ),
        start=1,
    ):
        monkeypatch.setattr(Client, "movie", happens)
        job = bench.generate()
        state, message = _ended(bench, job)
        folder = bench.folder / f"take_{number:03d}"
        take = read_take(folder)
        assert (state, message) == (take.state, take.message) == ("finished", message)
        assert message.startswith(f"All frames are there, but {why}"), message
        assert (folder / "report.html").is_file() == (movie in why)
        if movie in why:
            assert html.escape(message) in (folder / "report.html").read_text("utf-8"), (
                "the report tells it, too"
            )
        assert len(list(folder.glob("*.png"))) == take.frames_done == 30
        assert not (folder / "shot.mp4").is_file()
        assert not [path.name for path in folder.iterdir() if path.name.startswith((".", "state"))]
    # And the next take is as any other.
    monkeypatch.setattr(Client, "movie", make)
    monkeypatch.setattr("inspatio_addon.inspatio_blender.process.RESTART_INTERVAL", 0.0)
    assert _ended(bench, bench.generate()) == ("finished", "")
    bench.check(6)


def test_whatever_happens_to_the_report_the_take_is_finished(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = Client.report
    job: jobs.Job

    def frame_broken(client: Client, folder: Path, take: Take) -> bytes:
        kept = (folder / "0001.png").read_bytes()
        (folder / "0001.png").write_bytes(kept[:-40])
        try:
            return make(client, folder, take)
        finally:
            (folder / "0001.png").write_bytes(kept)

    def cancelled(client: Client, folder: Path, take: Take) -> bytes:
        bench.worker.cancel(job)
        return make(client, folder, take)

    def refused(client: Client, folder: Path, take: Take) -> bytes:
        return make(client, folder, replace(take, frames_done=0))

    for number, (happens, why) in enumerate(
        (
            (frame_broken, "0001.png cannot be decoded"),
            (cancelled, "Cancelled"),
            (refused, "Take 3 has no frames yet"),
        ),
        start=1,
    ):
        monkeypatch.setattr(Client, "report", happens)
        job = bench.generate()
        state, message = _ended(bench, job)
        folder = bench.folder / f"take_{number:03d}"
        take = read_take(folder)
        assert (state, take.state, take.message) == ("finished", "finished", message)
        assert message.startswith(f"All frames are there, but report.html is not: {why}"), message
        check_film(folder / "shot.mp4", sorted(folder.glob("*.png")), bench.shot.fps)
        assert not (folder / "report.html").exists()
        assert not [path.name for path in folder.iterdir() if path.name.startswith((".", "state"))]
    monkeypatch.setattr(Client, "report", make)
    assert _ended(bench, bench.generate()) == ("finished", "")
    bench.check(4)


def test_a_movie_is_cancelled_while_its_frames_are_sent(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request is interrupted in the middle, and the backend goes on as if it had not been."""
    make, sent = Client.movie, []

    def read_slowly(path: Path) -> Iterator[bytes]:
        sent.append(path)
        if len(sent) == 10:
            bench.worker.cancel(job)
        yield path.read_bytes()

    monkeypatch.setattr("inspatio_addon.backend.protocol.disk.read_chunks", read_slowly)
    job = bench.generate()
    state, message = _ended(bench, job)
    lacks = "All frames are there, but shot.mp4 and report.html are not: Cancelled."
    assert (state, message) == ("finished", lacks)
    monkeypatch.undo()
    assert Client.movie is make
    assert _ended(bench, bench.generate()) == ("finished", "")
    bench.check(2)
