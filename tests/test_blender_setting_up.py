"""Set Up Backend in the installed extension, from an empty home folder to a first take with the real backend.

Nothing is fetched: the list asks for one small package, which lends the new environment the packages of this one.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from small_extension import list_name, write_list, write_wheel

from tests.blenders import PYTHONS, Blender, bpy_python


@pytest.mark.parametrize("name", list(PYTHONS))
def test_from_an_empty_home(
    name: str, extension_zip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = bpy_python(name)
    if python is None:
        pytest.skip(f"{name} is not installed: run `make venv`")
    home, programs, wheels = tmp_path / "home", tmp_path / "programs", tmp_path / "wheels"
    for folder in (home, programs, tmp_path / "user"):
        folder.mkdir()
    program = programs / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    program.chmod(0o755)
    for variable in [one for one in os.environ if one.startswith(("PIP_", "UV_", "XDG_", "INSPATIO_"))]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))

    blender = Blender(name, (str(python),), tmp_path / "user")
    blender.run("install.py", extension_zip)
    lists = next(tmp_path.glob("user/extensions/user_default/inspatio_blender/backend/requirements"))
    lent = [path for path in sys.path if path.endswith("site-packages")]
    digest = write_wheel(wheels, "lent-packages", {"lent_packages.pth": "\n".join(lent) + "\n"})
    write_list(lists / list_name(), {"lent-packages==1.0": digest})

    found = blender.run("setting_up.py", tmp_path, lists / list_name(), timeout=900)
    assert Path(found["python"]).is_relative_to(tmp_path / "user")
    left = {path.name for path in home.rglob("*")}
    assert not left & {"inspatio", "pip", "uv", "huggingface", "python"}, "all of it is in the user folder"
