"""`inspatio shot FOLDER`: a take of a shot folder without Blender and without a server.

FOLDER/shot.json, FOLDER/reference/...  ->  FOLDER/take_001/0001.png ..., take.json, shot.mp4, report.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from . import __version__
from .faults import is_out_of_memory
from .memory import peak_mb
from .movie import encode_movie
from .pictures import encode_pngs
from .plan import Asked
from .plate import PlateError
from .plate_files import developer
from .presets import PresetError, Presets
from .protocol.blocks import block_span
from .protocol.disk import FileFormatError
from .protocol.files import TAKE_FILE, Shot, Take, read_shot, read_take
from .protocol.plates import PlateWriteError, make_plates, missing_plates
from .protocol.takes import ContinueError, TakeWriteError, TakeWriter, take_folder, take_folders
from .report import make_report
from .session import Session, SessionError, camera_block
from .snapshots import Snapshots
from .world import World, WorldError, load_world

Show = Callable[[str], None]


class ShotError(Exception):
    """A shot cannot be generated; the message says why and what to do."""


def generate_shot(
    folder: Path,
    preset_id: str | None = None,
    seed: int | None = None,
    number: int | None = None,
    show: Show = lambda line: None,
    quality: str | None = None,
    presets: Presets | None = None,
    less_memory: bool = False,
    *,
    out: Path | None = None,
    take: int | None = None,
    until: float | None = None,
    share: Callable[[float], None] = lambda share: None,
) -> Path:
    """Generate a take of the shot in `folder` and return the take's folder.

    `number` continues that take instead, 0 the newest. `take` has the take of that number made, whether it was begun
    or not: the same call may be made again until it returns. `out` is where takes lie, by itself `folder`. With
    `until` it goes no further than the block of that scene frame, and leaves a take that can be continued.
    `less_memory` has it follow the next plan that needs less of the device than the one that fits by its figures.
    `show` is given a line of progress after every block, `share` how much of what was asked is there.
    Raises ShotError; KeyboardInterrupt leaves a take that says "cancelled" and can be continued.
    """
    out = out or folder
    try:
        begun = _begun(out, number, take)
        there = None if begun is None else read_take(begun)
        if there is not None and take is None:
            shot = there.shot
        else:
            shot = read_shot(folder)
            shot = replace(
                shot,
                preset=preset_id or shot.preset,
                seed=shot.seed if seed is None else seed,
                quality=quality or shot.quality,
            )
        blocks = None if until is None else _blocks_until(shot, until)
        if begun is not None and there is not None and take is not None:
            if there.shot != shot:
                raise ShotError(
                    f"{begun.name} was made from another state of the shot: choose another number."
                )
            if _is_there(there, blocks):
                show(f"{begun.name}: {there.message or 'it is finished.'}")
                return begun
        world, reference_digest = load_world(folder / shot.reference)
        presets = presets or Presets()
        preset = presets.load(shot.preset)
        size = shot.width, shot.height
        asked = Asked.of(shot.preset, *size, shot.quality, world.kind, len(world.frames))
        planned = presets.plan(asked, preset.networks.bytes_here)
        if planned is not None and less_memory:
            planned = presets.plan(asked, preset.networks.bytes_here, failed=planned.plan)
        if planned is not None:
            show(f"{planned.choice.words}: {planned.plan.words}")
            preset = preset.under(planned.plan)
        session = Session(
            preset,
            world,
            shot.width,
            shot.height,
            shot.seed,
            shot.prompt or None,
            shot.keep_reference_detail,
            shot.quality,
            shot.remember,
        )
        session.warm_up(lambda text, share: show(f"{text} ({share:.0%})"))
        if begun is None:
            device = preset.device.words
            writer = TakeWriter.create(
                out, shot, reference_digest, session.digest, __version__, device, number=take
            )
        else:
            writer, snapshot = TakeWriter.resume(begun, reference_digest, session.digest)
            if snapshot is not None:
                session.restore(snapshot)
    except (FileFormatError, WorldError, PresetError, SessionError, ContinueError, TakeWriteError) as error:
        raise ShotError(str(error)) from error
    _generate(session, shot, writer, world, blocks, show, share)
    if writer.take.message:
        show(f"{writer.folder.name}: {writer.take.message}")
    return writer.folder


def _generate(
    session: Session,
    shot: Shot,
    writer: TakeWriter,
    world: World,
    blocks: int | None,
    show: Show,
    share: Callable[[float], None],
) -> None:
    """Generate and write what is missing of the first `blocks`, or of all, with their plates."""
    began, already = time.monotonic(), writer.take.frames_done
    end = blocks or writer.take.blocks_total
    stops, total = end < writer.take.blocks_total, block_span(end - 1, len(shot.cameras)).stop
    snapshots = Snapshots()
    remark = ""
    try:
        remark = _make_plates(world, writer, show)
        while writer.next_block < end:
            start, block, catching_up = time.monotonic(), writer.next_block, writer.catching_up
            cameras, after = shot.cameras.block(block), shot.cameras.after(block)
            made = session.step(
                camera_block(cameras), following=None if after is None else camera_block(after)
            )
            encoding = time.perf_counter()
            frames = encode_pngs(made.frames)
            # Who goes on from here, maybe on another machine, has nothing else to begin with.
            is_last = stops and block + 1 == end
            snapshot = snapshots.now(session) if is_last else snapshots.after_block(session)
            png = round((time.perf_counter() - encoding) * 1000, 2)
            writer.write_block(
                frames,
                snapshot,
                made.coverage,
                seconds=time.monotonic() - start,
                milliseconds={**made.milliseconds, "png": png},
                peak_mb=peak_mb(),
            )
            done = writer.take.frames_done
            share(writer.next_block / end)
            if catching_up:
                show(f"{writer.folder.name}: catching up, block {block + 1} of {writer.take.blocks_done}")
                continue
            rate = (done - already) / (time.monotonic() - began)
            left = f"{rate:.1f} a second, {(total - done) / rate:.0f} s left"
            show(f"{writer.folder.name}: {done} of {total} frames, {left}")
            remark = remark or _make_plates(world, writer, show)
        if writer.done:
            writer.finish(_make_movie, make_report, remark)
        else:
            writer.pause()
    except KeyboardInterrupt:
        writer.cancel()
        raise
    except TakeWriteError as error:
        writer.fail_to_write(error)
        raise ShotError(str(error)) from error
    except Exception as error:
        if not is_out_of_memory(error):
            writer.fail(f"The backend failed: {error}")
            raise
        message = (
            f"There was not enough memory; {writer.take.frames_done} frames are kept. "
            f"Close other programs, then continue take {writer.take.number} with --less-memory."
        )
        writer.fail(message)
        raise ShotError(message) from error


def _make_plates(world: World, writer: TakeWriter, show: Show) -> str:
    """Make the plates that the take's frames lack so far, where it is to have any; why there are none, if so."""
    take, settings = writer.take, writer.take.shot.plate
    if settings is None or not missing_plates(writer.folder, take, settings):
        return ""
    try:
        for done in make_plates(writer.folder, take, settings, developer(world)):
            show(f"{writer.folder.name}: {done} plates")
    except (PlateError, PlateWriteError, FileFormatError) as error:
        return f"Not all plates are there: {error}"
    return ""


def _blocks_until(shot: Shot, until: float) -> int:
    try:
        return shot.blocks_until(until)
    except ValueError as error:
        raise ShotError(f"{error}.") from error


def _is_there(take: Take, blocks: int | None) -> bool:
    """Whether nothing is left to do of a take, of its first `blocks` where only these are asked for."""
    if blocks is None or blocks >= take.blocks_total or take.state == "finished":
        return take.state == "finished"
    return take.state == "cancelled" and take.blocks_done >= blocks


def _make_movie(frames: Sequence[Path], fps: float) -> bytes:
    return encode_movie((path.read_bytes() for path in frames), fps)


def _begun(out: Path, number: int | None, take: int | None) -> Path | None:
    """The folder of the take that is gone on with: `number` must be there (0: the newest), `take` may be."""
    if number is None:
        folder = None if take is None else take_folder(out, take)
        return folder if folder is not None and (folder / TAKE_FILE).exists() else None
    found = [path for taken, path in take_folders(out) if number in (0, taken)]
    if not found:
        raise ShotError(f"There is no take{f' {number}' if number else ''} in {out} to continue.")
    return found[-1]
