"""Small things that stand on tables and shelves, plants and lamps: each function makes a `Group`."""

# ruff: noqa: RUF005 - here + adds arrays
from __future__ import annotations

import numpy as np

from . import meshes as m
from . import organic
from .meshes import rotate
from .scene import Group, Kit, at

PROFILES = (
    [
        (0, 0),
        (0.5, 0),
        (0.6, 0.1),
        (0.95, 0.6),
        (1, 1.0),
        (0.8, 1.5),
        (0.45, 1.8),
        (0.5, 2.1),
        (0.6, 2.2),
        (0.45, 2.1),
    ],
    [
        (0, 0),
        (0.7, 0),
        (0.75, 0.05),
        (0.75, 1.7),
        (0.6, 2.0),
        (0.25, 2.3),
        (0.22, 2.9),
        (0.28, 2.95),
        (0.28, 3.1),
        (0, 3.1),
    ],
    [
        (0, 0),
        (0.6, 0),
        (0.65, 0.05),
        (0.15, 0.25),
        (0.1, 1.0),
        (0.5, 1.3),
        (0.9, 1.9),
        (0.95, 2.3),
        (0.88, 2.3),
        (0.4, 1.4),
    ],
    [(0, 0), (0.9, 0), (1.0, 0.1), (1.2, 1.6), (1.25, 1.7), (1.1, 1.7), (1.0, 0.3), (0, 0.3)],
    [(0, 0), (0.5, 0), (1.1, 0.35), (1.5, 0.8), (1.45, 0.82), (1.0, 0.45), (0.4, 0.15), (0, 0.12)],
    [(0, 0), (0.8, 0), (0.85, 0.1), (0.3, 0.4), (0.5, 0.9), (0.35, 1.5), (0.6, 1.8), (0.6, 2.1), (0, 2.4)],
)


def trinket(kit: Kit, tallest: float = 0.4) -> Group:
    """Something small that stands on a surface: vase, bottle, bowl, fruit, books, box, lamp, plant, picture, toy."""
    rng, g = kit.rng, Group()
    kind = rng.integers(10)
    if kind < 4:
        profile = np.array(PROFILES[rng.integers(len(PROFILES))])
        height = rng.uniform(0.4, 1.0) * min(tallest, 0.36)
        profile = profile * height / profile[:, 1].max() * [rng.uniform(0.7, 1.1), 1]
        g.add(m.lathe(profile, 14), kit.paint() if rng.random() < 0.7 else kit("stone"))
    elif kind == 4:
        z = 0.0
        for _ in range(int(rng.integers(1, 6))):
            t = rng.uniform(0.015, 0.04)
            g.add(
                m.box(rng.uniform(0.15, 0.22), rng.uniform(0.2, 0.28), t, 0.003),
                kit.paint(0.2),
                at(0, 0, z) @ rotate(rng.uniform(-0.3, 0.3)),
            )
            z += t
    elif kind == 5:
        for _ in range(int(rng.integers(1, 5))):
            r = rng.uniform(0.03, 0.07)
            g.add(
                m.sphere(r, 12, 8), kit.paint(0.5), at(rng.uniform(-0.12, 0.12), rng.uniform(-0.12, 0.12), r)
            )
    elif kind == 6:
        s = rng.uniform(0.08, 0.25) * min(1, tallest / 0.3)
        g.add(m.box(s, s * rng.uniform(0.6, 1.4), s * rng.uniform(0.5, 1), 0.01), kit.varied("crate"))
    elif kind == 7:
        g.add(m.cylinder(0.06, 0.02, 12), kit("metal"))
        h = min(tallest, 0.38)
        g.add(m.rod((0, 0, 0), (0, 0, h * 0.7), 0.01), kit("metal"))
        g.add(
            m.lathe([(0.11, h * 0.55), (0.07, h)], 14),
            kit.paint(0.1).tinted((0.9, 0.8, 0.6), 0.1, rng.choice([0.0, 0.4, 1.0])),
        )
    elif kind == 8:
        g.put(plant(kit, min(tallest, 0.35)), at(0, 0))
    else:
        r = min(tallest, 0.25) / 2
        shape = rng.integers(3)
        mesh = (
            m.torus(r * 0.7, r * 0.3, 18, 9),
            m.lathe([(0, 0), (r, 0), (0, 2 * r)], 14),
            m.sphere(r, 14, 9),
        )[shape]
        g.add(mesh, kit.paint(), at(0, 0, (r * 0.3, 0.0, r)[shape]))
    return g


def plant(kit: Kit, height: float | None = None) -> Group:
    """Potted plant: blades, leaves on stems, or a bush."""
    rng, g = kit.rng, Group()
    height = rng.uniform(0.5, 1.7) if height is None else height
    pot = height * rng.uniform(0.2, 0.35)
    profile = np.array(PROFILES[rng.choice([0, 3])]) * pot / 2
    g.add(
        m.lathe(profile * [rng.uniform(0.8, 1.2), 1], 14),
        kit.paint(0.3) if rng.random() < 0.6 else kit("stone"),
    )
    leaf = kit.varied("leaf")
    if rng.random() < 0.45:
        for _ in range(int(rng.integers(8, 18))):
            a, reach, t = rng.uniform(0, 6.3), rng.uniform(0.2, 0.6) * height, np.linspace(0, 1, 6)[:, None]
            out = np.array([np.cos(a), np.sin(a), 0])
            path = (
                out * t * reach
                + [0, 0, pot * 0.8]
                + np.array([0, 0, 1]) * (t - 0.5 * t**2.5) * (height - pot)
            )
            side = np.cross(out, [0, 0, 1]) * 0.04 * height * np.sin(np.pi * (0.15 + 0.85 * t))
            g.add(m.strip(path - side, path + side), leaf.tinted(np.array(leaf.tint) * rng.uniform(0.6, 1.2)))
    else:
        n = int(rng.integers(60, 200))
        points = m.unit(rng.normal(size=(n, 3))) * rng.uniform(0.4, 1, (n, 1))
        centres = points * [height * 0.28, height * 0.28, (height - pot) * 0.45] + [
            0,
            0,
            pot + (height - pot) * 0.5,
        ]
        g.add(
            organic.leaves(rng, centres, m.unit(points + [0, 0, 0.4]), height * rng.uniform(0.1, 0.22)), leaf
        )
        for p in centres[:: max(1, n // 12)]:
            g.add(m.rod((0, 0, pot * 0.7), p, 0.006 + 0.006 * height, 4), kit("bark"))
    return g


def floor_lamp(kit: Kit) -> Group:
    """Standing lamp."""
    rng, g = kit.rng, Group()
    h, r = rng.uniform(1.3, 1.9), rng.uniform(0.15, 0.28)
    g.add(m.cylinder(0.16, 0.03, 16, 0.01), kit("metal"))
    bend = np.linspace(0, 1, 8)
    path = np.stack([0.25 * rng.choice([0, 1]) * bend**3, 0 * bend, bend * h], 1)
    g.add(m.tube(path, 0.013), kit("metal"))
    g.add(
        m.lathe([(r, -0.22), (r * 0.6, 0.08)], 18),
        kit.glow((0.9, 0.75, 0.5), rng.uniform(0.1, 0.8)),
        at(*path[-1]),
    )
    return g
