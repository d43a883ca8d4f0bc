"""What shows a take in the file: where its frames are found."""

from __future__ import annotations


def test_a_moved_project_still_shows_its_take(blender, tmp_path):
    blender.run("moved.py", tmp_path)
