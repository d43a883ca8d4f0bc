"""Ground, trees, bushes, rocks, flowers, skies."""

import math

import bpy
import numpy as np

from . import materials
from .props import Rng, pick
from .solids import Point, Solid


def hills(rng: Rng, size: float, height: float, cells: int = 56, flat: float = 2.5) -> np.ndarray:
    """Heights of rolling ground, level about the middle within `flat` metres."""
    at = np.linspace(-0.5, 0.5, cells) * size
    x, y = np.meshgrid(at, at)
    ground = np.zeros_like(x)
    for octave in range(1, 6):
        angle, phase = rng.uniform(0, 6.28), rng.uniform(0, 6.28)
        wave = (math.cos(angle) * x + math.sin(angle) * y) * octave * 4.0 / size + phase
        ground += np.sin(wave + np.sin(wave * 0.7)) / octave
    far = np.clip((np.hypot(x, y) - flat) / (size * 0.25), 0, 1)
    return ground * height * far * far


def ground(rng: Rng, heights: np.ndarray, size: float, material: bpy.types.Material) -> bpy.types.Object:
    return Solid().sheet(heights, (size, size), material).object("Ground")


def height_at(heights: np.ndarray, size: float, x: float, y: float) -> float:
    """The ground's height under a point."""
    cells = heights.shape[0] - 1
    column = int(np.clip(round((x / size + 0.5) * cells), 0, cells))
    row = int(np.clip(round((y / size + 0.5) * cells), 0, cells))
    return float(heights[row, column])


def _lump(
    solid: Solid,
    rng: Rng,
    radius: float,
    material: bpy.types.Material,
    at: Point,
    rough: float = 0.25,
    squash: float = 0.85,
    segments: int = 18,
) -> None:
    """A ball pushed in and out by waves: foliage, a rock."""
    rows = segments // 2
    polar, turn = np.meshgrid(
        np.linspace(0.02, math.pi - 0.02, rows + 1), np.arange(segments) / segments * math.tau, indexing="ij"
    )
    push = np.ones_like(polar)
    for octave in (1, 2, 4):
        a, b = rng.uniform(0, 6.28, 2)
        push += rough / octave * np.sin(octave * 2 * polar + a) * np.cos(np.round(octave * 1.5) * turn + b)
    push += rng.normal(0, rough * 0.12, push.shape)
    x, y, z = np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), -np.cos(polar) * squash
    vertices = (np.stack([x, y, z], -1) * (push * radius)[..., None]).reshape(-1, 3)
    faces = [
        (
            r * segments + k,
            r * segments + (k + 1) % segments,
            (r + 1) * segments + (k + 1) % segments,
            (r + 1) * segments + k,
        )
        for r in range(rows)
        for k in range(segments)
    ]
    faces += [tuple(reversed(range(segments))), tuple(range(rows * segments, (rows + 1) * segments))]
    solid.add(vertices.tolist(), faces, material, at, smooth=True)


def tree(rng: Rng, at: Point = (0, 0, 0), height: float = 4.0, kind: str = "") -> bpy.types.Object:
    """'round' crowns on boughs, 'poplar' or 'fir'."""
    kind = kind or str(pick(rng, ("round", "round", "poplar", "fir")))
    solid, bark = Solid(), materials.bark(str(pick(rng, ("5d4634", "6f5a48", "4a4038"))))
    greens = (("4f7a2e", "8aa544"), ("3a5f2c", "6f9440"), ("7a7a2a", "c0a63c"), ("8a4a22", "d08a36"))
    green = materials.leaves(*greens[rng.integers(len(greens))])
    radius = height * 0.035
    if kind == "fir":
        solid.tube([(0, 0, 0), (0, 0, height)], [radius, radius * 0.2], bark)
        for level in np.linspace(0.18, 0.95, 7):
            spread = height * 0.24 * (1.08 - level)
            solid.lathe(
                [
                    (spread, level * height - spread * 0.35),
                    (spread * 0.5, level * height + spread * 0.3),
                    (0.02, level * height + spread),
                ],
                materials.leaves("27472f", "4f7548"),
                turn=(0, 0, level * 9),
                segments=11,
            )
        return solid.object("Fir", at, rng.uniform(0, 6))
    bend = [
        (rng.normal(0, 0.02) * height * k, rng.normal(0, 0.02) * height * k, height * 0.6 * k)
        for k in np.linspace(0, 1, 5)
    ]
    solid.tube(bend, [radius * f for f in (1.5, 1.0, 0.85, 0.7, 0.5)], bark)
    crown = bend[-1]
    if kind == "poplar":
        for k in range(7):
            _lump(
                solid,
                rng,
                height * 0.16 * (1.0 - abs(k - 2.5) * 0.12),
                green,
                (rng.normal(0, 0.08), rng.normal(0, 0.08), height * (0.3 + 0.1 * k)),
                0.3,
                1.1,
            )
        return solid.object("Poplar", at)
    for k in range(int(rng.integers(8, 13))):
        angle, reach = k * 2.4, height * rng.uniform(0.08, 0.26)
        place = (
            crown[0] + reach * math.cos(angle),
            crown[1] + reach * math.sin(angle),
            height * rng.uniform(0.58, 0.88),
        )
        if k < 5:
            start = bend[3]
            solid.tube(
                [
                    start,
                    ((start[0] + place[0]) / 2, (start[1] + place[1]) / 2, (start[2] + place[2]) / 2 - 0.05),
                    place,
                ],
                [radius * 0.5, radius * 0.35, radius * 0.2],
                bark,
                6,
            )
        _lump(solid, rng, height * rng.uniform(0.11, 0.19), green, place, 0.35, 0.8)
    return solid.object("Tree", at, rng.uniform(0, 6))


def bush(rng: Rng, at: Point = (0, 0, 0), size: float = 0.7, flowers: bool = False) -> bpy.types.Object:
    solid = Solid()
    green = materials.leaves(
        *(("4f7a2e", "8aa544"), ("2f5c3a", "6fa06a"), ("5f6f2a", "a8a24c"))[rng.integers(3)]
    )
    for k in range(5):
        angle = k * 2.4
        _lump(
            solid,
            rng,
            size * rng.uniform(0.3, 0.45),
            green,
            (size * 0.3 * math.cos(angle), size * 0.3 * math.sin(angle), size * rng.uniform(0.25, 0.55)),
            0.4,
            0.9,
            14,
        )
    if flowers:
        petal = materials.paint(str(pick(rng, ("d8433f", "e7d24c", "e9e2ee", "b65fa8"))))
        for _ in range(26):
            angle, up = rng.uniform(0, 6.28), rng.uniform(0.2, 1.3)
            reach = size * 0.62
            solid.ball(
                size * 0.05,
                petal,
                (
                    reach * math.cos(angle) * math.cos(up),
                    reach * math.sin(angle) * math.cos(up),
                    size * 0.45 + reach * 0.75 * math.sin(up),
                ),
                segments=6,
            )
    return solid.object("Bush", at, rng.uniform(0, 6))


def boulder(rng: Rng, at: Point = (0, 0, 0), size: float = 0.6) -> bpy.types.Object:
    solid = Solid()
    stone = materials.rock(
        str(pick(rng, ("807a72", "94866f", "6c6f75"))), str(pick(rng, ("5f6b3c", "7d7a52", "8f8a80")))
    )
    _lump(solid, rng, size, stone, (0, 0, size * 0.35), 0.3, 0.7)
    return solid.object("Boulder", at, rng.uniform(0, 6))


def tufts(
    rng: Rng, places: list[Point], material: bpy.types.Material, height: float = 0.25
) -> bpy.types.Object:
    """Grass tufts, some blades each, as one object."""
    solid = Solid()
    for x, y, z in places:
        for k in range(6):
            angle, lean = k * 1.1 + rng.uniform(0, 1), rng.uniform(0.05, 0.4) * height
            tall = height * rng.uniform(0.6, 1.2)
            dx, dy = math.cos(angle), math.sin(angle)
            base = 0.018
            vertices = [
                (x - dy * base, y + dx * base, z),
                (x + dy * base, y - dx * base, z),
                (x + dx * lean * 1.6, y + dy * lean * 1.6, z + tall),
            ]
            solid.add(vertices, [(0, 1, 2)], material)
    return solid.object("Grass")


def sky(
    zenith: str = "4f82b8",
    horizon: str = "cfdbe2",
    clouds: float = 0.6,
    strength: float = 1.0,
    seed: float = 0.0,
) -> None:
    """A sky with clouds for the scene: it has no depth, so it turns with the camera and doesn't shift."""
    world = bpy.data.worlds.new("Sky")
    bpy.context.scene.world = world
    world.use_nodes = True
    tree = world.node_tree
    tree.nodes.clear()

    def node(kind: str, **inputs: object) -> bpy.types.Node:
        made = tree.nodes.new("ShaderNode" + kind)
        for name, value in inputs.items():
            socket = made.inputs[name.replace("_", " ")]
            if isinstance(value, bpy.types.NodeSocket):
                tree.links.new(value, socket)
            else:
                socket.default_value = value
        return made

    direction = node("TexCoord").outputs["Generated"]
    up = node("SeparateXYZ", Vector=direction).outputs["Z"]
    ramp = node("ValToRGB", Fac=up)
    low, high = ramp.color_ramp.elements
    low.position, low.color = 0.0, (*materials.linear(horizon), 1)
    high.position, high.color = 0.55, (*materials.linear(zenith), 1)
    mapped = node("Mapping", Vector=direction, Scale=(2.0, 2.0, 6.0), Location=(seed, seed * 0.7, 0.0))
    noise = node("TexNoise", Vector=mapped.outputs[0], Scale=1.6, Detail=6.0, Distortion=0.4)
    cover = node("ValToRGB", Fac=noise.outputs[0])
    first, last = cover.color_ramp.elements
    first.position, first.color = 0.5, (0, 0, 0, 1)
    last.position, last.color = 0.68, (clouds, clouds, clouds, 1)
    mix = tree.nodes.new("ShaderNodeMix")
    mix.data_type = "RGBA"
    for socket, value in ((mix.inputs[0], cover.outputs[0]), (mix.inputs[6], ramp.outputs[0])):
        tree.links.new(value, socket)
    mix.inputs[7].default_value = (*materials.linear("fbf7ef"), 1)
    background = node("Background", Color=mix.outputs[2], Strength=strength)
    output = node("OutputWorld")
    tree.links.new(background.outputs[0], output.inputs["Surface"])


def sun(turn: Point, strength: float = 4.0, colour: str = "fff1d6", angle: float = 0.02) -> bpy.types.Object:
    """A sun; `turn` in radians, (0, 0, 0) shines straight down."""
    light = bpy.data.lights.new("Sun", "SUN")
    light.energy, light.color, light.angle = strength, materials.linear(colour), angle
    thing = bpy.data.objects.new("Sun", light)
    thing.rotation_euler = turn
    bpy.context.scene.collection.objects.link(thing)
    return thing


def area(
    at: Point, turn: Point, power: float, size: tuple[float, float], colour: str = "fff4e0"
) -> bpy.types.Object:
    """An area light that shines along its −z: a window, a soft box, a ceiling lamp."""
    light = bpy.data.lights.new("Area", "AREA")
    light.shape, light.energy, light.color = "RECTANGLE", power, materials.linear(colour)
    light.size, light.size_y = size
    thing = bpy.data.objects.new("Area", light)
    thing.location, thing.rotation_euler = at, turn
    thing.visible_camera = False
    bpy.context.scene.collection.objects.link(thing)
    return thing


def bulb(at: Point, power: float, colour: str = "ffc98a", radius: float = 0.08) -> bpy.types.Object:
    light = bpy.data.lights.new("Bulb", "POINT")
    light.energy, light.color, light.shadow_soft_size = power, materials.linear(colour), radius
    thing = bpy.data.objects.new("Bulb", light)
    thing.location = at
    thing.visible_camera = False
    bpy.context.scene.collection.objects.link(thing)
    return thing
