"""Walls, openings, rooms, houses, arcades: the built shell of a scene."""

# ruff: noqa: RUF005 - here + adds arrays
from __future__ import annotations

import numpy as np

from . import meshes as m
from .meshes import rotate
from .scene import Group, Kit, Material, at


def wall(
    g: Group,
    start,
    end,
    height: float,
    material: Material,
    windows: list[tuple[float, float, float, float]],
    depth: float = 0.2,
) -> None:
    """Wall from `start` to `end` (2,), inside on its left, with openings (along, width, sill, height)."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    length = np.linalg.norm(end - start)
    along = (end - start) / length
    base = at(*start) @ rotate(np.arctan2(along[1], along[0]))
    pieces, x = [], 0.0
    for position, width, sill, tall in sorted(windows):
        a, b, top = position - width / 2, position + width / 2, sill + tall
        pieces.append((x, a, 0, height))
        if sill > 0:
            pieces.append((a, b, 0, sill))
        if top < height:
            pieces.append((a, b, top, height))
        for p, q in (
            ((a, sill), (a, top)),
            ((b, top), (b, sill)),
            ((a, top), (b, top)),
            ((b, sill), (a, sill)),
        ):
            reveal = m.quad([(p[0], 0, p[1]), (q[0], 0, q[1]), (q[0], -depth, q[1]), (p[0], -depth, p[1])])
            g.add(reveal, material.tinted(np.array(material.tint) * 0.9), base)
        x = b
    pieces.append((x, length, 0, height))
    for a, b, low, high in pieces:
        if b - a > 1e-3:
            mesh = m.quad([(a, 0, low), (b, 0, low), (b, 0, high), (a, 0, high)])
            mesh.uv = mesh.position[:, [0, 2]] * [1, -1] + [start.sum(), 0]
            g.add(mesh, material, base)


def window(kit: Kit, width: float, height: float, outside: Material | None) -> Group:
    """Window frame with bars, centred on the origin in xz; `outside` closes it with a lit pane."""
    rng, g = kit.rng, Group()
    frame = kit.paint(0.4, (0.75, 0.74, 0.7)) if rng.random() < 0.6 else kit("wood")
    for x in (-width / 2, width / 2):
        g.add(m.box(0.07, 0.08, height, 0.008), frame, at(x, 0, -height / 2))
    for z in (-height / 2, height / 2):
        g.add(m.box(width + 0.07, 0.08, 0.07, 0.008), frame, at(0, 0, z - 0.035))
    for x in np.linspace(-width / 2, width / 2, int(rng.integers(2, 5)))[1:-1]:
        g.add(m.box(0.04, 0.04, height), frame, at(x, 0, -height / 2))
    for z in np.linspace(-height / 2, height / 2, int(rng.integers(2, 5)))[1:-1]:
        g.add(m.box(width, 0.04, 0.04), frame, at(0, 0, z))
    g.add(m.box(width + 0.25, 0.22, 0.04, 0.01), frame, at(0, 0.06, -height / 2 - 0.05))
    if outside is not None:
        g.add(m.panel(width, height), outside, at(0, -0.12, 0) @ rotate(np.pi))
    if rng.random() < 0.45:
        cloth, top = kit("fabric"), height / 2 + 0.15
        for side in (-1, 1):
            x = np.linspace(0, 0.35, 14)
            fold = 0.04 * np.sin(np.arange(14) * 1.9)
            low = np.stack([side * (width / 2 + 0.2 - x), 0.12 + fold, np.full(14, -height / 2 - 0.5)], 1)
            g.add(m.strip(low, low + [0, 0, top + height / 2 + 0.5]), cloth)
        g.add(m.rod((-width / 2 - 0.4, 0.12, top), (width / 2 + 0.4, 0.12, top), 0.015), kit("metal"))
    return g


def door(kit: Kit) -> Group:
    """Closed panelled door with a frame, in the xz plane, front towards +y."""
    g, material, h, w = Group(), kit("wood") if kit.rng.random() < 0.6 else kit.paint(0.4), 2.05, 0.9
    g.add(m.box(w, 0.05, h), material)
    for x in (-w / 4, w / 4):
        for z, tall in ((0.15, 0.7), (1.0, 0.9)):
            g.add(m.box(w * 0.36, 0.03, tall, 0.012), material, at(x, 0.03, z))
    for x in (-w / 2 - 0.05, w / 2 + 0.05):
        g.add(m.box(0.1, 0.1, h + 0.1, 0.01), kit("wood"), at(x, 0))
    g.add(m.box(w + 0.2, 0.1, 0.1, 0.01), kit("wood"), at(0, 0, h))
    g.add(m.sphere(0.03, 8, 6), kit("metal"), at(w * 0.42, 0.06, 1.0))
    return g


def framed(kit: Kit) -> Group:
    """Picture in a frame, centred, facing -y."""
    rng, g = kit.rng, Group()
    w, h = rng.uniform(0.3, 1.3), rng.uniform(0.3, 1.1)
    material = kit("wood") if rng.random() < 0.5 else kit.paint(0.5)
    g.add(m.box(w + 0.1, 0.03, h + 0.1, 0.01), material, at(0, 0.0, -h / 2 - 0.05))
    g.add(m.panel(w, h), kit("picture", 4), at(0, -0.022))
    return g


def house(kit: Kit, facades: list[Material], roofs: list[Material]) -> Group:
    """House or block with a real cornice, door, some windows in relief, a roof and chimney; front towards -y."""
    rng, g = kit.rng, Group()
    w, d, floors = rng.uniform(5, 11), rng.uniform(5, 9), int(rng.integers(1, 6))
    h = 3.0 * floors + 0.4
    face = facades[rng.integers(len(facades))]
    g.add(m.box(w, d, h), face)
    trim = kit("stone")
    g.add(m.box(w + 0.2, d + 0.2, 0.4, 0.03), trim)
    for k in range(1, floors + 1):
        if k == floors or rng.random() < 0.5:
            g.add(m.box(w + 0.25, d + 0.25, 0.18, 0.03), trim, at(0, 0, 3.0 * k + 0.1))
    if rng.random() < 0.65:
        rise, over = rng.uniform(1.2, 3.2), 0.4
        x, y = w / 2 + over, d / 2 + over
        roof = roofs[rng.integers(len(roofs))]
        for s in (-1, 1):
            g.add(
                m.quad(
                    [(-x * s, -y * s, h), (x * s, -y * s, h), (x * s, 0, h + rise), (-x * s, 0, h + rise)]
                ),
                roof,
            )
            g.add(
                m.quad(
                    [
                        (s * w / 2, -d / 2, h),
                        (s * w / 2, d / 2, h),
                        (s * w / 2, 0, h + rise * 0.9),
                        (s * w / 2, 0, h + rise * 0.9),
                    ]
                ),
                face,
            )
        g.add(m.box(0.6, 0.6, rise + 0.8, 0.03), trim, at(w * 0.25, d * 0.2, h))
    else:
        g.add(m.box(w, d, 0.5), trim, at(0, 0, h))
        for _ in range(int(rng.integers(0, 4))):
            g.add(
                m.box(*rng.uniform(0.5, 1.8, 3), 0.03),
                kit("metal"),
                at(rng.uniform(-0.3, 0.3) * w, rng.uniform(-0.3, 0.3) * d, h + 0.4),
            )
    if rng.random() < 0.8:
        glass = kit.paint(0.9, np.array([0.04, 0.06, 0.08]) * rng.uniform(0.5, 4))
        n = int(w // 1.9)
        sill, railing = trim, kit.paint(0.5, (0.03, 0.03, 0.03))
        for k in range(floors):
            for i in range(n):
                x, z = (i + 0.5) * w / n - w / 2, 3.0 * k + 1.1
                if k == 0 and i == n // 2:
                    g.put(door(kit), at(x, -d / 2 - 0.05, 0.05) @ rotate(np.pi))
                    continue
                g.add(m.box(1.0, 0.05, 1.5), glass, at(x, -d / 2, z))
                g.add(m.box(1.2, 0.25, 0.1, 0.01), sill, at(x, -d / 2, z - 0.1))
                g.add(m.box(1.2, 0.18, 0.14, 0.01), sill, at(x, -d / 2, z + 1.5))
                g.add(m.box(0.05, 0.09, 1.5), sill, at(x, -d / 2, z))
                if k > 0 and rng.random() < 0.15:
                    g.add(m.box(1.6, 0.8, 0.12), sill, at(x, -d / 2 - 0.4, z - 0.3))
                    for q in np.linspace(-0.78, 0.78, 9):
                        g.add(
                            m.rod((x + q, -d / 2 - 0.78, z - 0.2), (x + q, -d / 2 - 0.78, z + 0.7), 0.012, 4),
                            railing,
                        )
                    g.add(
                        m.rod((x - 0.8, -d / 2 - 0.78, z + 0.7), (x + 0.8, -d / 2 - 0.78, z + 0.7), 0.025, 5),
                        railing,
                    )
    if rng.random() < 0.3:
        tilt = at(0, -d / 2 - 0.6, 2.5) @ rotate(0.35, "x")
        g.add(m.box(w * 0.6, 1.3, 0.04), kit("fabric"), tilt)
    return g


def arcade(kit: Kit, count: int, span: float, height: float, material: Material) -> Group:
    """Row of arches along x, in the xz plane, with columns in front of the piers."""
    rng, g = kit.rng, Group()
    pointed = float(rng.choice([0.0, 0.0, 0.35]))
    opening, depth = span * rng.uniform(0.65, 0.82), rng.uniform(0.35, 0.7)
    spring = height * rng.uniform(0.45, 0.6)
    piece = m.arch_wall(span, height, depth, opening, min(spring, height - opening * 0.75 - 0.2), pointed)
    for i in range(count):
        g.add(piece, material, at((i - (count - 1) / 2) * span, 0))
    trim = kit("stone")
    g.add(m.box(count * span, depth + 0.2, 0.2, 0.03), trim, at(0, 0, height - 0.05))
    if rng.random() < 0.6:
        r = (span - opening) * 0.2
        column = m.lathe(
            [
                (r * 1.4, 0),
                (r * 1.4, 0.2),
                (r, 0.3),
                (r * 0.85, spring - 0.3),
                (r * 1.3, spring),
                (r * 1.4, spring + 0.15),
                (0, spring + 0.15),
            ],
            14,
        )
        for i in range(count + 1):
            g.add(column, trim, at((i - count / 2) * span, -depth / 2))
    return g
