"""`--command inspatio render` in Blender's module. tests/test_render_cli.py has it in a real Blender, too."""

from __future__ import annotations


def test_the_command(newest_blender, tmp_path, painting_python):
    newest_blender.run("headless.py", tmp_path, INSPATIO_PYTHON=str(painting_python))
