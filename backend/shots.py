"""`inspatio shot FOLDER`: a take of a shot folder without Blender and without a server.

FOLDER/shot.json, FOLDER/reference/...  ->  FOLDER/take_001/0001.png ..., take.json, shot.mp4
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
from .protocol.disk import FileFormatError
from .protocol.files import Shot, read_shot, read_take
from .protocol.plates import PlateWriteError, make_plates, missing_plates
from .protocol.takes import ContinueError, TakeWriteError, TakeWriter, take_folders
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
) -> Path:
    """Generate a take of the shot in `folder` and return the take's folder.

    `number` continues that take instead, 0 the newest. `less_memory` has it follow the next plan that needs less of
    the device than the one that fits by its figures. `show` is given a line of progress after every block.
    Raises ShotError; KeyboardInterrupt leaves a take that says "cancelled" and can be continued.
    """
    try:
        if number is None:
            shot = read_shot(folder)
            shot = replace(
                shot,
                preset=preset_id or shot.preset,
                seed=shot.seed if seed is None else seed,
                quality=quality or shot.quality,
            )
        else:
            take_folder = _take_folder(folder, number)
            shot = read_take(take_folder).shot
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
        if number is None:
            device = preset.device.words
            writer = TakeWriter.create(folder, shot, reference_digest, session.digest, __version__, device)
        else:
            writer, snapshot = TakeWriter.resume(take_folder, reference_digest, session.digest)
            if snapshot is not None:
                session.restore(snapshot)
    except (FileFormatError, WorldError, PresetError, SessionError, ContinueError, TakeWriteError) as error:
        raise ShotError(str(error)) from error
    _generate(session, shot, writer, show, world)
    if writer.take.message:
        show(f"{writer.folder.name}: {writer.take.message}")
    return writer.folder


def _generate(session: Session, shot: Shot, writer: TakeWriter, show: Show, world: World) -> None:
    """Generate and write the blocks that are missing, and the plates."""
    began, already = time.monotonic(), writer.take.frames_done
    snapshots = Snapshots()
    remark = ""
    try:
        remark = _make_plates(world, writer, show)
        while not writer.done:
            start, block, catching_up = time.monotonic(), writer.next_block, writer.catching_up
            cameras, after = shot.cameras.block(block), shot.cameras.after(block)
            made = session.step(
                camera_block(cameras), following=None if after is None else camera_block(after)
            )
            encoding = time.perf_counter()
            frames = encode_pngs(made.frames)
            png = round((time.perf_counter() - encoding) * 1000, 2)
            writer.write_block(
                frames,
                snapshots.after_block(session),
                made.coverage,
                seconds=time.monotonic() - start,
                milliseconds={**made.milliseconds, "png": png},
                peak_mb=peak_mb(),
            )
            done, total = writer.take.frames_done, len(shot.cameras)
            if catching_up:
                show(f"{writer.folder.name}: catching up, block {block + 1} of {writer.take.blocks_done}")
                continue
            rate = (done - already) / (time.monotonic() - began)
            left = f"{rate:.1f} a second, {(total - done) / rate:.0f} s left"
            show(f"{writer.folder.name}: {done} of {total} frames, {left}")
            remark = remark or _make_plates(world, writer, show)
        writer.finish(_make_movie, remark)
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
            f"Close other programs, then run: inspatio shot {writer.folder.parent} --continue "
            f"{writer.take.number} --less-memory"
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


def _make_movie(frames: Sequence[Path], fps: float) -> bytes:
    return encode_movie((path.read_bytes() for path in frames), fps)


def _take_folder(folder: Path, number: int) -> Path:
    """The folder of a take by its number, or of the newest for 0."""
    takes = take_folders(folder)
    found = [path for taken, path in takes if number in (0, taken)]
    if not found:
        raise ShotError(f"There is no take{f' {number}' if number else ''} in {folder} to continue.")
    return found[-1]
