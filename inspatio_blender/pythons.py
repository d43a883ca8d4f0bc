"""The Python that the backend's environment is made with. Knows nothing of Blender.

    python3.11 ... on the PATH  ->  the places that installers use  ->  the first that can make environments

Blender's own Python is none of them: an environment made with it would end with that Blender.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from .process import OWN_SESSION, child_environment
from .task import Failed

PYTHON_PAGE = "https://www.python.org/downloads/"
_PROBE = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2], sys.maxsize > 2**32)"


def find_base(pythons: Sequence[str]) -> str:
    """A Python of one of these versions that can make environments. Raises Failed with where to get one."""
    lacking = ""
    for candidate in _candidates(pythons):
        version, fits = _probe(candidate)
        if version in pythons and fits:
            return candidate
        if version in pythons:
            lacking = lacking or candidate
    names = " or ".join([", ".join(pythons[:-1]), pythons[-1]] if len(pythons) > 1 else pythons)
    if lacking:
        raise Failed(
            f"{lacking} cannot make environments: install what it lacks (on Debian and Ubuntu the package "
            f"python3-venv), or a Python {names} from {PYTHON_PAGE}, then set up again"
        )
    raise Failed(f"No Python {names} was found: install one from {PYTHON_PAGE}, then set up again")


def find_program(name: str) -> str | None:
    """A program on the PATH, or where its installer puts it."""
    home = Path.home()
    more = [home / ".local/bin", home / ".cargo/bin"]
    if sys.platform == "darwin":
        more += [Path("/opt/homebrew/bin"), Path("/usr/local/bin")]
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, more)])
    return shutil.which(name, path=path)


def _candidates(pythons: Sequence[str]) -> Iterator[str]:
    """Where a Python may be, the first to be tried first. Blender started from a desktop has a short PATH."""
    names = [f"python{version}" for version in pythons] + ["python3", "python"]
    for name in names:
        found = find_program(name)
        if found is not None:
            yield found
    for version in pythons:
        tag = version.replace(".", "")
        places = {
            "win32": [
                Path(os.environ.get(variable, "")) / below / f"Python{tag}" / "python.exe"
                for variable, below in (("LOCALAPPDATA", "Programs/Python"), ("PROGRAMFILES", ""))
                if os.environ.get(variable)
            ],
            "darwin": [Path(f"/Library/Frameworks/Python.framework/Versions/{version}/bin/python3")],
        }
        yield from (str(place) for place in places.get(sys.platform, []) if place.is_file())


def _probe(python: str) -> tuple[str, bool]:
    """Version of a Python, and whether it is a 64-bit one that can make environments; "" where it is none."""
    for code in (_PROBE, "import sys; print('%d.%d' % sys.version_info[:2], False)"):
        try:
            done = subprocess.run(
                [python, "-I", "-c", code],
                env=child_environment({}),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
                **OWN_SESSION,
            )
        except (OSError, subprocess.TimeoutExpired):
            return "", False
        words = done.stdout.split()
        if done.returncode == 0 and len(words) == 2:
            return words[0], words[1] == "True"
    return "", False
