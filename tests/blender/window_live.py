"""In the window, with the real backend: preview the timeline, scrub, move a key, drag, fly, record, keep.

For each picture of the screen the frames that the preview gives to be drawn are saved beside it, for the test outside
to compare.
"""

import math
import os
import time

import bpy
import numpy as np
import window
from door import arguments, disable, enable, part

FRAMES = 45
"""Four blocks: 9 and three times 12."""


def view():
    place = window.viewport()
    return place["area"], place["region"], place["area"].spaces.active


def frame_rect(scene):
    _, region, space = view()
    find = part("inspatio_blender.live.frame_rect").frame_rect
    return find(region, space, space.region_3d, scene, scene.camera)


def show_pixel_by_pixel(scene):
    """Zoom the view until the camera's frame is as wide as what is generated."""
    _, _, space = view()
    width, low, high = part("inspatio_blender.shots").frame_size(scene)[0], -30.0, 600.0
    for _ in range(40):
        space.region_3d.view_camera_zoom = (low + high) / 2
        view()[0].tag_redraw()
        yield 0.0
        left, _, right, _ = frame_rect(scene)
        if right - left < width:
            low = space.region_3d.view_camera_zoom
        else:
            high = space.region_3d.view_camera_zoom
        if abs(right - left - width) < 0.02:
            break


class Pictures:
    """Pictures of the screen, and what is expected on them."""

    def __init__(self, scene, folder):
        self.scene, self.folder, self.told = scene, folder, []

    def take(self, name, preview):
        """Steps: the picture `name`, and in NAME.npy the frames that the overlay was given meanwhile.

        That is one where time stands still. In a flight it is several, and the screen shows one of them.
        """
        given, ask = {}, preview.shown

        def noted(scene, frame):
            shown = ask(scene, frame)
            if shown is not None and shown.array is not None:
                given[shown.key] = shown
            return shown

        preview.shown = noted  # The overlay asks for it anew at every draw.
        area, region, _ = view()
        area.tag_redraw()
        yield 0.3
        yield from window.ask(f"shot {name}")
        del preview.shown
        frames = list(given.values())
        np.save(os.path.join(self.folder, f"{name}.npy"), np.stack([shown.array for shown in frames]))
        left, bottom, _, _ = frame_rect(self.scene)
        self.told.append(
            {
                "name": name,
                "corner": [left + region.x, bottom + region.y],
                "badge": list(frames[-1].badge),
                "flies": preview.is_flying,
            }
        )


def straight(camera, keys):
    """Keys on the camera's x, straight lines between them."""
    camera.animation_data_clear()
    for frame, x in keys:
        camera.location.x = x
        camera.keyframe_insert("location", frame=frame)
    for curve in part("inspatio_blender.curves").find_curves(camera).values():
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"


def timeline(scene, runtime, pictures, found):
    bpy.ops.inspatio.preview_start()
    preview = runtime.preview
    yield lambda: preview.missing == 0
    plan = preview.source
    assert plan.blocks_generated == 4, plan.blocks_generated
    scene.frame_set(12)
    yield from pictures.take("live_1_timeline", preview)
    scene.frame_set(40)
    yield from pictures.take("live_2_scrubbed", preview)
    # A key is moved: what lies before it stays.
    generated = plan.blocks_generated
    curve = part("inspatio_blender.curves").find_curves(scene.camera)["location", 0]
    curve.keyframe_points[2].co.y = curve.keyframe_points[2].handle_left.y = 1.6
    curve.update()
    scene.camera.animation_data.action.update_tag()
    edited = time.monotonic()
    yield lambda: plan.blocks_generated > generated and not plan.missing
    found["edit_s"] = time.monotonic() - edited
    found["blocks_after_edit"] = plan.blocks_generated - generated
    yield from pictures.take("live_3_key_moved", preview)
    # A pose that is not keyed survives, and is said to be none of the shot's.
    before, x = plan.blocks_generated, scene.camera.location.x
    bpy.ops.object.select_all(action="DESELECT")
    scene.camera.select_set(True)
    bpy.context.view_layer.objects.active = scene.camera
    yield from window.ask("move 600 400")
    yield from window.ask("key g")
    yield from window.ask("move 660 420")
    yield 0.5
    found["dragging"] = part("inspatio_blender.live.following").is_dragging()
    yield from window.ask("click 670 420")
    yield 0.7
    found["moved_by"], found["dragged"] = scene.camera.location.x - x, scene.camera.location.x
    assert abs(found["moved_by"]) > 1e-3, "the camera was dragged"
    assert plan.blocks_generated == before, "a pose without a key is not of the shot"
    yield from pictures.take("live_4_not_keyed", preview)
    assert scene.camera.location.x == found["dragged"], "reading the cameras moved it"
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.preview_keep()
    yield lambda: not runtime.busy
    assert runtime.progress.state == "finished", runtime.progress.message
    found["kept"] = str(runtime.progress.folder)
    yield 0.5
    yield from pictures.take("live_5_kept", preview)
    scene.frame_set(1)


def fly(scene, runtime, pictures, found):
    preview, camera = runtime.preview, scene.camera
    scene.inspatio.show_background = False
    straight(camera, [])
    camera.animation_data_clear()
    start = time.monotonic()
    home = camera.matrix_world.copy()
    path = []

    def move():
        t = time.monotonic() - start
        camera.location = (
            home.translation.x + 0.8 * math.sin(t / 2),
            home.translation.y + 0.3 * t / 10,
            home.translation.z + 0.1 * math.sin(t),
        )
        camera.rotation_euler = (1.4, 0, 0.1 * math.sin(t / 2))
        path.append(time.monotonic())
        return 0.02

    bpy.app.timers.register(move)
    scene.inspatio.live_mode = "FLY"
    yield lambda: preview.is_flying and preview.source.blocks_generated > 1
    yield from pictures.take("live_6_flying", preview)
    with bpy.context.temp_override(**window.viewport()):
        assert bpy.ops.inspatio.preview_record() == {"FINISHED"}
    blocks = preview.source.blocks_generated
    yield lambda: preview.source.blocks_generated >= blocks + 3
    yield from pictures.take("live_7_recording", preview)
    with bpy.context.temp_override(**window.viewport()):
        assert bpy.ops.inspatio.preview_record() == {"FINISHED"}
    bpy.app.timers.unregister(move)
    yield lambda: not runtime.busy
    assert runtime.progress.state == "finished", runtime.progress.message
    found["flown"] = str(runtime.progress.folder)
    curves = part("inspatio_blender.curves").find_curves(camera)
    found["keys"] = len(curves["location", 0].keyframe_points)
    found["recorded"] = runtime.progress.frames_done
    found["ticks"] = window_ticks(runtime)
    yield 0.5
    yield from pictures.take("live_8_recorded", preview)


def walk(scene, runtime, pictures, found):
    """Blender's own walk navigation through the camera, with a key held down: the world follows."""
    preview, camera = runtime.preview, scene.camera
    bpy.context.preferences.inputs.walk_navigation.walk_speed = 0.15
    blocks = preview.source.blocks_generated
    yield lambda: preview.source.blocks_generated > blocks + 1
    stood, before = camera.matrix_world.translation.copy(), preview.shown(scene, scene.frame_current)
    yield from window.ask("move 600 400")
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.view3d.walk("INVOKE_DEFAULT")
    yield from window.ask("down w")
    yield lambda: (camera.matrix_world.translation - stood).length > 0.1
    blocks = preview.source.blocks_generated
    yield lambda: preview.source.blocks_generated > blocks + 2
    walking = preview.shown(scene, scene.frame_current)
    yield from window.ask("up w")
    yield from window.ask("key Return")
    blocks = preview.source.blocks_generated
    yield lambda: preview.source.blocks_generated > blocks + 2
    found["walked"] = (camera.matrix_world.translation - stood).length
    after = preview.shown(scene, scene.frame_current)
    found["changed_walking"], found["changed_after"] = (
        float(np.abs(shown.array.astype(float) - before.array).mean()) for shown in (walking, after)
    )
    yield from window.ask("move 300 700")  # Away from the frame: a tooltip would lie on the picture.
    yield from pictures.take("live_9_walked", preview)


def window_ticks(runtime):
    return [round(float(np.percentile(runtime.tick_ms, q)), 2) for q in (50, 99, 100)]


def close_panels():
    """Have the panels above ours closed, as after a click on their headers."""
    disable()
    for module, name in (("reference", "INSPATIO_PT_reference"), ("shot", "INSPATIO_PT_shot")):
        getattr(part(f"panels.{module}"), name).bl_options = {"DEFAULT_CLOSED"}
    enable()


def test(folder):
    enable()
    close_panels()
    scene = window.prepare(folder, FRAMES)
    runtime, found = part("inspatio_blender.driver").get(), {}
    straight(scene.camera, [(1, 0.0), (21, 0.3), (FRAMES, 0.8)])
    scene.frame_set(1)
    yield from window.open_tab()
    bpy.ops.inspatio.capture_reference("EXEC_DEFAULT")
    yield from show_pixel_by_pixel(scene)
    pictures = Pictures(scene, folder)
    yield from timeline(scene, runtime, pictures, found)
    found["ticks_timeline"] = window_ticks(runtime)
    yield from fly(scene, runtime, pictures, found)
    yield from walk(scene, runtime, pictures, found)
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.preview_stop()
    assert runtime.preview is None
    yield 0.5
    yield from window.ask("shot live_10_stopped")
    found["pictures"] = pictures.told
    return found


window.Steps(test(*arguments()[:1]), 480)
