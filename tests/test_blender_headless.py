"""`--command inspatio render` in Blender's module, and `inspatio render` around a real Blender."""

from __future__ import annotations


def test_the_command(blender, tmp_path, painting_python):
    blender.run("headless.py", tmp_path, INSPATIO_PYTHON=str(painting_python))
