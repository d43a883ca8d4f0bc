"""A take's report where it is missing, made by the backend's command. Knows nothing of Blender."""

from __future__ import annotations

from pathlib import Path

from .commands import run_backend
from .jobs import Setup
from .task import Task


def make_report(task: Task, setup: Setup, folder: Path) -> str:
    """Run `inspatio report` on a take's folder; returns a sentence. Raises Failed and Cancelled."""
    task.say(f"Making the report of {folder.name}")
    run_backend(task, setup, "report", str(folder), what="The report")
    return f"The report of {folder.name} is there"
