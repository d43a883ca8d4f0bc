"""`inspatio doctor`: whether everything that is needed is here and works."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..protocol.disk import write_whole
from . import DONE, FAILED, Commands


def add(commands: Commands) -> None:
    """Name its arguments."""
    doctor = commands.add_parser("doctor", help="check whether everything that is needed is here and works")
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")
    doctor.add_argument("--mark", type=Path, help="file to write the findings to once everything works")
    doctor.add_argument(
        "--plans", action="store_true", help="print what takes need on devices of 24, 16, 12 and 8 GB instead"
    )
    doctor.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Do it; returns the exit code."""
    from ..doctor import examine, plans, report

    if parsed.plans:
        sys.stdout.write(plans())
        return DONE
    findings = examine()
    sys.stdout.write(report(findings, as_json=parsed.json))
    if any(finding.state == "fail" for finding in findings):
        return FAILED
    if parsed.mark is not None:
        write_whole(parsed.mark, report(findings, as_json=True).encode(), durable=True)
    return DONE
