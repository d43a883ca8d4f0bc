"""A film of six shots in the demo's market square: cameras bound to markers, 21 frames each, 126 in all.

`python -m tests.scenes.film_set FILE.blend` writes it. Each move is short and as wide as four fifths of what its first
frame sees, so that one view a shot is reference enough.
"""

import sys
from pathlib import Path

import bpy
import numpy as np

from . import demo_set, moves

LENGTH = 21
"""Frames of a shot: a block of nine and one of twelve."""
COVERAGE = 0.8
SHOTS = {
    "Square": (27.0, moves.Move((-1.15, -4.9, 1.75), (0.25, 2.2, 1.55), yaw=8, shift=(0.5, 0.3, 0.4))),
    "Stall": (32.0, moves.Move((-0.9, -2.6, 1.6), (-3.2, -0.1, 1.15), yaw=-10, shift=(0.3, 0.1, 0.2))),
    "Fountain": (26.0, moves.Move((-1.3, 1.6, 1.7), (0.75, 3.4, 1.15), yaw=14, shift=(0.2, 0.15, 0.2))),
    "Cafe": (32.0, moves.Move((1.5, 0.3, 1.55), (3.2, 4.4, 0.95), yaw=-9, shift=(-0.3, 0.1, 0.2))),
    "Bust": (26.0, moves.Move((0.9, 2.0, 1.6), (-1.9, 12.3, 5.2), pitch=-5, shift=(-0.4, 0.6, 0.3))),
    "Gateway": (30.0, moves.Move((0.2, 5.9, 1.65), (0.9, 10.4, 1.9), yaw=5, ahead=0.16, sway=0.02)),
}
"""Lens and move of each shot, in the film's order; its marker has its name."""


def build() -> None:
    """Build the scene into a new file: the demo's, seen by these cameras."""
    demo_set.build()
    scene = bpy.context.scene
    for camera in [thing for thing in scene.objects if thing.type == "CAMERA"]:
        bpy.data.objects.remove(camera)
    scene.name = "Market Film"
    scene.frame_start, scene.frame_end = 1, LENGTH * len(SHOTS)
    for number, (name, (lens, move)) in enumerate(SHOTS.items()):
        frames = np.arange(LENGTH) + 1 + number * LENGTH
        scene.frame_set(int(frames[0]))
        amount = min(1.0, moves.fit(move, lens, COVERAGE) or 0.3)
        camera = moves.camera(f"{name} Camera", move.at, move.look, lens)
        moves.animate(camera, move, amount, frames)
        scene.timeline_markers.new(name, frame=int(frames[0])).camera = camera
    scene.frame_set(scene.frame_start)
    scene.camera = bpy.data.objects[f"{next(iter(SHOTS))} Camera"]


def build_short() -> None:
    """Two shots of some boxes, five frames each, for a test of the roads."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 2, False
    scene.render.resolution_x, scene.render.resolution_y = 256, 144
    scene.frame_start, scene.frame_end = 1, 10
    for x, y, size in ((0, 0, 1), (1.5, 1, 1.5), (-1.5, 2, 2)):
        bpy.ops.mesh.primitive_cube_add(size=size, location=(x, y, size / 2))
    bpy.ops.mesh.primitive_plane_add(size=30)
    bpy.ops.object.light_add(type="SUN", rotation=(0.5, 0.3, 0))
    for number, first in enumerate((1, 6)):
        bpy.ops.object.camera_add(rotation=(1.4, 0, 0))
        camera = bpy.context.view_layer.objects.active
        for frame, x in ((first, number), (first + 4, number + 0.3)):
            camera.location = (x, -6, 2)
            camera.keyframe_insert("location", frame=frame)
        scene.timeline_markers.new(f"Shot {number + 1}", frame=first).camera = camera
        scene.camera = scene.camera or camera


def main() -> None:
    target = Path(sys.argv[1]).resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    build()
    bpy.ops.wm.save_as_mainfile(filepath=str(target), compress=True)


if __name__ == "__main__":
    main()
