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
    """How far a command of a set-up has come, by what pip and uv say. uv names the large packages only."""

    _UNITS = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
    _AMOUNT = r"\(([\d.]+) ?([kKMG]?i?B)\)"
    _FOUND = re.compile(r"(?:Collecting|Processing) (\S+)")
    _PIP_FILE = re.compile(rf"\s+(Downloading|Using cached) (\S+?)-\d\S*(?: {_AMOUNT})?$")
    _PIP_BYTES = re.compile(r"Progress (\d+) of \d+$")
    _UV_BEGUN = re.compile(rf"Downloading (\S+) {_AMOUNT}$")
    _UV_DONE = re.compile(r" Downloaded (\S+)$")
    _UNPACKING = re.compile(r"Installing collected|Prepared \d+")

    def __init__(self, packages: int, total: int, task: Task) -> None:
        self._packages, self._total, self._task = packages, total, task
        self._found: set[str] = set()
        self._coming: dict[str, float] = {}
        """Packages that uv downloads now, side by side, and their bytes."""
        self._there: dict[str, float] = {}
        """Bytes that are there, by package."""
        self._current = ""
        self._output: list[str] = []

    def hear(self, line: str) -> None:
        """Take in a line of the command's output."""
        self._output.append(line)
        del self._output[:-400]
        if self._UNPACKING.match(line):
            self._task.say("Unpacking", 0.95)
        elif self._take_in(line):
            there = sum(self._there.values())
            text = f"{self._current}: {size(there)} of {size(self._total)}"
            if self._found:
                text += f", {len(self._found)} of {self._packages} packages"
            self._task.say(text, min(there / self._total, 1.0) * 0.95)

    def _take_in(self, line: str) -> bool:
        """Whether the line tells progress."""
        if match := self._FOUND.match(line):
            self._found.add(match[1])
            self._current = re.split(r"[=@]", Path(match[1]).name)[0]
        elif match := self._PIP_FILE.match(line):
            self._current = match[2]
            if match[1] == "Using cached" and match[3]:
                self._there[match[2]] = float(match[3]) * self._UNITS[match[4]]
        elif match := self._PIP_BYTES.match(line):
            self._there[self._current] = float(match[1])
        elif match := self._UV_BEGUN.match(line):
            self._coming[match[1]] = float(match[2]) * self._UNITS[match[3]]
            self._current = match[1]
        elif match := self._UV_DONE.match(line):
            self._there[match[1]] = self._coming.pop(match[1], 0.0)
            self._current = next(iter(self._coming), match[1])
        else:
            return False
        return True

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
