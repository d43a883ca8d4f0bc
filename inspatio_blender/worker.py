"""The one thread that talks to the backend and writes takes. Knows nothing of Blender.

Jobs go in, events come out: the main thread calls `submit` and drains `events` from its timer. A job is
cancelled by `cancel`, from the main thread: whatever call is running is interrupted at once, the take says
"cancelled" on disk, and only then is the backend told.

Generating starts the backend if need be, hands over the reference, checks coverage, and then goes block by
block: cameras out, frames in, frames to disk, `BlockDone`; at last the frames' files go out and come back as a movie.
Continuing does the same from the state after the last finished block.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..backend.protocol.disk import FileFormatError
from ..backend.protocol.files import MOVIE_FILE, REFERENCE_FILE, Shot, read_take
from ..backend.protocol.references import reference_digest
from ..backend.protocol.takes import ContinueError, TakeWriteError, TakeWriter
from .client import BackendError, Client, ConnectionLost, Interrupted, OpenTake
from .jobs import (
    BackendChanged,
    BlockDone,
    CheckCoverage,
    Continue,
    CoverageLow,
    Covered,
    Ended,
    Event,
    Generate,
    Job,
    Plan,
    Planned,
    Stage,
    Start,
    Stop,
    TakeStarted,
)
from .process import Backend, StartError, TooSoon
from .versions import REFERENCE_FOLDER, copy_version

log = logging.getLogger(__name__)

WATCH_INTERVAL_S = 0.5
"""Between two looks at what the backend does while it opens a take."""
LOW_COVERAGE = 0.05
"""A frame of which the reference reaches less than this share is worth a warning."""
COVERAGE_CAMERAS = 64
"""Cameras that coverage is asked for at a time. Before a take these are all: evenly spread over the shot."""


class _JobError(Exception):
    """The job cannot be done; the message is for the user."""


class Worker:
    """Owns the thread, the backend's process and the client. Made by the main thread, ended by `shutdown`."""

    def __init__(self) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.backend: Backend | None = None
        self._client: Client | None = None
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name="inspatio-worker", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> Job:
        """Have a job done after those before it."""
        self._jobs.put(job)
        return job

    def cancel(self, job: Job) -> None:
        """End a job, running or waiting, at once. Never blocks."""
        job.cancelled.set()
        client = self._client
        if client is not None:
            client.interrupt()

    def shutdown(self, running: Job | None, timeout: float) -> None:
        """Cancel `running`, end the thread and the backend; waits at most about `timeout` seconds."""
        if running is not None:
            self.cancel(running)
        self._jobs.put(None)
        self._thread.join(timeout)
        if self.backend is not None:
            self.backend.stop(grace=1.0)
        self._thread.join(1.0)

    def _loop(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                ended = self._run(job)
            except Exception as error:  # The thread must outlive any job; what happened is said and logged.
                log.exception("a job failed")
                ended = Ended(job.id, "failed", f"{type(error).__name__}: {error}")
            self.events.put(ended)
            self._tell_status(job)

    def _run(self, job: Job) -> Ended:
        try:
            if self._client is not None:
                self._client.rearm()
            _check(job)
            if isinstance(job, Generate):
                return self._generate(job)
            if isinstance(job, Continue):
                return self._continue(job)
            if isinstance(job, CheckCoverage):
                self._check_coverage(job)
            if isinstance(job, Start):
                self._connect(job, by_hand=True)
            if isinstance(job, Plan):
                self._plan(job)
            if isinstance(job, Stop) and self.backend is not None:
                self.backend.stop()
            return Ended(job.id, "finished")
        except Interrupted:
            return Ended(job.id, "cancelled", "Cancelled.")
        except (BackendError, StartError, ContinueError, FileFormatError, TakeWriteError, _JobError) as error:
            log.warning("%s: %s", type(job).__name__, error)
            return Ended(job.id, "failed", str(error))

    def _plan(self, job: Plan) -> None:
        """Ask what a take would need. Where nothing can be said, why not is said when it begins."""
        if self._client is None or self.backend is None or not self.backend.running:
            return
        shape = job.shape
        try:
            said = self._client.plan(
                shape.preset, shape.width, shape.height, shape.quality, shape.views, shape.moving
            )
        except Interrupted:
            raise
        except BackendError as error:
            log.info("no plan: %s", error)
            return
        seconds = said["seconds_per_frame"]
        self.events.put(Planned(job.id, shape, str(said["words"]), bool(said["fits"]), seconds))

    def _check_coverage(self, job: CheckCoverage) -> None:
        """Ask for some cameras at a time, so that there is progress to see."""
        client = self._connect(job)
        digest = self._hand_over(job, client, job.reference)
        self._say(job, "Checking coverage")
        shot = job.shot
        for start in range(0, len(shot.cameras), COVERAGE_CAMERAS):
            _check(job)
            some = shot.cameras.part(slice(start, start + COVERAGE_CAMERAS))
            shares = client.coverage(digest, shot.width, shot.height, some)
            self.events.put(Covered(job.id, tuple(shares)))

    def _generate(self, job: Generate) -> Ended:
        client = self._connect(job)
        digest = self._hand_over(job, client, job.reference)
        shot = job.shot
        if job.check_coverage:
            self._say(job, "Checking coverage")
            low = _low_coverage(client, digest, shot)
            if low:
                self.events.put(CoverageLow(job.id, tuple(low), tuple(low.values())))
                return Ended(job.id, "cancelled", "Little of the shot lies in the reference.")
        opened = self._open(job, client, digest, shot)
        shot = replace(shot, reference=_brought_along(job))
        writer = TakeWriter.create(
            job.folder, shot, digest, opened.preset_digest, opened.backend_version, opened.device
        )
        return self._blocks(job, client, opened, writer)

    def _continue(self, job: Continue) -> Ended:
        take = read_take(job.folder)
        reference = _matching_reference(job, take.reference_digest)
        client = self._connect(job)
        digest = self._hand_over(job, client, reference)
        opened = self._open(job, client, digest, take.shot)
        writer, snapshot = TakeWriter.resume(job.folder, digest, opened.preset_digest)
        if snapshot is not None:
            client.put_snapshot(opened.id, snapshot)
        return self._blocks(job, client, opened, writer)

    def _open(self, job: Job, client: Client, digest: str, shot: Shot) -> OpenTake:
        with self._telling_what_it_does(job, client):
            return client.open_take(
                digest,
                shot.preset,
                shot.width,
                shot.height,
                shot.seed,
                shot.prompt,
                shot.keep_reference_detail,
                shot.quality,
                shot.remember,
            )

    @contextmanager
    def _telling_what_it_does(self, job: Job, client: Client) -> Iterator[None]:
        """Meanwhile, tell what the backend says it does: a large preset is loaded and warmed up for minutes."""
        over, beside = threading.Event(), client.twin()

        def watch() -> None:
            told = ""
            while not over.wait(WATCH_INTERVAL_S):
                try:
                    doing = str(beside.status()["doing"])
                except BackendError:
                    return
                if doing and doing != told and not over.is_set():
                    self.events.put(Stage(job.id, doing))
                told = doing

        watching = threading.Thread(target=watch, name="inspatio-watch", daemon=True)
        watching.start()
        try:
            yield
        finally:
            over.set()
            beside.interrupt()
            watching.join()

    def _blocks(self, job: Job, client: Client, opened: OpenTake, writer: TakeWriter) -> Ended:
        """Generate and write every block that is missing. However it ends, take.json says so."""
        take = writer.take
        self.events.put(TakeStarted(job.id, writer.folder, take.number, take.shot, take.frames_done))
        since = job.began
        try:
            while not writer.done:
                _check(job)
                block, catching_up = writer.next_block, writer.catching_up
                if catching_up:
                    self._say(job, f"Catching up, block {block + 1} of {take.blocks_done}")
                elif block == take.blocks_done and block:
                    self._say(job, "Generating")
                cameras = take.shot.cameras
                result = client.generate(opened.id, block, cameras.block(block), cameras.after(block))
                seconds = time.monotonic() - since
                paths = writer.write_block(
                    result.frames,
                    result.snapshot,
                    result.coverage,
                    seconds=seconds,
                    milliseconds=result.milliseconds,
                    peak_mb=result.peak_mb,
                )
                since += seconds
                if catching_up:
                    continue
                self.events.put(
                    BlockDone(job.id, block, tuple(paths), writer.take.frames_done, seconds, result.peak_mb)
                )
            self.events.put(Stage(job.id, f"Making {MOVIE_FILE}"))
            writer.finish(partial(_make_movie, client))
            ended = Ended(job.id, "finished", writer.take.message)
        except Interrupted:
            writer.cancel()
            ended = Ended(job.id, "cancelled", writer.take.message)
        except BackendError as error:
            message = f"{error} {writer.take.frames_done} of {len(take.shot.cameras)} frames are kept."
            writer.fail(message)
            ended = Ended(job.id, "failed", message)
        except TakeWriteError as error:
            writer.fail_to_write(error)
            ended = Ended(job.id, "failed", str(error))
        finally:
            self._close(client, opened)
        return ended

    def _close(self, client: Client, opened: OpenTake) -> None:
        client.rearm()
        if self.backend is None or not self.backend.running:
            return
        try:
            client.close_take(opened.id)
        except BackendError as error:
            log.info("the take could not be closed: %s", error)

    def _connect(self, job: Job, by_hand: bool = False) -> Client:
        """The client of a backend that runs, started now where it does not."""
        setup = job.setup
        backend = self.backend
        if backend is not None and (backend.python, backend.environment) != (setup.python, setup.environment):
            backend.stop()
            backend = None
        if backend is None:
            backend = self.backend = Backend(setup.python, setup.folder, setup.log, setup.environment)
        if backend.running and self._client is not None:
            return self._client
        if not (by_hand or setup.autostart):
            raise _JobError("The backend does not run: start it in the panel")
        self._say(job, "Starting backend")
        try:
            ready = backend.start()
        except TooSoon as error:
            if job.cancelled.wait(error.seconds):
                raise Interrupted from None
            ready = backend.start()
        self._client = ready.client()
        _check(job)
        self.events.put(BackendChanged(job.id, self._client.status()))
        return self._client

    def _hand_over(self, job: Job, client: Client, folder: Path) -> str:
        """The digest of a reference that the backend holds now."""
        self._say(job, "Handing over the reference")
        digest = reference_digest(folder)
        if not client.has_reference(digest):
            client.put_reference(digest, folder)
        self._say(job, "Generating")
        return digest

    def _say(self, job: Job, text: str) -> None:
        _check(job)
        self.events.put(Stage(job.id, text))

    def _tell_status(self, job: Job) -> None:
        status = None
        if self._client is not None and self.backend is not None and self.backend.running:
            try:
                self._client.rearm()
                status = self._client.status()
            except BackendError:
                log.info("the backend did not tell its status")
        self.events.put(BackendChanged(job.id, status))


def _check(job: Job) -> None:
    if job.cancelled.is_set():
        raise Interrupted


def _make_movie(client: Client, frames: Sequence[Path], fps: float) -> bytes:
    try:
        return client.movie(frames, fps)
    except ConnectionLost as error:  # Its own words advise to continue, but the take is finished.
        raise _JobError("the backend went away") from error


def _brought_along(job: Generate) -> str:
    """Where the reference lies within the shot's folder: one from elsewhere (an unsaved file) is copied there."""
    references = job.folder / REFERENCE_FOLDER
    version = job.reference
    if version.parent != references:
        try:
            version = copy_version(version, references)
        except OSError as error:
            raise _JobError(
                f"The reference cannot be copied to {references}: {error.strerror or error}"
            ) from error
    return f"{REFERENCE_FOLDER}/{version.name}"


def _low_coverage(client: Client, digest: str, shot: Shot) -> dict[float, float]:
    """Scene frame and coverage of the frames that the reference hardly reaches, of those asked for."""
    count = len(shot.cameras)
    step = max(1, -(-count // COVERAGE_CAMERAS))
    some = shot.cameras.part(slice(None, None, step))
    shares = client.coverage(digest, shot.width, shot.height, some)
    return {frame: share for frame, share in zip(some.frames, shares, strict=True) if share < LOW_COVERAGE}


def _matching_reference(job: Continue, digest: str) -> Path:
    """The folder that holds exactly the reference that a take was made from, wherever it lies now."""
    present = [folder for folder in job.references if (folder / REFERENCE_FILE).is_file()]
    for folder in present:
        try:
            if reference_digest(folder) == digest:
                return folder
        except FileFormatError as error:
            log.info("%s", error)
    if present:
        raise ContinueError(
            f"The reference of {job.folder.name} has changed since it was made: put the old one back, "
            "or start a new take."
        )
    raise ContinueError(f"The reference of {job.folder.name} is not there any more: start a new take.")
