"""In the window: the photographs of docs/stills.md behind their cameras, each with its distance map, recovered."""

import json
from pathlib import Path

import bpy
import numpy as np
import window
from door import arguments, part
from mathutils import Matrix


def camera_of(view, number, folder, scene):
    """A camera that has taken a picture of a views file, the picture behind it."""
    camera = bpy.data.objects.new(f"Photograph {number}", bpy.data.cameras.new(f"Photograph {number}"))
    scene.collection.objects.link(camera)
    pose = np.linalg.inv(np.reshape(view["world_to_camera"], (4, 4))) @ np.diag([1, -1, -1, 1])
    camera.matrix_world = Matrix(pose.tolist())
    image = bpy.data.images.load(str(folder / view["picture"]))
    camera.data.lens = view["intrinsics"][0] / image.size[0] * camera.data.sensor_width
    background = camera.data.background_images.new()
    background.image, background.alpha, background.frame_method = image, 1.0, "FIT"
    camera.data.show_background_images = True
    settings = camera.data.inspatio
    settings.depth_file, settings.encoding = bpy.path.relpath(str(folder / view["depth"])), "ray"
    settings.range_low, settings.range_high = view["range"]
    return camera


def test(project, photographs):
    scene = window.prepare(project, 9)
    for thing in list(scene.objects):
        bpy.data.objects.remove(thing)
    folder = Path(photographs)
    views = json.loads((folder / "two.json").read_text())["views"]
    first, second = (camera_of(view, number, folder, scene) for number, view in enumerate(views, start=1))
    shot, runtime = scene.inspatio, part("inspatio_blender.driver").get()
    scene.camera = first
    shot.reference_kind, shot.reference_camera, shot.reference_camera_2 = "IMAGES", first, second
    yield from window.open_tab()
    yield 2.0
    yield from window.ask("shot docs_camera_images")
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.recover_reference("INVOKE_DEFAULT")
    yield lambda: runtime.task is not None and not runtime.task.running
    assert runtime.task.state == "finished", runtime.task.message
    return {"said": runtime.task.message}


window.Steps(test(*arguments()[:2]), 200)
