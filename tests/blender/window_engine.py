"""In the window: F12 and Ctrl-F12 by keys, Esc, a render that blocks the window, and Rendered shading."""

import json
import os
import time
from pathlib import Path

import bpy
import numpy as np
import window
from door import arguments, part

FRAMES = 33
"""Three blocks: 9, 12 and 12 frames."""


def is_rendering():
    return bpy.app.is_job_running("RENDER")


def takes(folder):
    files = sorted(Path(folder, "inspatio", "Scene").glob("take_*/take.json"))
    return [json.loads(file.read_text()) for file in files]


def middle():
    """The middle of the largest area, as the screen counts."""
    screen_window = bpy.context.window_manager.windows[0]
    area = max(screen_window.screen.areas, key=lambda area: area.width * area.height)
    return f"{area.x + area.width // 2} {screen_window.height - area.y - area.height // 2}"


def back_to_the_viewport():
    """The picture's editor becomes the viewport again, which it took the place of."""
    screen = bpy.context.window_manager.windows[0].screen
    area = max(screen.areas, key=lambda area: area.width * area.height)
    area.type = "VIEW_3D"
    yield 0.5


def save_result(scene, folder, name):
    path = os.path.join(folder, name)
    bpy.data.images["Render Result"].save_render(path, scene=scene)
    return path


def frame_rect(scene):
    place = window.viewport()
    space = place["area"].spaces.active
    find = part("inspatio_blender.live.frame_rect").frame_rect
    return find(place["region"], space, space.region_3d, scene, scene.camera)


def show_pixel_by_pixel(scene):
    """Zoom the view until the camera's frame is as wide as what is generated."""
    area = window.viewport()["area"]
    space = area.spaces.active
    width, low, high = part("inspatio_blender.shots").frame_size(scene)[0], -30.0, 600.0
    for _ in range(40):
        space.region_3d.view_camera_zoom = (low + high) / 2
        area.tag_redraw()
        yield 0.0
        rect = frame_rect(scene)
        if rect[2] - rect[0] < width:
            low = space.region_3d.view_camera_zoom
        else:
            high = space.region_3d.view_camera_zoom
        if abs(rect[2] - rect[0] - width) < 0.02:
            break


def test(folder):
    scene = window.prepare(folder, FRAMES)
    bpy.context.preferences.view.render_display_type = "AREA"
    # Not one that Blender evaluates by itself: the interpreter is needed while the render has it.
    bpy.context.preferences.filepaths.use_scripts_auto_execute = True
    driver = scene.camera.driver_add("delta_location", 2).driver
    driver.expression = "[0.01 * frame][0]"
    runtime, found = part("inspatio_blender.driver").get(), {}
    yield from window.open_tab()
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    scene.render.engine = "INSPATIO"
    bpy.ops.inspatio.mend_colour()

    # F12 at a frame of the first block: the panel knows of the take, the editor shows the picture.
    scene.frame_set(4)
    yield from window.ask(f"move {middle()}")
    yield from window.ask("key F12")
    yield is_rendering
    yield lambda: runtime.busy
    yield lambda: not is_rendering()
    yield lambda: not runtime.busy
    assert [take["blocks_done"] for take in takes(folder)] == [1]
    found["still"] = save_result(scene, folder, "still.png")
    yield from window.ask("shot engine_still")
    yield from back_to_the_viewport()

    # Esc in the second block: the take says so within a second, and keeps the first.
    scene.frame_set(30)
    yield from window.ask(f"move {middle()}")
    yield from window.ask("key F12")
    yield is_rendering
    yield lambda: takes(folder)[0]["state"] == "running"
    yield 1.0
    yield from window.ask("shot engine_rendering")
    pressed = time.time()
    yield from window.ask("key Escape")
    yield lambda: not is_rendering()
    (take,) = takes(folder)
    found["esc_s"] = (Path(folder) / "inspatio/Scene/take_001/take.json").stat().st_mtime - pressed
    assert (take["state"], take["blocks_done"] < 3) == ("cancelled", True), (
        take["state"],
        take["blocks_done"],
    )
    done = take["blocks_done"]
    yield lambda: not runtime.busy
    yield from back_to_the_viewport()

    # While the window is blocked no timer runs: a render must not need it.
    scene.frame_set(22)
    assert bpy.ops.render.render() == {"FINISHED"}
    (take,) = takes(folder)
    assert (take["state"], len(take["timings"])) == ("finished", 3), (take["state"], done)

    # Ctrl-F12: nothing is generated any more, each frame is written.
    scene.render.filepath = os.path.join(folder, "out", "")
    yield from window.ask(f"move {middle()}")
    yield from window.ask("key ctrl+F12")
    yield is_rendering
    yield lambda: not is_rendering()
    assert len(takes(folder)) == 1 and len(takes(folder)[0]["timings"]) == 3
    found["written"] = sorted(str(file) for file in Path(folder, "out").glob("*.png"))
    yield from back_to_the_viewport()

    # The same with plates, whose next frames are developed while one is written: Esc ends it, each file is whole.
    size = scene.render.resolution_x, scene.render.resolution_y
    scene.inspatio.plate, scene.render.resolution_x, scene.render.resolution_y = True, 1280, 720
    scene.render.filepath = os.path.join(folder, "plates", "")
    plates = Path(folder, "plates")
    yield from window.ask(f"move {middle()}")
    yield from window.ask("key ctrl+F12")
    yield is_rendering
    yield lambda: len(list(plates.glob("*.png"))) > 2
    yield from window.ask("shot engine_plates")
    pressed = time.monotonic()
    yield from window.ask("key Escape")
    yield lambda: not is_rendering()
    found["plates_esc_s"] = time.monotonic() - pressed
    found["plates"] = sorted(str(file) for file in plates.glob("*.png"))
    scene.inspatio.plate, (scene.render.resolution_x, scene.render.resolution_y) = False, size
    yield from back_to_the_viewport()

    # Rendered shading: what to do, then the preview's picture.
    scene.frame_set(4)
    space = window.viewport()["area"].spaces.active
    space.region_3d.view_perspective = "CAMERA"
    space.shading.type = "RENDERED"
    yield 1.0
    yield from window.ask("shot engine_no_preview")
    bpy.ops.inspatio.preview_start()
    yield from show_pixel_by_pixel(scene)
    scene.inspatio.live_look.opacity = 0.3  # That is for the overlay: a render is not seen through.
    yield lambda: runtime.preview.missing == 0
    yield 1.0
    shown = runtime.preview.shown(scene, 4)
    np.save(os.path.join(folder, "shown.npy"), shown.array)
    yield from window.ask("shot engine_rendered")
    space.overlay.show_overlays = False  # Grid and gizmos lie over it.
    yield 1.0
    rect = frame_rect(scene)
    region = window.viewport()["region"]
    found["corner"] = rect[0] + region.x, rect[1] + region.y
    yield from window.ask("shot engine_rendered_alone")
    space.overlay.show_overlays = True
    yield 1.0
    draws = len(runtime.preview.overlay.draw_ms)
    yield 2.0
    found["draws_at_rest"] = len(runtime.preview.overlay.draw_ms) - draws
    assert not part("inspatio_blender.engine.engine")._viewport.failure

    # The driver counted, and these are the numbers that Generate samples.
    bpy.ops.inspatio.preview_stop()
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.generate("INVOKE_DEFAULT")
    yield lambda: len(takes(folder)) == 2
    runtime.cancel()
    yield lambda: not runtime.busy
    one, two = (take["shot"] for take in takes(folder))
    assert driver.is_valid and one["world_to_camera"][0][7] != one["world_to_camera"][9][7]
    assert one == two
    bpy.ops.inspatio.preview_start()
    yield lambda: runtime.preview.missing == 0

    # F12 beside a preview, and the properties.
    scene.inspatio.seed = 4
    yield from window.ask(f"move {middle()}")
    yield from window.ask("key F12")
    yield is_rendering
    yield lambda: not is_rendering()
    assert len(takes(folder)) == 3 and takes(folder)[2]["blocks_done"] == 1
    yield from back_to_the_viewport()
    bpy.ops.inspatio.preview_stop()
    area = next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == "PROPERTIES")
    for context in ("RENDER", "OUTPUT", "DATA"):
        area.spaces.active.context = context
        yield 0.5
        yield from window.ask(f"shot engine_properties_{context}")
    scene.view_settings.view_transform = "AgX"
    area.spaces.active.context = "RENDER"
    yield 0.5
    yield from window.ask("shot engine_properties_agx")
    return found


window.Steps(test(arguments()[0]), 300)
