"""The backend as Blender's child: started, watched, restarted, ended; and every reason why it does not start.

`inspatio_blender.process` and `client` are the add-on's own. The child is the real server in its own process,
reached through a folder whose `backend` package hands over to `fake_backend.py` (small random weights).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from fakes import DEAF, SLOW, small_presets
from inspatio_addon.inspatio_blender import process
from inspatio_addon.inspatio_blender.client import BackendError, Client, ConnectionLost, Interrupted
from inspatio_addon.inspatio_blender.process import (
    Backend,
    NotPython,
    PackageMissing,
    PythonMissing,
    PythonTooOld,
    Ready,
    StartError,
    StartTimeout,
    Stopped,
    TooSoon,
    WeightsMissing,
    WrongProtocol,
    find_python,
)
from references import move, write_reference

from backend.protocol.references import reference_digest

TESTS = Path(__file__).parent
WIDTH, HEIGHT = 64, 48
CPU_SECONDS = 60.0
"""Patience with a machine that has more to do than these tests."""


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the extension's, whose backend has small weights and fake sessions."""
    folder = tmp_path_factory.mktemp("extension")
    small_presets(folder / "weights")
    _write_backend(
        folder,
        f"""
        import os, runpy, sys
        sys.path[:0] = [{str(TESTS)!r}, {str(TESTS.parent)!r}]
        for name in [name for name in sys.modules if name == "backend" or name.startswith("backend.")]:
            del sys.modules[name]
        sys.argv = ["fake_backend.py", {str(folder / "weights")!r}, *sys.argv[1:], "--fake"]
        runpy.run_path({str(TESTS / "fake_backend.py")!r}, run_name="__main__")
        """,
    )
    return folder


def _write_backend(folder: Path, code: str) -> None:
    """A package `backend` in `folder` that runs `code`."""
    import textwrap

    (folder / "backend").mkdir(exist_ok=True)
    (folder / "backend" / "__init__.py").write_text("")
    (folder / "backend" / "__main__.py").write_text(textwrap.dedent(code))


@pytest.fixture
def backend(folder: Path, tmp_path: Path) -> Iterator[Backend]:
    backend = Backend(sys.executable, folder, tmp_path / "logs" / "backend.log")
    yield backend
    backend.stop()


def _gone(pid: int, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def _wait_until_ended(backend: Backend) -> None:
    deadline = time.monotonic() + 5
    while backend.running:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _reference(client: Client, folder: Path) -> str:
    write_reference(folder, WIDTH, HEIGHT)
    digest = reference_digest(folder)
    assert not client.has_reference(digest)
    assert client.put_reference(digest, folder)["views"] == 1
    assert client.has_reference(digest)
    return digest


def test_start_generate_and_stop_leave_nothing_behind(backend: Backend, tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    ready = backend.start()
    assert backend.running
    assert backend.start() is ready
    assert TOKEN_NOT_VISIBLE(ready)
    client = ready.client()
    assert client.status()["pid"] == ready.pid
    digest = _reference(client, tmp_path / "reference")
    take = client.open_take(digest, "tiny", WIDTH, HEIGHT, seed=5)
    assert take.block_sizes == (9, 12)
    cameras = move(14, WIDTH, HEIGHT)
    result = client.generate(take.id, 0, cameras.block(0))
    assert len(result.frames) == 9
    assert all(frame.startswith(b"\x89PNG") for frame in result.frames)
    assert client.coverage(digest, WIDTH, HEIGHT, cameras)[0] > 0.9
    again = client.open_take(digest, "tiny", WIDTH, HEIGHT, seed=5)
    client.put_snapshot(again.id, result.snapshot)
    assert client.generate(again.id, 1, cameras.block(1)).block == 1
    client.close_take(take.id)
    client.close_take(take.id)
    backend.stop()
    assert not backend.running
    assert backend.failure == ""
    assert _gone(ready.pid, 0.5)
    assert set(threading.enumerate()) <= threads
    with pytest.raises(ConnectionLost, match="does not answer"):
        client.status()


def TOKEN_NOT_VISIBLE(ready: Ready) -> bool:  # noqa: N802
    """The token stands in no command line and in no environment but the child's first one."""
    child = psutil.Process(ready.pid)
    return len(ready.token) >= 32 and not any(ready.token in word for word in child.cmdline())


def test_it_can_be_started_again_after_it_was_stopped(backend: Backend) -> None:
    first = backend.start()
    backend.stop()
    second = backend.start()
    assert first.pid != second.pid
    assert first.token != second.token
    with pytest.raises(BackendError) as refused:
        Client(second.port, first.token).status()
    assert (refused.value.status, refused.value.code) == (401, "unauthorized")


def test_asked_to_shut_down_it_is_gone_without_a_failure(backend: Backend) -> None:
    ready = backend.start()
    ready.client().shutdown()
    _wait_until_ended(backend)
    assert backend.failure == ""


def test_killed_it_is_noticed_and_not_restarted_at_once(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "RESTART_INTERVAL", CPU_SECONDS)
    ready = backend.start()
    client = ready.client()
    take = client.open_take(_reference(client, tmp_path), "tiny", WIDTH, HEIGHT, seed=SLOW)
    threading.Timer(0.5, os.kill, (ready.pid, signal.SIGKILL)).start()
    with pytest.raises(ConnectionLost):
        client.generate(take.id, 0, move(9, WIDTH, HEIGHT).block(0))
    _wait_until_ended(backend)
    assert "signal 9" in backend.failure
    with pytest.raises(TooSoon, match="can be started again in") as too_soon:
        backend.start()
    assert 0 < too_soon.value.seconds <= CPU_SECONDS
    monkeypatch.setattr(process, "RESTART_INTERVAL", 0.0)
    assert backend.start().pid != ready.pid
    assert backend.failure == ""


def test_a_call_is_interrupted_and_the_backend_stops_computing(backend: Backend, tmp_path: Path) -> None:
    client = backend.start().client()
    take = client.open_take(_reference(client, tmp_path), "tiny", WIDTH, HEIGHT, seed=SLOW)
    threading.Timer(0.5, client.interrupt).start()
    start = time.monotonic()
    with pytest.raises(Interrupted):
        client.generate(take.id, 0, move(9, WIDTH, HEIGHT).block(0))
    assert time.monotonic() - start < 1.5
    with pytest.raises(Interrupted):  # stays until it is rearmed
        client.status()
    client.rearm()
    client.close_take(take.id)
    deadline = time.monotonic() + 5
    while client.status()["state"] != "idle":
        assert time.monotonic() < deadline


def test_an_interrupted_block_can_be_asked_for_again(backend: Backend, tmp_path: Path) -> None:
    client = backend.start().client()
    take = client.open_take(_reference(client, tmp_path), "tiny", WIDTH, HEIGHT, seed=DEAF)
    threading.Timer(0.5, client.interrupt).start()
    with pytest.raises(Interrupted):
        client.generate(take.id, 0, move(9, WIDTH, HEIGHT).block(0))
    client.rearm()
    with pytest.raises(BackendError, match="Block 1 of the take is next"):  # it could not be stopped in time
        client.generate(take.id, 0, move(9, WIDTH, HEIGHT).block(0))


def test_stopping_while_it_computes_takes_seconds_at_most(backend: Backend, tmp_path: Path) -> None:
    client = backend.start().client()
    take = client.open_take(_reference(client, tmp_path), "tiny", WIDTH, HEIGHT, seed=SLOW)
    failures: list[BackendError] = []

    def generate() -> None:
        try:
            client.generate(take.id, 0, move(9, WIDTH, HEIGHT).block(0))
        except BackendError as error:
            failures.append(error)

    running = threading.Thread(target=generate)
    running.start()
    time.sleep(0.5)
    start = time.monotonic()
    backend.stop()
    assert time.monotonic() - start < 4
    running.join(5)
    assert len(failures) == 1


def test_two_at_once_do_not_meet(folder: Path, tmp_path: Path) -> None:
    both = [Backend(sys.executable, folder, tmp_path / f"{name}.log") for name in "ab"]
    try:
        first, second = (backend.start() for backend in both)
        assert first.port != second.port
        assert first.client().status()["pid"] != second.client().status()["pid"]
        both[0].stop()
        assert second.client().status()["pid"] == second.pid
    finally:
        for backend in both:
            backend.stop()


def test_it_ends_when_its_parent_is_gone(folder: Path, tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
import conftest
from inspatio_addon.inspatio_blender.process import Backend
backend = Backend(sys.executable, {str(folder)!r}, {str(tmp_path / "backend.log")!r})
print(backend.start().pid, flush=True)
input()
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert psutil.pid_exists(child)
    parent.kill()  # not reaped yet: what is left of it must count as gone
    assert _gone(child)
    parent.communicate()


def test_leaving_python_ends_it(folder: Path, tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
import conftest
from inspatio_addon.inspatio_blender.process import Backend
print(Backend(sys.executable, {str(folder)!r}, {str(tmp_path / "backend.log")!r}).start().pid, flush=True)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=CPU_SECONDS)
    assert _gone(int(done.stdout), 0.5)


def _start_error(python: str | Path, folder: Path, tmp_path: Path) -> StartError:
    backend = Backend(python, folder, tmp_path / "backend.log")
    with pytest.raises(StartError) as failed:
        backend.start(timeout=CPU_SECONDS)
    assert not backend.running
    assert failed.value.message == str(failed.value)
    backend.stop()
    return failed.value


@pytest.mark.parametrize("python", ["", "  ", "/nowhere/python", "no-such-python", "."])
def test_python_is_missing(python: str, tmp_path: Path) -> None:
    error = _start_error(python, TESTS.parent, tmp_path)
    assert isinstance(error, PythonMissing)
    assert "preferences" in error.message


def test_what_is_there_is_no_python(tmp_path: Path) -> None:
    garbage = tmp_path / "python"
    garbage.write_bytes(b"\x7fELF garbage")
    garbage.chmod(0o755)
    for other in (garbage, "true", "false"):
        error = _start_error(other, TESTS.parent, tmp_path)
        assert isinstance(error, NotPython)
        assert "preferences" in error.message


def test_the_backend_is_not_in_the_folder(tmp_path: Path) -> None:
    error = _start_error(sys.executable, tmp_path, tmp_path)
    assert isinstance(error, NotPython)
    assert "install the extension again" in error.message


def _older_pythons() -> list[str]:
    """Real ones, where this machine has any."""
    found = [Path.home() / ".pyenv" / "versions", Path("/usr/bin"), Path("/usr/local/bin")]
    names = ["2.7", "3.6", "3.8", "3.10"]
    pythons = [str(p) for base in found for name in names for p in base.glob(f"{name}*/bin/python")]
    return pythons + [path for name in names if (path := shutil.which(f"python{name}", path="/usr/bin"))]


def test_python_is_too_old(tmp_path: Path, fake_old_python: Path) -> None:
    for python in (str(fake_old_python), *_older_pythons()):
        error = _start_error(python, TESTS.parent, tmp_path)
        assert isinstance(error, PythonTooOld), python
        assert "needs Python 3.11 or newer" in error.message


def test_python_has_no_torch(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    error = _start_error(tmp_path / "venv", TESTS.parent, tmp_path)
    assert isinstance(error, PackageMissing)
    assert "-m pip install" in error.message
    assert "lacks" in error.message


def test_a_venv_is_found_by_its_folder(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    assert find_python(str(tmp_path)) == str(tmp_path / "bin" / "python")


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (
            'print(\'{"inspatio": "ready", "port": 1, "protocol": 9}\', flush=True); input()',
            WrongProtocol,
            "protocol 9",
        ),
        ('print(\'{"inspatio": "ready", "protocol": 6}\', flush=True)', StartError, "did not say where"),
        (
            'print(\'{"inspatio": "error", "error": "weights_missing", "message": "No weights."}\')',
            WeightsMissing,
            "No weights",
        ),
        ("print('[1]'); print('{'); raise SystemExit(7)", NotPython, "exit code 7"),
        ("import os; os.kill(os.getpid(), 11)", NotPython, "signal 11"),
    ],
)
def test_other_ways_not_to_start(tmp_path: Path, code: str, kind: type[StartError], words: str) -> None:
    _write_backend(tmp_path, code)
    error = _start_error(sys.executable, tmp_path, tmp_path)
    assert isinstance(error, kind)
    assert words in error.message


def test_silence_ends_in_a_timeout_and_no_process(tmp_path: Path) -> None:
    _write_backend(tmp_path, "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)")
    backend = Backend(sys.executable, tmp_path, tmp_path / "backend.log")
    with pytest.raises(StartTimeout, match="was not ready in 5 s"):
        backend.start(timeout=5.0)
    assert _gone(int((tmp_path / "pid").read_text()), 0.5)


def test_stop_ends_a_start_that_waits(tmp_path: Path) -> None:
    _write_backend(tmp_path, "import time; time.sleep(60)")
    backend = Backend(sys.executable, tmp_path, tmp_path / "backend.log")
    threading.Timer(0.5, backend.stop).start()
    with pytest.raises(Stopped):
        backend.start()


def test_one_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    _write_backend(
        tmp_path,
        """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print('{"inspatio": "ready", "port": 1, "protocol": 6, "version": "0"}', flush=True)
        time.sleep(60)
        """,
    )
    backend = Backend(sys.executable, tmp_path, tmp_path / "backend.log")
    ready = backend.start()
    backend.stop(grace=0.3)
    assert _gone(ready.pid, 0.5)


def test_the_log_is_kept_and_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LOG_BYTES", 10_000)
    _write_backend(
        tmp_path,
        """
        import sys
        for number in range(1000):
            print("line", number, "x" * 60, file=sys.stderr)
        print('{"inspatio": "ready", "port": 1, "protocol": 6, "version": "0"}', flush=True)
        input()
        """,
    )
    log = tmp_path / "logs" / "backend.log"
    backend = Backend(sys.executable, tmp_path, log)
    backend.start()
    backend.stop()
    kept = [log, log.with_name("backend.log.1")]
    assert sorted(log.parent.iterdir()) == kept
    assert all(path.stat().st_size <= 10_000 for path in kept)
    assert b"line 999" in log.read_bytes()


def test_what_the_child_prints_is_logged_and_is_no_message(tmp_path: Path) -> None:
    _write_backend(
        tmp_path,
        """
        print("said on stdout")
        print('{"inspatio": "ready", "port": 1, "protocol": 6, "version": "0"}', flush=True)
        input()
        """,
    )
    backend = Backend(sys.executable, tmp_path, tmp_path / "backend.log")
    assert backend.start().port == 1
    backend.stop()
    assert b"said on stdout\n" in (tmp_path / "backend.log").read_bytes()


def test_a_log_that_cannot_be_written_stops_nothing(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    backend = Backend(sys.executable, folder, tmp_path / "file" / "backend.log")
    try:
        assert backend.start().client().status()["state"] == "idle"
    finally:
        backend.stop()
