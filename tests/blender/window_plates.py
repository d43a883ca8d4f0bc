"""In the window: a take with plates, and plates made anew with progress while the window lives, then cancelled."""

import json

import bpy
import window
from door import arguments, part


def test(folder):
    scene = window.prepare(folder, 21)
    scene.render.resolution_x, scene.render.resolution_y = 640, 360
    panel = part("panels.shot").INSPATIO_PT_plate
    bpy.utils.unregister_class(panel)
    panel.bl_options = set()  # Open, to be looked at.
    bpy.utils.register_class(panel)
    shot = scene.inspatio
    shot.reference_scale, shot.plate = "PLATE", True
    yield from window.open_tab()
    bpy.ops.inspatio.capture_reference("EXEC_DEFAULT")
    runtime = part("inspatio_blender.driver").get()
    yield lambda: runtime.working is None
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.generate()
    yield lambda: runtime.progress.stage == "Developing plates"
    yield from window.ask("shot plates_1")
    yield lambda: not runtime.busy
    take = runtime.progress.folder
    assert runtime.progress.state == "finished" and not runtime.progress.message, runtime.progress.message
    whole = len(list((take / "plate").glob("*.png")))
    shot.plate_strength = 0.5
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.make_plates()
    yield lambda: runtime.progress.frames_done or not runtime.busy
    assert runtime.busy and runtime.progress.line().startswith("12 of 21 plates"), runtime.progress.line()
    yield from window.ask("shot plates_2")
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.cancel() if runtime.busy else None
    yield lambda: not runtime.busy
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.make_plates()
    yield lambda: not runtime.busy
    yield from window.ask("shot plates_3")
    said = json.loads((take / "plate" / "plate.json").read_text())
    return {"whole": whole, "again": len(list((take / "plate").glob("*.png"))), "said": said}


window.Steps(test(*arguments()))
