"""A preset's weights, brought by the backend: `python -m backend download PRESET --json`. Knows nothing of Blender."""

from __future__ import annotations

from .commands import run_backend
from .jobs import Setup
from .task import Task


def download(task: Task, setup: Setup, preset: str) -> str:
    """Run the command and show what it tells; returns a sentence. Raises Failed and Cancelled.

    What came until it was cancelled stays, and the next download goes on from there.
    """
    run_backend(task, setup, "download", preset, what="The download")
    return f"The weights of {preset} are there"
