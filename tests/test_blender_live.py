"""The preview's parts that need Blender, but no window: reading cameras aside, a flight as keys, the refusals."""

from __future__ import annotations


def test_cameras_read_aside_are_those_of_generate(blender):
    found = blender.run("live_sampling.py")
    assert len(found["off"]) == 9
    assert "set its type to Perspective" in found["errors"]["orthographic"]
    assert "include its collection" in found["errors"]["unlinked"]


def test_a_flown_path_becomes_keys(blender):
    found = blender.run("live_recording.py")
    assert len(found) == 8


def test_whatever_happens_to_a_preview(newest_blender, tmp_path, painting_python):
    newest_blender.run("live_faults.py", tmp_path, INSPATIO_PYTHON=str(painting_python), timeout=500)
