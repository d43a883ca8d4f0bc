"""Furniture, market stalls and street furniture, dressed with props.

Makers return one object, or the empty of a group.
"""

import math

import bpy
import numpy as np

from . import materials, pictures, props
from .props import Rng, pick
from .solids import Point, Solid, group


def table(
    rng: Rng,
    at: Point = (0, 0, 0),
    turn: float = 0.0,
    size: tuple[float, float, float] = (1.4, 0.8, 0.75),
    laid: bool = True,
) -> bpy.types.Object:
    """A table with things on it."""
    width, depth, height = size
    solid = Solid()
    tone = str(pick(rng, props.WOODS))
    leg = materials.wood(tone, materials.QUARTER)
    solid.box((width, depth, 0.04), materials.planks(tone, 0.16, 3.0), (0, 0, height - 0.04))
    solid.box((width - 0.16, depth - 0.16, 0.08), materials.wood(tone), (0, 0, height - 0.12))
    for x in (-1, 1):
        for y in (-1, 1):
            solid.box((0.07, 0.07, height - 0.04), leg, (x * (width / 2 - 0.08), y * (depth / 2 - 0.08), 0))
    if laid and rng.random() < 0.4:
        solid.box((width * 0.4, depth + 0.02, 0.006), props.some_cloth(rng), (rng.normal(0, 0.1), 0, height))
    things = [solid.object("Table", bevel=0.008)]
    if laid:
        for k in range(int(rng.integers(3, 6))):
            x = -width * 0.38 + k * width * 0.17 + rng.normal(0, 0.02)
            things.append(props.clutter(rng, (x, rng.uniform(-0.28, 0.28) * depth, height + 0.006)))
        if rng.random() < 0.3:
            things.append(props.table_lamp(rng, (width * 0.4, depth * 0.2, height)))
    return group("Table", things, at, turn)


def chair(rng: Rng, at: Point = (0, 0, 0), turn: float = 0.0) -> bpy.types.Object:
    """A chair whose sitter looks along −y."""
    solid = Solid()
    tone = str(pick(rng, props.WOODS))
    frame = (
        materials.wood(tone, materials.QUARTER) if rng.random() < 0.6 else materials.worn(props.colour(rng))
    )
    for x in (-0.19, 0.19):
        solid.box((0.04, 0.04, 0.45), frame, (x, -0.19, 0)).box(
            (0.04, 0.04, 0.95), frame, (x, 0.19, 0), (-0.08, 0, 0)
        )
    solid.box((0.44, 0.44, 0.03), frame, (0, 0, 0.43)).box(
        (0.4, 0.4, 0.04), props.some_cloth(rng), (0, -0.01, 0.46)
    )
    for z in (0.62, 0.74, 0.86):
        solid.box((0.38, 0.02, 0.06), frame, (0, 0.19 + z * 0.07, z))
    solid.box((0.38, 0.02, 0.03), frame, (0, -0.19, 0.2))
    return solid.object("Chair", at, turn, bevel=0.006)


def stool(rng: Rng, at: Point = (0, 0, 0)) -> bpy.types.Object:
    solid = Solid()
    leg = materials.metal("3c3c3f")
    for k in range(4):
        angle = k * math.pi / 2 + 0.4
        solid.tube(
            [
                (0.2 * math.cos(angle), 0.2 * math.sin(angle), 0),
                (0.12 * math.cos(angle), 0.12 * math.sin(angle), 0.62),
            ],
            0.015,
            leg,
        )
    solid.lathe([(0.17, 0.6), (0.19, 0.62), (0.19, 0.66), (0.16, 0.68)], props.some_wood(rng))
    return solid.object("Stool", at)


def shelf(
    rng: Rng,
    at: Point = (0, 0, 0),
    turn: float = 0.0,
    width: float = 1.2,
    height: float = 1.9,
    depth: float = 0.32,
) -> bpy.types.Object:
    """Shelves against a wall behind them (+y), filled."""
    solid = Solid()
    tone = str(pick(rng, props.WOODS))
    board, side = materials.wood(tone), materials.wood(tone, materials.QUARTER)
    levels = int(height / 0.37)
    gap = height / levels
    for x in (-1, 1):
        solid.box((0.03, depth, height + 0.03), side, (x * width / 2, 0, 0))
    for level in range(levels + 1):
        solid.box((width, depth, 0.025), board, (0, 0, level * gap))
    solid.box(
        (width, 0.012, height), materials.planks(tone, 0.2, 4.0, materials.QUARTER), (0, depth / 2 - 0.01, 0)
    )
    things = [solid.object("Shelf", bevel=0.004)]
    for level in range(levels):
        z, x = level * gap + 0.026, -width / 2 + 0.08
        while x < width / 2 - 0.2:
            if rng.random() < 0.55:
                room = min(rng.uniform(0.2, 0.6), width / 2 - x - 0.04)
                things.append(props.books(rng, room, (x + room / 2, 0, z)))
                x += room + 0.08
            else:
                things.append(props.clutter(rng, (x + 0.1, -0.02, z), gap - 0.04))
                x += rng.uniform(0.22, 0.34)
    return group("Shelf", things, at, turn)


def cabinet(rng: Rng, at: Point = (0, 0, 0), turn: float = 0.0, width: float = 1.1) -> bpy.types.Object:
    """A chest of drawers with things on top, its back towards +y."""
    solid = Solid()
    body = materials.worn(props.colour(rng)) if rng.random() < 0.5 else props.some_wood(rng)
    front = props.some_wood(rng)
    knob = materials.metal("b08d4a", 0.35)
    height, depth = 0.9, 0.45
    solid.box((width, depth, height - 0.08), body, (0, 0, 0.08)).box(
        (width + 0.06, depth + 0.06, 0.03), front, (0, 0, height)
    )
    for x in (-1, 1):
        solid.box((0.06, 0.06, 0.08), front, (x * (width / 2 - 0.06), -depth / 2 + 0.05, 0))
        for row in range(3):
            z = 0.13 + row * 0.25
            solid.box((width / 2 - 0.06, 0.02, 0.21), front, (x * width / 4, -depth / 2 - 0.006, z))
            solid.ball(0.018, knob, (x * width / 4, -depth / 2 - 0.03, z + 0.1), segments=8)
    things = [solid.object("Cabinet", bevel=0.006)]
    for x in np.arange(-width / 2 + 0.15, width / 2 - 0.1, 0.27):
        things.append(props.clutter(rng, (x, rng.uniform(-0.08, 0.08), height + 0.03), 0.5))
    return group("Cabinet", things, at, turn)


def sofa(rng: Rng, at: Point = (0, 0, 0), turn: float = 0.0, width: float = 1.9) -> bpy.types.Object:
    """A sofa facing −y with cushions."""
    solid = Solid()
    cover = props.some_cloth(rng)
    solid.box((width, 0.85, 0.26), cover, (0, 0, 0.12)).box(
        (width, 0.24, 0.5), cover, (0, 0.33, 0.34), (-0.12, 0, 0)
    )
    for x in (-1, 1):
        solid.box((0.2, 0.85, 0.44), cover, (x * (width / 2 - 0.08), 0, 0.14))
        solid.box((width / 2 - 0.22, 0.62, 0.14), cover, (x * (width / 4 - 0.06), -0.08, 0.38))
        solid.box((0.05, 0.05, 0.12), props.some_wood(rng), (x * (width / 2 - 0.1), -0.35, 0))
    things = [solid.object("Sofa", bevel=0.05)]
    for x in (-0.55, -0.2, 0.5):
        cushion = Solid().box(
            (0.42, 0.14, 0.4), props.some_cloth(rng), (0, 0, 0), (-0.35, 0, rng.normal(0, 0.15))
        )
        things.append(cushion.object("Cushion", (x, 0.08, 0.5), bevel=0.06))
    return group("Sofa", things, at, turn)


def rug(
    rng: Rng, at: Point = (0, 0, 0), turn: float = 0.0, size: tuple[float, float] = (2.4, 1.6)
) -> bpy.types.Object:
    solid = Solid()
    pile = materials.picture(pictures.rug(rng), "rug", 0.95)
    solid.panel(size[0], size[1], pile, (0, size[1] / 2, 0.012), (-math.pi / 2, 0, 0))
    solid.box((*size, 0.01), props.some_cloth(rng))
    return solid.object("Rug", at, turn)


def bench(rng: Rng, at: Point = (0, 0, 0), turn: float = 0.0, width: float = 1.6) -> bpy.types.Object:
    """A park bench facing −y."""
    solid = Solid()
    slat, iron = props.some_wood(rng), materials.metal("2f3532")
    for x in (-1, 1):
        solid.box((0.05, 0.45, 0.05), iron, (x * width * 0.4, 0, 0.38)).box(
            (0.05, 0.05, 0.4), iron, (x * width * 0.4, -0.18, 0)
        )
        solid.box((0.05, 0.05, 0.85), iron, (x * width * 0.4, 0.2, 0), (-0.12, 0, 0))
    for k in range(4):
        solid.box((width, 0.09, 0.025), slat, (0, -0.17 + k * 0.11, 0.43))
    for z in (0.58, 0.72):
        solid.box((width, 0.025, 0.1), slat, (0, 0.2 + z * 0.1, z))
    return solid.object("Bench", at, turn, bevel=0.006)


def stall(
    rng: Rng, at: Point = (0, 0, 0), turn: float = 0.0, width: float = 2.0, word: str = ""
) -> bpy.types.Object:
    """A market stall facing −y: posts, striped awning, a counter with crates and a sign."""
    solid = Solid()
    post = props.some_wood(rng, materials.QUARTER)
    for x in (-1, 1):
        solid.box((0.07, 0.07, 2.1), post, (x * width / 2, -0.45, 0)).box(
            (0.07, 0.07, 2.45), post, (x * width / 2, 0.55, 0)
        )
    solid.box((width, 0.9, 0.04), props.some_wood(rng), (0, 0, 0.78)).box(
        (width, 0.04, 0.72), materials.planks(str(pick(rng, props.WOODS)), 0.12, 1.2), (0, -0.42, 0.06)
    )
    awning = materials.cloth(props.colour(rng), "efe6d2", "stripes", 0.22)
    wave = (
        np.zeros((8, 12))
        + np.linspace(0.0, 0.42, 8)[:, None]
        + 0.02 * np.sin(np.arange(12) * 1.9)[None] * np.linspace(1, 0.2, 8)[:, None]
    )
    solid.sheet(wave, (width + 0.3, 1.5), awning, (0, 0.0, 2.08))
    for k in range(int((width + 0.3) / 0.2)):
        x = -(width + 0.3) / 2 + 0.1 + k * 0.2
        solid.slab(
            [(x - 0.1, 0), (x - 0.07, -0.12), (x + 0.07, -0.12), (x + 0.1, 0)], 0.01, awning, (0, -0.76, 2.1)
        )
    things = [solid.object("Stall")]
    board = Solid().panel(
        width * 0.7,
        0.3,
        materials.picture(
            pictures.sign(
                word or str(pick(rng, pictures.WORDS)),
                str(pick(rng, ("20443a", "6b2220", "23364f"))),
                "f0e3c2",
            )
        ),
    )
    things.append(board.object("Sign", (0, -0.48, 1.62)))
    for x in np.arange(-width / 2 + 0.3, width / 2 - 0.1, 0.46):
        things.append(props.crate(rng, (x, -0.15, 0.82), 0.0, 0.4))
        if rng.random() < 0.6:
            things.append(props.clutter(rng, (x, 0.25, 0.82)))
    return group("Stall", things, at, turn)


def street_light(rng: Rng, at: Point = (0, 0, 0), height: float = 3.2, lit: float = 2.0) -> bpy.types.Object:
    solid = Solid()
    iron = materials.metal("2c3331")
    solid.lathe(
        [(0.14, 0), (0.14, 0.12), (0.07, 0.3), (0.05, 0.9), (0.04, height - 0.5), (0.08, height - 0.45)], iron
    )
    solid.lathe([(0.09, height - 0.45), (0.16, height - 0.1)], materials.glow("ffe2ad", lit), segments=6)
    solid.lathe([(0.19, height - 0.1), (0.03, height + 0.06), (0.02, height + 0.14)], iron, segments=6)
    return solid.object("Street Light", at)


def ladder(rng: Rng, at: Point = (0, 0, 0), turn: float = 0.0, height: float = 2.2) -> bpy.types.Object:
    """Leaning towards +y."""
    solid = Solid()
    rail, lean = props.some_wood(rng, materials.QUARTER), -0.22
    for x in (-0.2, 0.2):
        solid.box((0.04, 0.06, height), rail, (x, 0, 0), (lean, 0, 0))
    for z in np.arange(0.3, height, 0.3):
        solid.box((0.4, 0.03, 0.03), rail, (0, z * 0.22, z * 0.975))
    return solid.object("Ladder", at, turn)
