"""Show World and Import Scene Folder in the window: in steps that never take long, and ended by Esc. What was imported
is generated from."""

import time
from pathlib import Path

import bpy
import window
from door import arguments, part


def timed(durations, held):
    """Have every tick of an operator that works in steps measured, by what it computes: others use this machine.

    While `held` has anything in it no step is made: a key finds the operator where it was held, however late it comes.
    """
    stepwise = part("operators.stepwise").Stepwise
    modal = stepwise.modal

    def measured(self, context, event):
        if held and event.type == "TIMER":
            return {"RUNNING_MODAL"}
        began = time.thread_time()
        try:
            return modal(self, context, event)
        finally:
            durations.append(time.thread_time() - began)

    stepwise.modal = measured


def test(folder, given):
    scene = window.prepare(folder, 21)
    world, runtime = part("inspatio_blender.world"), part("inspatio_blender.driver").get()
    yield from window.open_tab()
    bpy.ops.inspatio.capture_reference("EXEC_DEFAULT")
    durations, held = [], []
    timed(durations, held)
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.show_world("INVOKE_DEFAULT")
    yield lambda: runtime.working is None
    assert world.collections(scene)
    yield 3.0  # Software draws a world.
    yield from window.ask("shot 8_world")

    # Into the import, Esc: nothing is left of it.
    scenes = len(bpy.data.scenes)
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.import_scene_folder("INVOKE_DEFAULT", directory=given, chosen=True)
    yield lambda: runtime.working[1] > 0.1
    held.append("for its picture, and until the key is there")
    yield from window.ask("shot 9_importing")
    yield from window.ask("move 620 400")
    yield from window.ask("key Escape")
    yield lambda: runtime.working is None
    held.clear()
    yield lambda: not runtime.task.running
    assert len(bpy.data.scenes) == scenes
    assert not [path for path in (Path(folder) / "inspatio").iterdir() if path.name != scene.name]

    # Then to its end, the folder chosen in the file browser.
    bpy.context.preferences.view.filebrowser_display_type = "SCREEN"
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.import_scene_folder("INVOKE_DEFAULT", directory=f"{given}/")
    yield 1.5
    yield from window.ask("move 600 400")
    yield from window.ask("key Return")
    yield lambda: runtime.working is not None
    began, busy = time.perf_counter(), time.process_time()
    yield lambda: runtime.working is None
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    imported = window.viewport()["window"].scene
    assert imported != scene
    assert world.collections(imported)
    yield 3.0
    yield from window.ask("shot 10_imported")
    frames = len(imported.inspatio.frames())
    imported.frame_end = 9
    take = yield from window.generate(imported, "11_imported_generated")
    return {
        "take": take,
        "longest": max(durations),
        "seconds": seconds,
        "busy": busy,
        "frames": frames,
    }


window.Steps(test(*arguments()[:2]), 300)
