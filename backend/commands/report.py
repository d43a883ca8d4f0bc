"""`inspatio report`: report.html of a take."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import DONE, FAILED, MISSING, Commands, missing, tell


def add(commands: Commands) -> None:
    """Name its arguments."""
    report = commands.add_parser("report", help="make report.html of a take, anew where it is there")
    report.add_argument("folder", type=Path, help="the take's folder, which holds take.json and frames")
    report.add_argument("--json", action="store_true", help="tell in lines of JSON: line, or error")
    report.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Do it; returns the exit code."""
    try:
        from ..protocol.disk import FileFormatError
        from ..report import ReportError, write_report
    except ImportError as error:
        tell(parsed.json, error=missing(error))
        return MISSING
    try:
        path = write_report(parsed.folder.absolute())
    except (FileFormatError, ReportError) as error:
        tell(parsed.json, error=str(error))
        return FAILED
    except OSError as error:
        tell(
            parsed.json, error=f"The report cannot be written to {parsed.folder}: {error.strerror or error}."
        )
        return FAILED
    if parsed.json:
        tell(True, line=str(path))
    else:
        sys.stdout.write(f"{path}\n")
    return DONE
