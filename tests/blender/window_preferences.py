"""The page of the preferences: before, during and after Set Up Backend, and with a newer list than what is set up."""

import bpy
import window
from door import ADDON, arguments, part


def open_page():
    """The page in place of the viewport, where there is room for all of it."""
    place = window.viewport()
    with bpy.context.temp_override(**place):
        bpy.ops.preferences.addon_show(module=ADDON)
    place["area"].type = "PREFERENCES"
    extra = [one for one in bpy.context.window_manager.windows if one != place["window"]]
    for one in extra:
        with bpy.context.temp_override(window=one):
            bpy.ops.wm.window_close()
    return place["area"]


def test(folder, list_file):
    window.prepare(folder, 12)
    yield from window.open_tab()
    driver, preferences = part("inspatio_blender.driver"), part("inspatio_blender.preferences")
    system = bpy.context.preferences.system
    system.use_online_access = False
    area = open_page()
    yield 1.0
    yield from window.ask("move 1400 900")
    yield 1.0
    yield from window.ask("shot preferences_1_offline")
    assert not bpy.ops.inspatio.set_up_backend.poll()
    system.use_online_access = True
    area.tag_redraw()
    yield 1.0
    yield from window.ask("shot preferences_2_before")
    assert bpy.ops.inspatio.set_up_backend() == {"FINISHED"}
    task = driver.get().task
    yield lambda: task.line.startswith("Checking") or not task.running
    yield from window.ask("shot preferences_3_during")
    assert task.running
    assert not bpy.ops.inspatio.set_up_backend.poll(), "one at a time"
    yield lambda: not task.running
    assert task.state == "finished", task.message
    yield 1.0
    yield from window.ask("shot preferences_4_after")
    with open(list_file, "a") as file:
        file.write("# another list\n")
    part("inspatio_blender.environment").wanted_list.cache_clear()
    yield lambda: not preferences.set_up_environment().is_current
    yield 1.0
    yield from window.ask("shot preferences_5_update")
    return {"python": preferences.backend_python()}


window.Steps(test(*arguments()), 400)
