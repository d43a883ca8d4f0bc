"""Surfaces: wood, bricks, tiles, stone, cloth, paint, greenery, and generated pictures.

Colours are sRGB hex strings; patterns are laid out in metres. A material with the same arguments is made
once a file.
"""

import functools
import math
from collections.abc import Callable

import bpy
import numpy as np

from .graph import Graph

_made: dict[tuple, bpy.types.Material] = {}


def forget() -> None:
    """Forget what was made: call it after the file is emptied."""
    _made.clear()


def once(make: Callable[..., bpy.types.Material]) -> Callable[..., bpy.types.Material]:
    """Make a material once for each set of arguments."""

    @functools.wraps(make)
    def wrapper(*args: object, **kwargs: object) -> bpy.types.Material:
        key = (make.__name__, args, tuple(sorted(kwargs.items())))
        if key not in _made:
            _made[key] = make(*args, **kwargs)
        return _made[key]

    return wrapper


def linear(colour: str) -> tuple[float, float, float]:
    """'b5651d' as linear RGB."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    return tuple(p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)  # type: ignore[return-value]


def shade(colour: str, factor: float) -> tuple[float, float, float]:
    """The colour, lighter (factor > 1) or darker, linear RGB."""
    return tuple(min(1.0, c * factor) for c in linear(colour))  # type: ignore[return-value]


@once
def paint(colour: str, roughness: float = 0.5) -> bpy.types.Material:
    """Plain paint, a little uneven."""
    graph = Graph("paint")
    tone = graph.ramp(
        graph.noise(graph.solid(), 5.0, 4.0), (0.3, shade(colour, 0.82)), (0.7, shade(colour, 1.12))
    )
    return graph.finish(tone, roughness)


@once
def worn(colour: str, under: str = "6b4a35", roughness: float = 0.6) -> bpy.types.Material:
    """Paint that has come off in places."""
    graph = Graph("worn")
    spots = graph.noise(graph.solid(), 9.0, 6.0, 0.4)
    mask = graph.ramp(spots, (0.56, (0, 0, 0)), (0.62, (1, 1, 1)))
    tone = graph.ramp(
        graph.noise(graph.solid(), 3.0, 3.0), (0.3, shade(colour, 0.75)), (0.7, shade(colour, 1.15))
    )
    return graph.finish(graph.mix(tone, linear(under), mask), roughness, graph.bump(spots, 0.3))


@once
def wood(colour: str, turn: float = 0.0, roughness: float = 0.55) -> bpy.types.Material:
    """Grain along the surface's first axis (turn=π/2: along the second)."""
    graph = Graph("wood")
    rings = graph.noise(graph.surface((1.2, 14.0, 1.0), turn), 1.6, 5.0, 1.2)
    fibre = graph.noise(graph.surface((6.0, 90.0, 1.0), turn), 1.0, 2.0)
    tone = graph.ramp(
        rings, (0.32, shade(colour, 0.45)), (0.5, shade(colour, 0.95)), (0.68, shade(colour, 1.35))
    )
    tone = graph.mix(tone, fibre, 0.25, "OVERLAY")
    return graph.finish(tone, roughness, graph.bump(fibre, 0.15, 0.004))


@once
def planks(
    colour: str, width: float = 0.14, length: float = 1.3, turn: float = 0.0, roughness: float = 0.5
) -> bpy.types.Material:
    """Floor boards or boarding, each board its own tone."""
    graph = Graph("planks")
    at = graph.surface(1.0, turn)
    boards = graph.brick(
        at, length, width, 0.004, (shade(colour, 0.65), shade(colour, 1.3), shade(colour, 0.12)), offset=0.37
    )
    rings = graph.noise(graph.surface((1.4, 16.0, 1.0), turn), 1.5, 4.0, 1.0)
    tone = graph.mix(boards, graph.ramp(rings, (0.3, (0.45,) * 3), (0.7, (1.1,) * 3)), 0.8, "MULTIPLY")
    return graph.finish(tone, roughness, graph.bump(boards, 0.25, 0.004))


@once
def bricks(
    colour: str, joint: str = "b8b0a2", width: float = 0.24, height: float = 0.075
) -> bpy.types.Material:
    graph = Graph("bricks")
    wall = graph.brick(
        graph.surface(), width, height, 0.009, (shade(colour, 0.6), shade(colour, 1.35), linear(joint))
    )
    dirt = graph.noise(graph.surface(), 2.2, 5.0)
    tone = graph.mix(wall, graph.ramp(dirt, (0.3, (0.5,) * 3), (0.65, (1.05,) * 3)), 0.85, "MULTIPLY")
    return graph.finish(tone, 0.9, graph.bump(wall, 0.5, 0.01))


@once
def ashlar(colour: str, width: float = 0.7, height: float = 0.35) -> bpy.types.Material:
    """Dressed stone blocks."""
    graph = Graph("ashlar")
    stone = graph.noise(graph.surface(), 5.0, 6.0, 0.3)
    blocks = graph.brick(
        graph.surface(), width, height, 0.012, (shade(colour, 0.8), shade(colour, 1.1), shade(colour, 0.3))
    )
    tone = graph.mix(blocks, graph.ramp(stone, (0.3, (0.6,) * 3), (0.7, (1.15,) * 3)), 0.9, "MULTIPLY")
    return graph.finish(tone, 0.85, graph.bump(blocks, 0.4, 0.012))


@once
def tiles(
    first: str,
    second: str,
    size: float = 0.3,
    joint: str = "4a4642",
    turn: float = 0.0,
    roughness: float = 0.35,
) -> bpy.types.Material:
    """Square tiles of two colours, chequered, with joints."""
    graph = Graph("tiles")
    at = graph.surface(1.0, turn)
    check = graph.node(
        "TexChecker", {"Vector": at, "Color1": linear(first), "Color2": linear(second), "Scale": 1 / size}
    )
    speck = graph.noise(graph.surface(), 14.0, 3.0)
    tone = graph.mix(
        check.outputs["Color"], graph.ramp(speck, (0.3, (0.7,) * 3), (0.7, (1.1,) * 3)), 0.7, "MULTIPLY"
    )
    white, grey = (1.0, 1.0, 1.0), linear(joint)
    lines = graph.brick(at, size, size, 0.006, (white, white, grey), offset=0.0)
    tone = graph.mix(tone, lines, 1.0, "MULTIPLY")
    return graph.finish(tone, roughness, graph.bump(lines, 0.2, 0.004))


@once
def marble(light: str = "e6e1d8", dark: str = "6d6a6a", roughness: float = 0.3) -> bpy.types.Material:
    graph = Graph("marble")
    at = graph.solid()
    veins = graph.noise(at, 2.0, 7.0, 2.2)
    tone = graph.ramp(veins, (0.42, linear(light)), (0.5, linear(dark)), (0.56, linear(light)))
    cloud = graph.ramp(graph.noise(at, 1.3, 2.0), (0.3, (0.8,) * 3), (0.7, (1.0,) * 3))
    return graph.finish(graph.mix(tone, cloud, 1.0, "MULTIPLY"), roughness)


@once
def plaster(colour: str, stain: str = "8a7a66", amount: float = 0.35) -> bpy.types.Material:
    """Wall plaster with stains and the trowel's marks."""
    graph = Graph("plaster")
    clouds = graph.noise(graph.surface(), 1.1, 6.0, 0.5)
    tone = graph.mix(
        linear(colour), linear(stain), graph.ramp(clouds, (0.45, (0, 0, 0)), (0.75, (amount,) * 3))
    )
    grain = graph.noise(graph.surface(), 16.0, 4.0)
    tone = graph.mix(tone, graph.ramp(grain, (0.3, (0.84,) * 3), (0.7, (1.04,) * 3)), 1.0, "MULTIPLY")
    return graph.finish(tone, 0.9, graph.bump(grain, 0.25))


@once
def wallpaper(ground: str, figure: str, size: float = 0.22, kind: str = "stripes") -> bpy.types.Material:
    """Papered wall: 'stripes', 'dots' or 'diamonds'."""
    graph = Graph("wallpaper")
    if kind == "stripes":
        wave = graph.node(
            "TexWave",
            {"Vector": graph.surface(), "Scale": 0.314 / size, "Distortion": 0.0},
            wave_profile="SAW",
        )
        mask = graph.ramp(wave.outputs[0], (0.48, (0, 0, 0)), (0.52, (1, 1, 1)))
    elif kind == "dots":
        at = graph.surface(1 / size, 0.785)
        dots = graph.node("TexVoronoi", {"Vector": at, "Scale": 1.0, "Randomness": 0.0})
        mask = graph.ramp(dots.outputs["Distance"], (0.24, (1, 1, 1)), (0.3, (0, 0, 0)))
    else:
        at = graph.surface(1.0, 0.785)
        check = graph.node(
            "TexChecker", {"Vector": at, "Color1": (1, 1, 1), "Color2": (0, 0, 0), "Scale": 1 / size}
        )
        mask = check.outputs["Color"]
    tone = graph.mix(linear(ground), linear(figure), mask)
    age = graph.ramp(graph.noise(graph.surface(), 1.6, 5.0), (0.3, (0.78,) * 3), (0.7, (1.05,) * 3))
    return graph.finish(graph.mix(tone, age, 1.0, "MULTIPLY"), 0.85)


@once
def concrete(colour: str = "8d8a85") -> bpy.types.Material:
    graph = Graph("concrete")
    patches = graph.noise(graph.surface(), 0.9, 8.0, 0.6)
    pores = graph.noise(graph.surface(), 24.0, 3.0)
    tone = graph.ramp(
        patches, (0.3, shade(colour, 0.55)), (0.5, shade(colour, 0.95)), (0.7, shade(colour, 1.3))
    )
    tone = graph.mix(tone, graph.ramp(pores, (0.35, (0.6,) * 3), (0.55, (1.0,) * 3)), 0.7, "MULTIPLY")
    return graph.finish(tone, 0.9, graph.bump(pores, 0.3))


@once
def cobbles(colour: str = "7d7468", size: float = 0.16) -> bpy.types.Material:
    """Paving of rounded stones."""
    graph = Graph("cobbles")
    at = graph.surface(1 / size)
    edge = graph.node(
        "TexVoronoi", {"Vector": at, "Scale": 1.0, "Randomness": 0.7}, feature="DISTANCE_TO_EDGE"
    ).outputs["Distance"]
    cell = graph.node("TexVoronoi", {"Vector": at, "Scale": 1.0, "Randomness": 0.7}).outputs["Color"]
    value = graph.node("SeparateColor", {"Color": cell}).outputs[0]
    tone = graph.ramp(value, (0.0, shade(colour, 0.55)), (0.6, shade(colour, 1.0)), (1.0, shade(colour, 1.5)))
    joints = graph.ramp(edge, (0.03, (0.18,) * 3), (0.12, (1.0,) * 3))
    tone = graph.mix(tone, joints, 1.0, "MULTIPLY")
    moss = graph.ramp(graph.noise(graph.surface(), 0.7, 4.0), (0.55, (0, 0, 0)), (0.7, (0.35,) * 3))
    return graph.finish(graph.mix(tone, linear("5d6640"), moss), 0.8, graph.bump(joints, 0.6, 0.02))


@once
def cloth(first: str, second: str, kind: str = "stripes", size: float = 0.08) -> bpy.types.Material:
    """Woven cloth: 'stripes', 'plaid', 'dots' or 'plain'."""
    graph = Graph("cloth")
    stripe = graph.node(
        "TexWave", {"Vector": graph.surface(), "Scale": 0.314 / size}, wave_profile="SAW"
    ).outputs[0]
    step = graph.ramp(stripe, (0.45, (0, 0, 0)), (0.55, (1, 1, 1)))
    if kind == "plaid":
        other = graph.node(
            "TexWave",
            {"Vector": graph.surface(), "Scale": 0.314 / size},
            wave_profile="SAW",
            bands_direction="Y",
        )
        step = graph.mix(step, graph.ramp(other.outputs[0], (0.45, (0, 0, 0)), (0.55, (1, 1, 1))), 0.5)
    elif kind == "dots":
        dots = graph.node("TexVoronoi", {"Vector": graph.surface(1 / size), "Scale": 1.0, "Randomness": 0.1})
        step = graph.ramp(dots.outputs["Distance"], (0.26, (1, 1, 1)), (0.34, (0, 0, 0)))
    elif kind == "plain":
        step = graph.ramp(graph.noise(graph.solid(), 2.5, 3.0), (0.4, (0, 0, 0)), (0.6, (0.5,) * 3))
    weave = graph.noise(graph.surface(), 60.0, 2.0)
    tone = graph.mix(linear(first), linear(second), step)
    tone = graph.mix(tone, graph.ramp(weave, (0.3, (0.75,) * 3), (0.7, (1.1,) * 3)), 1.0, "MULTIPLY")
    return graph.finish(tone, 0.95, graph.bump(weave, 0.2, 0.003))


@once
def metal(colour: str = "8b8d90", roughness: float = 0.45) -> bpy.types.Material:
    graph = Graph("metal")
    scratches = graph.noise(graph.solid((3.0, 3.0, 30.0)), 2.0, 4.0)
    tone = graph.ramp(scratches, (0.3, shade(colour, 0.7)), (0.7, shade(colour, 1.1)))
    return graph.finish(tone, roughness, metallic=0.6)


@once
def glaze(colour: str, band: str = "", roughness: float = 0.18) -> bpy.types.Material:
    """Glazed pottery or glass seen as a solid; `band` adds rings of another colour."""
    graph = Graph("glaze")
    tone = graph.ramp(
        graph.noise(graph.solid(), 9.0, 3.0), (0.35, shade(colour, 0.7)), (0.65, shade(colour, 1.1))
    )
    if band:
        rings = graph.node(
            "TexWave", {"Vector": graph.solid(), "Scale": 3.0, "Distortion": 1.2}, bands_direction="Z"
        ).outputs[0]
        tone = graph.mix(tone, linear(band), graph.ramp(rings, (0.72, (0, 0, 0)), (0.78, (1, 1, 1))))
    return graph.finish(tone, roughness)


@once
def grass(colour: str = "5b7a35", dry: str = "a39a5a") -> bpy.types.Material:
    graph = Graph("grass")
    blades = graph.noise(graph.surface((9.0, 26.0, 1.0)), 1.0, 5.0, 0.6)
    patches = graph.ramp(graph.noise(graph.surface(), 0.35, 5.0), (0.42, (0, 0, 0)), (0.62, (1, 1, 1)))
    tone = graph.ramp(
        blades, (0.3, shade(colour, 0.4)), (0.55, shade(colour, 1.0)), (0.72, shade(colour, 1.6))
    )
    return graph.finish(graph.mix(tone, linear(dry), patches), 0.95, graph.bump(blades, 0.6, 0.03))


@once
def earth(colour: str = "8a6a48", stones: str = "b3a68f") -> bpy.types.Material:
    graph = Graph("earth")
    clods = graph.noise(graph.surface(), 2.4, 8.0, 0.4)
    cells = graph.node("TexVoronoi", {"Vector": graph.surface(7.0), "Scale": 1.0}).outputs["Distance"]
    tone = graph.ramp(clods, (0.3, shade(colour, 0.5)), (0.7, shade(colour, 1.35)))
    tone = graph.mix(tone, linear(stones), graph.ramp(cells, (0.16, (0.9,) * 3), (0.24, (0, 0, 0))))
    return graph.finish(tone, 0.95, graph.bump(clods, 0.5, 0.02))


@once
def bark(colour: str = "5d4634") -> bpy.types.Material:
    graph = Graph("bark")
    ridges = graph.noise(graph.solid((16.0, 16.0, 3.0)), 1.0, 4.0, 0.8)
    tone = graph.ramp(ridges, (0.35, shade(colour, 0.35)), (0.65, shade(colour, 1.5)))
    return graph.finish(tone, 0.95, graph.bump(ridges, 0.6, 0.02))


@once
def leaves(colour: str = "4f7a2e", second: str = "8aa544") -> bpy.types.Material:
    """Foliage seen as a mass: light and dark clumps."""
    graph = Graph("leaves")
    clumps = graph.node("TexVoronoi", {"Vector": graph.solid(11.0), "Scale": 1.0}).outputs["Color"]
    value = graph.node("SeparateColor", {"Color": clumps}).outputs[0]
    tone = graph.ramp(value, (0.0, shade(colour, 0.35)), (0.5, linear(colour)), (1.0, linear(second)))
    return graph.finish(tone, 0.8, graph.bump(value, 0.6, 0.04))


@once
def rock(colour: str = "807a72", moss: str = "5f6b3c") -> bpy.types.Material:
    graph = Graph("rock")
    layers = graph.noise(graph.solid((1.0, 1.0, 3.0)), 3.0, 8.0, 0.8)
    tone = graph.ramp(layers, (0.3, shade(colour, 0.45)), (0.5, linear(colour)), (0.7, shade(colour, 1.5)))
    patch = graph.ramp(graph.noise(graph.solid(), 2.5, 5.0), (0.52, (0, 0, 0)), (0.62, (0.8,) * 3))
    return graph.finish(graph.mix(tone, linear(moss), patch), 0.95, graph.bump(layers, 0.6, 0.03))


@once
def glow(colour: str, strength: float = 4.0) -> bpy.types.Material:
    return Graph("glow").finish(linear(colour), 0.5, glow=strength)


def picture(
    pixels: np.ndarray, name: str = "picture", roughness: float = 0.7, tile: float = 0.0
) -> bpy.types.Material:
    """A generated picture (H, W, 3) uint8 sRGB over the unit UV square, or repeated every `tile` metres."""
    height, width = pixels.shape[:2]
    image = bpy.data.images.new(name, width, height)
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = pixels[::-1] / 255.0
    image.pixels.foreach_set(rgba.ravel())
    image.pack()
    graph = Graph(name)
    at = graph.surface(1 / tile if tile else 1.0)
    texture = graph.node("TexImage", {"Vector": at}, image=image, interpolation="Cubic")
    age = graph.ramp(graph.noise(graph.solid(), 3.0, 4.0), (0.3, (0.85,) * 3), (0.7, (1.0,) * 3))
    return graph.finish(graph.mix(texture.outputs["Color"], age, 1.0, "MULTIPLY"), roughness)


QUARTER = math.pi / 2
"""The turn that makes grain and boards run along a surface's second axis."""
