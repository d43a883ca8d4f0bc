"""Trees, bushes, grass, rocks, terrain and other things of the outdoors."""

# ruff: noqa: RUF005 - here + adds arrays
from __future__ import annotations

import numpy as np

from . import meshes as m
from . import organic
from .scene import Group, Kit, at


def tree(kit: Kit) -> Group:
    """Broad-leaved, bare or conifer tree, 3 to 9 m."""
    rng, g = kit.rng, Group()
    h, bark, kind = rng.uniform(3, 9), kit("bark"), rng.random()
    if kind < 0.3:
        r = h * 0.02 + 0.05
        g.add(
            m.tube(np.array([(0, 0, -0.3), (0, 0, h * 0.5), (0, 0, h)]), np.array([r, r * 0.6, 0.01]), 8),
            bark,
        )
        n = 1100
        u = rng.random(n) ** 0.7
        a, reach = rng.uniform(0, 6.3, n), u * h * 0.24 * rng.uniform(0.5, 1, n)
        z = h * (1 - 0.85 * u) + 0.12 * h * np.sin(10 * u)
        centres = np.stack([np.cos(a) * reach, np.sin(a) * reach, z], 1)
        outward = m.unit(np.stack([np.cos(a), np.sin(a), 0.3 + 0 * a], 1))
        g.add(organic.leaves(rng, centres, outward, h * 0.08), kit.varied("leaf"))
        return g
    clumps = []

    def grow(start, direction, length, radius, level):
        bend = m.unit(direction + 0.35 * rng.normal(size=3) + [0, 0, 0.15])
        middle = start + direction * length * 0.5
        end = middle + bend * length * 0.5
        g.add(
            m.tube(
                np.array([start, middle, end]),
                np.array([radius, radius * 0.8, radius * 0.6]),
                max(4, 8 - 2 * level),
            ),
            bark,
        )
        if level == 3:
            clumps.append(end)
            return
        for _ in range(int(rng.integers(2, 4)) + (level == 0)):
            out = m.unit(bend + 0.9 * rng.normal(size=3) + [0, 0, 0.2])
            grow(end, out, length * rng.uniform(0.55, 0.8), radius * 0.55, level + 1)

    grow(
        np.array([0, 0, -0.2]),
        m.unit(np.array([rng.normal() * 0.08, rng.normal() * 0.08, 1])),
        h * 0.36,
        h * 0.03 + 0.04,
        0,
    )
    if kind < 0.9:
        clumps = np.array(clumps)
        middle = clumps.mean(0)
        n = int(rng.integers(900, 2000))
        offset = m.unit(rng.normal(size=(n, 3))) * rng.random((n, 1)) ** 0.5 * h * 0.12
        centres = clumps[rng.integers(len(clumps), size=n)] + offset
        outward = m.unit(m.unit(centres - middle) + 0.7 * m.unit(offset) + [0, 0, 0.3])
        g.add(organic.leaves(rng, centres, outward, h * rng.uniform(0.035, 0.06)), kit.varied("leaf"))
    return g


def bush(kit: Kit) -> Group:
    """Bush or hedge piece."""
    rng, g = kit.rng, Group()
    size = rng.uniform([0.4, 0.4, 0.4], [1.3, 1.0, 1.2])
    n = int(rng.integers(250, 700))
    points = m.unit(rng.normal(size=(n, 3))) * rng.uniform(0.6, 1, (n, 1))
    points[:, 2] = np.abs(points[:, 2])
    g.add(
        organic.leaves(rng, points * size, m.unit(points + [0, 0, 0.3]), rng.uniform(0.08, 0.2)),
        kit.varied("leaf"),
    )
    dark = kit.varied("leaf")
    g.add(m.sphere(1, 12, 8), dark.tinted(np.array(dark.tint) * 0.45, 0.0), m.scale(*(size * 0.72)))
    return g


def tuft(kit: Kit) -> Group:
    """Tall grass, reeds or flowers."""
    rng, g = kit.rng, Group()
    n, h = int(rng.integers(40, 140)), rng.uniform(0.2, 0.9)
    foot = np.concatenate([rng.normal(size=(n, 2)) * 0.25, np.zeros((n, 1))], 1)
    tip = foot * 1.6 + np.stack(
        [rng.normal(size=n) * 0.2 * h, rng.normal(size=n) * 0.2 * h, h * rng.uniform(0.5, 1, n)], 1
    )
    side = m.unit(np.cross(tip - foot, rng.normal(size=(n, 3)))) * 0.015
    position = np.stack([foot - side, foot + side, tip], 1).reshape(-1, 3)
    up = np.tile(m.unit(np.array([0.3, 0.2, 1.0])), (3 * n, 1))
    triangles = np.arange(3 * n, dtype=np.int32).reshape(-1, 3)
    g.add(m.Mesh(position, up, np.tile([(0, 0), (0.05, 0), (0, 0.3)], (n, 1)), triangles), kit.varied("leaf"))
    if rng.random() < 0.5:
        spots = tip[: n // 4]
        g.add(
            organic.leaves(rng, np.repeat(spots, 4, 0), np.tile([[0, 0, 1.0]], (4 * len(spots), 1)), 0.09),
            kit.paint(0.1),
        )
    return g


def boulder(kit: Kit) -> Group:
    """A few rocks half in the ground."""
    rng, g = kit.rng, Group()
    for i in range(int(rng.integers(1, 4))):
        r = rng.uniform(0.2, 1.1) / (1 + i)
        g.add(
            organic.rock(rng, r),
            kit.varied("stone"),
            at(rng.normal() * 0.8 * i, rng.normal() * 0.8 * i, r * 0.35),
        )
    return g


def log(kit: Kit) -> Group:
    """Fallen trunk with stubs."""
    rng, g = kit.rng, Group()
    length, r = rng.uniform(1.5, 4), rng.uniform(0.12, 0.35)
    x = np.linspace(-length / 2, length / 2, 6)
    path = np.stack([x, 0.1 * np.sin(2 * x), r * 0.8 + 0.05 * np.cos(3 * x)], 1)
    g.add(m.tube(path, r * np.linspace(1, 0.7, 6), 10), kit("bark"))
    for _ in range(3):
        p = path[rng.integers(1, 5)]
        g.add(m.rod(p, p + m.unit(rng.normal(size=3) + [0, 0, 1]) * r * 2.5, r * 0.25), kit("bark"))
    return g


def fence(kit: Kit) -> Group:
    """Length of fence or railing along x, 4 m."""
    rng, g = kit.rng, Group()
    h, kind = rng.uniform(0.8, 1.3), rng.integers(3)
    material = kit("wood") if kind < 2 else kit("metal")
    for x in (-2, 0, 2):
        g.add(m.box(0.09, 0.09, h + 0.1, 0.01), material, at(x, 0))
    if kind == 0:
        for z in np.linspace(0.3, h, 3):
            g.add(m.box(4.1, 0.04, 0.1, 0.01), material, at(0, 0.05, z - 0.1))
    else:
        for z in (0.15, h - 0.08):
            g.add(m.box(4.1, 0.04, 0.05), material, at(0, 0, z))
        for x in np.arange(-1.9, 2, 0.14 if kind == 2 else 0.18):
            g.add(
                m.rod((x, 0, 0.05), (x, 0, h), 0.011, 5) if kind == 2 else m.box(0.1, 0.02, h),
                material,
                None if kind == 2 else at(x, -0.03),
            )
    return g


def street_lamp(kit: Kit) -> Group:
    """Lamp post."""
    g, h = Group(), kit.rng.uniform(2.8, 5.0)
    metal = kit.paint(0.5, (0.03, 0.035, 0.03))
    g.add(m.lathe([(0.14, 0), (0.14, 0.2), (0.07, 0.4), (0.05, 1.0), (0.035, h)], 10), metal)
    if kit.rng.random() < 0.5:
        bend = np.linspace(0, np.pi * 0.6, 8)
        path = np.stack([0.6 * (1 - np.cos(bend)), 0 * bend, h + 0.5 * np.sin(bend)], 1)
        g.add(m.tube(path, 0.03), metal)
        g.add(m.lathe([(0.2, -0.1), (0.05, 0.05)], 12), metal, at(*path[-1]))
    else:
        g.add(m.lathe([(0.08, 0), (0.16, 0.35), (0.0, 0.5)], 6), kit.glow((0.8, 0.75, 0.6), 0.3), at(0, 0, h))
    return g


def bench(kit: Kit) -> Group:
    """Park bench."""
    g, wood = Group(), kit("wood")
    for i in range(4):
        g.add(m.box(1.7, 0.09, 0.03, 0.006), wood, at(0, -0.2 + 0.12 * i, 0.43))
    for i in range(3):
        g.add(m.box(1.7, 0.03, 0.09, 0.006), wood, at(0, 0.24 + 0.03 * i, 0.55 + 0.13 * i))
    for x in (-0.7, 0.7):
        g.add(
            m.tube(np.array([(x, -0.22, 0), (x, -0.2, 0.4), (x, 0.2, 0.42), (x, 0.33, 0.95)]), 0.025),
            kit("metal"),
        )
        g.add(m.rod((x, 0.2, 0.42), (x, 0.25, 0), 0.025), kit("metal"))
    return g


def well(kit: Kit) -> Group:
    """Round well or fountain with a basin."""
    rng, g, stone = kit.rng, Group(), kit("stone")
    r = rng.uniform(0.7, 1.8)
    g.add(
        m.lathe(
            [(r, 0), (r, 0.5), (r * 1.06, 0.52), (r * 1.06, 0.62), (r * 0.85, 0.62), (r * 0.85, 0.1)], 24
        ),
        stone,
    )
    g.add(m.cylinder(r * 0.86, 0.02, 24), kit.paint(1.0, (0.03, 0.09, 0.1)), at(0, 0, 0.4))
    g.add(
        m.lathe(
            [
                (0.2, 0),
                (0.12, 0.5),
                (0.1, 1.0),
                (r * 0.5, 1.25),
                (r * 0.5, 1.32),
                (0.06, 1.2),
                (0.05, 1.7),
                (0.12, 1.8),
                (0, 1.9),
            ],
            20,
        ),
        stone,
    )
    return g


SMALL = (bush, tuft, boulder, log)
STREET = (street_lamp, bench, fence, well)
