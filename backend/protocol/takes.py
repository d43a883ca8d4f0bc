"""Writing a take: a numbered folder of frames, take.json, the state to go on from, and at last its movie and report.

Both who generate write takes through here: the add-on (frames arrive over HTTP) and `inspatio shot`.
The order within a block makes every moment a good one to be killed in: frames first, then the state after
the block under a name of its own, then take.json, which names how many blocks count and which state is the newest.
A block whose take.json was not written is generated again, to the same frames. So are blocks after the newest
state, which large ones are not kept of every time (`snapshots.py`): then the take catches up.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from . import PROTOCOL_VERSION, blocks
from .disk import FileFormatError, keep_written, write_json, write_whole
from .files import MOVIE_FILE, REPORT_FILE, TAKE_FILE, Shot, Take, frame_names, now, read_take
from .machine import boot_id
from .png import END

log = logging.getLogger(__name__)

MakeMovie = Callable[[Sequence[Path], float], bytes]
"""Makes an MP4 file of PNG files, in order, with so many frames a second."""
MakeReport = Callable[[Path, Take], bytes]
"""Makes an HTML file of a take's folder, and of what take.json is about to say of it."""

_TAKE_FOLDER = re.compile(r"take_(\d{3,6})")


class TakeWriteError(OSError):
    """A take's folder could not be written; the message says why, and what is kept."""


class ContinueError(Exception):
    """A take cannot be continued; the message says why."""


def take_folders(parent: Path) -> list[tuple[int, Path]]:
    """Number and folder of the takes below `parent`, in order."""
    if not parent.is_dir():
        return []
    found = ((_TAKE_FOLDER.fullmatch(path.name), path) for path in parent.iterdir())
    return sorted((int(match[1]), path) for match, path in found if match and path.is_dir())


def take_folder(parent: Path, number: int) -> Path:
    """Where the take of this number lies below `parent`."""
    return parent / f"take_{number:03d}"


def state_file(folder: Path, blocks_done: int) -> Path:
    """Where a take's folder keeps the session's snapshot after so many finished blocks."""
    return folder / f"state_{blocks_done:04d}.bin"


class TakeWriter:
    """Writes one take. Make one with `create` or `resume`; end it with `finish`, `cancel` or `fail`."""

    def __init__(self, folder: Path, take: Take) -> None:
        self.folder = folder
        self.take = take
        self.next_block = take.blocks_done
        """The block to generate next; `done` when there is none."""

    @staticmethod
    def create(
        parent: Path,
        shot: Shot,
        reference_digest: str,
        preset_digest: str,
        version: str,
        device: str = "",
        pieces: Sequence[float] = (),
        number: int | None = None,
    ) -> TakeWriter:
        """Make a take folder below `parent`, by itself the next in number, and write its first take.json.

        pieces: the frames at which one that was not generated in one go begins anew. number: the take's, where it has
        to be this. Numbers are never given twice, also when two processes ask at once. Raises TakeWriteError.
        """
        is_free, taken = number is None, take_folders(parent)
        if number is None:
            number = taken[-1][0] + 1 if taken else 1
        try:
            parent.mkdir(parents=True, exist_ok=True)
            while True:
                folder = take_folder(parent, number)
                try:
                    # One of a given number that was killed before it wrote anything is begun again.
                    folder.mkdir(exist_ok=not is_free and not (folder / TAKE_FILE).exists())
                    break
                except FileExistsError:
                    if not is_free:
                        raise
                    number += 1
        except OSError as error:
            raise TakeWriteError(f"No take can be written to {parent}: {_reason(error)}.") from error
        take = Take(
            number=number,
            shot=shot,
            reference_digest=reference_digest,
            preset_digest=preset_digest,
            backend_version=version,
            protocol=PROTOCOL_VERSION,
            blocks_total=blocks.block_count(len(shot.cameras)),
            writer=os.getpid(),
            boot=boot_id(),
            device=device,
            pieces=tuple(pieces),
        )
        writer = TakeWriter(folder, take)
        writer._write_take()
        return writer

    @staticmethod
    def resume(folder: Path, reference_digest: str, preset_digest: str) -> tuple[TakeWriter, bytes | None]:
        """Take up a stopped take again: its writer, and the snapshot to restore (None: from the start).

        The writer's next block is the one after that state: blocks that are there already may have to be generated
        again first, also where one of their frames is gone, or was cut short when the machine lost its power.

        Raises ContinueError for a take that is finished, still being written by another process, or whose
        reference or preset has changed since; FileFormatError for a broken take.json.
        """
        take = read_take(folder)
        if take.state == "finished":
            raise ContinueError(f"{folder.name} is finished: there is nothing to continue.")
        if take.state == "running" and not take.abandoned and take.writer != os.getpid():
            raise ContinueError(f"{folder.name} is still being generated by another process.")
        if take.reference_digest != reference_digest:
            raise ContinueError(
                f"The reference has changed since {folder.name} was made: "
                "put the old one back, or start a new take."
            )
        if take.preset_digest != preset_digest:
            raise ContinueError(
                f"The weights of {take.shot.preset} have changed since {folder.name} was made: "
                "start a new take."
            )
        snapshot: bytes | None = None
        if take.state_after:
            try:
                snapshot = state_file(folder, take.state_after).read_bytes()
            except OSError as error:
                log.warning("the state of %s is gone (%s): it is generated from the start", folder, error)
        claimed = replace(take, state="running", message="", writer=os.getpid(), boot=boot_id())
        writer = TakeWriter(folder, claimed)
        broken = writer._drop_what_is_not_whole()
        if broken is not None and broken < take.state_after:
            snapshot = None
        writer.next_block = take.state_after if snapshot is not None else 0
        writer._write_take()
        return writer, snapshot

    @property
    def catching_up(self) -> bool:
        """Whether the next block was generated before, and is only needed for the state after it."""
        return self.next_block < self.take.blocks_done

    @property
    def done(self) -> bool:
        """Whether every block is written."""
        return self.next_block >= self.take.blocks_total

    @property
    def frame_paths(self) -> list[Path]:
        """The frames that are written, in order; also those of before the take was continued."""
        names = frame_names(self.take.shot.cameras.frames)[: self.take.frames_done]
        return [self.folder / name for name in names]

    def write_block(
        self,
        frames: Sequence[bytes],
        snapshot: bytes | None,
        coverage: Sequence[float],
        *,
        seconds: float,
        milliseconds: Mapping[str, float],
        peak_mb: float,
    ) -> list[Path]:
        """Write the next block's PNGs, state if there is one, and take.json, in this order; returns the frames' paths.

        `frames` and `coverage` may hold surplus entries of a last block that was filled up: they are dropped. Frames
        of a block that was there already are written only where they are missing.
        Raises TakeWriteError; the blocks before stay valid then, and nothing is left of this one.
        """
        block, take = self.next_block, self.take
        span = blocks.block_span(block, len(take.shot.cameras))
        if len(frames) < span.count or len(coverage) < span.count:
            raise ValueError(f"block {block} has {span.count} frames, got {len(frames)}")
        names = frame_names(take.shot.cameras.frames)[span.start : span.stop]
        paths = [self.folder / name for name in names]
        written: list[Path] = []
        new = take
        if not self.catching_up:
            timing = {"block": block, "seconds": round(seconds, 4), "milliseconds": dict(milliseconds)}
            new = replace(
                take,
                blocks_done=block + 1,
                frames_done=span.stop,
                updated=now(),
                timings=(*take.timings, timing),
                coverage=(*take.coverage, *(round(float(c), 5) for c in coverage[: span.count])),
                first_frame_s=take.first_frame_s if block else round(seconds, 4),
                peak_mb=max(take.peak_mb, round(peak_mb, 1)),
            )
        try:
            for path, frame in zip(paths, frames, strict=False):
                if not (self.catching_up and path.exists()):
                    written.append(path)
                    write_whole(path, frame)
            if snapshot is not None:
                written.append(state_file(self.folder, block + 1))
                write_whole(written[-1], snapshot, durable=True)
                new = replace(new, state_after=block + 1)
            if new != take:
                self._write_take(new)
        except OSError as error:
            # What does not count goes: on a full disk, take.json needs the room to say that the take failed.
            with suppress(OSError):
                for path in written:
                    path.unlink(missing_ok=True)
            if isinstance(error, TakeWriteError):
                raise
            raise self._write_error(error) from error
        if new.state_after != take.state_after:
            state_file(self.folder, take.state_after).unlink(missing_ok=True)
        self.next_block = block + 1
        return paths

    def _drop_what_is_not_whole(self) -> int | None:
        """Remove half frames, and files that a writer was killed over; the first block that now lacks a frame.

        Raises TakeWriteError.
        """
        missing = [number for number, path in enumerate(self.frame_paths) if not is_whole(path)]
        try:
            for left in self.folder.glob(".*.tmp"):
                left.unlink(missing_ok=True)
            for number in missing:
                self.frame_paths[number].unlink(missing_ok=True)
        except OSError as error:
            raise self._write_error(error) from error
        return blocks.block_at(missing[0]) if missing else None

    def finish(
        self, make_movie: MakeMovie | None = None, make_report: MakeReport | None = None, remark: str = ""
    ) -> None:
        """Write movie and report, and say that every frame is there, and what else there is to say.

        Raises TakeWriteError.

        The frames are what counts: whatever goes wrong with the others, the take is finished, and its message says
        why they are missing. They come before take.json, so that a take killed in between is continued to have them.
        """
        missing: dict[str, str] = {}
        if make_movie is not None:
            paths, fps = self.frame_paths, self.take.shot.fps
            self._add(MOVIE_FILE, lambda: make_movie(paths, fps), missing)
        message = _message(remark, missing)
        ended = replace(self.take, state="finished", message=message, updated=now(), writer=0)
        if make_report is not None:
            self._add(REPORT_FILE, lambda: make_report(self.folder, ended), missing)
        # Nobody looks through a finished take's frames again: a power cut from here on must not cost one.
        for path in self.frame_paths:
            with suppress(OSError):  # Not every network drive can be waited for.
                keep_written(path)
        self._write_take(replace(ended, message=_message(remark, missing)))
        state_file(self.folder, self.take.state_after).unlink(missing_ok=True)

    def _add(self, name: str, make: Callable[[], bytes], missing: dict[str, str]) -> None:
        """Write a file that a finished take has beside its frames, or note why it cannot be."""
        try:
            write_whole(self.folder / name, make(), durable=True)
        except Exception as error:
            log.info("%s has no %s", self.folder, name, exc_info=True)
            reason = _reason(error) if isinstance(error, OSError) else str(error) or type(error).__name__
            missing[name] = reason[:1000].rstrip(".")

    def pause(self) -> None:
        """Say that the take is as far as was asked: what there is of it is whole, and it can be continued."""
        take = self.take
        last, total = take.shot.cameras.frames[take.frames_done - 1], len(take.shot.cameras)
        self.cancel(f"Generated as far as frame {last:g}, as asked: {take.frames_done} of {total} frames.")

    def cancel(self, message: str = "") -> None:
        """Say that the take was ended before its time, and why; it keeps its frames and can be continued."""
        total = len(self.take.shot.cameras)
        self._end("cancelled", message or f"Cancelled after {self.take.frames_done} of {total} frames.")

    def fail(self, message: str) -> None:
        """Say why the take stopped; it keeps its frames and can be continued."""
        self._end("failed", message)

    def fail_to_write(self, error: TakeWriteError) -> None:
        """Say that the take stopped since it cannot be written, if at least that can.

        Else take.json goes on to say "running", and is believed for as long as this process lives.
        """
        try:
            self.fail(str(error))
        except TakeWriteError:
            log.warning("%s still says that it is running", self.folder, exc_info=True)

    def _end(self, state: str, message: str) -> None:
        self._write_take(replace(self.take, state=state, message=message, updated=now(), writer=0))

    def _write_take(self, take: Take | None = None) -> None:
        take = take or self.take
        try:
            write_json(self.folder / TAKE_FILE, take.to_json())
        except OSError as error:
            raise self._write_error(error) from error
        self.take = take

    def _write_error(self, error: OSError) -> TakeWriteError:
        if not self.folder.is_dir():
            return TakeWriteError(
                f"The folder {self.folder} is gone, and its frames with it: start a new take."
            )
        return TakeWriteError(
            f"{self.folder} cannot be written: {_reason(error)}. "
            f"{self.take.frames_done} frames are kept; make room, then continue the take."
        )


def _message(remark: str, missing: Mapping[str, str]) -> str:
    """The remark, and what a finished take lacks and why: {file name: reason}. Empty where there is nothing to say."""
    names: dict[str, list[str]] = {}
    for name, reason in missing.items():
        names.setdefault(reason, []).append(name)
    parts = [f"{' and '.join(of)} {'is' if len(of) == 1 else 'are'} not: {why}" for why, of in names.items()]
    return f"{remark} All frames are there, but {'; '.join(parts)}.".strip() if parts else remark


def is_whole(path: Path) -> bool:
    """Whether a PNG file is there and has its end: one that the power cut short has not."""
    try:
        with open(path, "rb") as file:
            file.seek(-len(END), os.SEEK_END)
            return file.read() == END
    except OSError:
        return False


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


__all__ = [
    "ContinueError",
    "FileFormatError",
    "TakeWriteError",
    "TakeWriter",
    "is_whole",
    "state_file",
    "take_folder",
    "take_folders",
]
