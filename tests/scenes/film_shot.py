"""The film of six shots, or a short one of two, in Blender, by one of four roads:

    python -m tests.scenes.film_shot ROAD FOLDER [ZIP] [short]

    prepare   build it, install the extension from ZIP, capture a reference for every shot, save FOLDER/film.blend
    queue     add all shots to the queue, run it, lay the film out in the sequencer
    render    the render engine's animation: Ctrl-F12, into FOLDER/frames
    command   what `blender --command inspatio render` runs
    job       Export Job, into FOLDER

Run by tests/demo_film.py, with BLENDER_USER_RESOURCES and INSPATIO_PYTHON as tests/demo.py names them.
"""

import importlib
import os
import sys
from pathlib import Path

import bpy

from . import film_set
from .demo_shot import ADDON, install, press, say

HANDLES = 4


def prepare(folder: Path) -> None:
    say("building the scene")
    film_set.build_short() if "short" in sys.argv else film_set.build()
    bpy.context.preferences.filepaths.save_version = 0
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "film.blend"), compress=True)
    install(Path(sys.argv[3]).resolve())
    bpy.ops.wm.open_mainfile(filepath=str(folder / "film.blend"))
    bpy.context.scene.inspatio.film_handles = HANDLES
    press("Capture References", bpy.ops.inspatio.capture_parts)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "film.blend"), compress=True)


def queue(folder: Path) -> None:
    press("Add All", lambda: bpy.ops.inspatio.queue_add(all=True))
    press("Start", bpy.ops.inspatio.queue_start)
    press("Lay Out Film", bpy.ops.inspatio.lay_out_film)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "film.blend"), compress=True)


def render(folder: Path) -> None:
    scene = bpy.context.scene
    scene.render.engine = "INSPATIO"
    scene.render.use_sequencer = False
    scene.render.filepath = str(folder / "frames") + os.sep
    settings = scene.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGB", "8"
    press("Use Standard", bpy.ops.inspatio.mend_colour)  # What is rendered are the take's own codes then.
    press("Render Animation", lambda: bpy.ops.render.render(animation=True))


def command(folder: Path) -> None:
    headless = importlib.import_module(f"{ADDON}.inspatio_blender.headless")
    code = headless.run(["render", str(folder / "film.blend")])
    if code != 0:
        raise RuntimeError(f"the command ended with {code}")


def job(folder: Path) -> None:
    press("Export Job", lambda: bpy.ops.inspatio.export_job(directory=str(folder)))


ROADS = {"prepare": prepare, "queue": queue, "render": render, "command": command, "job": job}


def main() -> None:
    road, folder = sys.argv[1], Path(sys.argv[2]).resolve()
    if road != "prepare":
        import addon_utils

        addon_utils.enable("cycles", default_set=True)
        addon_utils.enable(ADDON, default_set=True)
        bpy.ops.wm.open_mainfile(filepath=str(folder / "film.blend"))
    ROADS[road](folder)
    sys.stdout.flush()
    os._exit(0)  # bpy 4.5 hangs at exit once it has rendered.


if __name__ == "__main__":
    main()
