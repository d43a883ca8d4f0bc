"""Blender ends during a take: leaves Python by itself ("left"), or waits to be killed ("killed").

What the test outside looks at afterwards is written before: the take's folder and the backend's process.
"""

import json
import os
import sys

import bpy
from door import arguments, enable
from faults import begin, pump, saved_scene


def test(folder, how):
    enable()
    scene = saved_scene(folder)
    bpy.ops.wm.save_mainfile()
    runtime, progress = begin(scene)
    pump(runtime, lambda: progress.frames_done >= 9)
    found = {"take": str(progress.folder), "backend_pid": runtime.worker.backend.ready.pid}
    with open(os.environ["INSPATIO_RESULT"] + ".tmp", "w") as file:
        json.dump(found, file)
    os.replace(file.name, os.environ["INSPATIO_RESULT"])
    if how == "killed":
        pump(runtime, lambda: False)
    sys.exit()


test(*arguments())
