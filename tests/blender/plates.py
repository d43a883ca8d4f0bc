"""Plates as a user makes them, headless: with a take, then again in another strength; and a reference as large."""

import json
import shutil
from pathlib import Path

import bpy
from door import enable, main, part, raises, simple_scene


def check_shown(scene, folder, frames):
    """The pictures in `folder`, one a frame, lie behind the camera and in the sequencer."""
    showing = part("inspatio_blender.showing")
    background = scene.camera.data.background_images[0]
    strip = showing.find_strip(scene)
    assert showing.absolute(background.image.filepath).parent == folder, background.image.filepath
    assert background.image_user.frame_duration == len(strip.elements) == int(frames)
    assert showing.absolute(strip.directory) == folder, strip.directory


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
    check_shown(scene, progress.folder / "plate", frames)
    shot.plate_strength = 0.25
    assert bpy.ops.inspatio.make_plates() == {"FINISHED"}
    check_shown(scene, progress.folder / "plate", frames)
    made[-1].unlink()
    assert bpy.ops.inspatio.show_take() == {"FINISHED"}
    check_shown(scene, progress.folder, frames)
    assert bpy.ops.inspatio.make_plates() == {"FINISHED"}
    check_shown(scene, progress.folder / "plate", frames)
    take = progress.folder
    progress = part("inspatio_blender.driver").get().progress
    assert progress.summary == f"Take 1: {frames} plates", progress.summary
    assert made[-1].read_bytes() != before
    scene.render.resolution_x = 12000
    with raises(RuntimeError, "too large for plates"):
        bpy.ops.inspatio.make_plates()
    with raises(RuntimeError, "too large for plates"):
        bpy.ops.inspatio.generate()
    scene.render.resolution_x = 400
    plates = [str(path) for path in made]
    shutil.copytree(take, Path(folder) / "kept")
    assert bpy.ops.inspatio.delete_take() == {"FINISHED"}
    showing = part("inspatio_blender.showing")
    assert not showing.is_shown(scene) and not take.exists(), "what shows plates goes with them"
    shutil.copytree(Path(folder) / "kept", take)
    return {
        "reference": [captured["width"], captured["height"]],
        "plate": asked,
        "plates": plates,
    }


main(test)
