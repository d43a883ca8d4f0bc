"""Takes, made by the worker: generated, continued, or kept from a preview. Knows nothing of Blender.

Generating starts the backend if need be, hands over the reference, checks coverage, and then goes block by
block: cameras out, frames in, frames to disk, `BlockDone`, and where the shot asks for plates, those of its frames; at
last files go out and come back as movie and report. Continuing does the same from the state after the last finished
block; an item of a queue is one or the other. A block counts before its plates are there: a take that stops in between
is continued to have them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ..backend.protocol.blocks import block_count
from ..backend.protocol.cameras import Cameras
from ..backend.protocol.disk import FileFormatError
from ..backend.protocol.files import (
    MOVIE_FILE,
    REFERENCE_FILE,
    REPORT_FILE,
    PlateSettings,
    Shot,
    Take,
    read_take,
)
from ..backend.protocol.plates import PlateWriteError, make_plates, missing_plates
from ..backend.protocol.references import reference_digest
from ..backend.protocol.takes import ContinueError, TakeWriteError, TakeWriter
from .client import BackendError, Client, ConnectionLost, Interrupted, OpenTake
from .jobs import (
    BlockDone,
    Continue,
    CoverageLow,
    Develop,
    Ended,
    Event,
    Generate,
    Job,
    Keep,
    PlatesDone,
    Queued,
    Stage,
    TakeStarted,
)
from .link import COVERAGE_CAMERAS, JobError, Link, check
from .live.flight import Flight
from .live.keep import NothingToKeep, what_is_kept, write_blocks
from .live.stream import Stream
from .queue.work import find_take, is_written_elsewhere, read_item_shot
from .versions import REFERENCE_FOLDER, copy_version

log = logging.getLogger(__name__)

DEVELOPING = "Developing plates"
LOW_COVERAGE = 0.05
"""A frame of which the reference reaches less than this share is worth a warning."""


class Making:
    """Makes takes over the link to the backend. `tell` gets events."""

    def __init__(self, link: Link, tell: Callable[[Event], None]) -> None:
        self._link = link
        self._tell = tell

    def generate(self, job: Generate) -> Ended:
        """A new take."""
        end = _blocks_asked(job, job.shot)
        client = self._link.connect(job)
        digest = self._link.hand_over(job, client, job.reference)
        shot = job.shot
        if job.check_coverage:
            self._link.say(job, "Checking coverage")
            low = _low_coverage(client, digest, shot)
            if low:
                self._tell(CoverageLow(job.id, tuple(low), tuple(low.values())))
                if job.ask:
                    return Ended(job.id, "cancelled", "Little of the shot lies in the reference.")
        opened = self._link.open(job, client, digest, shot)
        shot = replace(shot, reference=_brought_along(job))
        writer = TakeWriter.create(
            job.folder, shot, digest, opened.preset_digest, opened.backend_version, opened.device
        )
        return self._blocks(job, client, opened, writer, digest, end)

    def go_on(self, job: Continue) -> Ended:
        """The rest of a take that stopped, or what the job has instead where that cannot be had."""
        try:
            return self._go_on(job)
        except ContinueError as error:
            if job.instead is None:
                raise
            log.warning("%s A new take is begun.", error)
        return self.generate(replace(job.instead, id=job.id, began=job.began, cancelled=job.cancelled))

    def _go_on(self, job: Continue) -> Ended:
        take = read_take(job.folder)
        end = _blocks_asked(job, take.shot)
        reference = _matching_reference(job, take.reference_digest)
        client = self._link.connect(job)
        digest = self._link.hand_over(job, client, reference)
        opened = self._link.open(job, client, digest, take.shot)
        try:
            writer, snapshot = TakeWriter.resume(job.folder, digest, opened.preset_digest)
        except BaseException:
            self._link.close(opened)
            raise
        if snapshot is not None:
            client.put_snapshot(opened.id, snapshot)
        return self._blocks(job, client, opened, writer, digest, end)

    def develop(self, job: Develop) -> Ended:
        """The plates that a take lacks."""
        take = read_take(job.folder)
        if not missing_plates(job.folder, take, job.settings):
            return Ended(job.id, "finished")
        reference = _matching_reference(job, take.reference_digest)
        client = self._link.connect(job)
        digest = self._link.hand_over(job, client, reference)
        self._link.say(job, DEVELOPING)
        for done in make_plates(job.folder, take, job.settings, _developer(client, digest)):
            self._tell(PlatesDone(job.id, done))
            check(job)
        return Ended(job.id, "finished")

    def queued(self, job: Queued) -> Ended:
        """The take of an item of a queue: begun, or gone on with wherever it stopped, also when Blender was killed."""
        shot = read_item_shot(job.shot_file)
        reference = job.folder / shot.reference
        same = {"setup": job.setup, "id": job.id, "began": job.began, "cancelled": job.cancelled}
        new = Generate(shot=shot, folder=job.folder, reference=reference, ask=False, **same)
        found = find_take(job.folder, shot, job.take, job.after)
        if found is not None:
            folder, take = found
            if take.state == "finished":
                self._tell(TakeStarted(job.id, folder, take.number, take.shot, take.frames_done))
                return Ended(job.id, "finished", take.message)
            if is_written_elsewhere(take):
                raise JobError(f"{folder.name} of {shot.name} is being generated by another Blender.")
            return self.go_on(Continue(folder=folder, references=(reference,), instead=new, **same))
        return self.generate(new)

    def keep(self, job: Keep, stream: Stream | None) -> Ended:
        """A take of a preview's pictures, `stream` where it runs. A part of the shot can be continued."""
        source = job.source
        kept = what_is_kept(source, job.shot, job.recording)
        origin, snapshot = source.origin, None
        if origin is None:
            raise NothingToKeep("There is nothing to keep yet: wait for the first frames")
        if kept.chain is not None and stream is not None:
            snapshot = stream.snapshot(kept.chain)
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
                self._tell(BlockDone(job.id, block, tuple(paths), writer.take.frames_done, 0.0, 0.0))
                check(job)
            remark = ""
            if shot.plate is not None:
                client = self._link.connect(job)
                self._link.hand_over(job, client, job.reference)
                remark = self._make_plates(job, client, writer, origin.reference_digest)
            if writer.done:
                self._finish(job, writer, lambda: self._link.connect(job), remark)
            else:
                writer.cancel(f"{kept.count} of {len(shot.cameras)} frames were kept from a preview.")

        ended = self._written(job, writer, write)
        if isinstance(source, Flight) and job.recording is not None and ended.state != "failed":
            source.release(job.recording)
        return ended

    def _blocks(
        self, job: Job, client: Client, opened: OpenTake, writer: TakeWriter, digest: str, end: int
    ) -> Ended:
        """Generate and write the blocks before number `end` that are missing, and every plate."""
        take, since = writer.take, job.began

        def write() -> None:
            nonlocal since
            remark = self._make_plates(job, client, writer, digest)
            while writer.next_block < end:
                check(job)
                block, catching_up = writer.next_block, writer.catching_up
                if catching_up:
                    self._link.say(job, f"Catching up, block {block + 1} of {take.blocks_done}")
                elif block and (block == take.blocks_done or take.shot.plate is not None):
                    self._link.say(job, "Generating")
                cameras = take.shot.cameras
                following = cameras.after(block) if block + 1 < end else None
                result = client.generate(opened.id, block, cameras.block(block), following)
                seconds, snapshot = time.monotonic() - since, result.snapshot
                if snapshot is None and block + 1 == end < take.blocks_total:
                    snapshot = client.snapshot(opened.id)  # It is what the take is continued from.
                paths = writer.write_block(
                    result.frames,
                    snapshot,
                    result.coverage,
                    seconds=seconds,
                    milliseconds=result.milliseconds,
                    peak_mb=result.peak_mb,
                )
                since += seconds
                if catching_up:
                    continue
                self._tell(
                    BlockDone(job.id, block, tuple(paths), writer.take.frames_done, seconds, result.peak_mb)
                )
                remark = remark or self._make_plates(job, client, writer, digest)
            if writer.done:
                self._finish(job, writer, lambda: client, remark)
            else:
                writer.pause()

        try:
            return self._written(job, writer, write)
        finally:
            self._link.close(opened)

    def _written(self, job: Job, writer: TakeWriter, write: Callable[[], None]) -> Ended:
        """Have a take written. However it ends, take.json says so."""
        take = writer.take
        self._tell(TakeStarted(job.id, writer.folder, take.number, take.shot, take.frames_done))
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

    def _make_plates(self, job: Job, client: Client, writer: TakeWriter, digest: str) -> str:
        """Make the plates that the take's frames lack so far, where it is to have any; why there are none, if so.

        The frames are what counts: whatever goes wrong with the plates, they go on.
        """
        take, settings = writer.take, writer.take.shot.plate
        if settings is None or not missing_plates(writer.folder, take, settings):
            return ""
        self._link.say(job, DEVELOPING)
        try:
            for _ in make_plates(writer.folder, take, settings, _developer(client, digest)):
                check(job)
        except (Interrupted, ConnectionLost):
            raise
        except (BackendError, PlateWriteError, FileFormatError) as error:
            log.warning("%s has no plates: %s", writer.folder, error)
            return f"Not all plates are there: {error}"
        return ""

    def _finish(self, job: Job, writer: TakeWriter, client: Callable[[], Client], remark: str = "") -> None:
        """End a take that has all its frames, with its movie and its report.

        A backend that goes away over one of them is started again, once.
        """

        def make(name: str, ask: Callable[[Client], bytes]) -> bytes:
            self._tell(Stage(job.id, f"Making {name}"))
            try:
                return ask(client())
            except ConnectionLost:
                log.warning("the backend went away over %s", name)
                self._link.await_end(job)
            try:
                return ask(self._link.connect(job))
            except ConnectionLost as error:  # Its own words advise to continue, but the take is finished.
                self._link.await_end(job)
                raise JobError("the backend went away") from error

        def movie(frames: Sequence[Path], fps: float) -> bytes:
            return make(MOVIE_FILE, lambda asked: asked.movie(frames, fps))

        def report(folder: Path, take: Take) -> bytes:
            return make(REPORT_FILE, lambda asked: asked.report(folder, take))

        writer.finish(movie, report, remark)


def _developer(
    client: Client, digest: str
) -> Callable[[Cameras, Sequence[bytes], PlateSettings], Sequence[bytes]]:
    """Makes plates by the backend, which holds the reference with this digest."""

    def develop(cameras: Cameras, frames: Sequence[bytes], settings: PlateSettings) -> Sequence[bytes]:
        size = settings.width, settings.height
        return client.plates(digest, cameras, frames, *size, settings.strength).files

    return develop


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


def _blocks_asked(job: Generate | Continue, shot: Shot) -> int:
    """How many of the shot's blocks are to be there at the end of the job."""
    if job.until is None:
        return block_count(len(shot.cameras))
    try:
        return shot.blocks_until(job.until)
    except ValueError as error:
        raise JobError(str(error)) from error


def _low_coverage(client: Client, digest: str, shot: Shot) -> dict[float, float]:
    """Scene frame and coverage of the frames that the reference hardly reaches, of those asked for."""
    count = len(shot.cameras)
    step = max(1, -(-count // COVERAGE_CAMERAS))
    some = shot.cameras.part(slice(None, None, step))
    shares = client.coverage(digest, shot.width, shot.height, some)
    return {frame: share for frame, share in zip(some.frames, shares, strict=True) if share < LOW_COVERAGE}


def _matching_reference(job: Continue | Develop, digest: str) -> Path:
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
