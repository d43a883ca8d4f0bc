"""Small things that stand about: bottles, vases, books, crates, plants, lamps, tools, toys.

Every maker takes a random generator for its shape and colours and returns one object standing on z = 0.
"""

import math

import bpy
import numpy as np

from . import materials, pictures
from .solids import Point, Solid

Rng = np.random.Generator

COLOURS = (
    "b23a2e",
    "d98e2b",
    "e3c558",
    "6f8f3f",
    "2f6f5e",
    "2d5d86",
    "4b3b78",
    "a34a6b",
    "e8dfcc",
    "3a3a40",
    "7fb0a8",
    "c96f4a",
)
WOODS = ("8a5a33", "b0804f", "5c3a22", "c79a64", "7a4a2c", "9c7b57")


def pick(rng: Rng, options: tuple) -> object:
    """One of the options."""
    return options[rng.integers(len(options))]


def colour(rng: Rng) -> str:
    return str(pick(rng, COLOURS))


def some_wood(rng: Rng, turn: float = 0.0) -> bpy.types.Material:
    return materials.wood(str(pick(rng, WOODS)), turn)


def some_cloth(rng: Rng) -> bpy.types.Material:
    kind = str(pick(rng, ("stripes", "plaid", "dots", "plain")))
    return materials.cloth(colour(rng), colour(rng), kind, float(pick(rng, (0.05, 0.08, 0.12))))


def bottle(rng: Rng, at: Point = (0, 0, 0), height: float = 0.0) -> bpy.types.Object:
    """A bottle with a label and a cork."""
    height = height or rng.uniform(0.2, 0.34)
    radius = height * rng.uniform(0.12, 0.2)
    solid = Solid()
    glass = materials.glaze(
        str(pick(rng, ("2f5d3a", "6b3a1f", "2b4a6b", "8fa8a0", "5d1f2b", "c8a35a"))), "", 0.15
    )
    neck, shoulder = radius * rng.uniform(0.28, 0.4), rng.uniform(0.5, 0.65)
    profile = [
        (radius * 0.9, 0),
        (radius, 0.03 * height),
        (radius, shoulder * height),
        (radius * 0.75, (shoulder + 0.1) * height),
        (neck, (shoulder + 0.2) * height),
        (neck, 0.95 * height),
        (neck * 1.2, 0.96 * height),
        (neck * 1.2, height),
    ]
    solid.lathe(profile, glass)
    label = materials.cloth("e9e0c8", colour(rng), "stripes", 0.03)
    solid.lathe([(radius * 1.02, 0.14 * height), (radius * 1.02, 0.42 * height)], label)
    solid.cylinder(neck * 0.8, 0.05 * height, materials.paint("a87f55"), (0, 0, height))
    return solid.object("Bottle", at)


def vase(rng: Rng, at: Point = (0, 0, 0), height: float = 0.0) -> bpy.types.Object:
    """A thrown pot with glaze bands."""
    height = height or rng.uniform(0.15, 0.4)
    solid = Solid()
    steps = np.linspace(0, 1, 12)
    belly, foot, lip = rng.uniform(0.3, 0.5), rng.uniform(0.15, 0.25), rng.uniform(0.14, 0.26)
    centre = rng.uniform(0.3, 0.65)
    radii = foot + (belly - foot) * np.exp(-(((steps - centre) / 0.28) ** 2)) + (lip - foot) * steps**3
    solid.lathe(
        [(float(r) * height, float(s) * height) for r, s in zip(radii, steps, strict=True)],
        materials.glaze(colour(rng), colour(rng), 0.25),
        segments=24,
    )
    return solid.object("Vase", at)


def bowl(rng: Rng, at: Point = (0, 0, 0), fruit: bool = True) -> bpy.types.Object:
    """A bowl, with fruit in it if wanted."""
    solid = Solid()
    radius = rng.uniform(0.1, 0.17)
    inside = materials.glaze(colour(rng), colour(rng))
    solid.lathe(
        [
            (radius * 0.4, 0),
            (radius * 0.8, radius * 0.25),
            (radius, radius * 0.6),
            (radius * 0.93, radius * 0.6),
            (radius * 0.7, radius * 0.3),
        ],
        inside,
        segments=24,
    )
    if fruit:
        for k in range(7):
            angle = k * math.tau / 6
            spread = 0.0 if k == 6 else radius * 0.5
            tone = materials.glaze(
                str(pick(rng, ("c8321f", "e39a25", "86a534", "d9c23c", "7b2a3b"))), "", 0.4
            )
            solid.ball(
                radius * 0.3,
                tone,
                (spread * math.cos(angle), spread * math.sin(angle), radius * (0.62 if k < 6 else 0.85)),
                segments=12,
            )
    return solid.object("Bowl", at)


def book(rng: Rng, solid: Solid, at: Point, lying: bool = False) -> float:
    """Add one book to `solid`; returns the room it takes along x (standing) or z (lying)."""
    thick, height, depth = rng.uniform(0.018, 0.05), rng.uniform(0.18, 0.28), rng.uniform(0.13, 0.18)
    cover = materials.cloth(colour(rng), colour(rng), str(pick(rng, ("plain", "plain", "stripes"))), 0.06)
    page = materials.paint("ded3b8", 0.9)
    x, y, z = at
    if lying:
        solid.box((height, depth, thick), cover, (x, y, z), (0, 0, rng.normal(0, 0.12)))
        return thick
    lean = rng.normal(0, 0.015)
    solid.box((thick, depth, height), cover, (x + thick / 2, y, z), (0, lean, 0))
    solid.box((thick * 0.8, depth * 0.94, 0.002), page, (x + thick / 2, y + 0.004, z + height - 0.001))
    return thick


def books(rng: Rng, width: float = 0.4, at: Point = (0, 0, 0), turn: float = 0.0) -> bpy.types.Object:
    """A row of standing books."""
    solid, x = Solid(), -width / 2
    while x < width / 2 - 0.05:
        x += book(rng, solid, (x, 0, 0)) + 0.002
    return solid.object("Books", at, turn)


def book_pile(rng: Rng, at: Point = (0, 0, 0), count: int = 5) -> bpy.types.Object:
    solid, z = Solid(), 0.0
    for _ in range(count):
        z += book(rng, solid, (rng.normal(0, 0.01), rng.normal(0, 0.01), z), lying=True)
    return solid.object("Book Pile", at, rng.uniform(0, 3))


def crate(
    rng: Rng, at: Point = (0, 0, 0), turn: float = 0.0, size: float = 0.45, filled: bool = True
) -> bpy.types.Object:
    """A slatted crate, with fruit in it if wanted."""
    solid = Solid()
    tone = str(pick(rng, WOODS))
    slat, post = materials.wood(tone), materials.wood(tone, materials.QUARTER)
    width, depth, height = size, size * 0.7, size * 0.6
    for side in (-1, 1):
        for row in range(3):
            z = 0.02 + row * height / 3
            solid.box((width, 0.015, height / 3 - 0.03), slat, (0, side * depth / 2, z))
            solid.box((0.015, depth, height / 3 - 0.03), slat, (side * width / 2, 0, z))
        for end in (-1, 1):
            solid.box((0.035, 0.035, height), post, (side * (width / 2 - 0.02), end * (depth / 2 - 0.02), 0))
    solid.box((width, depth, 0.015), slat, (0, 0, 0.01))
    if filled:
        tone = materials.glaze(
            str(pick(rng, ("c8321f", "e39a25", "86a534", "d9c23c", "7b2a3b", "d8702a"))), "", 0.45
        )
        radius = size * rng.uniform(0.06, 0.085)
        for x in np.arange(-width / 2 + radius * 1.5, width / 2 - radius, radius * 2.1):
            for y in np.arange(-depth / 2 + radius * 1.5, depth / 2 - radius, radius * 2.1):
                solid.ball(
                    radius,
                    tone,
                    (x + rng.normal(0, 0.004), y, height - radius * 0.6 + rng.uniform(0, radius)),
                    segments=10,
                )
        solid.box((width * 0.9, depth * 0.9, 0.01), materials.paint("5d4630"), (0, 0, height - radius * 1.5))
    return solid.object("Crate", at, turn)


def chest(rng: Rng, at: Point = (0, 0, 0), turn: float = 0.0, size: float = 0.5) -> bpy.types.Object:
    """A boarded box with battens: cargo, luggage."""
    solid = Solid()
    body = materials.planks(str(pick(rng, WOODS)), 0.09, 0.7)
    edge = materials.wood(str(pick(rng, WOODS)))
    x, y, z = size, size * rng.uniform(0.6, 1.0), size * rng.uniform(0.5, 0.9)
    solid.box((x, y, z), body)
    for side in (-1, 1):
        for h in (0.0, z - 0.05):
            solid.box((x + 0.03, 0.02, 0.05), edge, (0, side * (y / 2 + 0.005), h))
            solid.box((0.02, y + 0.03, 0.05), edge, (side * (x / 2 + 0.005), 0, h))
        solid.box((0.05, 0.02, z), edge, (side * (x / 2 - 0.02), -y / 2 - 0.008, 0))
    return solid.object("Chest", at, turn, bevel=0.004)


def barrel(rng: Rng, at: Point = (0, 0, 0), height: float = 0.8) -> bpy.types.Object:
    solid = Solid()
    staves = materials.planks(str(pick(rng, WOODS)), 0.08, 2.0, materials.QUARTER)
    hoop = materials.metal("4c4a48")
    steps = np.linspace(0, 1, 9)
    radii = height * (0.3 + 0.1 * np.sin(math.pi * steps))
    solid.lathe(
        [(float(r), float(s) * height) for r, s in zip(radii, steps, strict=True)], staves, segments=24
    )
    for level in (0.08, 0.3, 0.7, 0.92):
        radius = height * (0.306 + 0.1 * math.sin(math.pi * level))
        solid.lathe([(radius, height * level - 0.02), (radius, height * level + 0.02)], hoop, segments=24)
    return solid.object("Barrel", at)


def potted_plant(rng: Rng, at: Point = (0, 0, 0), height: float = 0.9) -> bpy.types.Object:
    """Broad arching leaves in a pot."""
    solid = Solid()
    pot = height * 0.3
    clay = materials.glaze(str(pick(rng, ("b5623c", "d9d2c3", "3f5f6f", "8c3f32"))), "", 0.7)
    solid.lathe([(pot * 0.35, 0), (pot * 0.5, pot * 0.85), (pot * 0.55, pot * 0.85), (pot * 0.55, pot)], clay)
    solid.cylinder(pot * 0.46, 0.01, materials.earth(), (0, 0, pot))
    green = (materials.leaves("3f6b2a", "86a84a"), materials.leaves("2f5c3a", "5f9a6a"))[rng.integers(2)]
    for k in range(int(rng.integers(14, 22))):
        angle, lift = k * 2.4 + rng.normal(0, 0.2), rng.uniform(0.35, 1.0)
        reach = height * 0.45 * rng.uniform(0.5, 1.0)
        spine = [
            (
                reach * t * math.cos(angle),
                reach * t * math.sin(angle),
                pot + (height - pot) * lift * (t * 1.9 - 0.9 * t * t),
            )
            for t in np.linspace(0, 1, 6)
        ]
        widths = [0.012, height * 0.05, height * 0.07, height * 0.06, height * 0.04, 0.004]
        side = (-math.sin(angle), math.cos(angle))
        vertices, faces = [], []
        for (x, y, z), w in zip(spine, widths, strict=True):
            vertices += [
                (x - side[0] * w, y - side[1] * w, z + w * 0.3),
                (x, y, z),
                (x + side[0] * w, y + side[1] * w, z + w * 0.3),
            ]
        for row in range(5):
            a = row * 3
            faces += [(a, a + 1, a + 4, a + 3), (a + 1, a + 2, a + 5, a + 4)]
        solid.add(vertices, faces, green, smooth=True)
    return solid.object("Plant", at, rng.uniform(0, 6))


def table_lamp(rng: Rng, at: Point = (0, 0, 0), lit: float = 3.0) -> bpy.types.Object:
    solid = Solid()
    solid.lathe(
        [(0.08, 0), (0.08, 0.02), (0.03, 0.05), (0.06, 0.14), (0.02, 0.24), (0.012, 0.3)],
        materials.glaze(colour(rng), colour(rng)),
    )
    solid.lathe([(0.16, 0.28), (0.1, 0.46)], materials.glow("ffd9a0", lit))
    return solid.object("Table Lamp", at)


def floor_lamp(rng: Rng, at: Point = (0, 0, 0), lit: float = 3.0) -> bpy.types.Object:
    solid = Solid()
    brass = materials.metal("8a6a35")
    solid.lathe([(0.16, 0), (0.16, 0.02), (0.03, 0.04)], brass)
    solid.tube([(0, 0, 0.03), (0, 0, 1.5)], 0.014, brass)
    solid.lathe(
        [(0.24, 1.35), (0.15, 1.65)], materials.glow(str(pick(rng, ("ffd9a0", "ffe6c2", "ffcf9a"))), lit)
    )
    return solid.object("Floor Lamp", at)


def toy(rng: Rng, at: Point = (0, 0, 0), turn: float = 0.0) -> bpy.types.Object:
    """A wooden cart on wheels."""
    solid = Solid()
    body, cab, wheel = materials.worn(colour(rng)), materials.paint(colour(rng)), materials.paint("2e2a28")
    solid.box((0.3, 0.14, 0.06), body, (0, 0, 0.04)).box((0.12, 0.12, 0.1), cab, (-0.08, 0, 0.1))
    solid.cylinder(0.045, 0.15, body, (-0.01, 0, 0.14), (0, math.pi / 2, 0)).cylinder(
        0.018, 0.06, cab, (0.1, 0, 0.17)
    )
    for x in (-0.1, 0.1):
        for y in (-0.08, 0.06):
            solid.cylinder(0.045, 0.02, wheel, (x, y, 0.045), (-math.pi / 2, 0, 0))
    return solid.object("Toy", at, turn, bevel=0.004)


def ball(rng: Rng, at: Point = (0, 0, 0), radius: float = 0.14) -> bpy.types.Object:
    solid = Solid().ball(radius, materials.glaze(colour(rng), colour(rng), 0.4), (0, 0, radius), segments=24)
    return solid.object("Ball", at)


def clutter(rng: Rng, at: Point, room: float = 0.3) -> bpy.types.Object:
    """Something small for a shelf or a table; `room` is the height there is."""
    kind = rng.integers(6)
    if kind == 0:
        return bottle(rng, at, min(room * 0.9, rng.uniform(0.2, 0.32)))
    if kind == 1:
        return vase(rng, at, min(room * 0.85, rng.uniform(0.14, 0.3)))
    if kind == 2:
        return book_pile(rng, at, int(rng.integers(2, 6)))
    if kind == 3:
        return bowl(rng, at)
    if kind == 4:
        return toy(rng, at, rng.uniform(-0.7, 0.7))
    return frame(rng, 0.16, 0.2, at, rng.uniform(-0.4, 0.4))


def frame(
    rng: Rng,
    width: float,
    height: float,
    at: Point = (0, 0, 0),
    turn: float = 0.0,
    image: np.ndarray | None = None,
) -> bpy.types.Object:
    """A framed picture facing −y."""
    solid = Solid()
    border = 0.035 * min(1.0, width * 2)
    wood = materials.wood(str(pick(rng, WOODS))) if rng.random() < 0.6 else materials.metal("a8853f", 0.4)
    solid.panel(
        width,
        height,
        materials.picture(pictures.any_picture(rng) if image is None else image),
        (0, -0.012, border),
    )
    for z in (0, height + border):
        solid.box((width + 2 * border, 0.03, border), wood, (0, -0.005, z))
    for x in (-1, 1):
        solid.box((border, 0.03, height), wood, (x * (width + border) / 2, -0.005, border))
    return solid.object("Picture", at, turn, bevel=0.004)
