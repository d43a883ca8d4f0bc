"""Crates, pillars, statues, ladders, stairs, easels: what halls, yards and studios are filled with."""

from __future__ import annotations

import numpy as np

from . import meshes as m
from . import organic
from .meshes import rotate
from .scene import Group, Kit, at
from .trinkets import PROFILES


def crates(kit: Kit) -> Group:
    """Stack of boxes, crates with slats or barrels."""
    rng, g = kit.rng, Group()
    for i in range(int(rng.integers(1, 4))):
        s, x = rng.uniform(0.35, 0.8), i * 0.75 - 0.6
        z = 0.0
        for _ in range(int(rng.integers(1, 4))):
            pose = at(x, rng.uniform(-0.1, 0.1), z) @ rotate(rng.uniform(-0.3, 0.3))
            if rng.random() < 0.3:
                h = s * 1.25
                g.add(
                    m.lathe(
                        [
                            (0, 0),
                            (s * 0.4, 0),
                            (s * 0.5, h / 2),
                            (s * 0.4, h),
                            (s * 0.36, h),
                            (s * 0.36, h - 0.04),
                            (0, h - 0.04),
                        ],
                        18,
                    ),
                    kit.varied("wood"),
                    pose,
                )
                for k in (0.2, 0.8):
                    g.add(m.torus(s * 0.46, 0.012, 20, 5), kit("metal"), pose @ at(0, 0, h * k))
            else:
                h = s * rng.uniform(0.6, 1)
                wood = kit.varied("crate")
                g.add(m.box(s, s, h, 0.01), wood, pose)
                for k in (-1, 1):
                    for a in (0, np.pi / 2):
                        g.add(m.box(s + 0.03, 0.03, 0.08), wood, pose @ rotate(a) @ at(0, k * s / 2, 0.02))
                        g.add(m.box(s + 0.03, 0.03, 0.08), wood, pose @ rotate(a) @ at(0, k * s / 2, h - 0.1))
            z += h
            s *= rng.uniform(0.7, 1)
    return g


def pillar(kit: Kit, height: float | None = None, radius: float | None = None) -> Group:
    """Column with base and capital, round or square."""
    rng, g = kit.rng, Group()
    h = rng.uniform(2.4, 4.5) if height is None else height
    r = rng.uniform(0.12, 0.35) if radius is None else radius
    stone = kit("stone")
    g.add(m.box(r * 2.9, r * 2.9, r * 0.5, 0.02), stone)
    g.add(m.box(r * 2.9, r * 2.9, r * 0.5, 0.02), stone, at(0, 0, h - r * 0.5))
    if rng.random() < 0.75:
        z0, z1 = r * 0.5, h - r * 0.5
        profile = [
            (r * 1.35, z0), (r * 1.4, z0 + 0.1 * r), (r * 1.1, z0 + 0.4 * r), (r * 1.2, z0 + 0.55 * r),
            (r, z0 + 0.8 * r), (r * 0.86, z1 - r), (r * 1.05, z1 - 0.8 * r), (r * 0.9, z1 - 0.7 * r), (r * 1.35, z1),
        ]  # fmt: skip
        g.add(m.lathe(profile, 20), stone)
    else:
        g.add(m.box(r * 1.9, r * 1.9, h, 0.04), stone)
    return g


def statue(kit: Kit) -> Group:
    """Something on a pedestal: bust, vase, knot of tori, stacked shapes."""
    rng, g = kit.rng, Group()
    h, s = rng.uniform(0.6, 1.2), rng.uniform(0.35, 0.6)
    g.add(m.box(s, s, h, 0.03), kit("stone"))
    body, kind = kit("stone") if rng.random() < 0.5 else kit.paint(), rng.integers(5)
    if kind == 0:
        g.add(m.lathe([(0.05, 0), (0.15, 0.05), (0.1, 0.2), (0.28, 0.35), (0.1, 0.5)], 16), body, at(0, 0, h))
        g.add(m.sphere(0.15, 16, 10), body, at(0, 0, h + 0.64) @ m.scale(0.85, 1, 1.25))
    elif kind == 1:
        for i in range(3):
            g.add(
                m.torus(0.25, 0.06),
                body,
                at(0, 0, h + 0.32)
                @ rotate(rng.uniform(0, 6))
                @ rotate(1.57 * (i > 0), "x")
                @ rotate(0.9 * i, "y"),
            )
    elif kind == 2:
        profile = np.array(PROFILES[rng.integers(len(PROFILES))])
        g.add(m.lathe(profile * 0.8 / profile[:, 1].max(), 20), body, at(0, 0, h))
    elif kind == 3:
        g.add(organic.rock(rng, 0.3), body, at(0, 0, h + 0.3))
    else:
        t = np.linspace(0, 2 * np.pi, 80)
        p, q = 2, int(rng.choice([3, 5]))
        path = (
            np.stack(
                [(2 + np.cos(q * t)) * np.cos(p * t), (2 + np.cos(q * t)) * np.sin(p * t), np.sin(q * t)], 1
            )
            * 0.11
        )
        g.add(m.tube(path, 0.04, 8), body, at(0, 0, h + 0.36) @ rotate(1.57, "x"))
    return g


def ladder(kit: Kit) -> Group:
    """Leaning ladder."""
    g, h, lean = Group(), kit.rng.uniform(1.8, 3.2), 0.25
    for x in (-0.2, 0.2):
        g.add(m.rod((x, -h * lean, 0), (x, 0, h), 0.025), kit("wood"))
    for k in np.arange(0.25, h, 0.28):
        g.add(m.rod((-0.2, -lean * (h - k), k), (0.2, -lean * (h - k), k), 0.016), kit("wood"))
    return g


def stairs(kit: Kit) -> Group:
    """Flight of steps with a railing."""
    rng, g = kit.rng, Group()
    n, w, material = int(rng.integers(4, 14)), rng.uniform(0.9, 2.0), kit(rng.choice(["wood", "stone"]))
    for i in range(n):
        g.add(m.box(w, 0.3, 0.17 * (i + 1), 0.01), material, at(0, 0.28 * i))
    for x in (-w / 2, w / 2):
        for i in range(n):
            g.add(
                m.rod((x, 0.28 * i, 0.17 * (i + 1)), (x, 0.28 * i, 0.17 * (i + 1) + 0.9), 0.014, 5),
                kit("metal"),
            )
        g.add(m.rod((x, 0, 1.07), (x, 0.28 * (n - 1), 0.17 * n + 0.9), 0.028), kit("wood"))
    return g


def easel(kit: Kit) -> Group:
    """Canvas on an easel."""
    g, wood = Group(), kit("wood")
    for a, b in (
        ((-0.35, 0, 0), (-0.08, 0.1, 1.7)),
        ((0.35, 0, 0), (0.08, 0.1, 1.7)),
        ((0, 0.6, 0), (0, 0.1, 1.7)),
    ):
        g.add(m.rod(a, b, 0.02), wood)
    w, h = kit.rng.uniform(0.5, 0.9), kit.rng.uniform(0.5, 1.0)
    tilt = at(0, 0.02, 1.1) @ rotate(-0.08, "x")
    g.add(m.box(w, 0.03, h), kit.paint(0.1, (0.8, 0.78, 0.7)), tilt @ at(0, 0.02, -h / 2))
    g.add(m.panel(w, h), kit("picture", 3), tilt)
    g.add(m.box(0.8, 0.06, 0.03), wood, at(0, 0, 1.1 - h / 2 - 0.03))
    return g
