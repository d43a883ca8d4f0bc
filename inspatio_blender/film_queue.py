"""The queue of the file that is open, made shot after shot: what the pump moves on, and what the panel asks of it.

    look_at     another file is open: its queue is read, and goes on if it was going when Blender ended
    pump        the next item begins once nothing else is made, with a job of the worker; how it ends is written down
    start, pause, skip ...   what the user presses

What is on disk decides: an item is marked as begun before its job is submitted, and its take says itself how far it
has come. So a crash at any moment leaves a queue that whoever opens the file next can go on with. Main thread only.
"""

import logging
import time
from collections.abc import Callable, Generator
from pathlib import Path

import bpy

from ..backend.protocol.files import Shot
from . import film_listing, jobs, takes
from .progress import Progress, coverage_sentence
from .queue.items import Content, Item, QueueError
from .queue.keeper import Change, Keeper, Make
from .queue.pace import Stopwatch, pace_with, seconds_left
from .shots import UserError
from .worker import Worker

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
"""How often a queue that another Blender may run is looked at."""
DISK_WAIT_S = 5.0
"""After the disk refused: until it is asked again."""
RETRY_WAIT_S = (1.0, 5.0, 15.0)
"""After an item stopped for the first time without a new frame, the second, and so on: until it goes on."""


class QueueProgress(Progress):
    """The take of an item: made for its shot, whatever scene is in front of the user."""

    def __init__(self, item: Item, setup: jobs.Setup, folder: Path) -> None:
        super().__init__(None, item.shot, item.frames, setup, None)
        self.item = item
        self.note = ""
        """What is to be known of it, although it goes on."""
        self.stopwatch = Stopwatch(item.work)
        self._shot_folder = folder

    @property
    def scene(self) -> bpy.types.Scene | None:
        """The scene whose shot this is now; None where the user has another in front of them."""
        return next(
            (scene for scene in bpy.data.scenes if takes.shot_folder(scene) == self._shot_folder), None
        )

    @property
    def is_orphan(self) -> bool:
        return False

    def handle(self, event: jobs.Event) -> None:
        if isinstance(event, jobs.CoverageLow):
            self.note = f"{coverage_sentence(event.frames)}. It is generated all the same"
            return
        if isinstance(event, jobs.BlockDone):
            self.stopwatch.block(event.seconds, len(event.paths))
        super().handle(event)

    def line(self) -> str:
        return f"{self.name}: {super().line()}"


class FilmQueue:
    """The queue of the file that is open; there is none while the file is not saved."""

    def __init__(
        self, worker: Worker, setup: Callable[[], jobs.Setup], redraw: Callable[[bool], None]
    ) -> None:
        self.keeper: Keeper | None = None
        self.progress: QueueProgress | None = None
        """The take of the item that is made, or of the last one."""
        self._worker = worker
        self._setup = setup
        self._redraw = redraw
        self._is_free = False
        self._goes_on_by_itself = False
        self._pausing = False
        """Pause was pressed; the disk may not know of it yet."""
        self._message = ""
        self._looked = 0.0
        self._shown = -1
        self._steps = self._go()

    @property
    def content(self) -> Content:
        """What is in the queue, as far as is known."""
        return self.keeper.content if self.keeper is not None else Content()

    @property
    def problem(self) -> str:
        """Why the queue does not do what it should, in a sentence; else empty."""
        return (self.keeper.problem if self.keeper is not None else "") or self._message

    @property
    def is_going(self) -> bool:
        """Whether this Blender makes the shots of the queue."""
        return self.keeper is not None and self.keeper.held and self.content.going and not self._pausing

    @property
    def seconds_left(self) -> float | None:
        """Until everything that waits is done; None where how long a frame takes was never measured."""
        content, progress = self.content, self.progress
        paces, making = content.paces, None
        if progress is not None:
            making, pace = progress.item.id if progress.active else None, progress.stopwatch.pace
            paces = pace_with(paces, pace) if pace is not None else paces
        left = []
        for item in content.items:
            if item.state in ("waiting", "running"):
                done = max(item.frames_done, progress.frames_done) if item.id == making else item.frames_done
                left.append((item.work, item.frames - done))
        return seconds_left(paces, left)

    # What the user does. Each returns at once with what may be waited for, and raises QueueError while the file is
    # not saved.

    def add(self, shot: Shot, reference: Path) -> Change:
        """Add a shot as it is sampled now, to be generated from the version of the reference in a folder."""
        keeper = self._kept()
        return keeper.change(keeper.adding(shot, takes.safe_name(shot.name), reference))

    def start(self) -> Change:
        """Have the queue made, by this Blender. Raises UserError where no backend is set up."""
        self._setup()
        self._pausing, self._message = False, ""
        return self._kept().change(Content.started)

    def pause(self) -> Change:
        """Stop; the take that is being made keeps its frames, and goes on when the queue does."""
        keeper, progress = self._kept(), self.progress
        self._pausing = True
        self._cancel_job()
        done = progress.frames_done if progress is not None and progress.active else 0
        return keeper.change(lambda content: content.paused(done), or_forget=True)

    def skip(self, item_id: int) -> Change:
        """Pass over an item; where it is being made, go on with the next."""
        if self.progress is not None and self.progress.active and self.progress.item.id == item_id:
            self._cancel_job()
        return self._kept().change(lambda content: content.skipped(item_id))

    def change(self, make: Make) -> Change:
        """Any other change of the content: an item moved, removed, retried."""
        return self._kept().change(make)

    # What the runtime does.

    def look_at(self, place: Path | None, goes_on_by_itself: bool) -> None:
        """The file that is open keeps its shots in `place`, None while it is not saved.

        goes_on_by_itself: whether its queue may go on where it stopped when Blender was ended or killed.
        """
        if place != (self.keeper.place if self.keeper is not None else None):
            self.close()
            self.keeper = Keeper(place) if place is not None else None
            self._goes_on_by_itself, self._shown = goes_on_by_itself, -1
            self._pausing, self._message = False, ""
            film_listing.show_queue(Content())
        if (
            self.keeper is not None
            and not self.keeper.held
            and time.monotonic() - self._looked > LOOK_EVERY_S
        ):
            self._looked = time.monotonic()
            self.keeper.look()

    def pump(self, is_free: bool) -> None:
        """Move on; `is_free` says whether an item may be begun."""
        keeper = self.keeper
        if keeper is None:
            return
        self._is_free = is_free
        if keeper.version != self._shown:
            self._shown = keeper.version
            film_listing.show_queue(keeper.content)
            self._redraw(False)
        if self._goes_on_by_itself and keeper.read:
            self._goes_on_by_itself = False
            if keeper.content.going and not keeper.held and not keeper.problem:
                log.info("the queue in %s goes on", keeper.place)
                keeper.change(lambda content: content)
        try:
            next(self._steps)
        except Exception:
            self._steps = self._go()  # Whatever went wrong with one item, the next tick must come.
            raise

    def close(self) -> None:
        """Leave the queue as it is: the job ends, and whoever opens the file next goes on."""
        self._cancel_job()
        self._steps.close()
        self._steps = self._go()
        keeper, self.keeper, self.progress = self.keeper, None, None
        if keeper is not None:
            keeper.close()

    def _kept(self) -> Keeper:
        if self.keeper is None:
            raise QueueError("Save the file first: its queue is kept beside it")
        return self.keeper

    def _cancel_job(self) -> None:
        progress = self.progress
        job = progress.job if progress is not None and progress.active else None
        if job is not None and not job.cancelled.is_set():
            self._worker.cancel(job)
            progress.stage = "Cancelling"

    def _go(self) -> Generator[None, None, None]:
        """Make the items one after the other, a step a tick, for as long as this Blender runs the queue."""
        while True:
            keeper = self.keeper
            if self._pausing and keeper.held:
                if not (yield from self._written(keeper, Content.paused)):
                    yield from _wait(DISK_WAIT_S)
                continue
            item = keeper.content.next if self.is_going and self._is_free else None
            if item is None:
                yield
                continue
            try:
                setup = self._setup()
            except UserError as error:
                self.pause()
                self._message = str(error)
                continue
            if not (yield from self._written(keeper, keeper.beginning(item.id))):
                yield from _wait(DISK_WAIT_S)
                continue
            item = keeper.content.running
            if item is None or not self._is_free:
                continue
            progress = self._submit(keeper, item, setup)
            yield from self._watch(keeper, progress)
            if progress.state == "cancelled":
                continue  # Paused, skipped or closed: that was written when it was pressed.
            yield from self._end(keeper, progress)
            item = keeper.content.running
            if item is not None and item.attempts:
                yield from _wait(RETRY_WAIT_S[min(item.attempts, len(RETRY_WAIT_S)) - 1])

    def _submit(self, keeper: Keeper, item: Item, setup: jobs.Setup) -> QueueProgress:
        folder = keeper.shot_folder(item.shot)
        self.progress = progress = QueueProgress(item, setup, folder)
        progress.begin(
            self._worker.submit(
                jobs.Queued(
                    setup=setup,
                    shot_file=keeper.folder / item.shot_file,
                    folder=folder,
                    take=item.take,
                    after=item.after,
                )
            )
        )
        return progress

    def _watch(self, keeper: Keeper, progress: QueueProgress) -> Generator[None, None, None]:
        """See the job of an item to its end, and write down which take it got."""
        item, known, note = progress.item, progress.item.take, ""
        while progress.active:
            if progress.number not in (0, known):
                known = progress.number
                keeper.change(_has_take(item.id, known, progress.frames_done))
            if progress.note != note:
                note = progress.note
                keeper.change(_noted(item.id, note))
            if not keeper.held:
                self._cancel_job()  # Another process has the queue now, or it was paused.
            yield

    def _end(self, keeper: Keeper, progress: QueueProgress) -> Generator[None, None, None]:
        """Write down how an item ended, however often the disk refuses, until the queue is paused."""
        ended = (progress.item.id, progress.state, progress.message, progress.frames_done)
        pace = progress.stopwatch.pace
        while not (yield from self._written(keeper, lambda content: content.ended(*ended, pace))):
            until = time.monotonic() + DISK_WAIT_S
            while keeper.held and time.monotonic() < until:
                yield
            if not keeper.held:
                return

    def _written(self, keeper: Keeper, make: Make) -> Generator[None, None, bool]:
        """Ask for a change; whether it is on disk now."""
        change = keeper.change(make)
        while not change.done.is_set():
            yield
        return not change.error


def _has_take(item_id: int, number: int, frames_done: int) -> Make:
    return lambda content: content.has_take(item_id, number, frames_done)


def _noted(item_id: int, note: str) -> Make:
    return lambda content: content.noted(item_id, note)


def _wait(seconds: float) -> Generator[None, None, None]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield
