"""The built extension: what is in it, that it installs, enables, and leaves nothing behind."""

from __future__ import annotations

import zipfile


def test_zip_holds_the_add_on_and_the_backend_only(extension_zip):
    with zipfile.ZipFile(extension_zip) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {
        "blender_manifest.toml",
        "__init__.py",
        "inspatio_blender",
        "operators",
        "panels",
        "backend",
    } <= tops
    assert not tops & {"tests", "docs", "out", "dist", ".venv", ".git", "Makefile"}
    assert not [name for name in names if "__pycache__" in name]


def test_enable_disable_enable(blender):
    blender.run("enable_twice.py")
