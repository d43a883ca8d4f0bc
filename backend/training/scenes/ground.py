"""Ground that layouts outside stand on: planes, terrain, things scattered over it, views around it."""

from __future__ import annotations

import numpy as np

from . import meshes as m
from . import organic
from .meshes import rotate
from .scene import Kit, at


def level(x, y):
    """Flat ground."""
    return 0 * (x + y)


def square(size: float, z: float = 0.0) -> m.Mesh:
    """Horizontal square of `size` metres about the origin, diced so that it shades evenly."""
    return organic.heightfield(size, size, 8, lambda x, y: 0 * x + z)


def around(low: float, high: float, z_low: float, z_high: float, ground):
    """Views from a ring of radius `low`..`high` towards the middle, `z_low`..`z_high` above the ground."""

    def view(rng):
        turn, reach = rng.uniform(0, 2 * np.pi), rng.uniform(low, high)
        eye = np.array([np.cos(turn) * reach, np.sin(turn) * reach, 0])
        base = float(ground(eye[:1], eye[1:2])[0])
        eye[2] = base + rng.uniform(z_low, z_high)
        target = np.array([*(rng.normal(size=2) * 0.18 * high), rng.uniform(0.3, 1.8)])
        return eye, target

    return view


def terrain(kit: Kit, size: float, height: float, frequency: float, flat: float, material) -> tuple:
    """Ground mesh item and its height function; within `flat` metres of the origin it is nearly level."""
    noise = organic.smooth_noise(kit.rng, 2, 4, frequency)
    ridge = kit.rng.random() < 0.4

    def z(x, y):
        value = noise(np.stack([x, y], -1))
        value = 1 - np.abs(value) * 2 if ridge else value
        far = np.clip((np.hypot(x, y) - flat) / (flat + 8), 0, 1) ** 1.5
        small = 0.05 * noise(np.stack([x, y], -1) * 4)
        return height * value * far + small

    return organic.heightfield(size, size, 110, z), z


def scatter(
    kit: Kit, scene, makers, count: int, area, z, taken, variants: int = 3, solid: bool = True
) -> None:
    """Place `count` of a few variants of `makers` at random in `area` ((x0, y0), (x1, y1)) on ground `z`."""
    pool = [makers[kit.rng.integers(len(makers))](kit) for _ in range(variants)]
    low, high = np.array(area[0]), np.array(area[1])
    for _ in range(count):
        p = kit.rng.uniform(low, high)
        if any(np.hypot(*(p - q[:2])) < q[2] for q in taken):
            continue
        s = kit.rng.uniform(0.75, 1.3)
        height = float(z(p[:1], p[1:])[0])
        group = pool[kit.rng.integers(len(pool))]
        group.place(scene, at(p[0], p[1], height) @ rotate(kit.rng.uniform(0, 6.3)) @ m.scale(s), solid)
