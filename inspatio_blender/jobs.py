"""What the main thread asks of the worker (jobs), and what it hears from it (events). Knows nothing of Blender."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..backend.protocol.files import PlateSettings, Shot
from .live.flight import Recording
from .live.orders import Source

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Setup:
    """How to start the backend. environment: variables that its process has besides Blender's own."""

    python: str
    folder: Path
    log: Path
    autostart: bool
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Job:
    setup: Setup
    id: int = field(default_factory=lambda: next(_numbers))
    began: float = field(default_factory=time.monotonic)
    """When the user pressed the button."""
    cancelled: threading.Event = field(default_factory=threading.Event, compare=False)


@dataclass(frozen=True, kw_only=True)
class Generate(Job):
    """A new take of `shot` below `folder`, from the reference in the folder `reference`.

    check_coverage: tell where the reference hardly reaches. ask: end then, so that the user may think again.
    until: scene frame whose block is the last to be generated; the take can be continued then. None: all of it.
    """

    shot: Shot
    folder: Path
    reference: Path
    check_coverage: bool = True
    ask: bool = True
    until: float | None = None


@dataclass(frozen=True, kw_only=True)
class Continue(Job):
    """Go on with the stopped take in `folder`; `references` are the folders its reference may lie in.

    until: as of `Generate`. instead: the new take that is made where this one cannot be continued, since weights or
    reference have changed.
    """

    folder: Path
    references: tuple[Path, ...]
    until: float | None = None
    instead: Generate | None = None


@dataclass(frozen=True, kw_only=True)
class Queued(Job):
    """The take of an item of a queue: a new one, or the rest of the one that was begun. Nobody is asked anything.

    shot_file: the item's shot; its reference lies in `folder`, and takes go there. take, after: as the item has them.
    """

    shot_file: Path
    folder: Path
    take: int
    after: int


@dataclass(frozen=True, kw_only=True)
class Develop(Job):
    """The plates that the take in `folder` lacks; `references` are the folders its reference may lie in."""

    folder: Path
    references: tuple[Path, ...]
    settings: PlateSettings


@dataclass(frozen=True, kw_only=True)
class CheckCoverage(Job):
    """How much of each frame of `shot` the reference in the folder `reference` reaches."""

    shot: Shot
    reference: Path


@dataclass(frozen=True, kw_only=True)
class Preview(Job):
    """Generate what `source` (a Plan or a Flight) orders, from the reference in a folder, until cancelled.

    Pictures go to the source's store. Other jobs are done between two blocks; what is set here is as in a `Shot`.
    """

    source: Source
    reference: Path
    preset: str
    width: int
    height: int
    seed: int
    prompt: str = ""
    keep_reference_detail: bool = True
    quality: str = "final"
    remember: bool = False


@dataclass(frozen=True, kw_only=True)
class Keep(Job):
    """A new take of `shot` below `folder` from the pictures of a preview, without generating any.

    Of a Plan: its leading fresh frames; a part of the shot is a stopped take. Of a Flight: `recording`, whose
    cameras are the shot's (`Recording.cameras_from`). Its events are those of `Generate`. reference: the preview's.
    """

    source: Source
    shot: Shot
    folder: Path
    reference: Path
    recording: Recording | None = None


@dataclass(frozen=True, kw_only=True)
class Start(Job):
    """Start the backend, also where it does not start by itself."""


@dataclass(frozen=True, kw_only=True)
class Stop(Job):
    """End the backend, and with it all memory that it holds."""


@dataclass(frozen=True)
class Shape:
    """What the memory that a take needs depends on: of its reference, the views of one moment, or that it moves."""

    preset: str
    width: int
    height: int
    quality: str
    views: int
    moving: bool


@dataclass(frozen=True, kw_only=True)
class Plan(Job):
    """Ask a backend that runs what a take of this shape would need."""

    shape: Shape


@dataclass(frozen=True)
class Event:
    job: int


@dataclass(frozen=True)
class Stage(Event):
    """What the job is doing now, for the progress bar."""

    text: str


@dataclass(frozen=True)
class CoverageLow(Event):
    """The reference reaches too little of some frames. A job that asks has ended: the user may want it all the same."""

    frames: tuple[float, ...]
    coverage: tuple[float, ...]


@dataclass(frozen=True)
class Covered(Event):
    """The coverage of the next frames of a check."""

    shares: tuple[float, ...]


@dataclass(frozen=True)
class TakeStarted(Event):
    """The take's folder is there; `frames_done` of it are already written when it is continued."""

    folder: Path
    number: int
    shot: Shot
    frames_done: int


@dataclass(frozen=True)
class BlockDone(Event):
    """One more block is on disk."""

    block: int
    paths: tuple[Path, ...]
    frames_done: int
    seconds: float
    peak_mb: float


@dataclass(frozen=True)
class PlatesDone(Event):
    """So many plates of a take are on disk."""

    done: int


@dataclass(frozen=True)
class PreviewBlock(Event):
    """Frames of a preview are in its store: `count` of them, the first is `first`.

    seconds: since the block before, or since it was ordered where there was a pause. generated_at: of time.monotonic.
    """

    first: float
    count: int
    seconds: float
    generated_at: float


@dataclass(frozen=True)
class PreviewPaused(Event):
    """The backend of a preview is gone; it is started again, and the preview goes on by itself."""

    message: str


@dataclass(frozen=True)
class Ended(Event):
    """The job is over: "finished", "cancelled" or "failed" with a sentence that says why."""

    state: str
    message: str = ""


@dataclass(frozen=True)
class BackendChanged(Event):
    """What the backend says of itself; None when it has ended."""

    status: dict[str, Any] | None


@dataclass(frozen=True)
class Planned(Event):
    """What a take of this shape would need, and how slow it would be; empty where that is no matter."""

    shape: Shape
    words: str
    fits: bool
    seconds_per_frame: float | None
