"""Random dressed places: a room, a hall, a street, a garden, a table top.

A layout builds itself into the current file and returns where the camera starts and what it looks at.
"""

import math

import numpy as np

from . import architecture, figures, furniture, materials, nature, props
from .dressing import FRAMES, floor_surface, furnish, mover, paving, wall_surface
from .props import Rng, pick


def room(rng: Rng, moving: bool) -> tuple:
    """Four walls, a window or two, furniture along the walls and in the middle."""
    width, depth, height = rng.uniform(4.5, 7.5), rng.uniform(4.5, 7.0), rng.uniform(2.6, 3.4)
    paper, boards = wall_surface(rng), materials.paint(str(pick(rng, ("e8e2d2", "5a4332"))))
    architecture.floor((width + 1, depth + 1), floor_surface(rng))
    hole = ((rng.uniform(-0.25, 0.25) * width, 0.9, 1.3, 1.4),)
    architecture.wall(
        width, height, paper, (0, depth / 2, 0), 0, hole if rng.random() < 0.6 else (), skirting=boards
    )
    architecture.wall(
        depth,
        height,
        wall_surface(rng) if rng.random() < 0.3 else paper,
        (-width / 2, 0, 0),
        math.pi / 2,
        hole,
        skirting=boards,
    )
    architecture.wall(depth, height, paper, (width / 2, 0, 0), -math.pi / 2, skirting=boards)
    architecture.wall(width, height, paper, (0, -depth / 2, 0), math.pi, skirting=boards)
    if rng.random() < 0.7:
        architecture.beams(rng, (width, depth), height, every=rng.uniform(0.7, 1.2))
    for x in np.arange(-width / 2 + 0.9, width / 2 - 0.6, 1.7):
        if rng.random() < 0.75:
            furnish(rng, (x + rng.normal(0, 0.1), depth / 2 - 0.32, 0), 0.0)
        if rng.random() < 0.8:
            props.frame(
                rng, rng.uniform(0.4, 0.8), rng.uniform(0.4, 0.6), (x, depth / 2 - 0.03, height * 0.64)
            )
    for side, turn in ((-1, math.pi / 2), (1, -math.pi / 2)):
        for y in np.arange(-depth / 2 + 1.0, depth / 2 - 1.0, 1.8):
            if rng.random() < 0.6:
                furnish(rng, (side * (width / 2 - 0.34), y, 0), turn)
            if rng.random() < 0.6:
                props.frame(
                    rng,
                    rng.uniform(0.35, 0.7),
                    rng.uniform(0.35, 0.6),
                    (side * (width / 2 - 0.03), y, height * 0.62),
                    turn,
                )
    if rng.random() < 0.7:
        furniture.rug(rng, (0, 0.2, 0.01), rng.normal(0, 0.3), (rng.uniform(1.8, 2.6), rng.uniform(1.3, 1.9)))
    if rng.random() < 0.75:
        furniture.table(
            rng,
            (rng.normal(0, 0.3), rng.uniform(0, 0.6), 0),
            rng.normal(0, 0.4),
            (rng.uniform(1.0, 1.6), 0.8, 0.74),
        )
        for side in (-1, 1):
            furniture.chair(
                rng,
                (side * rng.uniform(0.8, 1.1), rng.uniform(-0.3, 0.6), 0),
                side * -1.4 + rng.normal(0, 0.4),
            )
    for _ in range(int(rng.integers(1, 4))):
        spot = (rng.uniform(-0.4, 0.4) * width, rng.uniform(-0.3, 0.1) * depth, 0)
        (props.chest, props.crate)[rng.integers(2)](rng, spot, rng.uniform(0, 3))
    if moving:
        mover(rng, (rng.normal(0, 0.4), -0.3, 0), 0.9)
    nature.sky(strength=1.6, seed=rng.uniform(0, 9))
    nature.sun((rng.uniform(0.6, 1.0), 0, rng.uniform(-2.2, -0.9)), 5.0)
    nature.area(
        (0, 0, height - 0.25),
        (0, 0, 0),
        rng.uniform(90, 200),
        (width * 0.6, depth * 0.6),
        str(pick(rng, ("fff4e0", "ffe2bd", "e8f0ff"))),
    )
    at = (rng.uniform(-0.3, 0.3) * width, -depth / 2 + rng.uniform(0.35, 0.8), rng.uniform(1.0, 1.8))
    return at, (rng.uniform(-0.25, 0.25) * width, depth * rng.uniform(0.1, 0.4), rng.uniform(0.7, 1.2))


def hall(rng: Rng, moving: bool) -> tuple:
    """Rows of arches or pillars, pictures behind them, things between."""
    stone = (
        materials.ashlar("b8a88c"),
        materials.marble(),
        materials.plaster("d8c4a0"),
        materials.bricks("a8604a"),
    )[rng.integers(4)]
    length, half = 11.0, rng.uniform(1.8, 2.8)
    architecture.floor((9, length + 4), floor_surface(rng), (0, length / 2 - 2, 0))
    bay = 2.3
    for k in range(5):
        y = k * bay
        for side in (-1, 1):
            if k % 2 == 0 or rng.random() < 0.7:
                if rng.random() < 0.55:
                    architecture.arch(1.6, 2.6, stone, (side * half, y, 0), math.pi / 2 * side, 0.4, 0.35)
                else:
                    architecture.pillar(stone, (side * half, y, 0), 3.2, 0.2)
    back = wall_surface(rng)
    for side in (-1, 1):
        architecture.wall(
            length + 4, 3.4, back, (side * (half + 1.3), length / 2 - 2, 0), -side * math.pi / 2
        )
        for y in np.arange(-1, length, 1.9):
            props.frame(
                rng,
                rng.uniform(0.7, 1.1),
                rng.uniform(0.6, 1.0),
                (side * (half + 1.27), y, 1.1),
                -side * math.pi / 2,
            )
    architecture.wall(
        9, 3.8, back, (0, length - 0.5, 0), 0, ((0, 0, 1.2, 2.3),) if rng.random() < 0.5 else ()
    )
    if rng.random() < 0.5:
        architecture.stairs(stone, (rng.uniform(-0.8, 0.8), length * 0.55, 0), 0, 6)
    for _ in range(int(rng.integers(5, 9))):
        spot = (rng.uniform(-half + 0.4, half - 0.4), rng.uniform(0.4, length * 0.7), 0)
        kind = rng.integers(5)
        if kind == 0:
            props.barrel(rng, spot)
        elif kind == 1:
            furniture.bench(rng, spot, rng.uniform(0, 6))
        elif kind == 2:
            props.potted_plant(rng, spot, 1.3)
        elif kind == 3:
            props.vase(rng, spot, rng.uniform(0.5, 0.9))
        else:
            props.chest(rng, spot, rng.uniform(0, 3))
    if moving:
        mover(rng, (0, 2.2, 0), half * 0.7)
    nature.sky(strength=0.9, seed=rng.uniform(0, 9))
    nature.sun((rng.uniform(0.5, 0.9), 0, rng.uniform(0, 6)), 4.5)
    return (rng.uniform(-0.8, 0.8), -1.4, rng.uniform(1.2, 1.9)), (
        rng.uniform(-0.8, 0.8),
        4.0,
        rng.uniform(1.0, 1.5),
    )


def street(rng: Rng, moving: bool) -> tuple:
    """Two rows of houses with shops, stalls, lights, trees."""
    half = rng.uniform(2.4, 3.6)
    architecture.floor((24, 40), paving(rng), (0, 10, 0))
    for side in (-1, 1):
        y = -2.0
        while y < 14:
            width = rng.uniform(3.5, 5.5)
            body = materials.bricks(str(pick(rng, ("9a4f38", "b8775a")))) if rng.random() < 0.4 else None
            architecture.facade(
                rng,
                width,
                int(rng.integers(1, 4)),
                (side * half, y + width / 2, 0),
                -side * math.pi / 2,
                body,
                rng.random() < 0.5,
            )
            y += width + 0.05
    architecture.facade(rng, 9.0, 3, (0, 14.5, 0))
    for _ in range(int(rng.integers(4, 8))):
        side = float(pick(rng, (-1.0, 1.0)))
        spot = (side * (half - rng.uniform(0.6, 1.2)), rng.uniform(1.0, 9.0), 0)
        kind = rng.integers(6)
        if kind == 0:
            furniture.stall(rng, spot, -side * math.pi / 2)
        elif kind == 1:
            furniture.street_light(rng, spot)
        elif kind == 2:
            nature.tree(rng, spot, 3.2)
        elif kind == 3:
            furniture.bench(rng, spot, -side * math.pi / 2)
        elif kind == 4:
            props.barrel(rng, spot)
        else:
            props.crate(rng, spot, rng.uniform(0, 3), 0.6)
    if rng.random() < 0.4:
        figures.person(rng, (rng.uniform(-1, 1), rng.uniform(3, 6), 0), rng.uniform(0, 6))
    if moving:
        mover(rng, (0, rng.uniform(2.5, 4.0), 0), 1.6)
    nature.sky(
        str(pick(rng, ("4f82b8", "6f8aa8", "7a6a8a"))),
        str(pick(rng, ("cfdbe2", "e8cfae"))),
        strength=1.6,
        seed=rng.uniform(0, 9),
    )
    nature.sun((rng.uniform(0.3, 0.8), 0, rng.uniform(0, 6)), 5.0)
    return (rng.uniform(-1, 1), -2.6, rng.uniform(1.3, 2.0)), (rng.uniform(-1, 1), 4.5, rng.uniform(1.2, 1.7))


def garden(rng: Rng, moving: bool) -> tuple:
    """Rolling ground, trees, bushes, rocks, a fence, a bench."""
    size = 40.0
    heights = nature.hills(rng, size, rng.uniform(1.0, 3.5))
    ground = (
        materials.grass("5b7a35"),
        materials.grass("6f8a3a", "b8a860"),
        materials.earth(),
        materials.earth("b0946a", "d8c8a8"),
    )[rng.integers(4)]
    nature.ground(rng, heights, size, ground)

    def spot(near: float, far: float) -> tuple[float, float, float]:
        x, y = rng.uniform(-1, 1) * far * 0.8, rng.uniform(near, far)
        return x, y, nature.height_at(heights, size, x, y) - 0.03

    for _ in range(int(rng.integers(7, 12))):
        nature.tree(rng, spot(4.0, 13.0), rng.uniform(2.5, 5.5))
    for _ in range(int(rng.integers(5, 9))):
        nature.bush(rng, spot(0.5, 7.0), rng.uniform(0.4, 0.9), rng.random() < 0.5)
    for _ in range(int(rng.integers(4, 8))):
        nature.boulder(rng, spot(0.3, 7.0), rng.uniform(0.25, 0.8))
    nature.tufts(rng, [spot(-1.5, 4.0) for _ in range(60)], materials.grass())
    if rng.random() < 0.6:
        architecture.fence(rng, 6.0, (rng.uniform(-2, 2), rng.uniform(3.5, 6.0), 0), rng.normal(0, 0.3))
    if rng.random() < 0.6:
        furniture.bench(rng, (rng.uniform(-1.5, 1.5), rng.uniform(1.2, 3.5), 0), rng.uniform(-0.7, 0.7))
    if rng.random() < 0.5:
        architecture.arch(
            1.6, 2.4, materials.ashlar("a89c88"), (rng.uniform(-1.5, 1.5), 3.4, 0), rng.normal(0, 0.4)
        )
    if rng.random() < 0.5:
        architecture.facade(rng, 5.0, 1, (rng.uniform(-4, 4), 9.0, 0), rng.normal(0, 0.2))
    if moving:
        mover(rng, (0, rng.uniform(1.5, 2.6), 0), 1.3)
    nature.sky(
        str(pick(rng, ("4f82b8", "6f8aa8", "5a7ab0"))),
        str(pick(rng, ("cfdbe2", "e8d8b8"))),
        rng.uniform(0.3, 1.0),
        seed=rng.uniform(0, 9),
    )
    nature.sun((rng.uniform(0.4, 1.1), 0, rng.uniform(0, 6)), 4.5)
    return (rng.uniform(-1, 1), -3.0, rng.uniform(1.0, 1.8)), (
        rng.uniform(-0.6, 0.6),
        2.5,
        rng.uniform(0.6, 1.2),
    )


def table_top(rng: Rng, moving: bool) -> tuple:
    """A crowded table seen close before a wall with shelves."""
    architecture.floor((6, 5), floor_surface(rng))
    architecture.wall(6, 3, wall_surface(rng), (0, 1.1, 0))
    furniture.table(rng, (0, 0.1, 0), 0, (1.9, 1.0, 0.75), laid=False)
    if rng.random() < 0.5:
        furniture.shelf(rng, (rng.uniform(-0.9, 0.9), 0.92, 0), 0, 1.3, 1.9)
    for _ in range(int(rng.integers(1, 4))):
        props.frame(
            rng,
            rng.uniform(0.3, 0.6),
            rng.uniform(0.3, 0.5),
            (rng.uniform(-1.3, 1.3), 1.07, rng.uniform(1.1, 1.4)),
        )
    taken: list[tuple[float, float]] = []
    for _ in range(40):
        x, y = rng.uniform(-0.85, 0.85), rng.uniform(-0.3, 0.5)
        if all(math.hypot(x - a, y - b) > 0.2 for a, b in taken):
            taken.append((x, y))
            if rng.random() < 0.15:
                props.crate(rng, (x, y, 0.75), rng.uniform(0, 3), 0.3)
            elif rng.random() < 0.12:
                props.potted_plant(rng, (x, y, 0.75), 0.45)
            else:
                props.clutter(rng, (x, y, 0.75), rng.uniform(0.2, 0.4))
    if moving:
        if rng.random() < 0.5:
            y = rng.uniform(-0.38, 0.1)
            figures.follow(props.toy(rng), lambda t: (-0.7 + 1.2 * t, y, 0.75, math.pi), FRAMES)
        else:
            figures.bounce(
                props.ball(rng, radius=0.07),
                figures.line((0.7, -0.35, 0.75), (-0.6, 0.1, 0.75)),
                FRAMES,
                0.25,
            )
    nature.sky(strength=0.8, seed=rng.uniform(0, 9))
    side = float(pick(rng, (-1.0, 1.0)))
    nature.area(
        (side * 2.2, -1.0, 2.4),
        (0.7, 0, side * 1.2),
        rng.uniform(60, 140),
        (1.2, 1.2),
        str(pick(rng, ("fff4e0", "ffd9a8", "dfeaff"))),
    )
    return (rng.uniform(-0.4, 0.4), rng.uniform(-1.5, -1.1), rng.uniform(1.15, 1.6)), (
        rng.uniform(-0.25, 0.25),
        0.2,
        rng.uniform(0.8, 0.95),
    )


LAYOUTS = (room, hall, street, garden, table_top)
