"""The one thread that talks to the backend and writes takes. Knows nothing of Blender.

Jobs go in, events come out: the main thread calls `submit` and drains `events` from its timer. A job is
cancelled by `cancel`, from the main thread: whatever call is running is interrupted at once, the take says
"cancelled" on disk, and only then is the backend told.

Generating starts the backend if need be, hands over the reference, checks coverage, and then goes block by
block: cameras out, frames in, frames to disk, `BlockDone`; at last the frames' files go out and come back as a movie.
Continuing does the same from the state after the last finished block. A preview has no end of its own, so it gives way:
other jobs are done between two of its blocks.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
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
    Keep,
    Plan,
    Planned,
    Preview,
    Stage,
    Start,
    Stop,
    TakeStarted,
)
from .link import JobError, Link, check
from .live.keep import NothingToKeep, what_is_kept, write_blocks
from .live.stream import Stream
from .process import Backend, StartError
from .versions import REFERENCE_FOLDER, copy_version

log = logging.getLogger(__name__)

LOW_COVERAGE = 0.05
"""A frame of which the reference reaches less than this share is worth a warning."""
COVERAGE_CAMERAS = 64
"""Cameras that coverage is asked for at a time. Before a take these are all: evenly spread over the shot."""


class Worker:
    """Owns the thread, the backend's process and the client. Made by the main thread, ended by `shutdown`."""

    def __init__(self) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._link = Link(self.events.put)
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._put_back: list[Job | None] = []
        """A job that ends the preview before it."""
        self._stream: Stream | None = None
        self._preview: Preview | None = None
        self._current: Job | None = None
        """The job whose calls `interrupt` would end."""
        self._switch = threading.Lock()
        self._thread = threading.Thread(target=self._loop, name="inspatio-worker", daemon=True)
        self._thread.start()

    @property
    def backend(self) -> Backend | None:
        """The backend's process; None before it was first needed."""
        return self._link.backend

    def submit(self, job: Job) -> Job:
        """Have a job done after those before it; a preview gives way to it."""
        self._jobs.put(job)
        preview = self._preview
        if preview is not None and preview is not job:
            if not isinstance(job, (Keep, Plan)):  # They are quick, and worth no block.
                self._interrupt(preview)
            preview.source.wake()
        return job

    def cancel(self, job: Job) -> None:
        """End a job, running or waiting, at once. Never blocks."""
        job.cancelled.set()
        self._interrupt(job)
        if isinstance(job, Preview):
            job.source.wake()

    def interrupt_block(self, job: Preview) -> None:
        """Drop the block that a preview generates if it became stale; the preview goes on with what is next."""
        if job.source.in_flight_is_stale:
            self._interrupt(job)

    def shutdown(self, running: Job | None, timeout: float) -> None:
        """Cancel `running` and the preview, end thread and backend; waits at most about `timeout` seconds."""
        for job in (running, self._preview):
            if job is not None:
                self.cancel(job)
        self._jobs.put(None)
        self._thread.join(timeout)
        if self.backend is not None:
            self.backend.stop(grace=1.0)
        self._thread.join(1.0)

    def _interrupt(self, job: Job) -> None:
        """End the running call if it is this job's."""
        with self._switch:
            if self._current is job:
                self._link.interrupt()

    def _switch_to(self, job: Job | None) -> None:
        """From now on calls are this job's. Raises Interrupted when it is cancelled."""
        with self._switch:
            self._current = job
            self._link.rearm()
        if job is not None:
            check(job)

    def _loop(self) -> None:
        while (job := self._put_back.pop() if self._put_back else self._jobs.get()) is not None:
            self._do(job)

    def _do(self, job: Job) -> None:
        try:
            ended = self._run(job)
        except Exception as error:  # The thread must outlive any job; what happened is said and logged.
            log.exception("a job failed")
            ended = Ended(job.id, "failed", f"{type(error).__name__}: {error}")
        self._switch_to(None)
        self.events.put(ended)
        self.events.put(BackendChanged(job.id, self._link.status()))

    def _run(self, job: Job) -> Ended:
        try:
            self._switch_to(job)
            if isinstance(job, Generate):
                return self._generate(job)
            if isinstance(job, Continue):
                return self._continue(job)
            if isinstance(job, Keep):
                return self._keep(job)
            if isinstance(job, Preview):
                self._show(job)
            if isinstance(job, CheckCoverage):
                self._check_coverage(job)
            if isinstance(job, Start):
                self._link.connect(job, by_hand=True)
            if isinstance(job, Plan):
                self._plan(job)
            if isinstance(job, Stop) and self.backend is not None:
                self.backend.stop()
            return Ended(job.id, "finished")
        except Interrupted:
            return Ended(job.id, "cancelled", "Cancelled.")
        except (
            BackendError,
            StartError,
            ContinueError,
            FileFormatError,
            TakeWriteError,
            JobError,
            NothingToKeep,
        ) as error:
            log.warning("%s: %s", type(job).__name__, error)
            return Ended(job.id, "failed", str(error))

    def _show(self, job: Preview) -> None:
        """Generate a preview until it is cancelled, refused, or a job comes that ends it."""
        self._preview = job
        self._stream = Stream(job, self._link, lambda: self._give_way(job), self.events.put)
        try:
            self._stream.run()
        finally:
            self._preview = self._stream = None

    def _give_way(self, preview: Preview) -> None:
        """Do the jobs that wait. Raises Interrupted when the preview is cancelled, or ended by the next job."""
        check(preview)
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None or isinstance(job, (Preview, Stop)):
                self._put_back.append(job)
                raise Interrupted
            if isinstance(job, (Generate, Continue)) and self._stream is not None:
                self._stream.close_takes()  # A take needs the device's memory more.
            self._do(job)
        self._switch_to(preview)

    def _plan(self, job: Plan) -> None:
        """Ask what a take would need. Where nothing can be said, why not is said when it begins."""
        client, shape = self._link.running, job.shape
        if client is None:
            return
        try:
            said = client.plan(
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
        client = self._link.connect(job)
        digest = self._link.hand_over(job, client, job.reference)
        self._link.say(job, "Checking coverage")
        shot = job.shot
        for start in range(0, len(shot.cameras), COVERAGE_CAMERAS):
            check(job)
            some = shot.cameras.part(slice(start, start + COVERAGE_CAMERAS))
            shares = client.coverage(digest, shot.width, shot.height, some)
            self.events.put(Covered(job.id, tuple(shares)))

    def _generate(self, job: Generate) -> Ended:
        client = self._link.connect(job)
        digest = self._link.hand_over(job, client, job.reference)
        shot = job.shot
        if job.check_coverage:
            self._link.say(job, "Checking coverage")
            low = _low_coverage(client, digest, shot)
            if low:
                self.events.put(CoverageLow(job.id, tuple(low), tuple(low.values())))
                return Ended(job.id, "cancelled", "Little of the shot lies in the reference.")
        opened = self._link.open(job, client, digest, shot)
        shot = replace(shot, reference=_brought_along(job))
        writer = TakeWriter.create(
            job.folder, shot, digest, opened.preset_digest, opened.backend_version, opened.device
        )
        return self._blocks(job, client, opened, writer)

    def _continue(self, job: Continue) -> Ended:
        take = read_take(job.folder)
        reference = _matching_reference(job, take.reference_digest)
        client = self._link.connect(job)
        digest = self._link.hand_over(job, client, reference)
        opened = self._link.open(job, client, digest, take.shot)
        writer, snapshot = TakeWriter.resume(job.folder, digest, opened.preset_digest)
        if snapshot is not None:
            client.put_snapshot(opened.id, snapshot)
        return self._blocks(job, client, opened, writer)

    def _keep(self, job: Keep) -> Ended:
        """Write a preview's pictures as a take. What is only a part of the shot can be continued."""
        source = job.source
        kept = what_is_kept(source, job.shot, job.recording)
        origin, snapshot = source.origin, None
        if origin is None:
            raise NothingToKeep("There is nothing to keep yet: wait for the first frames")
        if kept.chain is not None and self._stream is not None:
            snapshot = self._stream.snapshot(kept.chain)
        shot = replace(kept.shot, reference=_brought_along(job))
        writer = TakeWriter.create(
            job.folder,
            shot,
            origin.reference_digest,
            origin.preset_digest,
            origin.backend_version,
            origin.device,
            kept.pieces,
        )

        def write() -> None:
            for block, paths in enumerate(write_blocks(kept, source.store, writer, snapshot)):
                self.events.put(BlockDone(job.id, block, tuple(paths), writer.take.frames_done, 0.0, 0.0))
                check(job)
            if writer.done:
                self._make_movie(job, writer, lambda: self._link.connect(job))
            else:
                writer.cancel(f"{kept.count} of {len(shot.cameras)} frames were kept from a preview.")

        return self._written(job, writer, write)

    def _blocks(self, job: Job, client: Client, opened: OpenTake, writer: TakeWriter) -> Ended:
        """Generate and write every block that is missing."""
        take, since = writer.take, job.began

        def write() -> None:
            nonlocal since
            while not writer.done:
                check(job)
                block, catching_up = writer.next_block, writer.catching_up
                if catching_up:
                    self._link.say(job, f"Catching up, block {block + 1} of {take.blocks_done}")
                elif block == take.blocks_done and block:
                    self._link.say(job, "Generating")
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
            self._make_movie(job, writer, lambda: client)

        try:
            return self._written(job, writer, write)
        finally:
            self._link.close(opened)

    def _written(self, job: Job, writer: TakeWriter, write: Callable[[], None]) -> Ended:
        """Have a take written. However it ends, take.json says so."""
        take = writer.take
        self.events.put(TakeStarted(job.id, writer.folder, take.number, take.shot, take.frames_done))
        try:
            write()
        except Interrupted:
            writer.cancel()
            return Ended(job.id, "cancelled", writer.take.message)
        except (BackendError, NothingToKeep) as error:
            message = f"{error} {writer.take.frames_done} of {len(take.shot.cameras)} frames are kept."
            writer.fail(message)
            return Ended(job.id, "failed", message)
        except TakeWriteError as error:
            writer.fail_to_write(error)
            return Ended(job.id, "failed", str(error))
        return Ended(job.id, "finished", writer.take.message)

    def _make_movie(self, job: Job, writer: TakeWriter, client: Callable[[], Client]) -> None:
        """End a take that has all its frames."""

        def make(frames: Sequence[Path], fps: float) -> bytes:
            try:
                return client().movie(frames, fps)
            except ConnectionLost as error:  # Its own words advise to continue, but the take is finished.
                raise JobError("the backend went away") from error

        self.events.put(Stage(job.id, f"Making {MOVIE_FILE}"))
        writer.finish(make)


def _brought_along(job: Generate | Keep) -> str:
    """Where the reference lies within the shot's folder: one from elsewhere (an unsaved file) is copied there."""
    references = job.folder / REFERENCE_FOLDER
    version = job.reference
    if version.parent != references:
        try:
            version = copy_version(version, references)
        except OSError as error:
            raise JobError(
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
