"""Times references from footage inside Blender, for tests/bench_footage.py.

`python -m tests.scenes.footage_speed ZIP FOLDER CLIP VIEWS SEGMENTS RESULT.json`; SEGMENTS, where it is not 0, makes a
sphere of so many around and so many high one of the stand-ins.
"""

import importlib
import json
import sys
import time
from pathlib import Path

import bpy

from . import capture, moves
from .demo_shot import ADDON, install, press
from .footage_set import stand_in

SIZE = (832, 480)
BOXES = (
    (-2.5, 2.0, 0.8),
    (-1.2, 2.4, 1.1),
    (0.2, 1.8, 0.6),
    (1.1, 2.2, 0.9),
    (1.9, 1.2, 0.5),
    (-0.8, 0.8, 0.4),
)


def longest_step(scene: bpy.types.Scene) -> float:
    """Seconds of the longest step of a reference from footage: so long the window stands still."""
    footage, shots = (
        importlib.import_module(f"{ADDON}.inspatio_blender.{name}") for name in ("footage", "shots")
    )
    folder = Path(bpy.data.filepath).parent / "steps"
    asked = footage.plan(scene, shots.frame_size(scene), folder)
    steps, longest, share = footage.capture_steps(scene, bpy.context.view_layer, asked), 0.0, 0.0
    while share != "done":
        began = time.perf_counter()
        share = next(steps, "done")
        longest = max(longest, time.perf_counter() - began)
        if share is None:
            time.sleep(0.03)  # Blender's tick
    return longest


def main() -> None:
    extension, folder, movie = (Path(argument).resolve() for argument in sys.argv[1:4])
    views, segments, result = int(sys.argv[4]), int(sys.argv[5]), Path(sys.argv[6])
    scene = capture.empty_file()
    scene.frame_start, scene.frame_end = 1, views
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.render.fps = 24
    camera = scene.camera = moves.camera("Camera", (-0.7, -3.1, 1.6), (0.1, 1.6, 0.95))
    camera.keyframe_insert("location", frame=1)
    camera.location.x += 1
    camera.keyframe_insert("location", frame=views)
    collection = bpy.data.collections.new("Stand-Ins")
    scene.collection.children.link(collection)
    stand_in(collection, "Ground", (-6, -5, 0), (6, 6, 0))
    stand_in(collection, "Back", (-4.5, 2.8, 0), (4.5, 3.0, 4.0))
    stand_in(collection, "Side", (2.9, -3.5, 0), (3.1, 3.0, 4.0))
    for x, y, size in BOXES:
        stand_in(collection, "Box", (x, y, 0), (x + size, y + size, size))
    bpy.ops.mesh.primitive_cylinder_add(radius=0.3, depth=0.8, location=(0.6, 0.7, 0.4))
    collection.objects.link(bpy.context.view_layer.objects.active)
    if segments:
        bpy.ops.mesh.primitive_uv_sphere_add(
            segments=segments, ring_count=segments, radius=0.9, location=(-0.2, 1.0, 0.9)
        )
        collection.objects.link(bpy.context.view_layer.objects.active)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / f"{movie.stem}.blend"))
    install(extension)
    bpy.ops.wm.open_mainfile(filepath=str(folder / f"{movie.stem}.blend"))
    shot = bpy.context.scene.inspatio
    clip = bpy.data.movieclips.load(str(movie))
    lens = clip.tracking.camera
    lens.units, lens.k1, lens.k2 = "PIXELS", -0.12, 0.03
    lens.focal_length_pixels = 0.83 * clip.size[0]
    shot.preset = "inspatio-1.3b"  # Its frames are of this size.
    shot.reference_kind = "FOOTAGE"
    shot.footage_clip, shot.stand_ins = clip, bpy.data.collections["Stand-Ins"]
    shot.backdrop = 30.0
    began, worked = time.perf_counter(), time.process_time()
    press("Reference from Footage", bpy.ops.inspatio.capture_reference)
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked
    longest = longest_step(bpy.context.scene)
    folder = max((folder / "inspatio").glob("*/reference/v*"))
    reference = json.loads((folder / "reference.json").read_text())
    size = sum(file.stat().st_size for file in folder.iterdir())
    result.write_text(
        json.dumps(
            {
                "size": [reference["width"], reference["height"]],
                "views": len(reference["views"]),
                "fps": round(views / seconds, 2),
                "cpu_seconds_per_view": round(cpu / views, 4),
                "longest_step_s": round(longest, 3),
                "mb_per_view": round(size / views / 1e6, 2),
                "blender": bpy.app.version_string,
            }
        )
    )


if __name__ == "__main__":
    main()
