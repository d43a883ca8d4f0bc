"""Where Blender is on this machine: named by the user, on the PATH, or where its installers put it."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

VARIABLE = "BLENDER"
"""Environment variable that names a Blender."""


class NoBlender(Exception):
    """There is no Blender; the message says what to do."""


def find_blender(
    named: Path | None = None, environment: Mapping[str, str] | None = None, system: str = sys.platform
) -> Path:
    """The Blender to run: `named`, else that of the variable BLENDER, of the PATH, or the newest that is installed.

    Raises NoBlender; also where the one that was named isn't there, rather than take another.
    """
    environment = os.environ if environment is None else environment
    chosen = str(named or "") or environment.get(VARIABLE, "").strip()
    if chosen:
        found = shutil.which(chosen, path=environment.get("PATH"))
        if found is None:
            by = "--blender" if named else f"the environment variable {VARIABLE}"
            raise NoBlender(f"{chosen}, named by {by}, is no program that can be run.")
        return Path(found)
    on_path = shutil.which("blender", path=environment.get("PATH"))
    if on_path is not None:
        return Path(on_path)
    installed = [path for path in _usual_places(environment, system) if path.is_file()]
    if not installed:
        raise NoBlender(
            f"No Blender was found: name one with --blender, or in the environment variable {VARIABLE}."
        )
    return max(installed, key=_version)


def _usual_places(environment: Mapping[str, str], system: str) -> Iterator[Path]:
    home = Path(environment.get("HOME") or environment.get("USERPROFILE") or os.path.expanduser("~"))
    if system == "win32":
        for variable in ("ProgramFiles", "ProgramW6432", "LOCALAPPDATA"):
            if variable in environment:
                root = Path(environment[variable])
                yield from root.glob("Blender Foundation/Blender*/blender.exe")
                yield from root.glob("Programs/Blender Foundation/Blender*/blender.exe")
        if "ProgramFiles(x86)" in environment:
            yield Path(environment["ProgramFiles(x86)"]) / "Steam/steamapps/common/Blender/blender.exe"
    elif system == "darwin":
        for root in (Path("/Applications"), home / "Applications"):
            yield from root.glob("Blender*.app/Contents/MacOS/Blender")
        yield (
            home
            / "Library/Application Support/Steam/steamapps/common/Blender/Blender.app/Contents/MacOS/Blender"
        )
    else:
        yield Path("/snap/bin/blender")
        yield Path("/var/lib/flatpak/exports/bin/org.blender.Blender")
        yield home / ".local/share/flatpak/exports/bin/org.blender.Blender"
        for root in (Path("/opt"), Path("/usr/local"), home, home / "Applications", home / ".local/share"):
            yield from root.glob("[Bb]lender*/blender")
        yield home / ".local/share/Steam/steamapps/common/Blender/blender"


def _version(path: Path) -> tuple[int, ...]:
    """The version that a path names, as in “Blender 4.5” or “blender-5.2.2-linux-x64”."""
    found = re.search(r"[Bb]lender[ -]?(\d+(?:\.\d+)*)", str(path.parent))
    return tuple(int(number) for number in found[1].split(".")) if found else ()
