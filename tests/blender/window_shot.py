"""A user's first shot in the window: Capture and Generate by clicks, then Esc, Continue, undo and a file load."""

import json
import time

import bpy
import window
from door import arguments, part

FRAMES = 69


def below_top(kind, pixels):
    """The point in the middle of a region of the viewport and so far below its top, as the screen counts."""
    place = window.viewport()
    region = next(region for region in place["area"].regions if region.type == kind)
    return f"{region.x + region.width // 2 - 20} {place['window'].height - region.y - region.height + pixels}"


def test(folder):
    scene = window.prepare(folder, FRAMES)
    bpy.ops.object.select_all(action="DESELECT")
    runtime = part("inspatio_blender.driver").get()
    showing, takes = part("inspatio_blender.showing"), part("inspatio_blender.takes")
    yield from window.open_tab()
    found = {}

    # By the mouse.
    yield from window.ask("shot 1_panel")
    button = yield from window.find_button("inspatio.capture_reference")
    yield from window.ask(f"click {button}")
    yield lambda: runtime.working is not None
    yield lambda: runtime.working is None
    assert takes.reference_version(scene) is not None

    # A warm backend, then Generate: how long until the first frame is there.
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.start_backend()
    yield lambda: runtime.backend_status is not None
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.ed.undo_push(message="start")
        assert bpy.ops.inspatio.generate("INVOKE_DEFAULT") == {"FINISHED"}
    assert runtime.busy, "Generate must not wait in the window"
    yield lambda: runtime.progress.frames_done >= 9
    found["first_frame_s"] = runtime.progress.first_frame_s
    scene.frame_set(7)
    yield from window.ask("shot 2_generating")
    background = scene.camera.data.background_images[0]
    while runtime.progress.frames_done < 21:
        yield 0.1
    strip = showing.find_strip(scene)
    grown = {len(strip.elements), strip.frame_final_end - 1, background.image_user.frame_duration}
    assert grown == {runtime.progress.frames_done}, (grown, runtime.progress.frames_done)
    assert grown != {FRAMES}, "the strip is looked at while it grows"

    # Undo takes nothing away from a running take, and what shows it is put back.
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.ed.undo_push(message="before")
        scene.inspatio.seed = 3
        bpy.ops.ed.undo_push(message="after")
        bpy.ops.ed.undo()
    scene = bpy.context.window_manager.windows[0].scene
    assert runtime.busy
    assert showing.find_strip(scene) is not None

    # Esc over the viewport ends it within a second and keeps what is finished.
    pressed = []
    cancel = runtime.cancel
    runtime.cancel = lambda: (pressed.append(time.time()), cancel())
    yield from window.ask(f"move {below_top('WINDOW', 500)}")
    yield from window.ask("key Escape")
    yield lambda: not runtime.busy
    del runtime.cancel
    found["cancel_s"] = (runtime.progress.folder / "take.json").stat().st_mtime - pressed[0]
    assert runtime.progress.state == "cancelled", runtime.progress.state
    done = runtime.progress.frames_done
    assert 0 < done < FRAMES
    yield from window.ask("shot 3_cancelled")
    take = json.loads((runtime.progress.folder / "take.json").read_text())
    assert (take["state"], take["frames_done"]) == ("cancelled", done), take["state"]

    # Continue, and while it runs the tick has little to do.
    with bpy.context.temp_override(**window.viewport()):
        assert bpy.ops.inspatio.continue_take("INVOKE_DEFAULT") == {"FINISHED"}
    yield lambda: not runtime.busy
    assert runtime.progress.state == "finished", runtime.progress.message
    yield from window.ask("shot 4_finished")
    ticks = sorted(runtime.tick_ms)
    found["ticks"] = len(ticks)
    found["tick_ms_p99"] = ticks[int(0.99 * (len(ticks) - 1))]
    found["tick_ms_max"] = ticks[-1]

    # Undoing what was done before the take does not take the take from the screen.
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.ed.undo()
    scene = bpy.context.window_manager.windows[0].scene
    assert showing.is_shown(scene)

    # The sequencer in its own workspace, and its colours mended.
    bpy.ops.inspatio.mend_colour()
    area = window.viewport()["area"]
    area.type = "SEQUENCE_EDITOR"
    area.spaces.active.view_type = "SEQUENCER_PREVIEW"
    scene.frame_set(30)
    yield 1.5
    yield from window.ask("shot 5_sequencer")
    area.type = "VIEW_3D"
    yield 0.5

    # Another file during a take: the take is cancelled on disk, the backend stays.
    bpy.ops.wm.save_mainfile()
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.generate("INVOKE_DEFAULT")
    yield lambda: runtime.progress.frames_done >= 9
    second = runtime.progress.folder
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    yield lambda: json.loads((second / "take.json").read_text())["state"] == "cancelled"
    assert part("inspatio_blender.driver").get() is runtime
    assert not runtime.busy
    yield lambda: runtime.backend_status is not None

    # Quit during a take: the test outside looks at what is left.
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.generate("INVOKE_DEFAULT")
    yield lambda: runtime.progress.frames_done >= 9
    found["last"] = str(runtime.progress.folder)
    found["backend_pid"] = runtime.worker.backend.ready.pid
    return found


window.Steps(test(arguments()[0]), 600)
