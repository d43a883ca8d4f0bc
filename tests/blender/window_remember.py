"""In the window: Remember can be switched where the reference has geometry, and a take then remembers."""

import json
from pathlib import Path

import bpy
import window
from door import arguments, part


def test(folder):
    scene = window.prepare(folder, 21)
    runtime, listing = part("inspatio_blender.driver").get(), part("inspatio_blender.listing")
    takes = part("inspatio_blender.takes")
    shot = scene.inspatio
    yield from window.open_tab()
    shot.reference_geometry, shot.remember = False, True
    bpy.ops.inspatio.capture_reference("EXEC_DEFAULT")
    yield lambda: runtime.working is None
    assert not listing.get().reference_has_geometry
    yield from window.ask("shot remember_1")
    shot.reference_geometry = True
    bpy.ops.inspatio.capture_reference("EXEC_DEFAULT")
    yield lambda: runtime.working is None
    assert listing.get().reference_has_geometry
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.generate("INVOKE_DEFAULT")
    yield lambda: runtime.progress is not None and runtime.progress.state == "finished"
    yield from window.ask("shot remember_2")
    take = takes.list_takes(scene, None)[0]
    said = json.loads((Path(take.folder) / "take.json").read_text())
    runtime.stop_backend()
    yield lambda: runtime.backend_status is None
    return {"remember": said["shot"]["remember"], "frames": take.frames_done}


window.Steps(test(*arguments()))
