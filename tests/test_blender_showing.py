"""What shows a take in the file: where its frames are found, and at which frames of the scene."""

from __future__ import annotations


def test_a_moved_project_still_shows_its_take(blender, tmp_path):
    blender.run("moved.py", tmp_path)


def test_a_take_below_frame_0_lines_up(blender, tmp_path):
    blender.run("negative.py", tmp_path)
