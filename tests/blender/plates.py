"""Plates as a user makes them, headless: with a take, then again in another strength; and a reference as large."""

import json
from pathlib import Path

import bpy
from door import enable, main, part, raises, simple_scene


def test(folder, frames):
    enable()
    scene = simple_scene(frames=int(frames))
    scene.render.resolution_x, scene.render.resolution_y = 400, 226
    scene.render.resolution_percentage = 80
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(folder) / "scene.blend"))
    shot = scene.inspatio
    shot.reference_scale, shot.plate, shot.plate_strength = "PLATE", True, 0.9
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    version = part("inspatio_blender.takes").reference_version(scene)
    captured = json.loads((version / "reference.json").read_text())
    assert bpy.ops.inspatio.generate() == {"FINISHED"}
    progress = part("inspatio_blender.driver").get().progress
    asked = json.loads((progress.folder / "take.json").read_text())["shot"]["plate"]

    made = sorted((progress.folder / "plate").glob("*.png"))
    before = made[-1].read_bytes()
    shot.plate_strength = 0.25
    assert bpy.ops.inspatio.make_plates() == {"FINISHED"}
    progress = part("inspatio_blender.driver").get().progress
    assert progress.summary == f"Take 1: {frames} plates", progress.summary
    assert made[-1].read_bytes() != before
    scene.render.resolution_x = 12000
    with raises(RuntimeError, "too large for plates"):
        bpy.ops.inspatio.make_plates()
    with raises(RuntimeError, "too large for plates"):
        bpy.ops.inspatio.generate()
    return {
        "reference": [captured["width"], captured["height"]],
        "plate": asked,
        "plates": [str(path) for path in made],
    }


main(test)
