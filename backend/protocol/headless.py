"""Rendering without a window: what `inspatio render` and Blender's `--command inspatio render` have in common.

The first finds Blender and runs the second in it. Both take the same arguments, end with the same codes and tell
how far they are in the same events, one JSON object a line (docs/headless.md):

    {"event": "frames", "message": "F_01: 21 of 60 frames, 14 s left", "shot": "F_01", "take": 3, "frame": 21, ...}
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

DONE, FAILED, BAD_ARGUMENTS, MISSING, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes: all that was asked is there; something of it isn't; it was asked wrongly; something that is needed is
missing (a Blender, the extension in it, the backend's Python); it was cancelled."""

COMMAND = "inspatio"
"""The name of Blender's command."""

PASSING = ("stage", "frames")
"""Events that the next one may take the place of, in front of a person."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Name what both commands take."""
    parser.add_argument("file", type=Path, metavar="FILE.blend", help="the file; it is not written to")
    parser.add_argument(
        "--shot",
        action="append",
        default=[],
        metavar="NAME",
        help="this shot of the film, also several times; default: every one",
    )
    parser.add_argument(
        "--frames",
        type=_frames,
        metavar="A:B",
        help="scene frames; either may be left out. A shot is causal, so frames before A are generated too, "
        "and whole blocks",
    )
    parser.add_argument(
        "--take", type=int, metavar="NUMBER", help="continue this take instead of a new one, 0: the newest"
    )
    parser.add_argument(
        "--enable-autoexec",
        action="store_true",
        help="run the file's own scripts and drivers, whatever the preferences say",
    )
    parser.add_argument("--json", action="store_true", help="tell the progress in lines of JSON")


def arguments_of(parsed: argparse.Namespace) -> list[str]:
    """The arguments that say the same to the other command; always with --json."""
    said = [str(parsed.file.absolute()), "--json"]
    for shot in parsed.shot:
        said += [f"--shot={shot}"]
    if parsed.frames is not None:
        first, last = parsed.frames
        said += [f"--frames={'' if first is None else first}:{'' if last is None else last}"]
    if parsed.take is not None:
        said += [f"--take={parsed.take}"]
    return [*said, "--enable-autoexec"] if parsed.enable_autoexec else said


def event_of(line: str) -> dict[str, Any] | None:
    """The event in a line; None where it is something else."""
    if not line.startswith("{"):
        return None
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) and isinstance(said.get("event"), str) else None


class Teller:
    """Tells events, as lines of JSON or as lines for a person, of which one may take another's place.

    write: is given text. live: whether it reaches a terminal.
    """

    def __init__(self, write: Callable[[str], None], as_json: bool, live: bool) -> None:
        self._write = write
        self._as_json = as_json
        self._live = live and not as_json
        self._passing = 0
        """Letters of the line that may be written over."""

    def tell(self, event: str, message: str, **said: object) -> None:
        """Tell an event: a sentence for a person, and what programs look for. None is left out."""
        known = {name: value for name, value in said.items() if value is not None}
        self.pass_on({"event": event, "message": message, **known})

    def pass_on(self, said: dict[str, Any]) -> None:
        """Tell an event as it came."""
        if self._as_json:
            self._write(json.dumps(said) + "\n")
            return
        message = str(said.get("message", ""))
        if not self._live:
            self._write(f"{message}\n")
        elif said["event"] in PASSING:
            self._write(f"\r{message:<{self._passing}}")
            self._passing = len(message)
        else:
            self._write(f"\r{message:<{self._passing}}\n")
            self._passing = 0

    def close(self) -> None:
        """Leave a line that may be written over."""
        if self._passing:
            self._write("\n")


def words(items: Sequence[str]) -> str:
    """A list for a person: A, B and C."""
    return " and ".join(filter(None, [", ".join(items[:-1]), items[-1] if items else ""]))


def _frames(text: str) -> tuple[int | None, int | None]:
    """The frames of A:B, where either may be left out."""
    first, colon, last = text.partition(":")
    try:
        frames = (int(first) if first else None, int(last if colon else first) if last or not colon else None)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no range of frames like 1:48") from None
    if None not in frames and frames[0] > frames[1]:  # type: ignore[operator]
        raise argparse.ArgumentTypeError(f"{text!r} ends before it begins")
    return frames
