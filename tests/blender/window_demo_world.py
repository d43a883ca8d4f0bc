"""In the window: a world shown in the demo's scene, then exported as a scene folder, and that imported."""

import math
from pathlib import Path

import bpy
import window
from door import arguments, enable, part
from mathutils import Euler, Vector


def look(place, target, turn, distance):
    """Look at a point from outside of any camera."""
    space = place["area"].spaces.active
    space.region_3d.view_perspective = "PERSP"
    space.region_3d.view_location = Vector(target)
    space.region_3d.view_rotation = Euler(map(math.radians, turn)).to_quaternion()
    space.region_3d.view_distance = distance


def test(folder, scene_file):
    enable()
    bpy.context.preferences.view.show_splash = False
    bpy.context.preferences.system.viewport_aa = "OFF"
    bpy.ops.wm.open_mainfile(filepath=scene_file, load_ui=False)
    yield 1.0
    scene, runtime = window.viewport()["window"].scene, part("inspatio_blender.driver").get()
    yield from window.open_tab()
    shot = scene.inspatio
    shot.reference_kind, shot.reference_camera = "MOVING", bpy.data.objects["Reference Camera"]
    shot.reference_step, shot.reference_scale = 24, "2"
    bpy.ops.inspatio.capture_reference("EXEC_DEFAULT")
    scene.frame_set(60)
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.show_world("INVOKE_DEFAULT")
    yield lambda: runtime.working is None
    camera = shot.reference_camera
    ahead = camera.matrix_world @ Vector((0, 0, -9))
    look(window.viewport(), ahead, (62, 0, math.degrees(camera.matrix_world.to_euler().z) + 24), 14)
    yield 4.0
    yield from window.ask("shot docs_world")
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.export_scene_folder(
            "INVOKE_DEFAULT", directory=str(Path(folder) / "out"), chosen=True
        )
    yield lambda: runtime.working is None
    yield 1.0
    yield from window.ask("move 620 420")  # Over what could not be kept, which Esc closes.
    yield from window.ask("key Escape")
    (exported,) = (Path(folder) / "out").iterdir()
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.import_scene_folder("INVOKE_DEFAULT", directory=str(exported), chosen=True)
    yield lambda: runtime.working is None
    imported = window.viewport()["window"].scene
    assert imported != scene
    imported.frame_set(53)
    look(window.viewport(), (0.5, 8, 1.5), (62, 0, 20), 19)
    yield 4.0
    yield from window.ask("shot docs_imported")
    return {"frames": len(imported.inspatio.frames())}


window.Steps(test(*arguments()[:2]), 300)
