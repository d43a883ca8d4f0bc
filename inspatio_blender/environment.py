"""The backend's environment: what it is made of, where it lies, and how it is made. Knows nothing of Blender.

    backend/requirements/linux-cpu.txt      the list for this machine: every package pinned and hashed
    USER/env_1a2b3c4d5e6f_1/                an environment, named by the digest of its list
    USER/env_1a2b3c4d5e6f_1/ready.json      written last, once a block was generated: what is without it is not used
    USER/set_up/                            what was fetched so far, kept for another attempt until one is ready

An environment is made beside those that are there, never in place of one: whatever ends a set-up, what worked before
still does. The others go once the new one is ready.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .installing import InstallProgress, size
from .pythons import find_base, find_program
from .task import Failed, Task

READY = "ready.json"
NEEDED_ROOM = 3.5
"""Room on disk that a set-up needs, as a multiple of what it downloads: files as they came, unpacked, and some air."""

STAGES = (
    ("Making the environment", 0.0),
    ("Looking for the packages", 0.0),
    ("Checking: a first block is generated", 0.97),
)
"""What a plan's commands do, one after the other, and the share that is done when each begins."""

_FOLDER = re.compile(r"env_([0-9a-f]{12})_(\d+)")


@dataclass(frozen=True)
class PackageList:
    """A list of backend/requirements. pythons: those it is for, the most tested first; bytes: what is downloaded."""

    path: Path
    pythons: tuple[str, ...]
    packages: int
    bytes: int
    digest: str

    @property
    def device(self) -> str:
        """What it computes on: CPU, CUDA or MPS."""
        return self.path.stem.rpartition("-")[2].upper()


@dataclass(frozen=True)
class Environment:
    """An environment that was ready when it was looked at. is_current: made from the list of this version."""

    folder: Path
    is_current: bool

    @property
    def python(self) -> Path:
        return _python_within(self.folder)


@dataclass(frozen=True)
class Plan:
    """How an environment will be made: `commands` one after the other, in the folder `extension`."""

    wanted: PackageList
    extension: Path
    user: Path
    folder: Path
    commands: tuple[tuple[str, ...], ...]

    def as_text(self) -> str:
        """The commands for a terminal: a POSIX shell, or PowerShell on Windows."""
        quote, run = (_powershell_quoted, "& ") if os.name == "nt" else (shlex.quote, "")
        lines = [f"cd {quote(str(self.extension))}"]
        lines += [run + " ".join(map(quote, command)) for command in self.commands]
        return "\n".join(lines) + "\n"


@cache
def wanted_list(extension: Path) -> PackageList:
    """The list for this machine. Raises Failed where there is none."""
    name = f"{_system()}-{_device()}"
    return read_list(extension / "backend" / "requirements" / f"{name}.txt")


def read_list(path: Path) -> PackageList:
    """A list and what its first lines say of it. Raises Failed."""
    try:
        text = path.read_text(encoding="utf-8")
        said = dict(re.findall(r"^# (python|packages|bytes): (.+)$", text, re.MULTILINE))
        pythons, packages, size = tuple(said["python"].split()), int(said["packages"]), int(said["bytes"])
    except (OSError, KeyError, ValueError) as error:
        raise Failed(f"{path} is missing or damaged: install the extension again") from error
    return PackageList(path, pythons, packages, size, hashlib.sha256(text.encode()).hexdigest())


def find(user: Path, wanted: PackageList | None) -> Environment | None:
    """The environment to use: one of the wanted list, else the newest that is ready; None where there is none."""
    ready = []
    for folder, digest in _folders(user):
        if (folder / READY).is_file() and _python_within(folder).is_file():
            is_current = wanted is not None and digest == wanted.digest[:12]
            ready.append((is_current, (folder / READY).stat().st_mtime, folder))
    if not ready:
        return None
    is_current, _, folder = max(ready)
    return Environment(folder, is_current)


def plan(extension: Path, user: Path) -> Plan:
    """How an environment for this machine will be made. Takes a second or two. Raises Failed."""
    wanted = wanted_list(extension)
    number = max((int(folder.name.rpartition("_")[2]) for folder, _ in _folders(user)), default=0) + 1
    folder = user / f"env_{wanted.digest[:12]}_{number}"
    python = str(_python_within(folder))
    hashed = ("--require-hashes", "--only-binary", ":all:", "--requirement")
    uv = find_program("uv")
    if uv is not None:
        first, last = wanted.pythons[0], wanted.pythons[-1]
        # Of those that it finds it takes one; where it finds none it brings its own.
        asked = f">={first},<{last.partition('.')[0]}.{int(last.partition('.')[2]) + 1}"
        commands = [
            (uv, "venv", "--python", asked, str(folder)),
            (uv, "pip", "install", "--python", python, *hashed, str(wanted.path)),
        ]
    else:
        commands = [
            (find_base(wanted.pythons), "-m", "venv", str(folder)),
            (python, "-m", "pip", "install", *hashed, str(wanted.path)),
        ]
    commands.append((python, "-m", "backend", "doctor", "--json", "--mark", str(folder / READY)))
    return Plan(wanted, extension, user, folder, tuple(commands))


def make(task: Task, extension: Path, user: Path, in_use: Path | None = None) -> str:
    """Make an environment and remove the others but `in_use`; returns a sentence. Raises Failed and Cancelled."""
    user.mkdir(parents=True, exist_ok=True)
    fetched = user / "set_up"
    fetched.mkdir(exist_ok=True)
    with _alone(user / "set_up.lock") as lock:
        task.say("Looking for Python")
        for folder, _ in _folders(user):
            if not (folder / READY).is_file():
                shutil.rmtree(folder, ignore_errors=True)
        making = plan(extension, user)
        _check_room(making)
        temporary = fetched / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        variables = {
            # Beside the environment: the system's folder for temporary files is often small, and kept in memory.
            **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)),
            "PIP_CACHE_DIR": str(fetched / "pip"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
            "UV_CACHE_DIR": str(fetched / "uv"),
            "UV_PYTHON_INSTALL_DIR": str(user / "python"),
            "NO_COLOR": "1",
        }
        try:
            for (stage, share), command in zip(STAGES, making.commands, strict=True):
                task.say(stage, share)
                progress = InstallProgress(making.wanted.packages, making.wanted.bytes, temporary, task)
                code = task.run(command, extension, variables, progress.hear, progress.look, (lock,))
                if code != 0:
                    raise Failed(progress.why(code, task.log_file))
        except BaseException:
            shutil.rmtree(making.folder, ignore_errors=True)
            raise
        for folder, _ in _folders(user):
            if folder not in (making.folder, in_use):
                shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(fetched, ignore_errors=True)
    return f"The backend is set up, {making.wanted.packages} packages for {making.wanted.device}"


def _system() -> str:
    """linux, windows or macos. Raises Failed on a machine that torch has no wheels for."""
    machine = platform.machine().lower()
    system = {"linux": "linux", "win32": "windows", "darwin": "macos"}.get(sys.platform, "")
    if not system or machine not in (("arm64",) if system == "macos" else ("x86_64", "amd64")):
        raise Failed(
            f"There is no list of packages for {sys.platform} on {machine}: make an environment by hand, "
            "and choose its Python below"
        )
    return system


def _device() -> str:
    """What this machine computes on: cuda where an NVIDIA driver is installed, mps on a Mac, else cpu."""
    if sys.platform == "darwin":
        return "mps"
    if sys.platform == "win32":
        driver = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvcuda.dll"
        return "cuda" if driver.is_file() else "cpu"
    found = Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None
    return "cuda" if found else "cpu"


def _folders(user: Path) -> Iterator[tuple[Path, str]]:
    """Every environment's folder, ready or not, with the first digits of its list's digest."""
    if not user.is_dir():
        return
    for folder in sorted(user.iterdir()):
        if match := _FOLDER.fullmatch(folder.name):
            yield folder, match[1]


def _python_within(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _check_room(making: Plan) -> None:
    needed, free = making.wanted.bytes * NEEDED_ROOM, shutil.disk_usage(making.user).free
    if free < needed:
        raise Failed(
            f"Setting up needs {size(needed)}, but only {size(free)} are free in {making.user}: make room"
        )


@contextmanager
def _alone(path: Path) -> Iterator[int]:
    """Hold the lock in `path`; its descriptor. Raises Failed where another set-up has it.

    Commands inherit it, so a set-up whose Blender was killed holds it until its last command is gone.
    """
    with open(path, "a+b") as file:
        try:
            if os.name == "nt":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Failed("Another Blender is setting up the backend: wait for it to end") from None
        yield file.fileno()


def _powershell_quoted(word: str) -> str:
    return "'" + word.replace("'", "''") + "'"
