"""`inspatio plates`: develop the frames of a take to plates, without Blender."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import DONE, FAILED, Commands, keep_to_own_cores


def add(commands: Commands) -> None:
    """Name its arguments."""
    plates = commands.add_parser("plates", help="develop the frames of a take to a scene's resolution")
    plates.add_argument("folder", type=Path, help="of the take; plates are written to plate/ in it")
    plates.add_argument("--size", type=_size, metavar="WxH", help="of the plates; else what the take says")
    plates.add_argument(
        "--strength", type=float, help="of the reference's detail, 0 to 1; else what the take says, or 1"
    )
    plates.add_argument(
        "--reference", type=Path, help="the reference's folder, where it does not lie beside the take"
    )
    plates.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Do it; returns the exit code."""
    from ..plate import PlateError
    from ..plate_files import develop_take

    keep_to_own_cores()
    live = sys.stdout.isatty()

    def show(line: str) -> None:
        sys.stdout.write(f"\r{line:<78}" if live else f"{line}\n")
        sys.stdout.flush()

    try:
        folder = develop_take(parsed.folder, parsed.size, parsed.strength, parsed.reference, show)
    except PlateError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    finally:
        if live:
            sys.stdout.write("\n")
    sys.stdout.write(f"{folder}\n")
    return DONE


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"a size is WIDTHxHEIGHT, for example 1920x1080, not {text}")
    return int(width), int(height)
