"""A film's parts, its queue, and the film laid out: headless, in Blender."""

from __future__ import annotations


def test_parts(blender, tmp_path):
    blender.run("film.py", tmp_path)


def test_made_and_laid_out(blender, tmp_path, painting_python):
    blender.run("film_queue.py", tmp_path, "made_and_laid_out", INSPATIO_PYTHON=str(painting_python))
