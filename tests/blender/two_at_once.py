"""One of two Blenders that work on the same shot at the same time."""

import os

import bpy
from door import enable, main, simple_scene


def test(folder):
    enable()
    simple_scene(frames=21)
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(folder, f"scene_{os.getpid()}.blend"))
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    assert bpy.ops.inspatio.generate() == {"FINISHED"}
    return {}


main(test)
