"""A shot with a moving reference of the release's size, captured and exported as a shot folder."""

from pathlib import Path

import bpy
from door import enable, main, simple_scene


def test(folder):
    enable()
    folder = Path(folder)
    scene = simple_scene(width=832, height=480, frames=4)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "scene.blend"))
    scene.inspatio.preset = "inspatio-1.5-1.3b"
    scene.inspatio.reference_kind = "MOVING"
    scene.inspatio.reference_step = 2
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    assert bpy.ops.inspatio.export_shot(directory=str(folder / "exports")) == {"FINISHED"}
    [shot] = (folder / "exports").iterdir()
    return {"shot": str(shot)}


main(test)
