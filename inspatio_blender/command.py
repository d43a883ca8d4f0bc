"""A command of the backend as a task: `python -m backend ... --json` and its progress. Knows nothing of Blender."""

from __future__ import annotations

import json
from collections.abc import Sequence

from .jobs import Setup
from .process import StartError, find_python
from .task import Failed, Task


def run_backend(task: Task, setup: Setup, arguments: Sequence[str]) -> str:
    """Run the command to its end and show what it tells; returns its last line. Raises Failed and Cancelled.

    It tells lines of JSON: {"line", "share"}, or {"error"} where it fails.
    """
    try:
        python = find_python(setup.python)
    except StartError as error:
        raise Failed(error.message) from error
    failure = last = ""

    def hear(line: str) -> None:
        nonlocal failure, last
        try:
            said = json.loads(line)
        except ValueError:
            return  # A line of its log.
        if isinstance(said, dict):
            failure = str(said.get("error", failure))
            if text := said.get("line"):
                last = str(text)
                task.say(last, said.get("share"))

    command = (python, "-m", "backend", *arguments, "--json")
    code = task.run(command, setup.folder, setup.environment, hear)
    if code != 0:
        raise Failed(failure or f"{task.title} ended with exit code {code}. The log: {task.log_file}")
    return last
