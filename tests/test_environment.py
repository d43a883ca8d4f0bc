"""Setting up from an empty home folder, for real: Python, environment, packages by hash, the check, and everything that
may go wrong on the way. The packages are small ones made on the spot (small_extension.py)."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
from inspatio_addon.inspatio_blender import environment, pythons
from inspatio_addon.inspatio_blender.installing import InstallProgress, size
from inspatio_addon.inspatio_blender.task import NICE, Failed, Task
from small_extension import list_name, small_extension, write_list, write_wheel

ROOT = Path(__file__).resolve().parent.parent
LISTS = sorted((ROOT / "backend" / "requirements").glob("*-*.txt"))
RUNNING = f"python{sys.version_info[0]}.{sys.version_info[1]}"
SLOW = "import time\ntime.sleep(60)\n"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="stand-ins are shell scripts")


class Place:
    """An empty home folder, an extension, the folder of its user, and a PATH with nothing but a Python on it."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self.programs = tmp_path / "home", tmp_path / "programs"
        self.user, self.wheels = tmp_path / "user", tmp_path / "wheels"
        self.home.mkdir()
        self.programs.mkdir()
        self.extension = small_extension(tmp_path / "extension", self.wheels)
        self.program(RUNNING, f'exec "{sys.executable}" "$@"')
        for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "XDG_"))]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(self.home))
        monkeypatch.setenv("PATH", f"{self.programs}:/usr/bin/nowhere")
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(self.wheels))

    def program(self, name: str, code: str) -> None:
        """Put a shell script on the PATH."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{code}\n")
        path.chmod(0o755)

    def begin(self, in_use: Path | None = None) -> Task:
        return Task(
            "Set Up",
            lambda task: environment.make(task, self.extension, self.user, in_use),
            self.user / "set_up.log",
        )

    def set_up(self, in_use: Path | None = None) -> Task:
        return ended(self.begin(in_use))

    def found(self) -> environment.Environment | None:
        return environment.find(self.user, environment.wanted_list(self.extension))

    def folders(self) -> list[str]:
        return sorted(path.name for path in self.user.glob("env_*"))

    def want(self, name: str, code: str = "VALUE = 2\n", digest: str = "") -> None:
        """An update of the extension: its list asks for another package."""
        made = write_wheel(self.wheels, name, {f"{name.replace('-', '_')}.py": code})
        write_list(self.extension / "backend/requirements" / list_name(), {f"{name}==1.0": digest or made})

    def slow_doctor(self, mark: Path) -> None:
        """The check never ends; it has a child, and says so by the file `mark` that holds both process ids."""
        (self.extension / "backend/__main__.py").write_text(
            "import os, subprocess, sys, time\n"
            "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
            f"open({str(mark)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
            "while True: print('still here', flush=True); time.sleep(0.05)\n"
        )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


def ended(task: Task, seconds: float = 300.0) -> Task:
    wait_until(lambda: not task.running, seconds)
    return task


def wait_until(reached, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < until, f"not reached in {seconds} s"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Whether a process has ended: its files are closed then, waited for or not."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def works(found: environment.Environment | None) -> bool:
    """Whether an environment has its package."""
    assert found is not None
    return subprocess.run([found.python, "-I", "-c", "import small_package"], check=False).returncode == 0


def test_from_an_empty_home(place: Place) -> None:
    assert place.found() is None
    task = place.set_up()
    assert task.state == "finished", task.log_file.read_text()
    found = place.found()
    assert found is not None and found.is_current and works(found)
    assert found.python.is_relative_to(place.user)
    assert place.folders() == [f"env_{environment.wanted_list(place.extension).digest[:12]}_1"]
    assert list(place.home.iterdir()) == [], "everything lies in the extension's user folder"
    assert not (place.user / "set_up").exists(), "what was fetched is needed no more"
    said = task.log_file.read_text()
    assert "--require-hashes" in said and "Successfully installed small-package-1.0" in said


def test_uv_where_it_is_found(place: Place) -> None:
    place.program("uv", f'exec "{sys.executable}" "{ROOT / "tests" / "fake_uv.py"}" "$@"')
    (place.programs / RUNNING).unlink()
    task = place.set_up()
    assert task.state == "finished", task.log_file.read_text()
    assert works(place.found())
    assert "uv venv" in task.log_file.read_text()


def test_a_package_with_another_hash_is_refused(place: Place) -> None:
    place.want("small-package", digest="0" * 64)
    task = place.set_up()
    assert task.state == "failed"
    assert "its hash differs" in task.message
    assert place.found() is None and place.folders() == []


def test_no_python(place: Place) -> None:
    (place.programs / RUNNING).unlink()
    place.program("python3", "echo 3.8 True")
    task = place.set_up()
    assert task.state == "failed"
    assert task.message.startswith("No Python 3.")
    assert pythons.PYTHON_PAGE in task.message
    place.program(RUNNING, f'exec "{sys.executable}" "$@"')
    assert place.set_up().state == "finished", "another attempt works once there is one"


def test_a_python_that_cannot_make_environments(place: Place) -> None:
    version = RUNNING.removeprefix("python")
    place.program(RUNNING, f'case "$3" in *ensurepip*) exit 1;; esac\necho "{version} False"')
    task = place.set_up()
    assert task.state == "failed"
    assert "python3-venv" in task.message and str(place.programs / RUNNING) in task.message


def test_packages_that_do_not_work_are_no_environment(place: Place) -> None:
    place.want("other-package")
    task = place.set_up()
    assert task.state == "failed"
    assert "Everything is installed, but does not work: small-package: No module named" in task.message
    assert place.folders() == []


def test_a_failed_update_leaves_what_worked(place: Place) -> None:
    place.set_up()
    before = place.found()
    place.want("small-package", "VALUE = 2\n", digest="0" * 64)
    found = place.found()
    assert found is not None and before is not None
    assert (found.folder, found.is_current) == (before.folder, False), (
        "an update says so, and goes on with the old one"
    )
    assert place.set_up().state == "failed"
    assert place.found() == found and works(found)
    place.want("small-package", "VALUE = 2\n")
    assert place.set_up().state == "finished"
    found = place.found()
    assert found is not None and found.is_current and works(found)
    assert place.folders() == [found.folder.name], "the old one goes once the new one is ready"


def test_an_environment_in_use_stays(place: Place) -> None:
    place.set_up()
    before = place.found()
    assert before is not None
    place.want("small-package", "VALUE = 3\n")
    assert place.set_up(in_use=before.folder).state == "finished"
    assert len(place.folders()) == 2
    assert works(before)


def test_set_up_again_repairs(place: Place) -> None:
    place.set_up()
    before = place.found()
    assert before is not None
    shutil.rmtree(next(before.folder.glob("lib/python*/site-packages/small_package*")).parent)
    assert place.set_up().state == "finished"
    found = place.found()
    assert works(found) and found != before and len(place.folders()) == 1


def test_cancel_ends_every_process_and_another_attempt_works(place: Place, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    doctor = (place.extension / "backend/__main__.py").read_text()
    place.slow_doctor(mark)
    task = place.begin()
    wait_until(lambda: mark.exists() and mark.read_text().count(" ") == 1, 60)
    processes = [int(pid) for pid in mark.read_text().split()]
    began = time.monotonic()
    task.cancel()
    ended(task, 5)
    assert time.monotonic() - began < 2.0
    assert task.state == "cancelled"
    assert all(is_gone(pid) for pid in processes)
    assert place.found() is None and place.folders() == []
    (place.extension / "backend/__main__.py").write_text(doctor)
    assert place.set_up().state == "finished"


def test_killed_in_between_leaves_what_worked(place: Place, tmp_path: Path) -> None:
    """The process that sets up is killed as a crash would; its last command may live on for a moment."""
    place.set_up()
    before = place.found()
    place.want("small-package", "VALUE = 4\n")
    doctor = (place.extension / "backend/__main__.py").read_text()
    mark = tmp_path / "mark"
    place.slow_doctor(mark)
    code = f"""
        import sys, time
        sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests")!r}]
        import conftest
        from pathlib import Path
        from inspatio_addon.inspatio_blender import environment
        from inspatio_addon.inspatio_blender.task import Task
        user = Path({str(place.user)!r})
        task = Task("Set Up", lambda task: environment.make(task, Path({str(place.extension)!r}), user), user / "log")
        while task.running: time.sleep(0.1)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stderr=subprocess.PIPE, text=True
    )
    try:
        wait_until(
            lambda: (mark.exists() and mark.read_text().count(" ") == 1) or process.poll() is not None, 60
        )
        assert process.poll() is None, process.communicate()[1]
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    orphan, child = (int(pid) for pid in mark.read_text().split())
    found = place.found()
    assert before is not None and found is not None
    assert found.folder == before.folder and works(found)
    assert len(place.folders()) == 2, "the unfinished one is no environment"
    (place.extension / "backend/__main__.py").write_text(doctor)
    for pid in (orphan, child):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # It ended when nobody read what it said.
    # The orphan holds the lock of its set-up until the system has taken it down, which may take a moment.
    wait_until(lambda: is_gone(orphan) and is_gone(child), 30)
    task = place.set_up()
    assert task.state == "finished", task.message
    found = place.found()
    assert found is not None and found.is_current and place.folders() == [found.folder.name]


def test_two_at_once(place: Place, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    place.slow_doctor(mark)
    first = place.begin()
    wait_until(mark.exists, 60)
    second = place.set_up()
    assert (second.state, first.state) == ("failed", "running")
    assert "Another Blender is setting up" in second.message
    first.cancel()
    ended(first, 5)


def test_no_room(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil._ntuple_diskusage(10**9, 10**9, 100)  # type: ignore[attr-defined]
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    task = place.set_up()
    assert task.state == "failed" and "make room" in task.message


def test_the_copied_commands_do_the_same(place: Place) -> None:
    making = environment.plan(place.extension, place.user)
    assert place.folders() == [], "a plan makes nothing"
    done = subprocess.run(["/bin/sh", "-ec", making.as_text()], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = place.found()
    assert found is not None and found.is_current and works(found)


def test_an_environment_whose_python_is_gone_is_none(place: Place) -> None:
    place.set_up()
    found = place.found()
    assert found is not None
    found.python.unlink()
    assert place.found() is None


class Ear(Task):
    """A task that does nothing and keeps what is said."""

    def __init__(self, folder: Path) -> None:
        self.said: list[tuple[str, float | None]] = []
        super().__init__("Listen", lambda task: "", folder / "log")

    def say(self, line: str, factor: float | None = None) -> None:
        self.said.append((line, factor))


def test_progress_of_pip(tmp_path: Path) -> None:
    task = Ear(tmp_path)
    progress = InstallProgress(2, 100_000_000, tmp_path, task)
    progress.look()
    progress.hear("Collecting scipy==1.17.1 (from -r r.txt (line 3))")
    coming = tmp_path / "pip-unpack-abc" / "scipy-1.17.1-cp311-cp311-manylinux_2_27_x86_64.whl"
    coming.parent.mkdir()
    coming.write_bytes(bytes(25_000_000))
    progress.look()
    progress.look()
    progress.hear("Collecting einops==0.8.2 (from -r r.txt (line 1))")
    progress.hear("Installing collected packages: einops, scipy")
    assert task.said == [
        ("scipy: 0 MB of 100 MB, 1 of 2 packages", 0.0),
        ("scipy: 25 MB of 100 MB, 1 of 2 packages", 0.25 * 0.95),
        ("einops: 25 MB of 100 MB, 2 of 2 packages", 0.25 * 0.95),
        ("Unpacking", 0.95),
    ]


def test_progress_of_uv(tmp_path: Path) -> None:
    task = Ear(tmp_path)
    progress = InstallProgress(4, 100 * 2**20, tmp_path, task)
    for line in (
        "Resolved 4 packages in 191ms",
        "Downloading scipy (50.0MiB)",
        "Downloading numpy (25.0MiB)",
        " Downloaded scipy",
        " Downloaded numpy",
        "Prepared 4 packages in 1.64s",
    ):
        progress.hear(line)
    assert [line for line, _ in task.said][:2] == ["scipy: 0 MB of 105 MB", "numpy: 0 MB of 105 MB"]
    assert task.said[2] == (f"numpy: {size(50 * 2**20)} of {size(100 * 2**20)}", 0.5 * 0.95)
    assert task.said[3][1] == pytest.approx(0.75 * 0.95)
    assert task.said[-1] == ("Unpacking", 0.95)


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_the_lists_pin_everything(path: Path) -> None:
    wanted = environment.read_list(path)
    text = path.read_text()
    entries = re.findall(
        r"^([A-Za-z0-9][\w.-]*)(==\S+| @ https://download\.pytorch\.org/\S+)", text, re.MULTILINE
    )
    assert len({name for name, _ in entries}) == wanted.packages
    blocks = re.split(r"\n(?=\S)", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    assert len(blocks) == len(entries)
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", block) for block in blocks)
    assert "--index" not in text and "file:" not in text
    assert set(wanted.pythons) <= {"3.11", "3.12", "3.13"}
    assert wanted.bytes > 100e6


def _name(asked: str) -> str:
    return re.split(r"[<>=;]", asked)[0].lower().replace("_", "-")


def test_the_lists_hold_what_the_backend_needs() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = project["dependencies"] + extras["world"]
    names = {_name(one) for one in needed}
    only_cuda = {_name(one) for one in extras["fp8"]}
    pinned = dict(re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    for path in LISTS:
        text = path.read_text()
        found = dict(re.findall(r"^([a-z0-9-]+)(?:==| @ )(\S+)", text, re.MULTILINE))
        assert names <= set(found), f"{path.name}: run `make pin`"
        assert bool(only_cuda & set(found)) == path.stem.endswith("-cuda"), f"{path.name}: run `make pin`"
        for name, version in pinned.items():
            name = name.lower().replace("_", "-")
            if name in names and name != "torch":
                assert found[name] == version, f"{path.name}: run `make pin`"


def test_a_task_that_fails_to_start_says_what(tmp_path: Path) -> None:
    def work(task: Task) -> str:
        task.run([str(tmp_path / "nowhere")], tmp_path, {})
        return ""

    task = ended(Task("Try", work, tmp_path / "log"))
    assert task.state == "failed" and "cannot be run" in task.message


def test_a_tasks_command_gives_way_to_blender(tmp_path: Path) -> None:
    """So do the processes that it starts; Linux may weigh its session besides."""
    wanted = os.nice(0) + NICE
    code = f"""
import os, subprocess, sys, time
until = time.monotonic() + 10
while os.nice(0) < {wanted} and time.monotonic() < until: time.sleep(0.02)
subprocess.run([sys.executable, "-c", "import os; print('nice', os.nice(0))"])
group = "/proc/self/autogroup"
print("group", open(group).read().split("nice")[-1].strip() if os.access(group, os.W_OK) else {NICE})
"""
    heard: list[str] = []

    def work(task: Task) -> str:
        assert task.run([sys.executable, "-u", "-c", code], tmp_path, {}, heard.append) == 0
        return "done"

    task = ended(Task("Try", work, tmp_path / "log"))
    assert task.state == "finished", task.message
    assert heard == [f"nice {wanted}", f"group {NICE}"]


def test_no_list_for_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    environment.wanted_list.cache_clear()
    with pytest.raises(Failed, match="riscv64"):
        environment.wanted_list(tmp_path)
