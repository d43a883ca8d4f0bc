"""What random places are dressed with: surfaces for walls and floors, a piece of furniture, something that moves."""

import math

import bpy
import numpy as np

from . import figures, furniture, materials, props
from .props import Rng, pick

FRAMES = np.arange(1, 22)
"""What moves is keyed over these."""


def wall_surface(rng: Rng) -> bpy.types.Material:
    kind = rng.integers(6)
    if kind == 0:
        return materials.bricks(str(pick(rng, ("9a4f38", "b8775a", "7a6a5c", "c9bfb0"))))
    if kind == 1:
        return materials.wallpaper(
            str(pick(rng, ("c9b79a", "7f9a94", "b08a7a", "5a6b7d"))),
            str(pick(rng, ("8a6a4a", "e6dcc4", "3f5a52"))),
            float(pick(rng, (0.14, 0.22, 0.3))),
            str(pick(rng, ("stripes", "dots", "diamonds"))),
        )
    if kind == 2:
        return materials.planks(str(pick(rng, props.WOODS)), 0.16, 2.4, materials.QUARTER)
    if kind == 3:
        return materials.concrete(str(pick(rng, ("8d8a85", "a39a8c", "6f7478"))))
    if kind == 4:
        return materials.tiles(
            str(pick(rng, ("d8d2c2", "8fb0a8", "c9a050"))),
            str(pick(rng, ("7fa0a8", "e8e2d2", "4a6a7a"))),
            0.2,
        )
    return materials.plaster(str(pick(rng, ("d8c8a8", "b8694a", "8fa3a0", "c9b7b0", "6f8a7a", "c9a860"))))


def floor_surface(rng: Rng) -> bpy.types.Material:
    kind = rng.integers(4)
    if kind == 0:
        return materials.planks(
            str(pick(rng, props.WOODS)),
            float(pick(rng, (0.12, 0.18))),
            1.4,
            float(pick(rng, (0.0, materials.QUARTER))),
        )
    if kind == 1:
        return materials.tiles(
            str(pick(rng, ("d8cfc0", "a85a3c", "3a3a3f"))),
            str(pick(rng, ("3f4a52", "e8e0d0", "8a6a50"))),
            float(pick(rng, (0.25, 0.4))),
            turn=float(pick(rng, (0.0, 0.785))),
        )
    if kind == 2:
        return materials.ashlar(str(pick(rng, ("a89c88", "8a8a8a"))), 0.6, 0.4)
    return materials.concrete()


def paving(rng: Rng) -> bpy.types.Material:
    return (materials.cobbles, materials.ashlar, materials.bricks, materials.earth)[rng.integers(4)](
        str(pick(rng, ("7d7468", "8a7a66", "9a8a78")))
    )


def furnish(rng: Rng, at: tuple[float, float, float], turn: float) -> None:
    """One piece that stands before a wall."""
    kind = rng.integers(6)
    if kind < 2:
        furniture.shelf(rng, at, turn, rng.uniform(0.8, 1.4), float(pick(rng, (1.1, 1.5, 1.9))))
    elif kind == 2:
        furniture.cabinet(rng, at, turn)
    elif kind == 3:
        furniture.sofa(rng, (at[0] + 0.25 * math.sin(turn), at[1] - 0.25 * math.cos(turn), 0), turn)
    elif kind == 4:
        furniture.table(
            rng, (at[0] + 0.2 * math.sin(turn), at[1] - 0.2 * math.cos(turn), 0), turn, (1.3, 0.6, 0.8)
        )
    else:
        props.potted_plant(rng, at, rng.uniform(0.8, 1.5))


def mover(rng: Rng, centre: tuple[float, float, float], reach: float) -> None:
    """Something that moves about a place."""
    kind = rng.integers(5)
    angle = rng.uniform(0, math.tau)
    start = (centre[0] + reach * math.cos(angle), centre[1] + 0.6 * reach * math.sin(angle), centre[2])
    end = (centre[0] - reach * math.cos(angle), centre[1] - 0.6 * reach * math.sin(angle), centre[2])
    if kind < 2:
        figures.walk(figures.person(rng, height=rng.uniform(1.5, 1.85)), figures.line(start, end), FRAMES)
    elif kind == 2:
        ball = props.ball(rng, start, 0.18)
        figures.bounce(ball, figures.line(start, end), FRAMES)
    elif kind == 3:
        first = rng.uniform(0, 6.28)
        figures.follow(
            figures.handcart(rng), figures.circle(centre, reach, first, first + rng.uniform(0.6, 1.2)), FRAMES
        )
    else:
        figure = figures.person(rng, centre, rng.uniform(-0.8, 0.8))
        figures.wave_arm(figure, FRAMES, rng.uniform(0.6, 1.6))
