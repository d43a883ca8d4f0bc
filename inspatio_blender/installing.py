"""What pip and uv say while they install: progress, and a sentence on what went wrong. Knows nothing of Blender."""

from __future__ import annotations

import json
import re
from pathlib import Path

from .task import Task

_ERROR = re.compile(r"\s*(error|×)", re.IGNORECASE)
_NO_NETWORK = re.compile(
    r"NewConnectionError|Name or service not known|Temporary failure in name|getaddrinfo|dns error|timed out|"
    r"error sending request|tcp connect error",
    re.IGNORECASE,
)


class InstallProgress:
    """How far a command of a set-up has come.

    pip names every package, and what it downloads grows in its folder for temporary files (`temporary`). uv names the
    large packages alone, when it begins with one and when it has it.
    """

    _UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
    _PIP_FOUND = re.compile(r"(?:Collecting|Processing) (\S+)")
    _UV_BEGUN = re.compile(r"Downloading (\S+) \(([\d.]+)([KMG]iB)\)$")
    _UV_DONE = re.compile(r" Downloaded (\S+)$")
    _UNPACKING = re.compile(r"Installing collected|Prepared \d+")

    def __init__(self, packages: int, total: int, temporary: Path, task: Task) -> None:
        self._packages, self._total = packages, total
        self._temporary, self._task = temporary, task
        self._found: set[str] = set()
        self._coming: dict[str, float] = {}
        """What uv downloads now, side by side, and its bytes."""
        self._there = 0.0
        """Bytes."""
        self._current = ""
        self._output: list[str] = []

    def hear(self, line: str) -> None:
        """Take in a line of the command's output."""
        self._output.append(line)
        del self._output[:-400]
        if match := self._PIP_FOUND.match(line):
            self._found.add(match[1])
            self._current = re.split(r"[=@]", Path(match[1]).name)[0]
        elif match := self._UV_BEGUN.match(line):
            self._coming[match[1]] = float(match[2]) * self._UNITS[match[3]]
            self._current = match[1]
        elif match := self._UV_DONE.match(line):
            self._there += self._coming.pop(match[1], 0.0)
            self._current = next(iter(self._coming), match[1])
        elif self._UNPACKING.match(line):
            self._found.clear()
            self._task.say("Unpacking", 0.95)
            return
        else:
            return
        self._show()

    def look(self) -> None:
        """See what has come since the last line."""
        if self._found:
            there = float(sum(_size(path) for path in self._temporary.glob("pip-unpack-*/*")))
            if there != self._there:
                self._there = there
                self._show()

    def _show(self) -> None:
        text = f"{self._current}: {size(self._there)} of {size(self._total)}"
        if self._found:
            text += f", {len(self._found)} of {self._packages} packages"
        self._task.say(text, min(self._there / self._total, 1.0) * 0.95)

    def why(self, code: int, log: Path) -> str:
        """Why the command failed, in a sentence."""
        said = "\n".join(self._output)
        if re.search(r"do not match the hashes|hash mismatch", said, re.IGNORECASE):
            return (
                "A package is not the one that was tested and was refused: its hash differs. Try again later"
            )
        if "No space left on device" in said:
            return "The disk is full: make room, then set up again"
        if finding := _failed_finding(said):
            return f"Everything is installed, but does not work: {finding}. The log: {log}"
        if _NO_NETWORK.search(said):
            return "The package index cannot be reached: check the network, then set up again"
        words = next((line.strip() for line in self._output if _ERROR.match(line)), f"exit code {code}")
        return f"Setting up failed ({words[:200]}). The log: {log}"


def size(count: float) -> str:
    """A number of bytes for a person."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _failed_finding(said: str) -> str:
    """What `backend doctor --json` found to be wrong, if that is what was said."""
    try:
        findings = json.loads(said[said.index("{") :])["findings"]
        return next(f"{one['name']}: {one['message']}" for one in findings if one["state"] == "fail")
    except (ValueError, KeyError, TypeError, StopIteration):
        return ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
