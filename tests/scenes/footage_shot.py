"""The footage demo inside Blender: a clip and a matchmove become a reference, the reference becomes frames.

`python -m tests.scenes.footage_shot ZIP FOLDER CLIP LENS BACKDROP SPEED`: FOLDER/shot.blend has the cameras and the
stand-ins; LENS is "FOCAL,K1,K2,K3" in pixels, or empty; how long the reference took goes to the JSON file SPEED.
"""

import json
import sys
import time
from pathlib import Path

import bpy

from .demo_shot import arrange_window, install, press, say


def main() -> None:
    extension, folder, movie = (Path(argument).resolve() for argument in sys.argv[1:4])
    lens, backdrop, speed = sys.argv[4], float(sys.argv[5]), Path(sys.argv[6])
    blend = str(folder / "shot.blend")
    install(extension)
    bpy.ops.wm.open_mainfile(filepath=blend)
    bpy.context.preferences.filepaths.save_version = 0
    scene, shot = bpy.context.scene, bpy.context.scene.inspatio
    clip = bpy.data.movieclips.load(str(movie))
    if lens:
        camera = clip.tracking.camera
        camera.distortion_model, camera.units = "POLYNOMIAL", "PIXELS"
        camera.focal_length_pixels, camera.k1, camera.k2, camera.k3 = map(float, lens.split(","))
    shot.camera = scene.camera = bpy.data.objects["Shot Camera"]
    shot.reference_kind, shot.reference_camera = "FOOTAGE", bpy.data.objects["Footage Camera"]
    shot.footage_clip, shot.stand_ins = clip, bpy.data.collections["Stand-Ins"]
    shot.backdrop, shot.reference_scale = backdrop, "2"
    press("Start", bpy.ops.inspatio.start_backend)
    began = time.perf_counter()
    press("Reference from Footage", bpy.ops.inspatio.capture_reference)
    views = scene.frame_end - scene.frame_start + 1
    speed.write_text(json.dumps({"reference_fps": round(views / (time.perf_counter() - began), 2)}))
    press("Generate", bpy.ops.inspatio.generate)
    arrange_window()
    bpy.ops.wm.save_as_mainfile(filepath=blend, compress=True)
    bpy.ops.file.make_paths_relative()
    bpy.ops.wm.save_as_mainfile(filepath=blend, compress=True)
    say("saved shot.blend")


if __name__ == "__main__":
    main()
