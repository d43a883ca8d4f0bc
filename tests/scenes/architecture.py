"""Walls with openings, floors, arches, pillars, stairs, railings, façades, roofs and fences."""

import math

import bpy
import numpy as np

from . import materials, pictures, props
from .props import Rng, pick
from .solids import Point, Solid, group

Material = bpy.types.Material


def floor(size: tuple[float, float], material: Material, at: Point = (0, 0, 0)) -> bpy.types.Object:
    solid = Solid().box((*size, 0.1), material, (0, 0, -0.1))
    return solid.object("Floor", at)


def wall(
    length: float, height: float, material: Material, at: Point = (0, 0, 0), turn: float = 0.0,
    openings: tuple[tuple[float, float, float, float], ...] = (), thick: float = 0.2,
    skirting: Material | None = None,
) -> bpy.types.Object:  # fmt: skip
    """A wall facing −y, its foot centred on `at`; openings are (middle x, z, width, height) in order of x."""
    solid = Solid()
    left = -length / 2
    for x, z, width, tall in openings:
        solid.add_column(left, x - width / 2, 0, height, thick, material)
        solid.add_column(x - width / 2, x + width / 2, 0, z, thick, material)
        solid.add_column(x - width / 2, x + width / 2, z + tall, height, thick, material)
        left = x + width / 2
    solid.add_column(left, length / 2, 0, height, thick, material)
    if skirting is not None:
        stops = [
            -length / 2,
            *(edge for x, z, w, _ in openings if z < 0.1 for edge in (x - w / 2, x + w / 2)),
            length / 2,
        ]
        for start, end in zip(stops[::2], stops[1::2], strict=True):
            solid.box((end - start, 0.02, 0.1), skirting, ((start + end) / 2, -0.01, 0))
    return solid.object("Wall", at, turn)


def window(
    rng: Rng,
    width: float,
    height: float,
    at: Point = (0, 0, 0),
    turn: float = 0.0,
    glass: Material | None = None,
    curtains: bool = False,
) -> bpy.types.Object:
    """A window frame with bars facing −y; `glass` closes it (façades), else it's open to the light."""
    solid = Solid()
    frame = materials.paint(str(pick(rng, ("e8e2d2", "4c5b52", "6b4a35", "33404f"))))
    for z in (0, height / 2, height - 0.05):
        solid.box((width, 0.06, 0.05), frame, (0, 0, z))
    for x in (-width / 2 + 0.025, 0, width / 2 - 0.025):
        solid.box((0.05, 0.06, height), frame, (x, 0, 0))
    solid.box((width + 0.2, 0.22, 0.04), frame, (0, -0.1, -0.04))
    if glass:
        solid.box((width, 0.02, height), glass, (0, 0.02, 0))
    if curtains:
        fabric = props.some_cloth(rng)
        for side in (-1, 1):
            columns = 16
            fold = 0.04 * np.sin(np.linspace(0, 5 * math.tau, columns))
            solid.sheet(
                np.tile(fold, (4, 1)),
                (width * 0.34, height + 0.35),
                fabric,
                (side * width * 0.5, -0.1, height / 2),
                (math.pi / 2, 0, 0),
            )
        solid.tube(
            [(-width * 0.75, -0.1, height + 0.15), (width * 0.75, -0.1, height + 0.15)],
            0.015,
            materials.metal("8a6a35"),
        )
    return solid.object("Window", at, turn)


def door(
    rng: Rng, at: Point = (0, 0, 0), turn: float = 0.0, width: float = 0.95, height: float = 2.1
) -> bpy.types.Object:
    """A panelled door in its frame, facing −y."""
    solid = Solid()
    leaf, frame = (
        materials.worn(props.colour(rng), "5a4332"),
        materials.paint(str(pick(rng, ("e8e2d2", "4a3a2c", "7a6a55")))),
    )
    solid.box((width, 0.05, height), leaf)
    for x in (-1, 1):
        solid.box((0.1, 0.12, height + 0.1), frame, (x * (width / 2 + 0.05), 0, 0))
        for z, tall in ((0.15, 0.7), (1.0, 0.9)):
            solid.box((width * 0.36, 0.04, tall), leaf, (x * width * 0.22, -0.03, z))
    solid.box((width + 0.2, 0.12, 0.1), frame, (0, 0, height))
    solid.ball(0.03, materials.metal("b8954f", 0.3), (width * 0.4, -0.07, 1.0), segments=8)
    return solid.object("Door", at, turn, bevel=0.008)


def arch(
    width: float,
    height: float,
    material: Material,
    at: Point = (0, 0, 0),
    turn: float = 0.0,
    thick: float = 0.45,
    margin: float = 0.4,
    top: float = 0.6,
) -> bpy.types.Object:
    """A bay of wall with a round-headed opening `width` wide and `height` to the crown."""
    radius, spring = width / 2, height - width / 2
    half, crown = radius + margin, height + top
    steps = 14
    solid = Solid()
    ring = [
        (radius * math.cos(math.pi * k / steps), spring + radius * math.sin(math.pi * k / steps))
        for k in range(steps + 1)
    ]
    for k in range(steps):
        (x0, z0), (x1, z1) = ring[k], ring[k + 1]
        solid.slab([(x1, z1), (x0, z0), (x0, crown), (x1, crown)][::-1], thick, material, (0, -thick / 2, 0))
    for side in (-1, 1):
        solid.box((margin, thick, crown), material, (side * (radius + margin / 2), 0, 0))
        solid.box(
            (margin + 0.12, thick + 0.12, 0.14), material, (side * (radius + margin / 2), 0, spring - 0.14)
        )
        solid.box((margin + 0.12, thick + 0.12, 0.25), material, (side * (radius + margin / 2), 0, 0))
    solid.box((2 * half, thick + 0.16, 0.14), material, (0, 0, crown))
    for k in range(0, steps, 2):
        (x0, z0), (x1, z1) = ring[k], ring[k + 1]
        grow = 1 + 0.22 / radius
        outer = [(x * grow, spring + (z - spring) * grow) for x, z in ((x1, z1), (x0, z0))]
        solid.slab(
            [(x0, z0), (x1, z1), outer[0], outer[1]], thick + 0.06, material, (0, -thick / 2 - 0.03, 0)
        )
    return solid.object("Arch", at, turn)


def pillar(
    material: Material, at: Point = (0, 0, 0), height: float = 3.0, radius: float = 0.22
) -> bpy.types.Object:
    solid = Solid()
    solid.box((radius * 3, radius * 3, 0.18), material).box(
        (radius * 3, radius * 3, 0.16), material, (0, 0, height - 0.16)
    )
    profile = [
        (1.4, 0.18),
        (1.4, 0.26),
        (1.1, 0.34),
        (1.0, 0.45),
        (1.0, height * 0.4),
        (0.86, height - 0.45),
        (0.9, height - 0.4),
        (1.25, height - 0.2),
        (1.3, height - 0.16),
    ]
    solid.lathe([(r * radius, z) for r, z in profile], material, segments=24)
    return solid.object("Pillar", at)


def stairs(
    material: Material,
    at: Point = (0, 0, 0),
    turn: float = 0.0,
    steps: int = 8,
    width: float = 1.4,
    rise: float = 0.17,
    run: float = 0.28,
) -> bpy.types.Object:
    """Rising towards +y from `at`."""
    solid = Solid()
    for k in range(steps):
        solid.box((width, run * (steps - k), rise), material, (0, run * k + run * (steps - k) / 2, rise * k))
        solid.box((width + 0.04, 0.05, 0.03), material, (0, run * k, rise * (k + 1) - 0.03))
    return solid.object("Stairs", at, turn)


def railing(
    rng: Rng, length: float, at: Point = (0, 0, 0), turn: float = 0.0, height: float = 0.95
) -> bpy.types.Object:
    solid = Solid()
    iron, rail = materials.metal(str(pick(rng, ("33373a", "5a3a2c", "2d4a45")))), props.some_wood(rng)
    solid.box((length, 0.07, 0.05), rail, (0, 0, height)).box((length, 0.03, 0.03), iron, (0, 0, 0.12))
    count = max(2, int(length / 0.16))
    for k in range(count + 1):
        x = -length / 2 + k * length / count
        solid.tube(
            [(x, 0, 0.0 if k % 6 == 0 else 0.12), (x, 0, height)], 0.022 if k % 6 == 0 else 0.012, iron, 6
        )
    return solid.object("Railing", at, turn)


def beams(
    rng: Rng, size: tuple[float, float], height: float, at: Point = (0, 0, 0), every: float = 0.9
) -> bpy.types.Object:
    """Ceiling boards on beams that run along y."""
    solid = Solid()
    tone = str(pick(rng, props.WOODS))
    solid.box((size[0], size[1], 0.08), materials.planks(tone, 0.16, 2.0), (0, 0, height))
    for x in np.arange(-size[0] / 2 + every / 2, size[0] / 2, every):
        solid.box((0.14, size[1], 0.18), materials.wood(tone, materials.QUARTER), (x, 0, height - 0.18))
    return solid.object("Beams", at)


def facade(
    rng: Rng,
    width: float,
    storeys: int,
    at: Point = (0, 0, 0),
    turn: float = 0.0,
    wall_material: Material | None = None,
    shop: bool = False,
    word: str = "",
) -> bpy.types.Object:
    """A house's front facing −y: door, windows, cornice, roof; shop windows and an awning if wanted."""
    storey, solid, things = 2.9, Solid(), []
    height = storeys * storey
    body = wall_material or materials.plaster(
        str(pick(rng, ("c9a877", "b8694a", "d8cbb0", "8fa3a0", "c48b7a", "a8b08a")))
    )
    trim = materials.ashlar("c9bfae", 0.5, 0.3)
    glass = materials.glaze("28333d", "", 0.12)
    solid.box((width, 1.5, height), body, (0, 0.75, 0)).box((width + 0.04, 0.1, 0.5), trim, (0, -0.03, 0))
    for level in range(1, storeys + 1):
        solid.box((width + 0.1, 0.16, 0.14), trim, (0, -0.06, level * storey - 0.1))
    solid.box((width + 0.3, 0.4, 0.22), trim, (0, -0.1, height))
    roof = materials.tiles("8a3f2b", "a85a3c", 0.22)
    solid.add(
        [
            (-width / 2 - 0.2, -0.35, height + 0.2),
            (width / 2 + 0.2, -0.35, height + 0.2),
            (width / 2 + 0.2, 1.5, height + 1.5),
            (-width / 2 - 0.2, 1.5, height + 1.5),
        ],
        [(0, 1, 2, 3)],
        roof,
    )
    columns = max(2, int(width / 1.6))
    spacing = width / columns
    shutter = materials.worn(props.colour(rng))
    entrance = int(rng.integers(columns))
    for level in range(storeys):
        for column in range(columns):
            x, z = -width / 2 + (column + 0.5) * spacing, level * storey + 0.95
            if level == 0 and column == entrance:
                things.append(door(rng, (x, -0.05, 0.0), 0.0, 1.0, 2.2))
                continue
            if level == 0 and shop:
                things.append(window(rng, spacing * 0.8, 1.6, (x, -0.04, 0.7), 0.0, glass))
                continue
            things.append(window(rng, 0.85, 1.35, (x, -0.03, z), 0.0, glass))
            for side in (-1, 1):
                solid.box((0.38, 0.05, 1.35), shutter, (x + side * 0.64, -0.03, z))
            if level and rng.random() < 0.4:
                solid.box((0.9, 0.22, 0.18), props.some_wood(rng), (x, -0.2, z - 0.24))
                for k in range(6):
                    solid.ball(
                        0.1,
                        materials.leaves("4f7a2e", str(pick(rng, ("c8433a", "d98aa8", "e3c558")))),
                        (x - 0.35 + k * 0.14, -0.2, z + 0.0),
                        segments=8,
                    )
    things.append(solid.object("House", bevel=0.01))
    if shop:
        board = Solid().panel(
            width * 0.5,
            0.4,
            materials.picture(
                pictures.sign(
                    word or str(pick(rng, pictures.WORDS)),
                    str(pick(rng, ("20443a", "6b2220", "23364f", "3b2b22"))),
                    "f0e3c2",
                )
            ),
        )
        things.append(board.object("Sign", (0, -0.16, 2.42)))
        cover = materials.cloth(props.colour(rng), "efe6d2", "stripes", 0.25)
        slope = np.tile(np.linspace(0, 0.5, 4)[:, None], (1, 4))
        things.append(
            Solid().sheet(slope, (width * 0.8, 0.9), cover, (0, -0.5, 1.95), smooth=False).object("Awning")
        )
    return group("House", things, at, turn)


def fence(rng: Rng, length: float, at: Point = (0, 0, 0), turn: float = 0.0) -> bpy.types.Object:
    solid = Solid()
    board = materials.worn(str(pick(rng, ("e6ded0", "7a8a70", "9a7a5a"))), "7a6248")
    for k in range(int(length / 0.16)):
        x, tall = -length / 2 + 0.08 + k * 0.16, 0.9 + rng.normal(0, 0.03)
        solid.slab(
            [(x - 0.05, 0), (x + 0.05, 0), (x + 0.05, tall), (x, tall + 0.08), (x - 0.05, tall)], 0.02, board
        )
    for z in (0.25, 0.7):
        solid.box((length, 0.03, 0.08), board, (0, 0.035, z))
    return solid.object("Fence", at, turn)
