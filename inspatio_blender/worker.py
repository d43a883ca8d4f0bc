"""The one thread that talks to the backend and writes takes. Knows nothing of Blender.

Jobs go in, events come out: the main thread calls `submit` and drains `events` from its timer; a render, in a thread
of its own, follows the events of its jobs. A job is cancelled by `cancel`, from either: whatever call is running is
interrupted at once, the take says "cancelled" on disk, and only then is the backend told.

Jobs are done in order, each to its end; `making.py` has those that make takes. A preview has no end of its own, so it
gives way: other jobs are done between two of its blocks.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from ..backend.protocol.disk import FileFormatError
from ..backend.protocol.plates import PlateWriteError
from ..backend.protocol.takes import ContinueError, TakeWriteError
from .client import BackendError, Client, Interrupted
from .jobs import (
    BackendChanged,
    CheckCoverage,
    Continue,
    Covered,
    Develop,
    Ended,
    Event,
    Generate,
    Job,
    Keep,
    Plan,
    Planned,
    Preview,
    Queued,
    Start,
    Stop,
)
from .link import COVERAGE_CAMERAS, JobError, Link, check
from .live.keep import NothingToKeep
from .live.stream import Stream
from .making import Making
from .process import Backend, StartError

log = logging.getLogger(__name__)


class Worker:
    """Owns the thread, the backend's process and the client. Made by the main thread, ended by `shutdown`."""

    def __init__(self) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._followers: dict[int, Callable[[Event], None]] = {}
        self._link = Link(self._tell)
        self._making = Making(self._link, self._tell)
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

    @property
    def running(self) -> bool:
        """Whether jobs are done: not any more after `shutdown`."""
        return self._thread.is_alive()

    def client(self) -> Client | None:
        """A client of the backend that runs, for calls beside those of the jobs. From any thread."""
        client = self._link.running
        return client.twin() if client is not None else None

    def submit(self, job: Job, follow: Callable[[Event], None] | None = None) -> Job:
        """Have a job done after those before it; a preview gives way to it. From any thread.

        `follow` gets the job's events too, in the worker's thread.
        """
        if follow is not None:
            self._followers[job.id] = follow
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
        self._tell(ended)
        self._followers.pop(job.id, None)
        self._tell(BackendChanged(job.id, self._link.status()))

    def _tell(self, event: Event) -> None:
        self.events.put(event)
        follow = self._followers.get(event.job)
        if follow is not None:
            follow(event)

    def _run(self, job: Job) -> Ended:
        try:
            self._switch_to(job)
            if isinstance(job, Generate):
                return self._making.generate(job)
            if isinstance(job, Continue):
                return self._making.go_on(job)
            if isinstance(job, Queued):
                return self._making.queued(job)
            if isinstance(job, Develop):
                return self._making.develop(job)
            if isinstance(job, Keep):
                return self._making.keep(job, self._stream)
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
            PlateWriteError,
            JobError,
            NothingToKeep,
        ) as error:
            log.warning("%s: %s", type(job).__name__, error)
            return Ended(job.id, "failed", str(error))

    def _show(self, job: Preview) -> None:
        """Generate a preview until it is cancelled, refused, or a job comes that ends it."""
        self._preview = job
        self._stream = Stream(job, self._link, lambda: self._give_way(job), self._tell)
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
            if isinstance(job, (Generate, Continue, Queued)) and self._stream is not None:
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
        self._tell(Planned(job.id, shape, str(said["words"]), bool(said["fits"]), seconds))

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
            self._tell(Covered(job.id, tuple(shares)))
