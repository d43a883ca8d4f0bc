"""Set Up Backend from an empty home folder, then a first take; what online access forbids; disabled in between."""

import os
import sys
import threading
import time
from pathlib import Path

import bpy
from door import disable, enable, main, part, raises, simple_scene


def test(folder, list_file):
    enable()
    preferences, driver = part("inspatio_blender.preferences"), part("inspatio_blender.driver")
    system = bpy.context.preferences.system
    user = preferences.user_folder()
    assert preferences.backend_python() == ""
    with raises(RuntimeError, "The backend is not set up"):
        bpy.ops.inspatio.start_backend()

    system.use_online_access = False
    for operator, arguments in (
        (bpy.ops.inspatio.set_up_backend, {}),
        (bpy.ops.inspatio.download_weights, {"preset": "inspatio-1.3b"}),
    ):
        with raises(RuntimeError, "Allow Online Access"):
            operator(**arguments)
    assert preferences.backend_variables()["HF_HUB_OFFLINE"] == "1"
    system.use_online_access = True
    assert "HF_HUB_OFFLINE" not in preferences.backend_variables()
    with raises(RuntimeError, "Set up the backend first"):
        bpy.ops.inspatio.download_weights(preset="inspatio-1.3b")

    # Disabled in between: nothing of it is left.
    task = driver.get().set_up_backend()
    while task.line != "Making the environment":
        time.sleep(0.05)
    disable()
    assert task.state == "cancelled", task.message
    assert not [one.name for one in threading.enumerate() if one.name.startswith("inspatio")]
    assert not list(user.glob("env_*"))
    enable()
    preferences, driver = part("inspatio_blender.preferences"), part("inspatio_blender.driver")

    assert bpy.ops.inspatio.set_up_backend() == {"FINISHED"}
    found = preferences.set_up_environment()
    assert found.is_current
    assert Path(preferences.backend_python()).is_relative_to(user)
    assert bpy.ops.inspatio.copy_set_up_commands() == {"FINISHED"}

    # The first take, with the network forbidden again.
    system.use_online_access = False
    scene = simple_scene(frames=9)
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(folder, "scene.blend"))
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    assert bpy.ops.inspatio.generate() == {"FINISHED"}
    assert driver.get().progress.frames_done == len(scene.inspatio.frames()) == 9

    # An update of the extension with another list: it says so, and goes on with what is there.
    with open(list_file, "a") as file:
        file.write("# another list\n")
    part("inspatio_blender.environment").wanted_list.cache_clear()
    assert preferences.look()
    assert not preferences.set_up_environment().is_current
    assert preferences.backend_python() == str(found.python)
    return {"python": preferences.backend_python(), "version": sys.version_info[:2]}


main(test)
