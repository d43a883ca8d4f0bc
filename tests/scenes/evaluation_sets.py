"""Seven hand-made sets to measure on: each builds itself and returns its shot.

None of them is a training layout: other compositions, other colours, parts that training doesn't have.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import bpy
import numpy as np

from . import architecture, capture, centrepieces, figures, furniture, materials, moves, nature, props
from .moves import Move
from .solids import Point, Solid

FRAMES = np.arange(1, 34)


@dataclass(frozen=True)
class Shot:
    """A set's camera move, and where its reference is taken."""

    move: Move
    lens: float
    coverage: float
    """What the move's end is to share with its start; 1 for a still camera."""
    dynamic: bool = False
    reference: Point | None = None
    """Where the reference camera stands if not at the start of the move."""


def reading_room() -> Shot:
    """An interior by window light: bookshelves, an armchair corner, a desk with a globe."""
    rng = np.random.default_rng(101)
    paper = materials.wallpaper("51685f", "6f8574", 0.26, "diamonds")
    architecture.floor((8, 7), materials.planks("8f6238", 0.15, 1.6, 0.6))
    skirting = materials.paint("d9cfb8")
    architecture.wall(6.4, 3.0, paper, (0, 2.4, 0), 0, skirting=skirting)
    architecture.wall(
        5.2,
        3.0,
        paper,
        (-3.1, 0, 0),
        math.pi / 2,
        ((-0.9, 0.8, 1.1, 1.7), (0.9, 0.8, 1.1, 1.7)),
        skirting=skirting,
    )
    architecture.wall(5.2, 3.0, paper, (3.1, 0, 0), -math.pi / 2, skirting=skirting)
    architecture.beams(rng, (6.4, 5.2), 3.0, every=1.1)
    for y in (-0.9, 0.9):
        architecture.window(rng, 1.1, 1.7, (-3.05, y, 0.8), math.pi / 2, curtains=True)
    furniture.shelf(rng, (-1.5, 2.2, 0), 0, 1.5, 2.2)
    furniture.shelf(rng, (0.15, 2.2, 0), 0, 1.5, 2.2)
    props.frame(rng, 0.9, 0.65, (1.85, 2.37, 1.45))
    furniture.cabinet(rng, (1.9, 2.12, 0), 0, 1.3)
    furniture.rug(rng, (-0.2, 0.3, 0.01), 0.12, (2.8, 1.9))
    furniture.sofa(rng, (2.45, 0.4, 0), -math.pi / 2 - 0.1, 1.6)
    furniture.table(rng, (-1.55, 0.75, 0), 0.3, (1.25, 0.7, 0.76))
    centrepieces.globe((-0.25, 1.2, 0.0), 0.34)
    furniture.chair(rng, (-1.0, -0.1, 0), 2.6)
    props.floor_lamp(rng, (2.55, 1.75, 0))
    props.potted_plant(rng, (1.0, 1.75, 0), 1.25)
    props.book_pile(rng, (0.75, 0.2, 0.02), 6)
    props.frame(rng, 0.6, 0.8, (3.07, 0.9, 1.3), -math.pi / 2)
    nature.sky("6f9ac8", "dfe8ee", strength=1.5)
    nature.sun((0.95, 0, -1.25), 11.0, "ffe0b0")
    for y in (-0.9, 0.9):
        nature.area((-3.0, y, 1.7), (0, -math.pi / 2, 0), 85, (1.5, 1.0), "dfeaff")
    nature.area((0.4, -0.5, 2.75), (0, 0, 0), 95, (3, 3))
    return Shot(Move((0.9, -2.2, 1.5), (-0.2, 1.4, 1.05), yaw=-20, shift=(-0.3, 0.0, 0.2)), 24, 0.72)


def market_street() -> Shot:
    """A street with stalls; a walker and a handcart cross it."""
    rng = np.random.default_rng(202)
    architecture.floor((20, 30), materials.cobbles("8d8478", 0.2), (0, 8, 0))
    for x, y, width, storeys, turn, colour, word in (
        (-3.6, 1.2, 4.6, 2, math.pi / 2, "cf9a5f", "SPICES"), (-3.9, 6.0, 4.8, 3, math.pi / 2 + 0.1, "8fa89a", "BOOKS"),
        (3.7, 1.0, 4.4, 3, -math.pi / 2, "c4705a", "FLOWERS"), (4.0, 5.6, 4.6, 2, -math.pi / 2 - 0.08, "dfcfae", "TEA"),
        (0.2, 11.0, 8.0, 3, 0.0, "a88fa0", "THEATRE"),
    ):  # fmt: skip
        architecture.facade(rng, width, storeys, (x, y, 0), turn, materials.plaster(colour), True, word)
    centrepieces.tower((-4.5, 15, 0), 13.0)
    furniture.stall(rng, (-2.2, 3.1, 0), math.pi / 2 - 0.2, 2.2, "FRUIT")
    furniture.stall(rng, (2.3, 4.6, 0), -math.pi / 2 + 0.25, 2.0, "OLIVES")
    furniture.street_light(rng, (2.4, 1.9, 0))
    props.barrel(rng, (-1.9, 1.4, 0))
    props.crate(rng, (-1.35, 1.0, 0), 0.4, 0.55)
    props.crate(rng, (1.9, 2.7, 0), -0.5, 0.55)
    centrepieces.urn(rng, (2.35, 0.6, 0))
    nature.tree(rng, (-0.3, 8.2, 0), 4.2, "round")
    figures.person(rng, (-1.35, 3.4, 0), 1.2)
    figures.person(rng, (1.35, 4.9, 0), -1.3)
    figures.walk(figures.person(rng), figures.line((-1.5, 2.1, 0), (0.5, 2.6, 0)), FRAMES)
    figures.follow(figures.handcart(rng), figures.line((1.2, 6.2, 0), (-0.4, 4.6, 0)), FRAMES)
    nature.sky("4a7ab5", "e3dccb", 0.7, 1.25, 4.0)
    nature.sun((0.5, 0, 0.25), 6.5, "ffe6bd")
    return Shot(
        Move((0.3, -2.4, 1.65), (0.0, 4.0, 1.5), shift=(0.5, 0.05, 0.5), yaw=12), 26, 0.75, dynamic=True
    )


def courtyard() -> Shot:
    """An arcade round a fountain, urns, a pergola."""
    rng = np.random.default_rng(303)
    stone, wall = materials.ashlar("c9b48c", 0.55, 0.28), materials.plaster("d08f62", "7a5a44", 0.5)
    architecture.floor(
        (18, 18), materials.tiles("c9ab84", "a5694a", 0.5, turn=0.785, roughness=0.7), (0, 3, 0)
    )
    for x in (-3.4, -1.13, 1.13, 3.4):
        architecture.arch(1.55, 2.7, stone, (x, 5.0, 0), 0, 0.5, 0.36)
    for y in (0.6, 2.87):
        architecture.arch(1.55, 2.7, stone, (-4.9, y, 0), math.pi / 2, 0.5, 0.36)
    architecture.wall(14, 4.6, wall, (0, 7.2, 0), 0, ((-3.3, 0, 1.0, 2.2), (3.3, 0.9, 1.2, 1.4)))
    architecture.wall(12, 4.6, wall, (-6.8, 3, 0), math.pi / 2)
    architecture.wall(12, 4.6, materials.plaster("d8b070"), (5.6, 3, 0), -math.pi / 2, ((1.0, 0, 1.1, 2.2),))
    architecture.door(rng, (-3.3, 7.25, 0))
    architecture.window(rng, 1.2, 1.4, (3.3, 7.2, 0.9), 0, materials.glaze("28333d"))
    architecture.facade(rng, 8, 2, (1, 9.5, 0), 0, materials.plaster("e0cba0"))
    centrepieces.fountain((0.3, 1.9, 0))
    centrepieces.pergola((4.1, 2.2, 0), 0.0, 3.6, 1.6)
    for place in ((-2.4, 3.9, 0), (2.3, 4.2, 0), (-3.9, -0.6, 0)):
        centrepieces.urn(rng, place)
    furniture.bench(rng, (-2.2, 1.9, 0), 1.3)
    furniture.bench(rng, (4.2, 2.6, 0), -1.5)
    props.barrel(rng, (-3.9, 4.0, 0))
    nature.bush(rng, (1.9, 0.4, 0), 0.7, True)
    nature.bush(rng, (-1.7, 0.0, 0), 0.6, True)
    centrepieces.bust(rng, (-1.1, 6.3, 0))
    centrepieces.bust(rng, (1.2, 6.3, 0))
    nature.tree(rng, (-3.3, 2.4, 0), 3.6, "round")
    nature.sky("3f74b8", "cfe0ea", 0.7, 1.0, 2.5)
    nature.sun((0.85, 0, -0.8), 5.5, "fff0d0")
    return Shot(Move((-1.0, -2.7, 1.7), (0.2, 2.8, 1.2), yaw=24, shift=(0.2, 0.1, 0.0)), 25, 0.7)


def workshop() -> Shot:
    """A workbench close up: tools, jars, a half-made cart."""
    rng = np.random.default_rng(404)
    architecture.floor((6, 6), materials.concrete("7d7a74"))
    architecture.wall(6, 3, materials.bricks("b9b0a4", "8f887c"), (0, 0.75, 0), 0, ((1.5, 1.35, 0.9, 1.0),))
    architecture.window(rng, 0.9, 1.0, (1.5, 0.76, 1.35))
    centrepieces.workbench(rng, (0, 0.1, 0), 0, 2.6)
    centrepieces.tool_board(rng, (-0.35, 0.72, 1.15), 0, 2.3, 0.95)
    for x, y in ((-0.95, 0.35), (-0.7, 0.42), (0.95, 0.4), (0.6, 0.44)):
        centrepieces.jar(rng, (x, y, 0.9), rng.uniform(0.16, 0.24))
    props.toy(rng, (-0.25, 0.05, 0.9), 0.5)
    props.bottle(rng, (0.4, 0.38, 0.9), 0.26)
    props.bottle(rng, (0.52, 0.3, 0.9), 0.2)
    props.book_pile(rng, (-1.05, 0.1, 0.9), 4)
    props.table_lamp(rng, (-1.16, 0.36, 0.9), 1.5)
    props.vase(rng, (0.2, 0.3, 0.9), 0.22)
    props.crate(rng, (0.85, 0.15, 0.9), 0.3, 0.3, False)
    lying = Solid()
    for kind, x, y, angle in (
        (0, 0.1, -0.22, 0.4),
        (3, 0.35, -0.05, 1.0),
        (2, -0.55, -0.2, 2.2),
        (1, -0.72, -0.05, -0.7),
    ):
        centrepieces.tool(
            rng,
            lying,
            kind,
            (x, y, 0.905 if kind == 3 else 0.925),
            (0 if kind == 3 else math.pi / 2, 0, angle),
        )
    lying.object("Tools")
    props.frame(rng, 0.3, 0.42, (1.05, 0.74, 1.5))
    nature.sky("7f9ab8", "e8ecee", strength=2.0)
    nature.area((1.5, 0.7, 1.85), (-math.pi / 2, 0, 0), 40, (0.9, 1.0), "e4eeff")
    nature.area((-0.9, -1.1, 2.3), (0.55, 0, -0.6), 55, (0.8, 0.8), "ffe2b5")
    return Shot(Move((-0.35, -1.05, 1.4), (-0.05, 0.3, 1.05), shift=(0.4, 0.05, 0.1), yaw=14), 27, 0.78)


def garden_path() -> Shot:
    """A garden with a pergola; a child's ball hops down the path and a walker passes."""
    rng = np.random.default_rng(505)
    size = 44.0
    heights = nature.hills(rng, size, 2.6, flat=3.5)
    nature.ground(rng, heights, size, materials.grass("5f8a3c", "8fa050"))
    path = Solid()
    for k in range(17):
        y = -3.0 + 0.62 * k
        path.box(
            (1.1, 0.5, 0.04),
            materials.ashlar("b8ab94", 0.5, 0.25),
            (0.7 * math.sin(y * 0.45) + rng.normal(0, 0.03), y, 0),
            (0, 0, rng.normal(0, 0.1)),
        )
    path.object("Path", bevel=0.015)
    centrepieces.pergola((0.9, 4.9, 0), 0.1, 2.6, 2.0)
    for x, y, tall, kind in (
        (-3.4, 5.0, 4.6, "round"),
        (3.9, 5.6, 5.0, "round"),
        (-5.6, 8.5, 6.0, "poplar"),
        (-6.6, 9.0, 6.6, "poplar"),
        (5.9, 9.5, 5.5, "fir"),
        (7.3, 8.6, 4.8, "fir"),
        (1.9, 11.0, 5.0, "round"),
        (-1.8, 10.0, 4.4, "round"),
    ):
        nature.tree(rng, (x, y, nature.height_at(heights, size, x, y) - 0.05), tall, kind)
    for x, y, flowers in (
        (-1.5, 1.0, True),
        (-2.1, 2.4, True),
        (2.2, 0.9, True),
        (2.4, 2.7, False),
        (-1.3, 4.4, False),
        (3.0, 4.0, True),
    ):
        nature.bush(rng, (x, y, 0), rng.uniform(0.6, 0.85), flowers)
    for x, y in ((-1.2, -0.3), (1.5, -0.2), (-2.7, 1.1)):
        nature.boulder(rng, (x, y, 0), rng.uniform(0.25, 0.45))
    nature.tufts(rng, [(rng.uniform(-4, 4), rng.uniform(-1.5, 4), 0) for _ in range(70)], materials.grass())
    architecture.fence(rng, 4.0, (-4.6, 3.6, 0), 0.3)
    centrepieces.urn(rng, (-0.9, 3.4, 0), 0.9)
    furniture.bench(rng, (-2.5, 3.3, 0), 0.8)
    architecture.facade(
        rng, 6.0, 2, (-1.5, 15.5, nature.height_at(heights, size, -1.5, 15)), 0.1, materials.plaster("e3d2b0")
    )
    figures.bounce(props.ball(rng, radius=0.2), figures.line((0.9, 2.9, 0), (-0.6, 0.3, 0)), FRAMES, 0.55, 3)
    figures.walk(figures.person(rng), figures.line((1.9, 3.4, 0), (0.1, 2.5, 0)), FRAMES)
    nature.sky("4a80c0", "d8e4ec", 0.9, 1.0, 6.0)
    nature.sun((0.8, 0, 0.9), 5.0, "fff0cf")
    return Shot(
        Move((0.2, -3.1, 1.5), (0.1, 2.4, 0.9), yaw=-16, shift=(-0.4, 0.15, 0.3)), 27, 0.76, dynamic=True
    )


def gallery() -> Shot:
    """A corridor of pictures and busts under skylights."""
    rng = np.random.default_rng(606)
    wall = materials.plaster("8f3f3a", "5a2a2c", 0.4)
    architecture.floor(
        (5, 18), materials.tiles("e3ddd0", "3d3f46", 0.55, turn=0.785, roughness=0.3), (0, 6, 0)
    )
    boards = materials.wood("4f3524")
    for side in (-1, 1):
        architecture.wall(16, 3.6, wall, (side * 2.2, 6, 0), -side * math.pi / 2, skirting=boards)
        rail = (
            Solid()
            .box((16, 0.05, 0.08), boards, (0, -0.02, 0.95))
            .box((16, 0.16, 0.2), materials.paint("e6ddc6"), (0, -0.06, 3.4))
        )
        rail.object("Rail", (side * 2.2, 6, 0), -side * math.pi / 2)
        for k, y in enumerate(np.arange(0.2, 13, 1.55)):
            tall = 1.0 if k % 2 else 0.75
            props.frame(
                rng,
                (1.05, 0.7)[k % 2],
                tall,
                (side * 2.17, y, 1.45 if tall < 1 else 1.3),
                -side * math.pi / 2,
            )
    for y in (5.6, 9.6):
        architecture.arch(3.0, 3.1, materials.marble("d8d0c0", "98908a"), (0, y, 0), 0, 0.35, 0.6, 0.5)
    architecture.wall(4.6, 3.8, materials.plaster("3f5a5e"), (0, 12.5, 0), 0, skirting=boards)
    props.frame(rng, 1.9, 1.35, (0, 12.46, 1.1))
    for x, y in ((-1.55, 2.2), (1.55, 3.9), (-1.55, 6.9), (1.55, 8.4)):
        centrepieces.bust(rng, (x, y, 0), -math.copysign(0.7, x))
    furniture.bench(rng, (0.2, 3.4, 0), 1.57)
    furniture.bench(rng, (-0.1, 9.4, 0), 1.57)
    props.potted_plant(rng, (1.65, 1.1, 0), 1.2)
    centrepieces.urn(rng, (-1.6, 4.6, 0), 1.0)
    for y in (0.5, 4.9, 9.8):
        nature.area((0, y, 3.4), (0, 0, 0), 95, (1.6, 2.4), "fff2dc")
    roof = Solid().box((4.6, 16, 0.1), materials.plaster("e8dfcc"), (0, 6, 3.6))
    roof.object("Ceiling")
    nature.sky(strength=0.7)
    return Shot(Move((-0.9, -1.3, 1.6), (0.5, 5.0, 1.45), shift=(0.9, 0.0, 0.9), pan=-6), 25, 0.74)


def still_kitchen() -> Shot:
    """A still camera: a kitchen table, a toy that rolls, a lantern that swings. The reference stands to the side."""
    rng = np.random.default_rng(707)
    architecture.floor((6, 6), materials.tiles("d9c9a8", "7a8f8a", 0.35))
    architecture.wall(
        6, 3, materials.tiles("e9e4d8", "bfd0cc", 0.15, "a8a498"), (0, 2.1, 0), 0, ((-1.3, 1.0, 1.2, 1.1),)
    )
    architecture.wall(5, 3, materials.plaster("dcae6a"), (2.6, 0, 0), -math.pi / 2)
    architecture.window(rng, 1.2, 1.1, (-1.3, 2.1, 1.0), curtains=True)
    furniture.cabinet(rng, (0.5, 1.85, 0), 0, 1.5)
    furniture.shelf(rng, (1.95, 1.92, 0), 0, 1.0, 1.9)
    furniture.cabinet(rng, (-1.3, 1.85, 0), 0, 1.5)
    props.frame(rng, 0.55, 0.7, (0.5, 2.07, 1.55))
    centrepieces.clock((0.0, 2.07, 2.4), 0, 0.5)
    furniture.table(rng, (0.1, 0.25, 0), 0.05, (1.8, 0.95, 0.75), laid=False)
    for x, turn in ((-0.75, 1.2), (0.95, -1.3)):
        furniture.chair(rng, (x * 1.25, 0.2, 0), turn)
    props.bowl(rng, (0.35, 0.35, 0.76))
    props.bottle(rng, (-0.1, 0.5, 0.76), 0.3)
    props.vase(rng, (-0.45, 0.4, 0.76), 0.3)
    props.bowl(rng, (0.7, 0.15, 0.76), False)
    props.book_pile(rng, (-0.55, 0.0, 0.76), 3)
    figures.follow(props.toy(rng), lambda t: (0.75 - 0.9 * t, -0.1, 0.76, 0.05), FRAMES)
    figures.swing(figures.lantern(rng, (0.1, 0.9, 2.9), 0.7), FRAMES, 0.16, 1.2)
    nature.sky("86a8c8", "e8eef0", strength=1.6)
    nature.sun((0.9, 0, 2.6), 4.0)
    nature.area((-1.3, 2.0, 1.6), (-math.pi / 2, 0, 0), 45, (1.2, 1.1), "e4eeff")
    nature.area((0.3, -0.8, 2.8), (0.2, 0, 0), 75, (2, 2), "fff0da")
    at, look = (0.25, -1.75, 1.5), (0.1, 0.9, 0.95)
    return Shot(Move(at, look), 26, 1.0, dynamic=True, reference=(-0.15, -1.85, 1.5))


Maker = Callable[[], Shot]
SETS: tuple[Maker, ...] = (
    reading_room,
    market_street,
    courtyard,
    workshop,
    garden_path,
    gallery,
    still_kitchen,
)


def stage(make: Maker) -> tuple[bpy.types.Object, bpy.types.Object, Shot]:
    """Build a set into a new file; returns its cameras, keyed over FRAMES, and its shot."""
    capture.empty_file()
    shot = make()
    bpy.context.scene.frame_set(1)
    start, look = shot.move.at, shot.move.look
    camera, reference = (
        moves.camera("Shot", start, look, shot.lens),
        moves.camera("Reference", shot.reference or start, look, shot.lens),
    )
    if shot.coverage < 1:
        amount = moves.fit(shot.move, shot.lens, shot.coverage)
        if amount is None:
            raise RuntimeError(f"{make.__name__}: the move meets something or never leaves its start")
        moves.animate(camera, shot.move, amount, FRAMES)
    return camera, reference, shot
