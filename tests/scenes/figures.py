"""What moves: people who walk, a cart, a ball, a lantern that swings; and the curves that move them."""

import math
from collections.abc import Callable

import bpy
import numpy as np

from . import materials, props
from .props import Rng, pick
from .solids import Point, Solid, group

Place = Callable[[float], tuple[float, float, float, float]]
"""A path: time 0..1 -> x, y, z and the turn about z."""


def key(thing: bpy.types.Object, path: str, frames: np.ndarray, values: np.ndarray) -> None:
    """Key a property at every frame: values (frames,) or (frames, channels), linear between."""
    values = np.asarray(values, float)
    for frame, value in zip(frames, values, strict=True):
        setattr(thing, path, tuple(value) if values.ndim > 1 else float(value))
        thing.keyframe_insert(path, frame=float(frame))


def follow(thing: bpy.types.Object, place: Place, frames: np.ndarray) -> None:
    """Move a thing along a path over the frames."""
    points = [place(t) for t in np.linspace(0, 1, len(frames))]
    key(thing, "location", frames, np.array([p[:3] for p in points]))
    key(thing, "rotation_euler", frames, np.array([(0, 0, p[3]) for p in points]))


def line(start: Point, end: Point) -> Place:
    """Straight ahead at an even pace, facing along it (a figure's front is −y)."""
    turn = math.atan2(end[1] - start[1], end[0] - start[0]) + math.pi / 2
    return lambda t: (*(start[i] + (end[i] - start[i]) * t for i in range(3)), turn)  # type: ignore[return-value]


def circle(centre: Point, radius: float, first: float, last: float) -> Place:
    """An arc between two angles."""
    ahead = math.copysign(math.pi / 2, last - first)

    def place(t: float) -> tuple[float, float, float, float]:
        angle = first + (last - first) * t
        return (
            centre[0] + radius * math.cos(angle),
            centre[1] + radius * math.sin(angle),
            centre[2],
            angle + ahead + math.pi / 2,
        )

    return place


def person(rng: Rng, at: Point = (0, 0, 0), turn: float = 0.0, height: float = 1.72) -> bpy.types.Object:
    """A figure in a coat, hat and scarf that faces −y; its limbs are children named Leg and Arm."""
    skin = materials.paint(str(pick(rng, ("e0b08c", "b07a56", "7c5238", "f0cdb0"))), 0.6)
    coat, legs = (
        props.some_cloth(rng),
        materials.cloth(str(pick(rng, ("2f3a4a", "4a3a2f", "3a3a3a", "5a5f3f"))), "20242a", "plain"),
    )
    hair = materials.paint(str(pick(rng, ("2a1f18", "6b4a2a", "b0803f", "9a9590"))), 0.9)
    accent, shoe = materials.paint(props.colour(rng)), materials.paint("2b211c", 0.4)
    k = height / 1.72
    body = Solid()
    body.lathe(
        [(0.19, 0.78), (0.2, 0.86), (0.16, 1.05), (0.2, 1.3), (0.19, 1.4), (0.07, 1.46)], coat, squash=0.68
    )
    body.lathe([(0.055, 1.42), (0.055, 1.52)], skin).lathe(
        [(0.1, 1.4), (0.115, 1.44), (0.09, 1.48)], accent, squash=0.85
    )
    body.ball(0.105, skin, (0, -0.005, 1.6), (0.92, 1.0, 1.18)).ball(
        0.112, hair, (0, 0.022, 1.625), (0.95, 0.98, 1.1)
    ).ball(0.016, skin, (0, -0.112, 1.59), segments=8)
    if rng.random() < 0.5:
        body.lathe([(0.2, 1.66), (0.2, 1.675), (0.115, 1.69), (0.105, 1.8), (0.04, 1.82)], accent)
    if rng.random() < 0.5:
        body.box(
            (0.24, 0.13, 0.34),
            materials.cloth(props.colour(rng), props.colour(rng), "plaid", 0.06),
            (0, 0.19, 1.0),
            (0.06, 0, 0),
        )
    things = [body.object("Body")]
    for side in (-1, 1):
        leg = (
            Solid()
            .tube([(0, 0, 0.02), (0, 0.01, -0.4), (0, 0.03, -0.78)], [0.095, 0.075, 0.055], legs)
            .box((0.1, 0.26, 0.09), shoe, (0, -0.05, -0.84), taper=0.8)
        )
        thing = leg.object("Leg", (side * 0.09, 0, 0.84))
        arm = (
            Solid()
            .tube(
                [(0, 0, 0), (side * 0.04, 0.02, -0.28), (side * 0.04, -0.05, -0.54)],
                [0.07, 0.058, 0.045],
                coat,
            )
            .ball(0.05, skin, (side * 0.04, -0.06, -0.58), segments=10)
        )
        other = arm.object("Arm", (side * 0.2, 0, 1.37))
        thing["side"], other["side"] = side, -side
        things += [thing, other]
    return group("Person", things, at, turn, k)


def walk(figure: bpy.types.Object, place: Place, frames: np.ndarray, stride: float = 0.7) -> None:
    """Move a person along a path, the limbs swinging as often as the way is long."""
    follow(figure, place, frames)
    points = np.array([place(t)[:3] for t in np.linspace(0, 1, len(frames))])
    way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    for limb in figure.children:
        if "side" in limb:
            swing = (
                (0.45 if limb.name.startswith("Leg") else 0.38)
                * np.sin(way / stride * math.pi)
                * limb["side"]
            )
            key(
                limb,
                "rotation_euler",
                frames,
                np.stack([swing, np.zeros_like(swing), np.zeros_like(swing)], 1),
            )


def wave_arm(figure: bpy.types.Object, frames: np.ndarray, beats: float = 2.0) -> None:
    """A standing person lifts one arm and waves."""
    arm = next(limb for limb in figure.children if limb.name.startswith("Arm") and limb["side"] == -1)
    t = np.linspace(0, 1, len(frames))
    lift = 2.5 + 0.45 * np.sin(t * math.tau * beats)
    key(arm, "rotation_euler", frames, np.stack([np.full_like(t, -0.3), -lift, np.zeros_like(t)], 1))


def swing(thing: bpy.types.Object, frames: np.ndarray, amount: float = 0.35, beats: float = 1.5) -> None:
    """A hanging thing swings about its origin."""
    t = np.linspace(0, 1, len(frames))
    key(
        thing,
        "rotation_euler",
        frames,
        np.stack([amount * np.sin(t * math.tau * beats), 0 * t, 0 * t + thing.rotation_euler[2]], 1),
    )


def bounce(
    thing: bpy.types.Object, place: Place, frames: np.ndarray, height: float = 0.6, beats: float = 2.0
) -> None:
    """A ball goes along a path in hops."""
    t = np.linspace(0, 1, len(frames))
    points = np.array([place(x)[:3] for x in t])
    points[:, 2] += height * np.abs(np.sin(t * math.pi * beats))
    key(thing, "location", frames, points)
    key(thing, "rotation_euler", frames, np.stack([t * 5, t * 3, t], 1))


def spin(thing: bpy.types.Object, frames: np.ndarray, turns: float = 0.5) -> None:
    """A thing turns about z."""
    t = np.linspace(0, 1, len(frames))
    start = thing.rotation_euler[2]
    key(thing, "rotation_euler", frames, np.stack([0 * t, 0 * t, start + turns * math.tau * t], 1))


def lantern(rng: Rng, at: Point = (0, 0, 2.4), cord: float = 0.8, lit: float = 3.0) -> bpy.types.Object:
    """Hangs from its origin."""
    solid = Solid()
    iron = materials.metal("2c2a28")
    solid.tube([(0, 0, 0), (0, 0, -cord)], 0.008, iron)
    solid.lathe(
        [(0.08, -cord - 0.34), (0.16, -cord - 0.22), (0.13, -cord - 0.06)],
        materials.glow(str(pick(rng, ("ffcf8a", "ff9a6a", "ffe2b0"))), lit),
        segments=10,
    )
    solid.lathe([(0.17, -cord - 0.06), (0.03, -cord + 0.02)], iron, segments=10)
    return solid.object("Lantern", at)


def handcart(rng: Rng, at: Point = (0, 0, 0), turn: float = 0.0) -> bpy.types.Object:
    """A two-wheeled cart with a load, its handles towards −y."""
    solid = Solid()
    board, wheel = materials.worn(props.colour(rng)), materials.worn(str(pick(rng, props.WOODS)))
    solid.box((0.8, 1.2, 0.05), board, (0, 0, 0.5)).box((0.04, 1.2, 0.25), board, (-0.4, 0, 0.5)).box(
        (0.04, 1.2, 0.25), board, (0.4, 0, 0.5)
    ).box((0.8, 0.04, 0.25), board, (0, 0.6, 0.5))
    for x in (-0.46, 0.42):
        rim = [(0.36, 0), (0.42, 0), (0.42, 0.05), (0.36, 0.05)]
        solid.lathe(rim, wheel, (x, 0.1, 0.42), (0, math.pi / 2, 0), 24, ring=True)
        solid.cylinder(0.06, 0.09, wheel, (x - 0.02, 0.1, 0.42), (0, math.pi / 2, 0))
        for k in range(4):
            angle = k * math.pi / 4
            spoke = (0.38 * math.cos(angle), 0.38 * math.sin(angle))
            ends = [(x + 0.025, 0.1 + sign * spoke[0], 0.42 + sign * spoke[1]) for sign in (-1, 1)]
            solid.tube(ends, 0.018, wheel, 6)
    for x in (-0.3, 0.3):
        solid.tube([(x, -0.5, 0.52), (x, -1.3, 0.85)], 0.025, wheel)
    things = [
        solid.object("Cart"),
        props.crate(rng, (-0.1, 0.25, 0.56), 0.1, 0.45),
        props.crate(rng, (0.05, -0.25, 0.56), -0.15, 0.42),
    ]
    return group("Handcart", things, at, turn)
