"""A film's parts, its queue, and the film laid out: headless, in Blender."""

from __future__ import annotations


def test_parts(blender, tmp_path):
    blender.run("film.py", tmp_path)
