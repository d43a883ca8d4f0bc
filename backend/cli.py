"""The command line: `inspatio serve | shot | render | plates | report | scene | recover | download | doctor |
bench | train | evaluate`, or `python -m backend`.

Exit codes: 0 done or asked to end, 1 failed, 2 bad arguments, 3 something needed is missing (`serve` says what in
one line of JSON, the others in a sentence), 130 interrupted.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from . import __version__
from .commands import (
    BAD_ARGUMENTS,
    DONE,
    FAILED,
    INTERRUPTED,
    MISSING,
    bench,
    doctor,
    download,
    evaluate,
    plates,
    recover,
    render,
    report,
    scene,
    serve,
    shot,
    train,
)

__all__ = ["BAD_ARGUMENTS", "DONE", "FAILED", "INTERRUPTED", "MISSING", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    # numpy multiplies and inverts small matrices only. Its OpenBLAS would wake a thread a core for each, and they keep
    # the cores busy for a tenth of a second. It reads this when a command imports numpy.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    parsed = _parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if parsed.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    try:
        return parsed.run(parsed)
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="inspatio", description="Generates what a moving camera sees in the world of a reference."
    )
    parser.add_argument("--version", action="version", version=f"inspatio {__version__}")
    parser.add_argument("--verbose", action="store_true", help="log more")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (
        serve,
        shot,
        render,
        plates,
        report,
        recover,
        download,
        scene,
        doctor,
        bench,
        train,
        evaluate,
    ):
        command.add(commands)
    return parser
