"""Recover Reference with Find Camera: of footage whose camera nobody knows only the first pose is the scene's."""

from pathlib import Path

import bpy
from door import enable, main, part, simple_scene


def test(folder, frames, lens):
    enable()
    scene, frames = simple_scene(frames=int(frames)), int(frames)
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(folder) / "scene.blend"))
    camera, shot = scene.camera, scene.inspatio
    camera.animation_data_clear()
    camera.data.sensor_fit, camera.data.sensor_width, camera.data.lens = "HORIZONTAL", 36.0, float(lens)
    camera.data.shift_x = camera.data.shift_y = 0.0
    background = camera.data.background_images.new()
    background.image = bpy.data.images.load(str(Path(folder) / "walk_001.png"))
    background.image.source = "SEQUENCE"
    background.image_user.frame_start, background.image_user.frame_duration = 1, frames
    camera.data.show_background_images = True
    camera.data.inspatio.depth_file = str(Path(folder) / "walk_001.npy")
    shot.reference_kind, shot.reference_camera = "IMAGES", camera
    shot.reference_every_frame = shot.reference_find_camera = True
    assert bpy.ops.inspatio.recover_reference() == {"FINISHED"}
    _, start, _ = part("inspatio_blender.cameras").sample(
        scene, scene.view_layers[0], camera, shot.reference_size((256, 144))
    )
    assert bpy.ops.inspatio.show_world() == {"FINISHED"}
    reference = part("inspatio_blender.takes").reference_version(scene)
    return {"reference": str(reference), "start": start.ravel().tolist()}


main(test)
