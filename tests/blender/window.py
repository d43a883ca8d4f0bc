"""In a real window: the tab opened, then steps one after the other from a timer, since the window must live.

`Steps` runs a generator: what it yields is what it waits for, a function that returns true, or seconds.
"""

import json
import os
import sys
import time
import traceback

import bpy
from door import enable, part, simple_scene


class Steps:
    def __init__(self, steps, limit=200.0):
        self._steps = steps
        self._wait = None
        self._until = time.monotonic() + limit
        bpy.app.timers.register(self._tick, first_interval=0.5, persistent=True)

    def _tick(self):
        try:
            if time.monotonic() > self._until:
                raise TimeoutError(f"still waiting for {self._wait}")
            if self._wait is None or self._wait():
                wait = next(self._steps)
                if not callable(wait):
                    ready = time.monotonic() + wait
                    self._wait = lambda: time.monotonic() >= ready
                else:
                    self._wait = wait
        except StopIteration as done:
            end(done.value)
            return None
        except BaseException:
            traceback.print_exc()
            end(None, 1)
            return None
        return 0.05


def end(result, code=0):
    path = os.environ.get("INSPATIO_RESULT")
    if path and code == 0:
        with open(path, "w") as file:
            json.dump(result, file)
    sys.stdout.flush()
    sys.stderr.flush()
    if code:
        os._exit(code)
    bpy.ops.wm.quit_blender()


def viewport():
    """Window, area and region of the 3D viewport, for operators and for clicks."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    return {"window": window, "area": area, "region": region}


def open_tab():
    """Show the sidebar with our tab, through the camera's eyes. A step: the sidebar has to be drawn first."""
    place = viewport()
    space = place["area"].spaces.active
    with bpy.context.temp_override(**place):
        space.show_region_ui = True
    space.region_3d.view_perspective = "CAMERA"
    space.shading.type = "SOLID"
    yield 1.5
    sidebar = next(region for region in viewport()["area"].regions if region.type == "UI")
    sidebar.active_panel_category = "InSpatio"
    sidebar.tag_redraw()
    yield 0.5


def find_button(operator):
    """Steps: look for an operator's button in the sidebar; returns where it is, as the screen counts, for a click.

    Ctrl-C over a button copies what it does, which tells one from another, wherever the panels put it.
    """
    place = viewport()
    region = next(region for region in place["area"].regions if region.type == "UI")
    manager = bpy.context.window_manager
    x, top = region.x + region.width // 2 - 20, place["window"].height - region.y - region.height
    for below in range(60, region.height, 8):
        manager.clipboard = ""
        yield from ask(f"hover {x} {top + below} ctrl+c")
        if manager.clipboard.startswith(f"bpy.ops.{operator}("):
            return f"{x} {top + below}"
    raise LookupError(f"there is no button for {operator} in the sidebar")


def generate(scene, picture):
    """Steps: press Generate and look at the end of the take; returns its folder."""
    driver = part("inspatio_blender.driver").get()
    with bpy.context.temp_override(**viewport()):
        bpy.ops.inspatio.generate("INVOKE_DEFAULT")
    yield lambda: not driver.busy
    progress = driver.progress
    assert progress.state == "finished", progress.message
    scene.frame_set(scene.frame_end)
    yield 1.5
    yield from ask(f"shot {picture}")
    return str(progress.folder)


def prepare(folder, frames, save=True):
    """A simple scene in a saved file, with the tab open."""
    enable()
    bpy.context.preferences.view.show_splash = False
    bpy.context.preferences.system.viewport_aa = "OFF"  # Software draws the window: every redraw counts.
    scene = simple_scene(frames=frames)
    if save:
        bpy.ops.wm.save_as_mainfile(filepath=os.path.join(folder, "scene.blend"))
    return scene


def ask(what):
    """A step: have the test outside do something (take a picture, press a key), and wait until it has."""
    sys.stdout.write(f"STEP {what}\n")
    sys.stdout.flush()
    done = os.path.join(os.environ["INSPATIO_ANSWERS"], what.replace(" ", "_"))
    yield lambda: os.path.exists(done)
