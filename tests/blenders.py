"""The Blenders that the tests drive, and the built extension installed into each.

The extension is built once a test run by Blender's own tool from a copy of what git tracks or would track, and
installed into a throw-away user folder of every Blender that is there:

    bpy-4.5, bpy-5.2    the module, in .venv (Python 3.11) and .venv-5.2 (Python 3.13)
    window              the Blender that the environment variable BLENDER names, with its window
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.build import ROOT, BuildError, build_extension

SCRIPTS = ROOT / "tests" / "blender"
PYTHONS = {"bpy-4.5": ROOT / ".venv/bin/python", "bpy-5.2": ROOT / ".venv-5.2/bin/python"}


@dataclass(frozen=True)
class Blender:
    """A Blender with the extension installed."""

    name: str
    command: tuple[str, ...]
    resources: Path

    def run(self, script: str, *arguments: object, timeout: float = 240, **environment: str):
        """Run a script of tests/blender; returns what it returned. Fails the test where it raises."""
        result = self.resources.parent / "result.json"
        result.unlink(missing_ok=True)
        done = self.start(script, *arguments, INSPATIO_RESULT=str(result), **environment)
        try:
            out, _ = done.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            done.kill()
            out, _ = done.communicate()
            pytest.fail(f"{script} did not end in {timeout} s:\n{out[-6000:]}")
        assert done.returncode == 0, f"{script} failed in {self.name}:\n{out[-6000:]}"
        return json.loads(result.read_text())

    def start(self, script: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        """Start a script of tests/blender and return its process."""
        whole = {**os.environ, "BLENDER_USER_RESOURCES": str(self.resources), **environment}
        whole["PYTHONPATH"] = str(SCRIPTS)
        return subprocess.Popen(
            [
                *self.command,
                str(SCRIPTS / script),
                *(["--"] if self.name == "window" else []),
                *map(str, arguments),
            ],
            env=whole,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def window_blender(folder: Path, program: str, *options: str) -> Blender:
    """The Blender `program`, with its window and the extension of this work tree, for commands that measure in it.

    options: of its command line.
    """
    python = ("--python-use-system-env", "--python-exit-code", "1", "--python")
    resources = folder / "user"
    resources.mkdir()
    zipped = build_extension(folder / "inspatio_blender.zip")
    Blender("window", (program, "--background", *python), resources).run("install.py", zipped)
    return Blender("window", (program, *options, *python), resources)


def bpy_python(name: str) -> Path | None:
    """The Python that has this bpy, if it is there."""
    python = PYTHONS[name]
    if not python.exists():
        return None
    found = subprocess.run(
        [python, "-c", "import importlib.util as u, sys; sys.exit(u.find_spec('bpy') is None)"], check=False
    )
    return python if found.returncode == 0 else None


@pytest.fixture(scope="session")
def extension_zip(tmp_path_factory) -> Path:
    """The extension, validated and built from the files of this work tree."""
    try:
        return build_extension(tmp_path_factory.mktemp("extension") / "inspatio_blender.zip")
    except BuildError as error:
        pytest.fail(str(error))


@pytest.fixture(scope="session")
def installed(extension_zip, tmp_path_factory):
    """Installs the extension into a Blender's throw-away user folder, once for each."""
    known: dict[str, Blender] = {}

    def install(name: str) -> Blender:
        if name not in known:
            command: tuple[str, ...]
            if name == "window":
                if not os.environ.get("BLENDER"):
                    pytest.skip("the environment variable BLENDER names no Blender")
                command = (
                    os.environ["BLENDER"],
                    "--python-use-system-env",
                    "--python-exit-code",
                    "1",
                    "--python",
                )
            else:
                python = bpy_python(name)
                if python is None:
                    pytest.skip(f"{name} is not installed: run `make venv`")
                command = (str(python),)
            folder = tmp_path_factory.mktemp(name)
            blender = Blender(name, command, folder / "user")
            blender.resources.mkdir()
            if name == "window":
                blender = Blender(name, (*command[:1], "--background", *command[1:]), blender.resources)
            said = blender.run("install.py", extension_zip)
            assert said["package"] == "bl_ext.user_default.inspatio_blender"
            known[name] = Blender(name, command, blender.resources)
        return known[name]

    return install


@pytest.fixture(params=list(PYTHONS))
def blender(request, installed) -> Blender:
    """Each bpy that is there, in turn."""
    return installed(request.param)


@pytest.fixture
def newest_blender(installed) -> Blender:
    """One bpy, the newest that is there: for what does not depend on the version."""
    for name in reversed(PYTHONS):
        if bpy_python(name) is not None:
            return installed(name)
    pytest.skip(f"no bpy is installed for {sys.executable}: run `make venv`")


@pytest.fixture(scope="session")
def painting_python(tmp_path_factory) -> Path:
    """What the add-on takes for the backend's Python: starts the stand-in of tests/painting_backend.py."""
    return _stand_in(
        tmp_path_factory.mktemp("painting"), "painting_backend.py", f'export PYTHONPATH="{ROOT}"\n'
    )


@pytest.fixture(scope="session")
def fake_old_python(tmp_path_factory) -> Path:
    """A Python that takes itself for one that is too old: tests/fake_old_python.py."""
    return _stand_in(tmp_path_factory.mktemp("old"), "fake_old_python.py")


def _stand_in(folder: Path, program: str, before: str = "") -> Path:
    """An executable called "python" that hands its arguments over to a program of tests/."""
    script = folder / "python"
    script.write_text(f'#!/bin/sh\n{before}exec "{sys.executable}" "{ROOT / "tests" / program}" "$@"\n')
    script.chmod(0o755)
    return script
