"""Export Shot beside Generate, of the same shot; and what it refuses, in the words of Generate."""

from pathlib import Path

import bpy
from door import enable, main, raises, simple_scene


def refused(folder, words):
    """Both refuse the shot with the same words; nothing is written."""
    for press in (bpy.ops.inspatio.generate, lambda: bpy.ops.inspatio.export_shot(directory=str(folder))):
        with raises(RuntimeError, words):
            press()
    assert not folder.exists()


def test(folder, frames):
    enable()
    folder = Path(folder)
    scene = simple_scene(frames=int(frames))
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "scene.blend"))
    scene.inspatio.shot_name = "A long shot"
    refused(folder / "none", "There is no reference yet: capture or recover one first")
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    camera, data = scene.camera, scene.camera.data
    scene.camera = None
    refused(folder / "none", "has no camera")
    scene.camera = camera
    data.type = "ORTHO"
    refused(folder / "none", "is orthographic")
    data.type = "PERSP"
    camera.scale = (-1, 1, 1)
    refused(folder / "none", "is mirrored by a negative scale")
    camera.scale = (1, 1, 1)
    shot = scene.inspatio
    shot.use_scene_range, shot.frame_start, shot.frame_end = False, 5, 2
    refused(folder / "none", "The frame range is empty")
    shot.use_scene_range = True
    view = folder / "inspatio/A_long_shot/reference/v001/view_0000.exr"
    view.rename(folder / "away.exr")
    refused(folder / "none", "view_0000.exr is missing")
    (folder / "away.exr").rename(view)
    with raises(RuntimeError, "No folder is named"):
        bpy.ops.inspatio.export_shot()

    shot.seed = 11
    scene.frame_set(3)
    assert bpy.ops.inspatio.export_shot(directory=str(folder / "exports")) == {"FINISHED"}
    assert scene.frame_current == 3
    assert bpy.ops.inspatio.generate() == {"FINISHED"}
    # The camera goes elsewhere: the shot that was exported stays what it was.
    camera.animation_data_clear()
    assert bpy.ops.inspatio.export_shot(directory=str(folder / "exports")) == {"FINISHED"}
    return {}


main(test)
