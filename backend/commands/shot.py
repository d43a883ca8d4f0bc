"""`inspatio shot`: generate a shot folder without Blender."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..protocol.files import QUALITIES
from . import DONE, FAILED, Commands, keep_to_own_cores


def add(commands: Commands) -> None:
    """Name its arguments."""
    shot = commands.add_parser("shot", help="generate a shot folder without Blender")
    shot.add_argument("folder", type=Path, help="holds shot.json and its reference; takes are written there")
    shot.add_argument("--preset", help="another preset than the shot's")
    shot.add_argument("--seed", type=int, help="another seed than the shot's")
    shot.add_argument("--quality", choices=QUALITIES, help="another quality than the shot's")
    shot.add_argument(
        "--continue",
        dest="number",
        type=int,
        nargs="?",
        const=0,
        metavar="TAKE",
        help="finish a stopped take: the one of this number, or the newest",
    )
    shot.add_argument(
        "--less-memory", action="store_true", help="need less of the device's memory than would fit, slower"
    )
    shot.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Do it; returns the exit code."""
    from ..shots import ShotError, generate_shot

    keep_to_own_cores()
    live = sys.stdout.isatty()

    def show(line: str) -> None:
        sys.stdout.write(f"\r{line:<78}" if live else f"{line}\n")
        sys.stdout.flush()

    try:
        folder = generate_shot(
            parsed.folder,
            parsed.preset,
            parsed.seed,
            parsed.number,
            show,
            parsed.quality,
            less_memory=parsed.less_memory,
        )
    except ShotError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    finally:
        if live:
            sys.stdout.write("\n")
    sys.stdout.write(f"{folder}\n")
    return DONE
