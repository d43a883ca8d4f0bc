"""The backend as a job of the worker needs it: started, the reference handed over, takes opened and closed.

For the worker's thread; `backend` may be looked at, and `interrupt` called, from any. Knows nothing of Blender.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from ..backend.protocol.references import reference_digest
from .client import BackendError, Client, Interrupted, OpenTake
from .jobs import BackendChanged, Event, Job, Stage
from .process import Backend, TooSoon

log = logging.getLogger(__name__)

WATCH_INTERVAL_S = 0.5
"""Between two looks at what the backend does while it opens a take."""
GONE_WITHIN_S = 2.0
"""After the connection was lost: until a backend that still runs is asked again."""
COVERAGE_CAMERAS = 64
"""Cameras that coverage is asked for at a time. Before a take these are all: evenly spread over the shot."""


class JobError(Exception):
    """The job cannot be done; the message is for the user."""


class Settings(Protocol):
    """What a take is opened with, but its reference: a shot has it, and a preview."""

    preset: str
    width: int
    height: int
    seed: int
    prompt: str
    keep_reference_detail: bool
    quality: str
    remember: bool


class Link:
    """The one backend, and the client of it. `tell` gets events."""

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self.backend: Backend | None = None
        self._client: Client | None = None
        self._tell = tell

    @property
    def running(self) -> Client | None:
        """The client of a backend that runs."""
        return self._client if self.backend is not None and self.backend.running else None

    def interrupt(self) -> None:
        """End the running call, or the next one, with `Interrupted`. From any thread; returns at once."""
        if self._client is not None:
            self._client.interrupt()

    def rearm(self) -> None:
        """Allow calls again after `interrupt`."""
        if self._client is not None:
            self._client.rearm()

    def connect(self, job: Job, by_hand: bool = False) -> Client:
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
            raise JobError("The backend does not run: start it in the panel")
        self.say(job, "Starting backend")
        try:
            ready = backend.start()
        except TooSoon as error:
            if job.cancelled.wait(error.seconds):
                raise Interrupted from None
            ready = backend.start()
        self._client = ready.client()
        check(job)
        self._tell(BackendChanged(job.id, self._client.status()))
        return self._client

    def await_end(self, job: Job) -> None:
        """After the connection was lost: wait while a backend that was killed still seems to run."""
        until = time.monotonic() + GONE_WITHIN_S
        while self.running is not None and time.monotonic() < until:
            if job.cancelled.wait(0.02):
                raise Interrupted

    def hand_over(self, job: Job, client: Client, folder: Path) -> str:
        """The digest of a reference that the backend holds now."""
        self.say(job, "Handing over the reference")
        digest = reference_digest(folder)
        if not client.has_reference(digest):
            client.put_reference(digest, folder)
        self.say(job, "Generating")
        return digest

    def open(
        self,
        job: Job,
        client: Client,
        digest: str,
        settings: Settings,
        preview: bool = False,
        endless: bool = False,
    ) -> OpenTake:
        """Open a take of the reference with this digest."""
        with self._telling_what_it_does(job, client):
            return client.open_take(
                digest,
                settings.preset,
                settings.width,
                settings.height,
                settings.seed,
                settings.prompt,
                settings.keep_reference_detail,
                settings.quality,
                settings.remember,
                preview,
                endless,
            )

    def close(self, opened: OpenTake) -> None:
        """End a take, also one that was interrupted."""
        self.rearm()
        client = self.running
        if client is None:
            return
        try:
            client.close_take(opened.id)
        except BackendError as error:
            log.info("the take could not be closed: %s", error)

    def status(self) -> dict[str, Any] | None:
        """What the backend says of itself; None where it does not run or answer."""
        client = self.running
        if client is None:
            return None
        try:
            client.rearm()
            return client.status()
        except BackendError:
            log.info("the backend did not tell its status")
            return None

    def say(self, job: Job, text: str) -> None:
        """Tell what the job does now. Raises Interrupted when it is cancelled."""
        check(job)
        self._tell(Stage(job.id, text))

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
                    self._tell(Stage(job.id, doing))
                told = doing

        watching = threading.Thread(target=watch, name="inspatio-watch", daemon=True)
        watching.start()
        try:
            yield
        finally:
            over.set()
            beside.interrupt()
            watching.join()


def check(job: Job) -> None:
    """Raises Interrupted when the job is cancelled."""
    if job.cancelled.is_set():
        raise Interrupted
