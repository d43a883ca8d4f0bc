"""Weights of a preset or a depth network, brought by the backend's command. Knows nothing of Blender."""

from __future__ import annotations

from .commands import run_backend
from .jobs import Setup
from .task import Task


def download(task: Task, setup: Setup, preset: str) -> str:
    """Run `inspatio download` and show what it tells; returns a sentence. Raises Failed and Cancelled.

    What came until it was cancelled stays, and the next download goes on from there.
    """
    run_backend(task, setup, "download", preset, what="The download")
    return f"The weights of {preset} are there"
