"""Bad input and faults: a clear sentence, nothing lost. Each case of tests/blender/faults.py by its name."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest

from backend.protocol.disk import process_alive
from backend.protocol.files import read_take
from tests.blenders import ROOT


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory):
    """A Python without any package of the backend's."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False)
    return folder / "bin" / "python"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], check=False)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_bad_input(newest_blender, tmp_path, painting_python):
    cases = (
        "no_camera",
        "no_reference",
        "no_coverage",
        "camera_in_geometry",
        "bad_reference",
        "unsaved",
        "take_folder",
        "folder_not_writable",
        "disk_fills_up",
    )
    newest_blender.run("faults.py", tmp_path, *cases, INSPATIO_PYTHON=str(painting_python), timeout=400)


def test_takes(newest_blender, tmp_path, painting_python):
    cases = (
        "reference_gone",
        "killed_backend",
        "two_generates",
        "another_blender",
        "undone_while_sampling",
        "scene_deleted",
        "file_loaded",
        "memory_released",
        "disabled",
    )
    paint = {"INSPATIO_PYTHON": str(painting_python), "INSPATIO_PAINT_SECONDS": "0.5"}
    newest_blender.run("faults.py", tmp_path, *cases, **paint, timeout=600)


def test_killed_without_states(newest_blender, tmp_path, painting_python):
    paint = {"INSPATIO_PYTHON": str(painting_python), "INSPATIO_PAINT_SECONDS": "0.5"}
    too_large = str(1 << 40)
    newest_blender.run(
        "faults.py", tmp_path, "killed_without_states", INSPATIO_PAINT_STATE_BYTES=too_large, **paint
    )


def test_undo_with_the_real_backend(newest_blender, tmp_path):
    if not (ROOT / "backend/weights/tiny/generator.safetensors").exists():
        pytest.skip("the weights of tiny are not there")
    newest_blender.run("faults.py", tmp_path, "undone", INSPATIO_PYTHON=sys.executable, timeout=600)


def test_backend_python(newest_blender, tmp_path, painting_python, fake_old_python, bare_python):
    newest_blender.run(
        "faults.py",
        tmp_path,
        "backend_python",
        INSPATIO_PYTHON=str(painting_python),
        INSPATIO_FAKE_OLD_PYTHON=str(fake_old_python),
        INSPATIO_BARE_PYTHON=str(bare_python),
    )


@pytest.mark.parametrize("case", ["full_disk", "read_only"])
def test_disk(newest_blender, small_disk, painting_python, case):
    newest_blender.run("faults.py", small_disk, case, INSPATIO_PYTHON=str(painting_python))


def quit_during_a_take(blender, folder, how, painting_python):
    """Run quit.py to where it has begun a take; its process, and what it said of the take."""
    place, result = folder / "left_behind", folder / "quit.json"
    place.mkdir()
    process = blender.start(
        "quit.py",
        place,
        how,
        INSPATIO_PYTHON=str(painting_python),
        INSPATIO_PAINT_SECONDS="1",
        INSPATIO_RESULT=str(result),
    )
    wait_until(lambda: result.exists() or process.poll() is not None, 200)
    if not result.exists():
        pytest.fail(process.communicate()[0][-6000:])
    return process, json.loads(result.read_text())


def wait_until(reached, seconds):
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, f"not reached in {seconds} s"
        time.sleep(0.05)


def test_quit_during_a_take(newest_blender, tmp_path, painting_python):
    """The take says that it was cancelled, and no backend is left."""
    process, found = quit_during_a_take(newest_blender, tmp_path, "left", painting_python)
    try:
        wait_until(lambda: not process_alive(found["backend_pid"]), 20)
        take = read_take(Path(found["take"]))
        assert take.state == "cancelled"
        assert take.message == f"Cancelled after {take.frames_done} of 45 frames."
        assert len(list(Path(found["take"]).glob("*.png"))) >= take.frames_done > 0
    finally:
        process.kill()  # The bpy module of 4.5 may hang once Python has ended.
        process.communicate()


def test_blender_killed_during_a_take(newest_blender, tmp_path, painting_python):
    """The backend follows it; the next Blender lists the take as stopped and continues it."""
    process, found = quit_during_a_take(newest_blender, tmp_path, "killed", painting_python)
    process.kill()
    process.communicate()
    wait_until(lambda: not process_alive(found["backend_pid"]), 20)
    assert read_take(Path(found["take"])).abandoned
    newest_blender.run("faults.py", tmp_path, "left_behind", INSPATIO_PYTHON=str(painting_python))


def test_two_blenders_at_once(newest_blender, tmp_path, painting_python):
    """Each has a backend of its own, and their takes get different numbers in the same folder."""
    first, second = (
        newest_blender.start("two_at_once.py", tmp_path, INSPATIO_PYTHON=str(painting_python))
        for _ in range(2)
    )
    for process in (first, second):
        out, _ = process.communicate(timeout=200)
        assert process.returncode == 0, out[-4000:]
    takes = sorted(path.name for path in (tmp_path / "inspatio/Scene").glob("take_*"))
    assert takes == ["take_001", "take_002"], sys.version
    assert sorted(path.name for path in (tmp_path / "inspatio/Scene/reference").iterdir()) == ["v001", "v002"]
