"""Camera Images in the window: photographs behind two cameras, recovered by the button, cancelled, generated from."""

from pathlib import Path

import bpy
import window
from door import arguments, part
from mathutils import Vector

FRAMES = 9


def test(folder):
    scene = window.prepare(folder, FRAMES)
    takes, driver = part("inspatio_blender.takes"), part("inspatio_blender.driver")
    shot, first = scene.inspatio, scene.camera
    second = first.copy()
    second.data = first.data.copy()
    second.animation_data_clear()
    second.location += Vector((1.2, 0.3, 0.5))
    second.name = "Second"
    scene.collection.objects.link(second)

    # The photographs come from the scene itself; what is in it is then taken away.
    shot.reference_kind = "STILLS"
    shot.reference_camera, shot.reference_camera_2 = first, second
    bpy.ops.inspatio.capture_reference()
    photographs = takes.reference_version(scene)
    for index, camera in enumerate((first, second)):
        background = camera.data.background_images.new()
        background.image = bpy.data.images.load(str(photographs / f"view_{index:04d}.png"))
        background.frame_method, background.alpha = "FIT", 1.0
        camera.data.show_background_images = True
        camera.data.inspatio.depth_file = bpy.path.relpath(str(photographs / f"view_{index:04d}.exr"))
    for mesh in [one for one in scene.objects if one.type == "MESH"]:
        bpy.data.objects.remove(mesh)
    shot.reference_kind = "IMAGES"
    yield from window.open_tab()
    yield from window.ask("shot 20_camera_images")

    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.recover_reference("INVOKE_DEFAULT")
    yield lambda: driver.get().task is not None
    task = driver.get().task
    yield lambda: task.factor is not None
    yield from window.ask("shot 21_recovering")
    yield lambda: not task.running
    assert task.state == "finished", task.message
    assert takes.reference_version(scene).name == "v002"
    yield 1.0
    yield from window.ask("shot 22_recovered")

    # Cancelled: at once, and nothing stays.
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.recover_reference("INVOKE_DEFAULT")
    yield lambda: driver.get().task is not task
    bpy.ops.inspatio.cancel_task()
    task = driver.get().task
    yield lambda: not task.running
    assert task.state == "cancelled", task.message
    left = sorted(path.name for path in photographs.parent.iterdir())
    assert left == ["v001", "v002"], left

    # A network without weights: the panel says what to do.
    first.data.inspatio.depth_from = "depth"
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.recover_reference("INVOKE_DEFAULT")
    yield lambda: driver.get().task is not task
    task = driver.get().task
    yield lambda: not task.running
    yield 1.0
    yield from window.ask("shot 23_no_weights")
    assert driver.get().is_recovery_of(scene)
    first.data.inspatio.depth_from = "FILE"
    assert not driver.get().is_recovery_of(scene), "the panel says what is no news any more"
    yield 0.5

    take = yield from window.generate(scene, "24_generated")
    return {"take": take, "photographs": str(Path(photographs)), "said": task.message}


window.Steps(test(arguments()[0]), 400)
