"""A version of the reference from pictures and depth, made by the backend's command. Knows nothing of Blender."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from .commands import run_backend
from .jobs import Setup
from .task import Task
from .versions import add_version


def work_folder(folder: Path) -> Path:
    """The folder beside the versions in `folder` that a recovery works in, new and empty. Raises OSError."""
    work = folder / f".recover.{os.getpid()}.tmp"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    return work


def discard(work: Path) -> None:
    """Remove a work folder that is of no use, and the folder of versions where it holds none."""
    shutil.rmtree(work, ignore_errors=True)
    with suppress(OSError):
        work.parent.rmdir()


def recover(task: Task, setup: Setup, views: Mapping[str, Any], work: Path) -> str:
    """Run `inspatio recover` on the content of a views file; returns a sentence. Raises Failed and Cancelled.

    The new version appears beside `work` when it is whole; `work` is gone afterwards.
    """
    try:
        request = work / "views.json"
        request.write_text(json.dumps(views), encoding="utf-8")
        said = run_backend(task, setup, "recover", str(request), str(work / "reference"), what="Recovering")
        version = add_version(work / "reference", work.parent)
    finally:
        discard(work)
    return f"{version.name}: {said[:1].lower()}{said[1:]}" if said else version.name
