"""Cameras as Blender evaluates them become the backend's: checked against Blender's own projection."""

from __future__ import annotations


def test_projection_agrees_with_blender(blender):
    worst = blender.run("project.py")
    assert worst["cases"] >= 100
    assert worst["view"] < 0.01, worst
    assert worst["matrix"] < 0.01, worst


def test_evaluated_camera(blender):
    blender.run("sample.py")
