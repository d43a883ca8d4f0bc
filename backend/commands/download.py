"""`inspatio download`: the weights of a preset, or a depth network's."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from . import DONE, FAILED, MISSING, Commands, missing, tell

if TYPE_CHECKING:
    from ..download import Line


def add(commands: Commands) -> None:
    """Name its arguments."""
    download = commands.add_parser("download", help="download the weights of a preset, or go on with it")
    download.add_argument(
        "preset",
        help="inspatio-1.3b or inspatio-1.5-1.3b, or a depth network: depth, depth-indoor, depth-outdoor",
    )
    download.add_argument(
        "--folder",
        type=Path,
        help="where weights lie (default: INSPATIO_WEIGHTS, or a folder of this user's)",
    )
    download.add_argument("--offline", action="store_true", help="only say whether everything is there")
    download.add_argument(
        "--json", action="store_true", help="tell the progress in lines of JSON: line, share, or error"
    )
    download.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Do it; returns the exit code."""
    from ..protocol.sources import SOURCES, weights_folder

    try:
        from ..download import DownloadError, download
    except ImportError as error:
        tell(parsed.json, error=missing(error))
        return MISSING
    folder = (parsed.folder or weights_folder()).expanduser().absolute()
    live = sys.stdout.isatty() and not parsed.json

    def show(line: Line) -> None:
        if parsed.json:
            tell(True, line=line.text, share=line.share)
            return
        sys.stdout.write(
            (f"\r{line.text:<110}" if live else line.text) + ("" if live and line.passing else "\n")
        )
        sys.stdout.flush()

    every = 0.2 if live else 0.5 if parsed.json else 5.0
    try:
        download(parsed.preset, folder, show, offline=parsed.offline, every=every)
        if parsed.preset in SOURCES:
            _encode_neutral_prompt(parsed.preset, folder, show)
    except DownloadError as error:
        tell(parsed.json, error=str(error))
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. Run the same command again: it goes on from here.\n")
        raise
    return DONE


def _encode_neutral_prompt(preset: str, folder: Path, show: Callable[[Line], None]) -> None:
    """Have the text encoder's work done that a take without a prompt would wait for."""
    from ..download import Line

    show(Line("Encoding the neutral prompt", passing=True))
    try:
        from ..presets.released import keep_neutral_prompt
    except ImportError as error:
        show(Line(f"The neutral prompt will be encoded with the first take: {missing(error)}"))
        return
    from ..presets import PresetError

    try:
        keep_neutral_prompt(preset, folder)
    except (PresetError, MemoryError, RuntimeError) as error:
        show(Line(f"The neutral prompt will be encoded with the first take ({error})"))
