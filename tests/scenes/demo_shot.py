"""The demo inside Blender: build the scene, install the built extension, capture, generate, render the truth, save.

Run by tests/demo.py as `python -m tests.scenes.demo_shot ZIP FOLDER FRAMES`, with BLENDER_USER_RESOURCES naming
an empty folder and INSPATIO_PYTHON the backend's Python. Everything is done by the add-on's own operators, as an
artist would press them; FRAMES other than 0 ends the shot early. Leaves FOLDER/shot.blend, its inspatio/ folder
beside it, and FOLDER/truth.
"""

import math
import shutil
import sys
import time
from pathlib import Path

import bpy

from . import demo_set

ADDON = "bl_ext.user_default.inspatio_blender"


def say(text: str) -> None:
    print(f"demo: {text}", flush=True)


def install(extension: Path) -> None:
    """Install the built zip into the throw-away user folder and enable it by its real name."""
    bpy.ops.extensions.package_install_files(
        repo="user_default", filepath=str(extension), enable_on_install=True
    )
    if ADDON not in bpy.context.preferences.addons:
        raise RuntimeError(f"{ADDON} was not enabled")
    import addon_utils

    if not addon_utils.check("cycles")[1]:
        addon_utils.enable("cycles", default_set=True)


def press(name: str, operator: object) -> None:
    """Run an operator of the add-on to its end; its error message ends the demo."""
    began = time.perf_counter()
    result = operator()  # type: ignore[operator]
    if result != {"FINISHED"}:
        raise RuntimeError(f"{name} ended as {result}")
    say(f"{name} done in {time.perf_counter() - began:.1f} s")


def render_truth(scene: bpy.types.Scene, folder: Path) -> None:
    """What the shot's camera really sees, rendered by Cycles a frame at a time, to hold the result against."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = scene.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGB", "8"
    kept, current = scene.render.filepath, scene.frame_current
    began, total = time.perf_counter(), scene.frame_end - scene.frame_start + 1
    for done, frame in enumerate(range(scene.frame_start, scene.frame_end + 1), 1):
        scene.frame_set(frame)
        scene.render.filepath = str(folder / f"{frame:04d}.png")
        bpy.ops.render.render(write_still=True)
        if done % 15 == 0 or done == total:
            say(f"rendered {done} of {total} true frames, {time.perf_counter() - began:.0f} s")
    scene.render.filepath = kept
    scene.frame_set(current)


def arrange_window() -> None:
    """Have the file open on the shot: viewports look through the camera, with the sidebar out."""
    for screen in bpy.data.screens:
        for area in screen.areas:
            for space in area.spaces:
                if space.type == "VIEW_3D":
                    space.region_3d.view_perspective = "CAMERA"
                    space.region_3d.view_camera_zoom = 18.0
                    space.overlay.show_relationship_lines = False
                    space.show_region_ui = True


def main() -> None:
    extension, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    blend = folder / "shot.blend"
    say("building the scene")
    demo_set.build()
    bpy.context.preferences.filepaths.save_version = 0
    if int(sys.argv[3]):
        bpy.context.scene.frame_end = int(sys.argv[3])
    bpy.ops.wm.save_as_mainfile(filepath=str(blend), compress=True)
    install(extension)
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    scene = bpy.context.scene
    reference_camera = bpy.data.objects["Reference Camera"]
    shot = scene.inspatio
    shot.shot_name = "Market Square"
    shot.camera = bpy.data.objects["Shot Camera"]
    shot.reference_kind, shot.reference_camera = "MOVING", reference_camera
    press("Start", bpy.ops.inspatio.start_backend)
    press("Capture Reference", bpy.ops.inspatio.capture_reference)
    press("Generate", bpy.ops.inspatio.generate)
    scene.render.use_sequencer = False
    shutil.rmtree(folder / "truth", ignore_errors=True)
    render_truth(scene, folder / "truth")
    arrange_window()
    scene.frame_set(scene.frame_start + math.ceil((scene.frame_end - scene.frame_start) / 2))
    bpy.ops.wm.save_as_mainfile(filepath=str(blend), compress=True)
    bpy.ops.file.make_paths_relative()
    bpy.ops.wm.save_as_mainfile(filepath=str(blend), compress=True)
    say(f"saved {blend.name}")


if __name__ == "__main__":
    main()
