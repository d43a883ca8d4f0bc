"""What a hand-made set is built around: fountain, bust, workbench and tools, clock, pergola, globe, easel, tower."""

import math

import bpy
import numpy as np

from . import materials, pictures, props
from .props import Rng, pick
from .solids import Point, Solid, group


def fountain(at: Point = (0, 0, 0), radius: float = 1.1) -> bpy.types.Object:
    """Two basins on a baluster, water in them."""
    solid = Solid()
    stone, water = materials.ashlar("b5a78e", 0.35, 0.2), materials.glaze("3f6f7a", "6fa0a0", 0.08)
    pale = materials.rock("a89e8c", "7d8050")
    profile = [
        (1.0, 0),
        (1.05, 0.08),
        (0.96, 0.14),
        (0.96, 0.4),
        (1.06, 0.46),
        (1.06, 0.54),
        (0.94, 0.54),
        (0.9, 0.3),
    ]
    solid.lathe([(r * radius, z) for r, z in profile], stone, segments=32)
    solid.cylinder(radius * 0.95, 0.01, water, (0, 0, 0.44), segments=32)
    stem = [
        (0.26, 0.3),
        (0.22, 0.5),
        (0.12, 0.62),
        (0.17, 0.8),
        (0.1, 1.0),
        (0.2, 1.12),
        (0.62, 1.28),
        (0.64, 1.34),
        (0.55, 1.3),
    ]
    solid.lathe([(r * radius, z) for r, z in stem], pale, segments=24)
    solid.cylinder(radius * 0.57, 0.01, water, (0, 0, 1.3), segments=24)
    solid.lathe([(0.1, 1.3), (0.07, 1.5), (0.13, 1.62), (0.03, 1.8)], pale)
    return solid.object("Fountain", at)


def bust(rng: Rng, at: Point = (0, 0, 0), turn: float = 0.0) -> bpy.types.Object:
    """A head on a plinth, facing −y."""
    solid = Solid()
    stone, plinth = materials.marble("e8e2d6", "a09a94"), materials.marble("5a4a44", "a08a78")
    solid.box((0.5, 0.5, 0.1), plinth).box((0.38, 0.38, 0.95), plinth, (0, 0, 0.1), taper=0.9).box(
        (0.46, 0.46, 0.07), plinth, (0, 0, 1.05)
    )
    solid.lathe(
        [(0.1, 1.12), (0.08, 1.18), (0.24, 1.3), (0.25, 1.4), (0.2, 1.46), (0.08, 1.5), (0.07, 1.58)],
        stone,
        squash=0.62,
    )
    solid.ball(0.13, stone, (0, -0.01, 1.7), (0.88, 1.0, 1.2)).ball(
        0.137, stone, (0, 0.025, 1.74), (0.92, 0.95, 1.05)
    )
    solid.ball(0.022, stone, (0, -0.14, 1.68), (0.8, 1.1, 1.5), segments=8)
    return solid.object("Bust", at, turn, bevel=0.006)


def urn(rng: Rng, at: Point = (0, 0, 0), height: float = 1.1) -> bpy.types.Object:
    """A tall garden urn with flowers."""
    solid = Solid()
    clay = materials.rock("b5683f", "a08a60")
    profile = [
        (0.16, 0),
        (0.16, 0.06),
        (0.07, 0.12),
        (0.1, 0.2),
        (0.3, 0.5),
        (0.28, 0.62),
        (0.34, 0.68),
        (0.34, 0.72),
        (0.26, 0.72),
    ]
    solid.lathe([(r * height, z * height) for r, z in profile], clay, segments=24)
    petals = materials.paint(str(pick(rng, ("d8433f", "e7a24c", "d9d2ee", "c65f98"))))
    green = materials.leaves()
    for k in range(60):
        angle, reach = k * 2.4, 0.32 * height * math.sqrt((k + 1) / 60)
        up = height * (0.92 - 0.5 * (reach / height) ** 2) + rng.normal(0, 0.02)
        tone = petals if k % 3 == 0 else green
        solid.ball(
            height * rng.uniform(0.03, 0.055),
            tone,
            (reach * math.cos(angle), reach * math.sin(angle), up),
            segments=8,
        )
    return solid.object("Urn", at)


def workbench(rng: Rng, at: Point = (0, 0, 0), turn: float = 0.0, width: float = 2.4) -> bpy.types.Object:
    """A heavy bench with a vice at its right front corner, shavings and offcuts on it."""
    solid = Solid()
    top, leg, iron = (
        materials.planks("a8804f", 0.13, 2.6),
        materials.wood("7a5535", materials.QUARTER),
        materials.metal("4a6a78"),
    )
    solid.box((width, 0.85, 0.09), top, (0, 0, 0.81))
    for x in (-1, 1):
        for y in (-1, 1):
            solid.box((0.12, 0.12, 0.81), leg, (x * (width / 2 - 0.16), y * 0.32, 0))
    solid.box((width - 0.3, 0.04, 0.2), materials.wood("8a6038"), (0, -0.33, 0.58)).box(
        (width - 0.2, 0.7, 0.04), top, (0, 0, 0.18)
    )
    solid.box((0.16, 0.3, 0.06), iron, (width / 2 - 0.3, -0.3, 0.9)).box(
        (0.14, 0.05, 0.16), iron, (width / 2 - 0.3, -0.4, 0.9)
    )
    solid.box((0.14, 0.05, 0.16), iron, (width / 2 - 0.3, -0.24, 0.9))
    solid.tube([(width / 2 - 0.3, -0.56, 0.97), (width / 2 - 0.3, -0.2, 0.97)], 0.016, iron)
    solid.tube([(width / 2 - 0.38, -0.55, 0.97), (width / 2 - 0.22, -0.55, 0.97)], 0.008, iron)
    pale = materials.wood("d8b078")
    for _ in range(9):
        size = (rng.uniform(0.05, 0.2), rng.uniform(0.03, 0.08), rng.uniform(0.02, 0.06))
        solid.box(
            size,
            pale,
            (rng.uniform(-0.4, 0.4) * width, rng.uniform(-0.3, 0.0), 0.9),
            (0, 0, rng.uniform(0, 3)),
        )
    return solid.object("Workbench", at, turn, bevel=0.006)


def tool(rng: Rng, solid: Solid, kind: int, at: Point, turn: Point = (0, 0, 0)) -> None:
    """Add a hammer, saw, chisel, plane or brush; hung up by default (in the xz plane)."""
    handle, steel = (
        materials.wood(str(pick(rng, ("b0703a", "c79a54", "8a3f2b"))), materials.QUARTER),
        materials.metal("9a9ca0", 0.35),
    )
    part = Solid()
    if kind == 0:
        part.box((0.03, 0.025, 0.28), handle).box((0.13, 0.035, 0.04), steel, (0, 0, 0.27))
    elif kind == 1:
        part.slab([(-0.05, 0.0), (0.03, -0.36), (0.06, -0.36), (0.06, 0.0)], 0.004, steel).box(
            (0.12, 0.025, 0.11), handle
        )
    elif kind == 2:
        part.lathe([(0.014, 0.12), (0.02, 0.16), (0.016, 0.25)], handle).box((0.018, 0.006, 0.14), steel)
    elif kind == 3:
        part.box((0.07, 0.24, 0.06), handle).box((0.05, 0.03, 0.09), handle, (0, 0.08, 0.05)).box(
            (0.05, 0.008, 0.07), steel, (0, -0.01, 0.05), (0.6, 0, 0)
        )
    else:
        part.box((0.035, 0.014, 0.16), handle, (0, 0, 0.08)).box((0.06, 0.02, 0.04), steel, (0, 0, 0.06)).box(
            (0.06, 0.02, 0.06), materials.paint(props.colour(rng))
        )
    for material_index, material in enumerate(part.materials):
        faces = [face for face, slot in zip(part.faces, part.slots, strict=True) if slot == material_index]
        used = sorted({i for face in faces for i in face})
        where = {old: new for new, old in enumerate(used)}
        solid.add(
            [part.vertices[i] for i in used], [[where[i] for i in face] for face in faces], material, at, turn
        )


def tool_board(
    rng: Rng, at: Point = (0, 0, 0), turn: float = 0.0, width: float = 2.2, height: float = 1.0
) -> bpy.types.Object:
    """A painted board with rows of hanging tools, facing −y."""
    solid = Solid()
    solid.box((width, 0.03, height), materials.planks("5f7a78", 0.2, 3.0), (0, 0, 0))
    for x in np.arange(-width / 2 + 0.14, width / 2 - 0.05, 0.17):
        tool(rng, solid, int(rng.integers(3)), (x, -0.05, height * 0.58), (0, 0, 0))
        tool(rng, solid, int(pick(rng, (0, 2, 4))), (x + rng.normal(0, 0.02), -0.05, height * 0.1), (0, 0, 0))
    return solid.object("Tool Board", at, turn)


def jar(rng: Rng, at: Point = (0, 0, 0), height: float = 0.2) -> bpy.types.Object:
    """A jar of brushes and pencils."""
    solid = Solid()
    solid.lathe(
        [(0.05, 0), (0.055, 0.01), (0.055, height * 0.6), (0.048, height * 0.62), (0.04, height * 0.5)],
        materials.glaze(props.colour(rng), "e8dfcc"),
    )
    for k in range(7):
        angle = k * 0.9
        lean = (0.07 * math.cos(angle), 0.07 * math.sin(angle))
        solid.tube(
            [(lean[0] * 0.2, lean[1] * 0.2, height * 0.5), (*lean, height * rng.uniform(1.0, 1.5))],
            [0.006, 0.008],
            materials.paint(props.colour(rng)),
            6,
        )
    return solid.object("Jar", at)


def clock(at: Point = (0, 0, 0), turn: float = 0.0, size: float = 0.6) -> bpy.types.Object:
    """A wall clock facing −y, its middle at `at`."""
    import cv2

    face = np.full((160, 160, 3), pictures.rgb("efe6d0"), np.uint8)
    for k in range(12):
        angle = k * math.tau / 12
        inner = (round(80 + 58 * math.sin(angle)), round(80 - 58 * math.cos(angle)))
        outer = (round(80 + 70 * math.sin(angle)), round(80 - 70 * math.cos(angle)))
        cv2.line(face, inner, outer, (40, 30, 30), 4, cv2.LINE_AA)
    cv2.line(face, (80, 80), (112, 62), (30, 25, 25), 6, cv2.LINE_AA)
    cv2.line(face, (80, 80), (66, 26), (30, 25, 25), 4, cv2.LINE_AA)
    solid = Solid()
    rim = materials.wood("5c3a22")
    solid.lathe(
        [(size * 0.5, 0), (size * 0.56, 0.02), (size * 0.56, 0.06), (size * 0.48, 0.08), (size * 0.48, 0.03)],
        rim,
        turn=(math.pi / 2, 0, 0),
        segments=28,
    )
    solid.panel(size * 0.7, size * 0.7, materials.picture(face, "clock"), (0, -0.06, -size * 0.35))
    solid.cylinder(size * 0.49, 0.05, materials.paint("efe6d0"), (0, 0, 0), (math.pi / 2, 0, 0), 28)
    return solid.object("Clock", at, turn)


def pergola(
    at: Point = (0, 0, 0), turn: float = 0.0, length: float = 4.0, width: float = 2.2
) -> bpy.types.Object:
    """Posts and beams grown over with leaves; runs along y."""
    rng = np.random.default_rng(3)
    solid, post = Solid(), materials.worn("e0d8c6", "8a7355")
    count = 4
    for k in range(count):
        y = -length / 2 + k * length / (count - 1)
        for x in (-1, 1):
            solid.box((0.12, 0.12, 2.3), post, (x * width / 2, y, 0))
        solid.box((width + 0.7, 0.09, 0.14), post, (0, y, 2.36))
    for x in (-1, 1):
        solid.box((0.1, length + 0.5, 0.12), post, (x * width / 2, 0, 2.26))
    green, bloom = materials.leaves("4f7a2e", "9ab554"), materials.paint("a86fc0")
    for _ in range(90):
        place = (rng.uniform(-0.6, 0.6) * width, rng.uniform(-0.55, 0.55) * length, 2.5 + rng.normal(0, 0.07))
        solid.ball(rng.uniform(0.09, 0.2), green, place, segments=8)
    for _ in range(40):
        place = (
            rng.uniform(-0.6, 0.6) * width,
            rng.uniform(-0.55, 0.55) * length,
            2.22 + rng.normal(0, 0.05),
        )
        solid.ball(0.06, bloom, place, (0.7, 0.7, 1.6), segments=6)
    return solid.object("Pergola", at, turn)


def globe(at: Point = (0, 0, 0), radius: float = 0.2) -> bpy.types.Object:
    """A globe on a turned stand."""
    solid = Solid()
    stand = materials.wood("5c3a22", materials.QUARTER)
    solid.lathe([(0.16, 0), (0.15, 0.03), (0.03, 0.08), (0.04, 0.16), (0.02, 0.24)], stand)
    graph = materials.Graph("globe")
    land = graph.noise(graph.solid(), 6.0, 5.0, 0.3)
    tone = graph.ramp(
        land,
        (0.5, materials.linear("3f7a96")),
        (0.53, materials.linear("d8c68a")),
        (0.7, materials.linear("8a9a54")),
    )
    solid.ball(radius, graph.finish(tone, 0.35), (0, 0, 0.26 + radius), segments=28)
    return solid.object("Globe", at)


def easel(rng: Rng, at: Point = (0, 0, 0), turn: float = 0.0) -> bpy.types.Object:
    """An easel with a canvas on it, facing −y."""
    solid = Solid()
    wood = materials.wood("b0804f", materials.QUARTER)
    for x in (-0.3, 0.3):
        solid.tube([(x, -0.15, 0), (x * 0.3, 0.08, 1.7)], 0.022, wood, 6)
    solid.tube([(0, 0.55, 0), (0, 0.08, 1.6)], 0.022, wood, 6)
    solid.box((0.7, 0.06, 0.03), wood, (0, -0.1, 0.72))
    canvas = Solid().panel(0.8, 0.62, materials.picture(pictures.landscape(rng, (200, 155))), (0, -0.022, 0))
    canvas.box((0.8, 0.035, 0.62), materials.paint("e5dcc8"), (0, 0, 0))
    picture = canvas.object("Canvas", (0, -0.1, 0.75))
    picture.rotation_euler[0] = -0.14
    return group("Easel", [solid.object("Easel"), picture], at, turn)


def tower(at: Point = (0, 0, 0), height: float = 11.0, width: float = 2.6) -> bpy.types.Object:
    """A bell tower with arched openings and a tiled cap."""
    solid = Solid()
    wall, trim = materials.bricks("b8775a"), materials.ashlar("cbbfa8", 0.4, 0.25)
    dark = materials.paint("2b2622")
    solid.box((width, width, height), wall)
    for level in (0.35, 0.62, 0.99):
        solid.box((width + 0.2, width + 0.2, 0.2), trim, (0, 0, height * level))
    for side in range(4):
        angle = side * math.pi / 2
        outline = [
            (-0.35, 0),
            (0.35, 0),
            (0.35, 1.2),
            *((0.35 * math.cos(a), 1.2 + 0.35 * math.sin(a)) for a in np.linspace(0.3, math.pi - 0.3, 6)),
            (-0.35, 1.2),
        ]
        place = (math.sin(angle) * (width / 2 + 0.02), -math.cos(angle) * (width / 2 + 0.02), height * 0.7)
        solid.slab(outline, 0.02, dark, place, (0, 0, angle))
        solid.box((1.0, 0.1, 0.12), trim, (place[0], place[1], height * 0.7 - 0.12), (0, 0, angle))
    half = width / 2 + 0.25
    corners = [
        (-half, -half, height + 0.2),
        (half, -half, height + 0.2),
        (half, half, height + 0.2),
        (-half, half, height + 0.2),
        (0, 0, height + 2.0),
    ]
    solid.add(
        corners, [(0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4)], materials.tiles("8a3f2b", "a85a3c", 0.25)
    )
    return solid.object("Tower", at)
