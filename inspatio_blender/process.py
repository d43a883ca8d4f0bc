"""The backend as a child process: start, watch, restart, end. Knows nothing of Blender.

`Backend.start` runs `PYTHON -m backend serve --parent PID` in the extension's folder, hands the token over in
the environment, and waits for the line of JSON that says where the child listens. Two daemon threads drain
its stdout and stderr into a log file of bounded size; they end with the child. Every failure to start is a
`StartError` whose message is a sentence that a person can act on.

`start` blocks for seconds and belongs on the worker thread; `running`, `stop` and `failure` may be called
from any thread, `stop` also while `start` waits.
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..backend import protocol
from .client import Client

START_TIMEOUT = 90.0
"""Seconds until the backend must listen: a first start from a cold disk reads a gigabyte of torch."""
RESTART_INTERVAL = 5.0
"""Seconds that lie at least between the starts of a backend that died."""
LOG_BYTES = 1 * protocol.MIB
"""A log that has grown to this size is kept as `.1`, and a new one begins."""

_started: set[Backend] = set()

_HIDDEN_FROM_CHILD = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONSAFEPATH", "__PYVENV_LAUNCHER__")


OWN_SESSION: dict[str, Any] = (
    {"creationflags": subprocess.CREATE_NO_WINDOW}  # type: ignore[attr-defined,unused-ignore]
    if os.name == "nt"
    else {"start_new_session": True}
)
"""How a child is started: without a console window, and out of the reach of Ctrl-C in Blender's terminal."""


class StartError(Exception):
    """The backend did not start. `code` is stable; the message says what to do."""

    code = "start_failed"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class PythonMissing(StartError):
    """There is no Python at the given path."""

    code = "python_missing"


class NotPython(StartError):
    """What lies at the given path runs, but is no Python that finds the backend."""

    code = "not_python"


class PythonTooOld(StartError):
    """The Python at the given path is older than 3.11."""

    code = "python_too_old"


class PackageMissing(StartError):
    """The backend's Python lacks torch or another package it needs."""

    code = "package_missing"


class WeightsMissing(StartError):
    """The backend's weights are not where they belong, or are broken."""

    code = "weights_missing"


class WrongProtocol(StartError):
    """The backend speaks another version of the protocol."""

    code = "wrong_protocol"


class StartTimeout(StartError):
    """The backend did not listen in time."""

    code = "start_timeout"


class TooSoon(StartError):
    """The backend died less than RESTART_INTERVAL seconds after it was started; wait `seconds`."""

    code = "too_soon"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The backend ended unexpectedly; it can be started again in {seconds:.0f} s.")
        self.seconds = seconds


class Stopped(StartError):
    """`stop` was called while the backend was starting."""

    code = "stopped"

    def __init__(self) -> None:
        super().__init__("The backend was stopped while it was starting.")


_BY_CODE: dict[str, type[StartError]] = {
    kind.code: kind for kind in (PythonTooOld, PackageMissing, WeightsMissing)
}


@dataclass(frozen=True)
class Ready:
    """A backend that listens."""

    port: int
    token: str
    version: str
    pid: int
    seconds: float

    def client(self) -> Client:
        """A client of this backend."""
        return Client(self.port, self.token)


class Backend:
    """One backend process at a time.

    python: an executable, a name on the PATH, or the folder of a virtual environment.
    folder: the folder that holds the package `backend` (the extension's).
    log:    the log file; its folder is made.
    environment: variables that the process has besides Blender's own.
    """

    def __init__(
        self, python: str | Path, folder: Path, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.python = str(python)
        self.environment = dict(environment or {})
        self.folder = Path(folder)
        self.log = Path(log)
        self.ready: Ready | None = None
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._drains: list[threading.Thread] = []
        self._started_at = -RESTART_INTERVAL
        self._asked_to_stop = False

    @property
    def running(self) -> bool:
        """Whether the backend listens and its process is there. Cheap, from any thread."""
        child = self._child
        return self.ready is not None and child is not None and child.poll() is None

    @property
    def failure(self) -> str:
        """A sentence on why a backend that ran is gone; empty while it runs or when it was asked to end."""
        child = self._child
        if child is None or self._asked_to_stop or child.poll() in (None, 0):
            return ""
        return f"The backend ended unexpectedly ({_exit_words(child.returncode)}). Its log: {self.log}"

    def start(self, timeout: float = START_TIMEOUT) -> Ready:
        """Start the backend, or return the one that runs; waits until it listens. Raises StartError."""
        if self.running and self.ready is not None:
            return self.ready
        wait = self._started_at + RESTART_INTERVAL - time.monotonic()
        if wait > 0 and not self._asked_to_stop:
            raise TooSoon(wait)
        self._end(grace=0.0)
        executable = find_python(self.python)
        token = secrets.token_urlsafe(32)
        began = time.monotonic()
        lines: queue.Queue[bytes | None] = queue.Queue()
        with self._lock:
            self._started_at = began
            self._asked_to_stop = False
            child = self._spawn(executable, token)
            self._child = child
            self._drains = self._drain_pipes(child, lines)
        _started.add(self)
        try:
            said = self._wait_until_said(child, lines, began + timeout)
            ready = self._understand(said, token, child.pid, time.monotonic() - began)
        except StartError:
            self._end(grace=0.0)
            raise
        with self._lock:
            if self._asked_to_stop:
                raise Stopped
            self.ready = ready
        return ready

    def stop(self, grace: float = 3.0) -> None:
        """End the process: ask, and after `grace` seconds kill. Nothing of it is left when this returns."""
        self._asked_to_stop = True
        self._end(grace)

    def _end(self, grace: float) -> None:
        with self._lock:
            child, self._child, self.ready = self._child, None, None
            drains, self._drains = self._drains, []
        _started.discard(self)
        if child is None:
            return
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(grace)
            except subprocess.TimeoutExpired:
                child.kill()
        child.wait()
        for drain in drains:
            drain.join(1.0)
        for pipe in (child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()

    def _spawn(self, executable: str, token: str) -> subprocess.Popen[bytes]:
        if not (Path(self.folder) / "backend" / "__main__.py").is_file():
            # That Python may have a backend of its own installed: it must not answer in place of ours.
            raise NotPython(f"The backend is not in {self.folder}: install the extension again.")
        try:
            return subprocess.Popen(
                [executable, "-m", "backend", "serve", "--parent", str(os.getpid())],
                cwd=self.folder,
                env=child_environment({**self.environment, protocol.TOKEN_VARIABLE: token}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                **OWN_SESSION,
            )
        except OSError as error:
            raise NotPython(
                f"{executable} cannot be run ({error.strerror}): choose another Python in the preferences."
            ) from error

    def _drain_pipes(
        self, child: subprocess.Popen[bytes], lines: queue.Queue[bytes | None]
    ) -> list[threading.Thread]:
        """Threads that read the child's pipes: its messages to us into `lines`, all else into the log."""
        log = CappedLog(self.log)

        def hear(line: bytes) -> None:
            if _said(line) is None:
                log.write(line)
            else:
                lines.put(line)

        threads = [
            threading.Thread(target=_drain, args=(pipe, take, ended), name="inspatio-pipe", daemon=True)
            for pipe, take, ended in (
                (child.stderr, log.write, lambda: None),
                (child.stdout, hear, lambda: lines.put(None)),
            )
        ]
        for thread in threads:
            thread.start()
        return threads

    def _wait_until_said(
        self, child: subprocess.Popen[bytes], lines: queue.Queue[bytes | None], deadline: float
    ) -> dict[str, Any]:
        """The line of JSON in which the child says that it is ready or why it is not."""
        while True:
            try:
                line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise StartTimeout(
                    f"The backend was not ready in {deadline - self._started_at:.0f} s. Its log: {self.log}"
                ) from None
            if self._asked_to_stop:
                raise Stopped
            if line is None:
                raise self._silent_end(_exit_words(child.wait()))
            said = _said(line)
            if said is not None:
                return said

    def _silent_end(self, words: str) -> NotPython:
        """The error for a child that ended without a word to us."""
        for drain in self._drains:
            drain.join(1.0)
        return NotPython(
            f"{self.python} ended before the backend was ready ({words}): choose a Python 3.11 or newer with "
            f"torch in the preferences. The log: {self.log}"
        )

    def _understand(self, said: dict[str, Any], token: str, pid: int, seconds: float) -> Ready:
        if said["inspatio"] == "error":
            kind = _BY_CODE.get(str(said.get("error")), StartError)
            raise kind(str(said.get("message")))
        spoken = said.get("protocol")
        if spoken != protocol.PROTOCOL_VERSION:
            raise WrongProtocol(
                f"The backend speaks protocol {spoken}, the add-on {protocol.PROTOCOL_VERSION}: "
                "install the same version of both."
            )
        port = said.get("port")
        if not isinstance(port, int):
            raise StartError(f"The backend did not say where it listens. Its log: {self.log}")
        return Ready(port, token, str(said.get("version")), pid, seconds)


@atexit.register
def _end_started() -> None:
    """The last resort where Python ends and nobody has called `stop`.

    Exit handlers run from the last to the first: registered with this module, this one comes after that of the
    backend's owner, who may have a take to cancel first.
    """
    for backend in list(_started):
        backend.stop()


def child_environment(more: Mapping[str, str]) -> dict[str, str]:
    """Blender's environment without what Blender's own Python needs, and with `more`."""
    environment = {name: value for name, value in os.environ.items() if name not in _HIDDEN_FROM_CHILD}
    return {**environment, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", **more}


def find_python(python: str) -> str:
    """The executable that `python` means: a path, a name on the PATH, or a virtual environment's folder."""
    if not python.strip():
        raise PythonMissing("The backend is not set up: press Set Up Backend in the add-on's preferences.")
    path = Path(python).expanduser()
    if path.is_dir():
        for inside in ("bin/python", "Scripts/python.exe"):
            if (path / inside).is_file():
                return str(path / inside)
    found = shutil.which(str(path))
    if found is None:
        raise PythonMissing(
            f"There is no Python at {python}: choose the backend's Python in the preferences."
        )
    return os.path.abspath(found)


class CappedLog:
    """Appends to a log file of at most LOG_BYTES, keeping one older file; a full disk loses the log only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def write(self, line: bytes) -> None:
        with self._lock:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                if self._path.exists() and self._path.stat().st_size + len(line) > LOG_BYTES:
                    os.replace(self._path, self._path.with_name(self._path.name + ".1"))
                with open(self._path, "ab") as file:
                    file.write(line)
            except OSError:
                pass  # Where the log cannot be written the backend must go on.


def _drain(pipe: IO[bytes], take: Callable[[bytes], None], ended: Callable[[], None]) -> None:
    """Read a pipe to its end, a bounded line at a time."""
    try:
        while line := pipe.readline(64 * 1024):
            take(line)
    except (OSError, ValueError):
        pass  # Closed by `stop`.
    ended()


def _said(line: bytes) -> dict[str, Any] | None:
    """The child's message to us in this line of its stdout, if it is one."""
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) and said.get("inspatio") in ("ready", "error") else None


def _exit_words(code: int) -> str:
    if code < 0 and sys.platform != "win32":
        return f"signal {-code}"
    return f"exit code {code}"
