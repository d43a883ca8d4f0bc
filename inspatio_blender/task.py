"""Something long that is done beside takes, in a thread of its own: setting up, a download. Knows nothing of Blender.

    main thread                           the task's thread
    task = Task("Set Up", work, log)      work(task): task.run(COMMAND) -> its lines into the log and `line`
    task.line, task.factor, task.state    task.say("...", 0.3)
    task.cancel()                         -> the command and all its children are ended, `work` is left

There is nothing to wait for on the main thread: it reads the attributes from its timer. `Failed` is how `work` says
what went wrong, in a sentence.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from .process import OWN_SESSION, CappedLog, child_environment

log = logging.getLogger(__name__)

LOOK_S = 0.1
"""How often a running command is looked at: so fast a cancel is heard."""
GRACE_S = 1.0
"""Seconds that a command has to end by itself."""
NICE = 10
"""How far a command stands back behind Blender, whose window is drawn by the same cores: POSIX's nice value."""


class Failed(Exception):
    """The task cannot be done; the message says why and what to do."""


class Cancelled(Exception):
    """The user has cancelled the task."""


class Task:
    """One piece of work and how far it has come. Begins at once.

    work    does it, given this task, and returns the sentence to end with. Raises Failed or Cancelled.
    state   "running", then "finished", "cancelled" or "failed"
    factor  the share that is done, None where that is not known
    line    what is being done, for a person
    lines   everything that was said, for who wants to print it
    """

    def __init__(self, title: str, work: Callable[[Task], str], log_file: Path) -> None:
        self.title = title
        self.log_file = log_file
        self.state = "running"
        self.message = ""
        self.line = "Starting"
        self.factor: float | None = None
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.changes = 0
        """Grows with everything that there is to show."""
        self._log = CappedLog(log_file)
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._do, args=(work,), name="inspatio-task", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self.state == "running"

    def cancel(self) -> None:
        """End the work as soon as possible. Returns at once."""
        self._cancelled.set()

    def shutdown(self, timeout: float) -> None:
        """Cancel, and wait until nothing of it is left, at most about `timeout` seconds."""
        self.cancel()
        self._thread.join(timeout)

    def say(self, line: str, factor: float | None = None) -> None:
        """What is being done now. Raises Cancelled once `cancel` was called."""
        self.check()
        self.line, self.factor = line, factor
        self.changes += 1

    def note(self, line: str) -> None:
        """A line for the log alone."""
        self._log.write(line.encode("utf-8", "replace") + b"\n")
        self.lines.put(line)

    def check(self) -> None:
        """Raises Cancelled once `cancel` was called."""
        if self._cancelled.is_set():
            raise Cancelled

    def run(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        hear: Callable[[str], None] = lambda line: None,
        look: Callable[[], None] = lambda: None,
        keep_open: Sequence[int] = (),
    ) -> int:
        """Run a command to its end; returns its exit code. `hear` is given every line of its output,
        `look` is called a few times a second while it says nothing.

        keep_open: file descriptors that it inherits (not on Windows).
        Raises Failed where it cannot be started, and Cancelled: then it and all its children are gone.
        """
        self.check()
        self.note("$ " + " ".join(command))
        options = {**OWN_SESSION, "pass_fds": tuple(keep_open)}
        if os.name == "nt":
            flags = OWN_SESSION["creationflags"] | subprocess.BELOW_NORMAL_PRIORITY_CLASS  # type: ignore[attr-defined,unused-ignore]
            options = {"creationflags": flags}
        try:
            child = subprocess.Popen(
                command,
                cwd=folder,
                env=child_environment(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                **options,
            )
        except OSError as error:
            raise Failed(f"{command[0]} cannot be run: {error.strerror or error}") from error
        _stand_back(child.pid)
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        reader = threading.Thread(target=_read, args=(child, lines), name="inspatio-task-pipe", daemon=True)
        reader.start()
        try:
            self._listen(child, lines, hear, look)
        finally:
            end_tree(child)
            reader.join(GRACE_S)
            if child.stdout is not None and not reader.is_alive():
                child.stdout.close()
        return child.returncode

    def _listen(
        self,
        child: subprocess.Popen[bytes],
        lines: queue.SimpleQueue[str | None],
        hear: Callable[[str], None],
        look: Callable[[], None],
    ) -> None:
        """Hand lines on until the child has ended and said everything."""
        while True:
            self.check()
            try:
                line = lines.get(timeout=LOOK_S)
            except queue.Empty:
                if child.poll() is not None:
                    return  # Something that it left behind holds the pipe open: there is nothing to wait for.
                look()
                continue
            if line is None:
                break
            self.note(line)
            hear(line)
        while child.poll() is None:
            self.check()
            time.sleep(LOOK_S)

    def _do(self, work: Callable[[Task], str]) -> None:
        self.note(time.strftime(f"--- {self.title}, %Y-%m-%d %H:%M:%S"))
        try:
            state, message = "finished", work(self)
        except Cancelled:
            state, message = "cancelled", "Cancelled"
        except Failed as error:
            state, message = "failed", str(error)
        except OSError as error:
            log.exception("a task failed")
            state, message = "failed", f"{error.filename or self.title}: {error.strerror or error}"
        except Exception as error:  # What happened must reach the user; the log has the rest.
            log.exception("a task failed")
            state, message = "failed", f"{type(error).__name__}: {error}"
        if message:
            self.note(message)
        self.message, self.factor = message, None
        self.state = state
        self.changes += 1


def _stand_back(pid: int) -> None:
    """Have a child that has just begun, and what it starts, give way to Blender. On Windows it began so."""
    if os.name == "nt":
        return
    with suppress(OSError):  # It has ended already.
        os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, 0) + NICE)
    # Linux weighs sessions against one another first, where it groups by them, and values within one after that.
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(NICE), encoding="ascii")


def end_tree(child: subprocess.Popen[bytes]) -> None:
    """End a child that was started with OWN_SESSION, and every process that it has started."""
    if os.name == "nt":
        if child.poll() is None:
            subprocess.run(
                ["taskkill", "/F", "/T", "/PID", str(child.pid)],
                capture_output=True,
                check=False,
                **OWN_SESSION,
            )
    else:
        until = time.monotonic() + GRACE_S
        _signal_group(child.pid, signal.SIGTERM)
        while child.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        _signal_group(child.pid, signal.SIGKILL)
    child.wait()


def _signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass  # There is nobody left in it; macOS says so by the second.


def _read(child: subprocess.Popen[bytes], lines: queue.SimpleQueue[str | None]) -> None:
    """Read a child's output to its end, a bounded line at a time."""
    assert child.stdout is not None
    try:
        while line := child.stdout.readline(64 * 1024):
            lines.put(line.decode("utf-8", "replace").rstrip())
    except (OSError, ValueError):
        pass
    lines.put(None)
