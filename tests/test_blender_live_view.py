"""The live picture's place and words in Blender, without a window; tests/test_window.py looks at it in one."""

from __future__ import annotations


def test_frames_end_where_blender_says_and_background_is_refused(blender):
    assert blender.run("live_view.py")["farthest"] < 1e-4
