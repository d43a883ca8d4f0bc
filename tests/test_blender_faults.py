"""Bad input and faults: a clear sentence, nothing lost. Each case of tests/blender/faults.py by its name."""

from __future__ import annotations

import subprocess
import sys
import venv

import pytest


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
    cases = ("no_camera", "no_reference", "no_coverage", "bad_depth", "unsaved", "folder_not_writable")
    newest_blender.run("faults.py", tmp_path, *cases, INSPATIO_PYTHON=str(painting_python), timeout=400)


def test_takes(newest_blender, tmp_path, painting_python):
    cases = (
        "reference_gone",
        "killed_backend",
        "two_generates",
        "scene_deleted",
        "file_loaded",
        "memory_released",
        "disabled",
    )
    paint = {"INSPATIO_PYTHON": str(painting_python), "INSPATIO_PAINT_SECONDS": "0.5"}
    newest_blender.run("faults.py", tmp_path, *cases, **paint, timeout=600)


def test_backend_python(newest_blender, tmp_path, painting_python, bare_python):
    newest_blender.run(
        "faults.py",
        tmp_path,
        "backend_python",
        INSPATIO_PYTHON=str(painting_python),
        INSPATIO_BARE_PYTHON=str(bare_python),
    )


def test_full_disk(newest_blender, small_disk, painting_python):
    newest_blender.run("faults.py", small_disk, "full_disk", INSPATIO_PYTHON=str(painting_python))


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
