"""A preset's weights, brought by the backend: `python -m backend download PRESET --json`. Knows nothing of Blender."""

from __future__ import annotations

import json

from .jobs import Setup
from .process import StartError, find_python
from .task import Failed, Task


def download(task: Task, setup: Setup, preset: str) -> str:
    """Run the command and show what it tells; returns a sentence. Raises Failed and Cancelled.

    What came until it was cancelled stays, and the next download goes on from there.
    """
    try:
        python = find_python(setup.python)
    except StartError as error:
        raise Failed(error.message) from error
    failure = ""

    def hear(line: str) -> None:
        nonlocal failure
        try:
            said = json.loads(line)
        except ValueError:
            return  # A line of its log.
        if isinstance(said, dict):
            failure = str(said.get("error", failure))
            if text := said.get("line"):
                task.say(str(text), said.get("share"))

    command = (python, "-m", "backend", "download", preset, "--json")
    code = task.run(command, setup.folder, setup.environment, hear)
    if code != 0:
        raise Failed(failure or f"The download ended with exit code {code}. The log: {task.log_file}")
    return f"The weights of {preset} are there"
