"""Blender's `--command inspatio render FILE.blend`: a file's shots, generated without a window.

    blender --command inspatio render film.blend --shot F_15 --frames 1:48 --json

The command opens the file, goes through the shots of its film and makes a take of each by the runtime, as Generate and
Continue do. backend/protocol/headless.py has its arguments, exit codes and events. Nothing of the file is changed.

Standard output is for what the command tells; everything else that Blender says goes to standard error. Ctrl-C and
SIGTERM cancel, and so does the end of standard input where `inspatio render` is on its other side. Main thread only.
"""

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..backend.protocol import blocks, headless
from ..backend.protocol.disk import FileFormatError
from ..backend.protocol.files import frame_names, read_take
from ..backend.protocol.headless import BAD_ARGUMENTS, DONE, FAILED, INTERRUPTED, MISSING, Teller
from . import driver, film, preferences, takes
from .progress import Progress, duration
from .shots import UserError

log = logging.getLogger(__name__)

PUMP_S = 1.0
WAIT_S = 0.005
CANCEL_S = 10.0
"""Seconds that a take has to be put away once it is cancelled."""

_command = None
"""What Blender knows the registered command by."""


class Refused(Exception):
    """The command cannot do what was asked; with its exit code, and a sentence that says why."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Outcome:
    """What has come of a shot. state: "finished" (all that was asked is there), "failed" or "cancelled"."""

    shot: str
    state: str
    message: str
    take: int | None = None
    folder: Path | None = None
    files: tuple[str, ...] = ()
    """The names of the frames that were asked for and are there."""

    def told(self) -> dict[str, object]:
        folder = str(self.folder) if self.folder is not None else None
        return {"shot": self.shot, "take": self.take, "state": self.state, "folder": folder}


def run(arguments: Sequence[str]) -> int:
    """Do what the arguments after `--command inspatio` say; returns the exit code."""
    try:
        parsed = _parser().parse_args(arguments)
    except SystemExit as end:  # argparse has said what is wrong, or has helped.
        return end.code if isinstance(end.code, int) else BAD_ARGUMENTS
    if parsed.python and not preferences.backend_python():
        os.environ[preferences.PYTHON_VARIABLE] = parsed.python
    output, is_terminal = _own_output()
    teller = Teller(output, parsed.json, is_terminal)
    with _asked_to_end(parsed.attached) as ending:
        render = Render(parsed, teller, ending)
        try:
            code, message = render.run()
        except Refused as refused:
            code, message = refused.code, str(refused)
        except Exception as error:  # Whoever waits for the last line must get it; the log has the rest.
            log.exception("the render failed")
            code, message = FAILED, f"{type(error).__name__}: {error}"
        state = {DONE: "finished", INTERRUPTED: "cancelled"}.get(code, "failed")
        shots = [outcome.told() for outcome in render.outcomes]
        teller.tell("end", message, state=state, code=code, shots=shots, seconds=round(render.seconds, 2))
        teller.close()
    return code


class Render:
    """The shots of a file, one after another."""

    def __init__(self, parsed: argparse.Namespace, teller: Teller, ending: threading.Event) -> None:
        self.outcomes: list[Outcome] = []
        self._parsed = parsed
        self._teller = teller
        self._ending = ending
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def run(self) -> tuple[int, str]:
        """Make the takes; returns exit code and a sentence. One that fails does not keep the others from being made."""
        self._open()
        scene = bpy.context.scene
        parts = self._chosen(scene)
        take = self._take_to_continue(scene, parts[0])
        try:
            driver.get().setup()
        except UserError as error:
            raise Refused(MISSING, f"{error}.") from error
        names = [part.name for part in parts]
        self._teller.tell(
            "begin",
            f"{self._parsed.file.name}: {_count(len(parts), 'shot')}",
            file=str(self._parsed.file.absolute()),
            shots=[{"shot": part.name, "first": part.frames[0], "last": part.frames[-1]} for part in parts],
            blender=bpy.app.version_string,
        )
        for part in parts:
            if self._ending.is_set():
                break
            outcome = self._make(scene, part, take)
            self.outcomes.append(outcome)
            self._teller.tell("shot", outcome.message, **outcome.told(), files=list(outcome.files))
        done = [outcome.shot for outcome in self.outcomes if outcome.state == "finished"]
        text = f"{len(done)} of {_count(len(parts), 'shot')} done in {duration(self.seconds)}"
        if len(done) == len(parts):
            return DONE, f"{text}."
        if self._ending.is_set():
            return INTERRUPTED, f"Cancelled: {text}. What is generated is kept."
        missing = [name for name in names if name not in done]
        return FAILED, f"{text}; not {headless.words(missing)}."

    def _open(self) -> None:
        path = self._parsed.file.absolute()
        if not path.is_file():
            raise Refused(BAD_ARGUMENTS, f"There is no file {path}.")
        trusted = {"use_scripts": True} if self._parsed.enable_autoexec else {}
        try:
            bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False, **trusted)
        except RuntimeError as error:
            raise Refused(FAILED, f"{path} cannot be opened: {_first_line(error)}") from error
        if bpy.app.autoexec_fail and not self._parsed.enable_autoexec:
            self._teller.tell(
                "warning",
                f"The file's own scripts and drivers were not run ({bpy.app.autoexec_fail_message}): "
                "with --enable-autoexec they are.",
            )

    def _chosen(self, scene: bpy.types.Scene) -> list[film.Part]:
        """The parts to make, in the film's order."""
        parsed, parts = self._parsed, [part for part in film.parts(scene) if part.frames]
        known = [part.name for part in parts]
        unknown = [name for name in parsed.shot if takes.safe_name(name) not in map(takes.safe_name, known)]
        if not parts:
            raise Refused(
                BAD_ARGUMENTS, f"{parsed.file.name} has no frames: its range ends before it begins."
            )
        if unknown:
            raise Refused(
                BAD_ARGUMENTS,
                f"There is no shot {headless.words(unknown)} in {parsed.file.name}: it has "
                f"{headless.words(known)}.",
            )
        wanted = {takes.safe_name(name) for name in parsed.shot}
        chosen = [part for part in parts if not wanted or takes.safe_name(part.name) in wanted]
        with_frames = [part for part in chosen if _asked(part.frames, parsed.frames)]
        if not with_frames:
            first, last = chosen[0].frames[0], chosen[-1].frames[-1]
            raise Refused(
                BAD_ARGUMENTS, f"None of these frames is asked for: the shots have {first} to {last}."
            )
        if parsed.take is not None and len(with_frames) > 1:
            raise Refused(BAD_ARGUMENTS, "A take is of one shot: name it with --shot.")
        return with_frames

    def _make(self, scene: bpy.types.Scene, part: film.Part, take: takes.TakeInfo | None) -> Outcome:
        """A new take of a shot, or more of this one."""
        if film.is_cut(scene):
            film.use_part(scene, part)
        if take is not None and take.state == "finished":
            return self._outcome(part, "finished", take.folder, take.number, "It was finished already.")
        _, last = self._parsed.frames or (None, None)
        try:
            if take is None:
                progress = driver.get().generate(scene, bpy.context.view_layer, until=last)
            else:
                progress = driver.get().continue_take(scene, take, until=last)
        except UserError as error:
            return Outcome(part.name, "failed", f"{part.name}: {error}.")
        self._follow(part, progress)
        if progress.state == "asking":
            self._teller.tell("warning", f"{part.name}: {progress.message}.", shot=part.name)
            driver.get().generate_anyway()
            self._follow(part, progress)
        state = progress.state if not progress.active else "cancelled"
        if progress.folder is None:
            return Outcome(part.name, state, f"{part.name}: {progress.message}")
        return self._outcome(part, state, progress.folder, progress.number, progress.message)

    def _take_to_continue(self, scene: bpy.types.Scene, part: film.Part) -> takes.TakeInfo | None:
        """The take that was asked for. Raises Refused."""
        if self._parsed.take is None:
            return None
        asked, found = self._parsed.take, takes.list_takes(scene, None, part.name)
        chosen = [take for take in found if asked in (0, take.number)]
        if not chosen:
            which = f"take {asked}" if asked else "take"
            raise Refused(BAD_ARGUMENTS, f"There is no {which} of {part.name} to continue.")
        return chosen[0]

    def _outcome(self, part: film.Part, state: str, folder: Path, number: int, message: str) -> Outcome:
        """What is there of the frames that were asked for."""
        try:
            take = read_take(folder)
        except FileFormatError as error:
            return Outcome(part.name, "failed", f"{part.name}: {error}", number, folder)
        frames = take.shot.cameras.frames
        names = dict(zip(frames, frame_names(frames), strict=True))
        there = _asked(frames[: take.frames_done], self._parsed.frames)
        files = tuple(names[frame] for frame in there)
        wanted = len(_asked(frames, self._parsed.frames))
        text = f"{part.name}, take {number}: {len(files)} of {_count(wanted, 'frame')} in {folder}"
        return Outcome(part.name, state, f"{text}. {message}" if message else text, number, folder, files)

    def _follow(self, part: film.Part, progress: Progress) -> None:
        """Pump until a take is at its end, or waits for an answer, and tell what happens."""
        runtime, told, stage, until = driver.get(), 0, "", float("inf")
        is_taken = False
        while progress.active and progress.state != "asking" and time.monotonic() < until:
            runtime.pump(budget=PUMP_S)
            if self._ending.is_set() and until == float("inf"):
                until = time.monotonic() + CANCEL_S
                runtime.cancel()
            if progress.folder is not None and not is_taken:
                is_taken, told = True, progress.frames_done
                self._teller.tell(
                    "take",
                    f"{part.name}: take {progress.number} in {progress.folder}",
                    shot=part.name,
                    take=progress.number,
                    folder=str(progress.folder),
                    done=told,
                )
            if progress.frames_done != told:
                told = progress.frames_done
                self._tell_frames(part, progress)
            if progress.stage != stage and progress.active:
                stage = progress.stage
                self._teller.tell("stage", f"{part.name}: {stage}", shot=part.name, stage=stage)
            time.sleep(WAIT_S)

    def _tell_frames(self, part: film.Part, progress: Progress) -> None:
        """How many of the frames that were asked for are on disk; what comes before them counts for the time alone."""
        assert progress.shot is not None
        shot = progress.shot
        frames, done = shot.cameras.frames, progress.frames_done
        there, wanted = _asked(frames[:done], self._parsed.frames), _asked(frames, self._parsed.frames)
        last = blocks.block_span(
            shot.blocks_until(wanted[-1] if wanted else frames[-1]) - 1, len(frames)
        ).stop
        left = (last - done) / progress.fps if progress.fps > 0 else None
        text = f"{part.name}: {len(there)} of {_count(len(wanted), 'frame')}"
        self._teller.tell(
            "frames",
            text if left is None else f"{text}, {progress.fps:.1f} a second, {duration(left)} left",
            shot=part.name,
            take=progress.number,
            frame=_number(frames[done - 1]),
            done=len(there),
            frames=len(wanted),
            seconds_left=None if left is None else round(left, 1),
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"blender --command {headless.COMMAND}", description="InSpatio for Blender without a window."
    )
    ways = parser.add_subparsers(required=True, metavar="render")
    render = ways.add_parser("render", help="generate the shots of a file")
    headless.add_arguments(render)
    render.add_argument("--attached", action="store_true", help=argparse.SUPPRESS)
    render.add_argument("--python", help=argparse.SUPPRESS)
    return parser


def _asked(frames: Sequence[float], asked: tuple[int | None, int | None] | None) -> list[float]:
    """Those of the frames that were asked for."""
    first, last = asked or (None, None)
    return [
        frame for frame in frames if (first is None or frame >= first) and (last is None or frame <= last)
    ]


def _own_output() -> tuple[Callable[[str], None], bool]:
    """What writes to standard output from now on, and whether that is a terminal.

    Blender's own lines, also those that it has not written yet, go to standard error until the process ends.
    """
    sys.stdout.flush()
    own = os.dup(1)
    os.dup2(2, 1)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"

    def write(text: str) -> None:
        data = text.encode(encoding, "replace")
        try:
            while data:
                data = data[os.write(own, data) :]
        except OSError:
            pass  # Whoever has listened is gone: the frames are what counts.

    return write, os.isatty(own)


@contextmanager
def _asked_to_end(attached: bool) -> Iterator[threading.Event]:
    """An event that is set by Ctrl-C, SIGTERM and, where `attached`, the end of standard input.

    A second signal does what it did before: it ends Blender, and the backend ends after it.
    """
    ending = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def end(*_: object) -> None:
        ending.set()
        restore()

    def wait_for_the_end() -> None:
        try:
            while os.read(0, 4096):
                pass
        except OSError:
            pass
        ending.set()

    for number in before:
        signal.signal(number, end)
    if attached:
        threading.Thread(target=wait_for_the_end, name="inspatio-attached", daemon=True).start()
    try:
        yield ending
    finally:
        restore()


def _number(frame: float) -> float:
    """A scene frame as it is written."""
    return int(frame) if frame == int(frame) else frame


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].removeprefix("Error: ") if str(error).strip() else "unknown"


def register():
    global _command
    _command = bpy.utils.register_cli_command(headless.COMMAND, run)


def unregister():
    global _command
    if _command is not None:
        bpy.utils.unregister_cli_command(_command)
        _command = None
