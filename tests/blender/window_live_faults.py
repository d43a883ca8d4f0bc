"""In the window: a preview through playback, undo, a render, another workspace, a second window, and disabling."""

import time

import bpy
import numpy as np
import window
from door import arguments, disable, part

FRAMES = 33


def edit(scene, x):
    curve = part("inspatio_blender.curves").find_curves(scene.camera)["location", 0]
    curve.keyframe_points[-1].co.y = x
    curve.update()
    scene.camera.animation_data.action.update_tag()


def test(folder):
    window.prepare(folder, FRAMES)
    runtime, found = part("inspatio_blender.driver").get(), {}
    yield from window.open_tab()
    bpy.ops.inspatio.capture_reference("EXEC_DEFAULT")
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.ed.undo_push(message="begin")
        bpy.ops.inspatio.preview_start()
    preview = runtime.preview
    yield lambda: preview.missing == 0

    def again(blocks):
        return lambda: preview.source.blocks_generated > blocks and preview.missing == 0

    # While it plays, nothing is read again: a change of frame is none of the cameras.
    noted = []
    note, preview._note = preview._note, lambda: (noted.append(1), note())
    runtime.tick_ms.clear()
    preview.overlay.draw_ms.clear()
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.screen.animation_play()
    yield 4.0
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.screen.animation_cancel(restore_frame=False)
    found["noted_while_playing"] = len(noted)
    found["draws"] = len(preview.overlay.draw_ms)
    found["ticks"] = [round(float(np.percentile(runtime.tick_ms, q)), 2) for q in (50, 99, 100)]
    # Nor while nothing happens, with a camera that is read aside.
    preview.scene.camera.constraints.new("LIMIT_ROTATION")
    yield 1.0
    noted.clear()
    preview._note()
    yield 2.0
    found["noted_at_rest"] = len(noted)
    # Undo and redo, by the keys.
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.ed.undo_push(message="constraint")
    blocks = preview.source.blocks_generated
    edit(preview.scene, 1.7)
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.ed.undo_push(message="edit")
    yield again(blocks)
    blocks = preview.source.blocks_generated
    yield from window.ask("move 600 400")
    yield from window.ask("key ctrl+z")
    yield again(blocks)
    # A render in the window: it rests, and goes on.
    scene, blocks = preview.scene, preview.source.blocks_generated
    scene.cycles.samples = 3000
    scene.render.resolution_percentage = 100
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.render.render("INVOKE_DEFAULT")
    yield lambda: preview.is_rendering
    yield 0.5
    yield from window.ask("shot live_faults_1_rendering")
    edit(preview.scene, 1.2)
    yield 1.0
    assert preview.source.blocks_generated == blocks, "it rests while Blender renders"
    yield from window.ask("key Escape")
    yield lambda: not preview.is_rendering
    yield again(blocks)
    for extra in bpy.context.window_manager.windows[1:]:
        with bpy.context.temp_override(window=extra):
            bpy.ops.wm.window_close()
    # Another workspace and back, a second window and its end.
    main = bpy.context.window_manager.windows[0]
    layout = main.workspace
    main.workspace = bpy.data.workspaces["Animation"]
    yield 1.0
    yield from window.ask("shot live_faults_2_animation")
    main.workspace = layout
    yield 0.5
    with bpy.context.temp_override(window=main):
        bpy.ops.wm.window_new()
    yield 1.0
    second = next(w for w in bpy.context.window_manager.windows if w != main)
    with bpy.context.temp_override(window=second):
        bpy.ops.wm.window_close()
    yield 0.5
    assert not preview.overlay.failure, preview.overlay.failure
    # A scene in front that is another, then the first again.
    other = bpy.data.scenes.new("Other")
    main.scene = other
    yield 0.5
    assert runtime.preview is preview
    main.scene = preview.scene
    yield 0.5
    blocks = preview.source.blocks_generated
    edit(preview.scene, 0.4)
    yield lambda: preview.source.working
    yield from window.ask("shot live_faults_3_stale")
    yield again(blocks)
    yield 1.0
    assert "Live" in preview.shown(preview.scene, preview.scene.frame_current).badge
    edit(preview.scene, 0.9)
    backend = runtime.worker.backend
    yield 0.2
    began = time.monotonic()
    disable()
    found["disable_s"] = time.monotonic() - began
    assert not backend.running
    yield 0.7
    yield from window.ask("shot live_faults_4_disabled")
    return found


window.Steps(test(*arguments()[:1]), 160)
