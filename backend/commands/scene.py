"""`inspatio scene`: the release's scene folders, read and written."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from . import DONE, FAILED, MISSING, Commands, ended_like_ctrl_c, missing


def add(commands: Commands) -> None:
    """Name its arguments."""
    scene = commands.add_parser("scene", help="read and write the release's scene folders")
    ways = scene.add_subparsers(required=True, metavar="import | export")
    taken = ways.add_parser("import", help="a scene folder of version 1.5 or 1 becomes a shot folder")
    taken.add_argument("folder", type=Path, help="the scene folder: what is in it tells its version")
    taken.add_argument("out", type=Path, help="the shot folder to make")
    taken.add_argument(
        "--trajectory",
        type=Path,
        help="version 1: its three lines, where they aren't in trajectory.txt there",
    )
    given = ways.add_parser("export", help="a shot folder becomes a scene folder")
    given.add_argument("folder", type=Path, help="holds shot.json and its reference")
    given.add_argument("out", type=Path, help="the scene folder to make")
    given.add_argument("--version", choices=("1.5", "1"), default="1.5", help="default: %(default)s")
    for way, run in ((taken, _import), (given, _export)):
        way.add_argument("--json", action="store_true", help="tell the progress in lines of JSON")
        way.set_defaults(run=run)


def _import(parsed: argparse.Namespace) -> int:
    def convert(show: Callable[[str, float], None]) -> list[str]:
        from ..scene_folders import import_scene

        import_scene(parsed.folder, parsed.out, show, trajectory=parsed.trajectory)
        return []

    return _convert(parsed, convert)


def _export(parsed: argparse.Namespace) -> int:
    def convert(show: Callable[[str, float], None]) -> list[str]:
        from ..scene_folders import export_scene

        return export_scene(parsed.folder, parsed.out, show, version=parsed.version)

    return _convert(parsed, convert)


def _convert(parsed: argparse.Namespace, convert: Callable[[Callable[[str, float], None]], list[str]]) -> int:
    """Convert a folder, with progress; what is lost is told at the end, before the folder's name."""
    live = sys.stdout.isatty() and not parsed.json
    every, shown = (0.1 if live or parsed.json else 5.0), float("-inf")

    def tell(text: str, **said: object) -> None:
        sys.stdout.write(f"{json.dumps(said) if parsed.json else text}\n")
        sys.stdout.flush()

    def show(text: str, share: float) -> None:
        nonlocal shown
        if share < 1 and time.monotonic() - shown < every:
            return
        shown = time.monotonic()
        if live:
            sys.stdout.write(f"\r{text:<78}")
            sys.stdout.flush()
        else:
            tell(text, line=text, share=round(share, 4))

    def fail(sentence: str, code: int) -> int:
        if parsed.json:
            tell("", error=sentence)
        else:
            sys.stderr.write(f"{sentence}\n")
        return code

    try:
        from ..scene_folders import SceneFolderError

        with ended_like_ctrl_c():
            lost = convert(show)
    except ImportError as error:
        return fail(missing(error), MISSING)
    except SceneFolderError as error:
        return fail(str(error), FAILED)
    finally:
        if live:
            sys.stdout.write("\n")
    for sentence in lost:
        tell(sentence, lost=sentence)
    if not parsed.json:
        tell(str(parsed.out))
    return DONE
