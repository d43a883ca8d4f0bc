"""A command of the backend that does something long: `python -m backend ... --json`. Knows nothing of Blender.

It tells how far it is, a JSON object a line: {"line": text, "share": 0..1 or null}, and what went wrong as
{"error": sentence} with an exit code other than 0. Lines of its log may stand in between.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from .jobs import Setup
from .process import StartError, find_python
from .task import Failed, Task


def run_backend(
    task: Task,
    setup: Setup,
    *arguments: str,
    what: str,
    hear: Callable[[Mapping[str, Any]], None] = lambda said: None,
) -> str:
    """Run `python -m backend ARGUMENTS --json` and show what it tells; returns the last line of that.

    hear: is given every object, too. what: the command for a person, for example "The download".
    Raises Failed and Cancelled.
    """
    try:
        python = find_python(setup.python)
    except StartError as error:
        raise Failed(error.message) from error
    failure = last = ""

    def listen(line: str) -> None:
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
            hear(said)

    command = (python, "-m", "backend", *arguments, "--json")
    code = task.run(command, setup.folder, setup.environment, listen)
    if code != 0:
        raise Failed(failure or f"{what} ended with exit code {code}. The log: {task.log_file}")
    return last
