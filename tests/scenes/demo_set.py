"""The demo's scene: a market square in the late afternoon, 105 frames at 24 a second.

The shot's camera ("Shot Camera") starts where the reference camera ("Reference Camera") stands, slides to the
right and rises a little round the fountain; a carter crosses the square with his cart, a stallholder
waves. `python -m tests.scenes.demo_set FILE.blend` writes it.
"""

import itertools
import math
import sys
from pathlib import Path

import bpy
import numpy as np

from . import architecture, capture, centrepieces, figures, furniture, materials, moves, nature, props
from .solids import Point, Solid

FRAMES = np.arange(1, 106)
"""Nine frames and eight blocks of twelve."""
LENS = 27.0
SAMPLES = 8
MOVE = moves.Move((-1.15, -4.9, 1.75), (0.25, 2.2, 1.55), yaw=11, shift=(0.6, 0.32, 0.5), pan=3)


def bunting(rng: np.random.Generator, start: Point, end: Point, sag: float = 0.5) -> None:
    """Flags on a line between two points."""
    solid = Solid()
    count = int(math.dist(start, end) / 0.52)
    at = [
        tuple(start[i] + (end[i] - start[i]) * t - (4 * sag * t * (1 - t) if i == 2 else 0) for i in range(3))
        for t in np.linspace(0, 1, count + 1)
    ]
    solid.tube(at, 0.008, materials.paint("3a342e"), 5)
    for (x0, y0, z0), (x1, y1, z1) in itertools.pairwise(at):
        flag = materials.cloth(props.colour(rng), "efe6d2", "plain")
        ends = [(x0 + (x1 - x0) * k, y0 + (y1 - y0) * k, z0 + (z1 - z0) * k) for k in (0.1, 0.9)]
        tip = ((x0 + x1) / 2, (y0 + y1) / 2 + 0.05, (z0 + z1) / 2 - 0.48)
        solid.add([*ends, tip], [(0, 1, 2)], flag)
    solid.object("Bunting")


def houses(rng: np.random.Generator) -> None:
    """Three sides of the square, a gateway at the back, a bell tower over the roofs."""
    left = (("d9a066", 4.6, 2, "SPICES"), ("b8604a", 4.4, 3, "CLOCKS"), ("8fa58f", 4.4, 3, ""))
    right = (("e0c48a", 4.6, 3, "CAFFE"), ("c9785f", 4.4, 2, "FLOWERS"), ("9fb0b8", 4.4, 3, ""))
    for side, row in ((-1, left), (1, right)):
        y = -2.6
        for colour, width, storeys, word in row:
            wall = materials.plaster(colour, "7a5f48", 0.55)
            architecture.facade(
                rng,
                width,
                storeys,
                (side * 5.3, y + width / 2, 0),
                -side * math.pi / 2,
                wall,
                bool(word),
                word,
            )
            y += width + 0.04
    stone = materials.ashlar("cbb795", 0.55, 0.28)
    architecture.arch(2.6, 3.6, stone, (0.9, 10.4, 0), 0, 0.8, 0.7, 0.9)
    architecture.facade(rng, 4.6, 3, (-3.75, 10.2, 0), 0, materials.bricks("b8775a"), True, "BOOKS")
    architecture.facade(rng, 4.0, 2, (4.85, 10.2, 0), 0, materials.plaster("d8b489", "7a5f48", 0.5))
    architecture.facade(rng, 6.0, 3, (1.2, 17.0, 0), 0, materials.plaster("c99a72"))
    centrepieces.tower((-1.9, 13.5, 0), 11.5, 2.3)
    centrepieces.clock((-1.9, 12.3, 9.6), 0, 1.3)


def square(rng: np.random.Generator) -> None:
    """What stands in the square, from the front to the back."""
    architecture.floor((24, 34), materials.cobbles("9a8d7c", 0.34), (0, 6, 0))
    border = Solid().box((2.2, 15, 0.03), materials.ashlar("b5a88f", 0.6, 0.4), (0, 3, 0))
    border.object("Pavement", (4.2, 0, 0))
    furniture.stall(rng, (-3.3, -0.4, 0), math.pi / 2 - 0.35, 2.4, "FRUIT")
    furniture.stall(rng, (-3.4, 3.4, 0), math.pi / 2 - 0.1, 2.2, "HERBS")
    for x, y, turn, size in ((-2.05, -1.75, 0.35, 0.6), (-1.35, -2.05, -0.2, 0.55), (-1.9, -1.1, 0.9, 0.5)):
        props.crate(rng, (x, y, 0), turn, size)
    props.crate(rng, (-1.95, -1.7, 0.37), 0.1, 0.48)
    props.barrel(rng, (-2.5, 1.5, 0), 0.95)
    props.barrel(rng, (-2.9, 5.2, 0), 0.9)
    centrepieces.fountain((0.75, 3.3, 0), 1.25)
    centrepieces.bust(rng, (0.75, 3.3, 0.9), 0.4)
    for x, y in ((3.35, 2.2), (3.1, 4.6), (2.95, 7.0)):
        furniture.table(rng, (x, y, 0), 0.3, (0.8, 0.8, 0.74))
        furniture.chair(rng, (x - 0.62, y - 0.2, 0), 1.9)
        furniture.chair(rng, (x + 0.6, y + 0.25, 0), -1.2)
    for x, y in ((3.5, 0.0), (2.2, 5.2), (-1.3, 7.9)):
        centrepieces.urn(rng, (x, y, 0), 1.15)
    furniture.street_light(rng, (2.45, 2.1, 0), 3.3)
    furniture.street_light(rng, (-2.3, 6.4, 0), 3.3)
    nature.tree(rng, (-3.6, 7.6, 0), 4.6, "round")
    nature.tree(rng, (3.6, 8.4, 0), 4.2, "round")
    props.potted_plant(rng, (4.35, 1.9, 0), 1.4)
    centrepieces.easel(rng, (1.95, -0.75, 0), -0.35)
    props.book_pile(rng, (2.55, -0.7, 0), 4)
    bunting(rng, (-5.2, 2.0, 4.6), (5.2, 3.6, 4.7), 0.75)
    bunting(rng, (-5.2, 7.0, 4.9), (5.2, 6.2, 4.5), 0.6)


def people(rng: np.random.Generator) -> None:
    """A carter who crosses the square, a stallholder who waves, a woman at the fountain."""
    start, end = (-2.9, 1.15, 0.0), (0.75, 0.85, 0.0)
    carter = figures.person(np.random.default_rng(7), height=1.76)
    figures.walk(carter, figures.line(start, end), FRAMES, 0.62)
    way = (end[0] - start[0], end[1] - start[1])
    length = math.hypot(*way)
    # The cart goes ahead of him, its handles towards him.
    ahead = (way[0] / length * 1.45, way[1] / length * 1.45)
    cart = figures.handcart(rng)
    path = figures.line(
        (start[0] + ahead[0], start[1] + ahead[1], 0), (end[0] + ahead[0], end[1] + ahead[1], 0)
    )

    def pushed(t: float) -> tuple[float, float, float, float]:
        x, y, z, turn = path(t)
        return x, y, z, turn + math.pi

    figures.follow(cart, pushed, FRAMES)
    for arm in (limb for limb in carter.children if limb.name.startswith("Arm")):
        arm.animation_data_clear()
        arm.rotation_euler = (-0.75, 0, 0)
    seller = figures.person(rng, (-2.6, 4.6, 0), 0.7)
    figures.wave_arm(seller, FRAMES, 3.5)
    figures.person(rng, (2.2, 4.6, 0), -0.9)
    figures.person(rng, (0.6, 8.8, 0), 0.2)


def build() -> tuple[bpy.types.Object, bpy.types.Object]:
    """Build the scene into a new file; returns the shot's camera and the reference camera."""
    scene = capture.empty_file()
    scene.name = "Market Square"
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 1280, 720, 20
    scene.frame_start, scene.frame_end = int(FRAMES[0]), int(FRAMES[-1])
    capture.use_cycles(scene, SAMPLES)
    rng = np.random.default_rng(2026)
    houses(rng)
    square(rng)
    people(rng)
    nature.sky("3f76bd", "ecd9b8", 0.8, 1.6, 3.2)
    nature.sun((0.74, 0, -0.48), 6.5, "ffdfa8", 0.03)
    scene.frame_set(scene.frame_start)
    shot, reference = (
        moves.camera(name, MOVE.at, MOVE.look, LENS) for name in ("Shot Camera", "Reference Camera")
    )
    moves.animate(shot, MOVE, 1.0, FRAMES)
    scene.camera = shot
    return shot, reference


def main() -> None:
    target = Path(sys.argv[1]).resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    build()
    bpy.ops.wm.save_as_mainfile(filepath=str(target), compress=True)


if __name__ == "__main__":
    main()
