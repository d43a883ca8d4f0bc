"""`inspatio shot`: generate a shot folder without Blender."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..protocol.files import MAX_TAKE_NUMBER, QUALITIES
from . import DONE, FAILED, Commands, ended_like_ctrl_c, keep_to_own_cores


def add(commands: Commands) -> None:
    """Name its arguments."""
    shot = commands.add_parser("shot", help="generate a shot folder without Blender")
    shot.add_argument("folder", type=Path, help="holds shot.json and its reference; takes are written there")
    shot.add_argument("--preset", help="another preset than the shot's")
    shot.add_argument("--seed", type=int, help="another seed than the shot's")
    shot.add_argument("--quality", choices=QUALITIES, help="another quality than the shot's")
    which = shot.add_mutually_exclusive_group()
    which.add_argument(
        "--continue",
        dest="number",
        type=int,
        nargs="?",
        const=0,
        metavar="TAKE",
        help="finish a stopped take: the one of this number, or the newest",
    )
    which.add_argument(
        "--take",
        type=_take_number,
        metavar="NUMBER",
        help="make this very take: begun where it isn't there, else continued; nothing where it is finished",
    )
    shot.add_argument("--out", type=Path, help="where takes are written; default: the folder itself")
    shot.add_argument(
        "--until",
        type=float,
        metavar="FRAME",
        help="no further than the block of this scene frame; the take can be continued",
    )
    shot.add_argument(
        "--less-memory", action="store_true", help="need less of the device's memory than would fit, slower"
    )
    shot.add_argument(
        "--openjd",
        action="store_true",
        help="tell progress and errors as Open Job Description runners read them",
    )
    shot.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Do it; returns the exit code."""
    from ..shots import ShotError, generate_shot

    keep_to_own_cores()
    live = sys.stdout.isatty() and not parsed.openjd

    def write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    def show(line: str) -> None:
        if parsed.openjd:
            write(f"openjd_status: {line}\n")
        else:
            write(f"\r{line:<78}" if live else f"{line}\n")

    def share(done: float) -> None:
        if parsed.openjd:
            write(f"openjd_progress: {100 * done:.1f}\n")

    try:
        with ended_like_ctrl_c():
            folder = generate_shot(
                parsed.folder,
                parsed.preset,
                parsed.seed,
                parsed.number,
                show,
                parsed.quality,
                less_memory=parsed.less_memory,
                out=parsed.out,
                take=parsed.take,
                until=parsed.until,
                share=share,
            )
    except ShotError as error:
        if parsed.openjd:
            write(f"openjd_fail: {error}\n")
        sys.stderr.write(f"{error}\n")
        return FAILED
    finally:
        if live:
            sys.stdout.write("\n")
    sys.stdout.write(f"{folder}\n")
    return DONE


def _take_number(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MAX_TAKE_NUMBER:
        raise argparse.ArgumentTypeError(f"takes are numbered from 1 to {MAX_TAKE_NUMBER}")
    return number
