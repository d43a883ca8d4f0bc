"""The commands of the command line, a module each: `add` names its arguments, `run` does it and returns an exit code.

What they share is here. A command imports what it needs when it runs: `doctor` has to work where torch is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from ..protocol.headless import BAD_ARGUMENTS, DONE, FAILED, INTERRUPTED, MISSING

__all__ = [
    "BAD_ARGUMENTS",
    "DONE",
    "FAILED",
    "INTERRUPTED",
    "MISSING",
    "Commands",
    "ended_like_ctrl_c",
    "keep_to_own_cores",
    "missing",
    "tell",
]

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def tell(as_json: bool, **said: object) -> None:
    """A line of progress for another program, or an error for a person."""
    if as_json:
        sys.stdout.write(
            json.dumps({name: value for name, value in said.items() if value is not None}) + "\n"
        )
        sys.stdout.flush()
    else:
        sys.stderr.write(f"{said['error']}\n")


@contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """Whoever ends this with SIGTERM, as Blender and farms do, is left with nothing half made, too: it is a Ctrl-C."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def keep_to_own_cores() -> None:
    """Keep torch to the cores that this process may run on: by itself it counts all that there are."""
    import torch

    if hasattr(os, "sched_getaffinity"):
        torch.set_num_threads(min(torch.get_num_threads(), len(os.sched_getaffinity(0))))


def missing(error: Exception) -> str:
    """What to tell where a package cannot be imported."""
    lacks = (
        f"lacks {error.name}"
        if isinstance(error, ModuleNotFoundError)
        else f"cannot load a package ({error})"
    )
    root = Path(__file__).parents[2]
    return (
        f"The backend's Python {lacks}: press Set Up Backend in the add-on's preferences, or install what it needs "
        f'with "{sys.executable}" -m pip install "{root}".'
    )
