"""A matchmove of the coffee clip: `python -m tests.scenes.footage_table FOLDER FRAMES` leaves FOLDER/shot.blend.

The camera stands still. Its lens and tilt are read off the picture: the table's edges meet 549 pixels above the
middle of a frame 960 wide, and the saucer is an ellipse of 238 x 115, so it is looked down on at 29 degrees. Both
agree for a lens of 33 mm and a tilt of 32 degrees; a saucer of 15 cm gives the scale.
"""

import math
import sys
from pathlib import Path

import bpy
import numpy as np

from . import capture, moves
from .footage_set import stand_in

SIZE = (1920, 900)
FPS = 25
LENS, TILT, HEIGHT = 33.0, math.radians(32), 0.27
SAUCER = (-0.0655, 0.485)
FRAMES = np.arange(1, 46)
AHEAD = (0.0, math.cos(TILT), -math.sin(TILT))


def lathe(
    collection: bpy.types.Collection, name: str, rings: list[tuple[float, float]], segments: int = 32
) -> None:
    """A form turned about the cup's axis: (radius, height) of its rings from below."""
    turns = np.linspace(0, 2 * math.pi, segments, endpoint=False)
    points = [
        (SAUCER[0] + r * math.cos(turn), SAUCER[1] + r * math.sin(turn), z)
        for r, z in rings
        for turn in turns
    ]
    faces = [
        (i * segments + j, i * segments + (j + 1) % segments,
         (i + 1) * segments + (j + 1) % segments, (i + 1) * segments + j)
        for i in range(len(rings) - 1) for j in range(segments)
    ]  # fmt: skip
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points, [], faces)
    thing = bpy.data.objects.new(name, mesh)
    thing.display_type = "WIRE"
    collection.objects.link(thing)


def main() -> None:
    folder, last = Path(sys.argv[1]).resolve(), int(sys.argv[2])
    scene = capture.empty_file()
    scene.name = "Table"
    scene.render.fps = FPS
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.frame_start, scene.frame_end = 1, last or int(FRAMES[-1])
    at = (0.0, 0.0, HEIGHT)
    look = tuple(a + 0.55 * b for a, b in zip(at, AHEAD, strict=True))
    footage, shot = (moves.camera(name, at, look, LENS) for name in ("Footage Camera", "Shot Camera"))
    for thing in (footage, shot):
        thing.data.clip_start = 0.01
    move = moves.Move(at, look, yaw=16, pitch=-5, shift=(0.0, 0.0, 0.05))
    moves.animate(shot, move, 1.0, FRAMES)
    collection = bpy.data.collections.new("Stand-Ins")
    scene.collection.children.link(collection)
    stand_in(collection, "Table", (-0.228, -0.4, 0), (0.228, 1.7, 0))
    lathe(collection, "Saucer", [(0.0, 0.006), (0.04, 0.006), (0.074, 0.012), (0.07, 0.0)])
    lathe(collection, "Cup", [(0.026, 0.008), (0.038, 0.024), (0.047, 0.056), (0.043, 0.05), (0.0, 0.047)])
    scene.camera = footage
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "shot.blend"), compress=True)


if __name__ == "__main__":
    main()
