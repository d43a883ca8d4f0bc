"""In the window: the file that a demo leaves, as it opens, at a frame; a picture for docs/."""

import bpy
import window
from door import arguments, enable


def test(scene_file, frame, picture):
    enable()
    bpy.context.preferences.view.show_splash = False
    bpy.context.preferences.system.viewport_aa = "OFF"
    bpy.ops.wm.open_mainfile(filepath=scene_file, load_ui=False)
    yield 1.0
    scene = window.viewport()["window"].scene
    yield from window.open_tab()
    space = window.viewport()["area"].spaces.active
    space.overlay.show_relationship_lines = space.overlay.show_floor = False
    space.overlay.show_axis_x = space.overlay.show_axis_y = False
    space.region_3d.view_camera_zoom = 7.0
    space.region_3d.view_camera_offset = (0.11, 0.0)  # Beside the sidebar.
    scene.frame_set(int(frame))
    yield 4.0  # Software draws the set.
    yield from window.ask(f"shot {picture}")
    (background,) = [one for one in scene.camera.data.background_images if one.image]
    return {"shown": bpy.path.abspath(background.image.filepath)}


window.Steps(test(*arguments()[:3]), 200)
