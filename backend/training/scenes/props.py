"""Furniture: every function makes a `Group` out of a kit of materials."""

from __future__ import annotations

import numpy as np

from . import meshes as m
from .fixtures import crates, easel, ladder, pillar, stairs, statue
from .meshes import rotate
from .scene import Group, Kit, at
from .trinkets import floor_lamp, plant, trinket


def table(kit: Kit) -> Group:
    """Table with legs and things on it."""
    rng, g = kit.rng, Group()
    w, d, h = rng.uniform(0.7, 2.2), rng.uniform(0.6, 1.1), rng.choice([0.42, 0.74, 0.76, 1.0])
    top, leg = kit("wood"), kit(rng.choice(["wood", "metal"]))
    if rng.random() < 0.25:
        g.add(m.cylinder(d * 0.6, 0.04, 28, 0.01), top, at(0, 0, h - 0.04))
        g.add(
            m.lathe(
                [(0.28, 0), (0.26, 0.03), (0.05, 0.1), (0.04, h * 0.5), (0.07, h - 0.08), (0.2, h - 0.04)], 16
            ),
            leg,
        )
        w = d = d * 0.8
    else:
        g.add(m.box(w, d, 0.05, 0.01), top, at(0, 0, h - 0.05))
        g.add(m.box(w - 0.14, d - 0.14, 0.08), leg, at(0, 0, h - 0.13))
        for x in (-w / 2 + 0.07, w / 2 - 0.07):
            for y in (-d / 2 + 0.07, d / 2 - 0.07):
                g.add(m.box(0.06, 0.06, h - 0.05, 0.008), leg, at(x, y))
    for _ in range(int(rng.integers(2, 7))):
        g.put(
            trinket(kit),
            at(rng.uniform(-0.4, 0.4) * w, rng.uniform(-0.4, 0.4) * d, h) @ rotate(rng.uniform(0, 6)),
        )
    return g


def chair(kit: Kit) -> Group:
    """Chair, wooden with slats or upholstered."""
    rng, g = kit.rng, Group()
    frame, seat = kit("wood"), kit("fabric") if rng.random() < 0.5 else kit("wood")
    w, h, back = rng.uniform(0.4, 0.5), rng.uniform(0.42, 0.48), rng.uniform(0.4, 0.6)
    g.add(m.box(w, w, 0.06, 0.02), seat, at(0, 0, h - 0.06))
    for x in (-w / 2 + 0.03, w / 2 - 0.03):
        g.add(m.rod((x, -w / 2 + 0.03, 0), (x, -w / 2 + 0.03, h), 0.02), frame)
        g.add(m.rod((x, w / 2 - 0.03, 0), (x, w / 2 + 0.06, h + back), 0.02), frame)
    count = int(rng.integers(2, 6))
    if rng.random() < 0.5:
        for z in np.linspace(h + 0.15, h + back - 0.04, count):
            g.add(m.box(w - 0.06, 0.02, 0.06, 0.005), frame, at(0, w / 2 + 0.05 * (z - h) / back, z - 0.03))
    else:
        g.add(m.box(w - 0.04, 0.05, back * 0.75, 0.02), seat, at(0, w / 2, h + 0.1))
    return g


def sofa(kit: Kit) -> Group:
    """Sofa or armchair with cushions."""
    rng, g = kit.rng, Group()
    cloth, w = kit("fabric"), float(rng.choice([0.9, 1.6, 2.1]))
    g.add(m.box(w, 0.85, 0.3, 0.05), cloth, at(0, 0, 0.1))
    g.add(m.box(w, 0.22, 0.75, 0.08), cloth, at(0, 0.36, 0.1))
    for x in (-w / 2, w / 2):
        g.add(m.box(0.2, 0.85, 0.52, 0.07), cloth, at(x, 0, 0.1))
    seats = max(1, round(w / 0.75))
    for i in range(seats):
        g.add(m.box(w / seats - 0.06, 0.6, 0.16, 0.06), cloth, at((i + 0.5) * w / seats - w / 2, -0.06, 0.38))
    for _ in range(int(rng.integers(0, 4))):
        pose = at(rng.uniform(-0.4, 0.4) * w, 0.15, 0.72) @ rotate(rng.uniform(-0.4, 0.4)) @ rotate(-1.2, "x")
        g.add(m.box(0.42, 0.42, 0.13, 0.06), kit.paint(0.05), pose)
    return g


def bed(kit: Kit) -> Group:
    """Bed with a blanket, pillows and a headboard."""
    rng, g = kit.rng, Group()
    w = float(rng.choice([0.95, 1.5, 1.8]))
    g.add(m.box(w, 2.05, 0.28, 0.02), kit("wood"), at(0, 0, 0.06))
    g.add(m.box(w - 0.04, 2.0, 0.24, 0.08), kit.paint(0.02, (0.75, 0.74, 0.7)), at(0, 0, 0.32))
    g.add(m.box(w + 0.04, 1.35, 0.2, 0.08), kit("fabric"), at(0, -0.35, 0.39))
    g.add(m.box(w + 0.06, 0.08, rng.uniform(0.8, 1.3), 0.03), kit("wood"), at(0, 1.04))
    for x in (-w / 4, w / 4):
        g.add(m.box(w * 0.4, 0.4, 0.16, 0.075), kit.paint(0.02), at(x, 0.72, 0.54) @ rotate(0.3, "x"))
    return g


def shelf(kit: Kit) -> Group:
    """Open shelf with books and things."""
    rng, g = kit.rng, Group()
    w, d, h, rows = (
        rng.uniform(0.7, 1.8),
        rng.uniform(0.25, 0.4),
        rng.uniform(1.2, 2.3),
        int(rng.integers(3, 6)),
    )
    wood = kit("wood") if rng.random() < 0.8 else kit("metal")
    for x in (-w / 2, w / 2):
        g.add(m.box(0.03, d, h, 0.004), wood, at(x, 0))
    if rng.random() < 0.7:
        g.add(m.box(w, 0.015, h), wood, at(0, d / 2))
    for i in range(rows + 1):
        z = 0.05 + i * (h - 0.08) / rows
        g.add(m.box(w, d, 0.03, 0.004), wood, at(0, 0, z))
        if i == rows:
            break
        x = -w / 2 + 0.05
        room = (h - 0.08) / rows
        while x < w / 2 - 0.12:
            kind = rng.random()
            if kind < 0.5:
                for _ in range(int(rng.integers(3, 8))):
                    t, tall = rng.uniform(0.02, 0.05), room * rng.uniform(0.5, 0.85)
                    if x > w / 2 - 0.07:
                        break
                    g.add(
                        m.box(t, d * rng.uniform(0.6, 0.85), tall),
                        kit.paint(0.2),
                        at(x + t / 2, 0.02, z + 0.03),
                    )
                    x += t + 0.003
            elif kind < 0.85:
                item = trinket(kit, room * 0.8)
                low, high = item.bounds()
                half = max(high[0], -low[0])
                if x + 2 * half < w / 2:
                    g.put(item, at(x + half, 0, z + 0.03))
                x += 2 * half + 0.04
            else:
                x += rng.uniform(0.05, 0.2)
    return g


def cabinet(kit: Kit) -> Group:
    """Cupboard or chest of drawers with handles."""
    rng, g = kit.rng, Group()
    w, d, h = rng.uniform(0.5, 1.8), rng.uniform(0.4, 0.6), float(rng.choice([0.8, 0.9, 1.2, 2.0]))
    body = kit("wood") if rng.random() < 0.6 else kit.paint(0.4)
    g.add(m.box(w, d, h, 0.012), body)
    columns, rows = max(1, round(w / 0.55)), int(rng.integers(1, 5)) if h < 1.5 else 1
    for i in range(columns):
        for j in range(rows):
            cw, ch = w / columns, (h - 0.1) / rows
            x, z = (i + 0.5) * cw - w / 2, 0.07 + j * ch
            g.add(m.box(cw - 0.03, 0.02, ch - 0.03, 0.006), body, at(x, -d / 2 - 0.01, z))
            g.add(
                m.sphere(0.018, 8, 5),
                kit("metal"),
                at(x + (cw * 0.35 if rows == 1 else 0), -d / 2 - 0.035, z + ch / 2),
            )
    for _ in range(int(rng.integers(1, 5))):
        g.put(trinket(kit), at(rng.uniform(-0.4, 0.4) * w, rng.uniform(-0.15, 0.15), h))
    return g


def piano(kit: Kit) -> Group:
    """Upright piano or desk with a screen, a keyboard of stripes in front."""
    rng, g = kit.rng, Group()
    body = kit.paint(0.8, (0.02, 0.02, 0.02)) if rng.random() < 0.4 else kit("wood")
    g.add(m.box(1.45, 0.35, 1.2, 0.02), body)
    g.add(m.box(1.45, 0.35, 0.12, 0.02), body, at(0, -0.3, 0.62))
    for i in range(26):
        tone = (0.8, 0.78, 0.72) if i % 7 not in (1, 3, 5) else (0.02, 0.02, 0.02)
        g.add(m.box(0.048, 0.16, 0.02), kit.paint(0.6, tone), at(-0.65 + 0.052 * i, -0.38, 0.735))
    for x in (-0.65, 0.65):
        g.add(m.rod((x, -0.4, 0), (x, -0.4, 0.65), 0.03), body)
    g.put(trinket(kit), at(rng.uniform(-0.5, 0.5), 0, 1.2))
    return g


def counter(kit: Kit) -> Group:
    """Kitchen run: cupboards, worktop, sink, hob, things, wall cupboards."""
    rng, g = kit.rng, Group()
    n = int(rng.integers(3, 6))
    front, top = kit.paint(0.4) if rng.random() < 0.6 else kit("wood"), kit("stone")
    for i in range(n):
        x = 0.6 * (i - (n - 1) / 2)
        g.add(m.box(0.59, 0.58, 0.82, 0.01), front, at(x, 0, 0.05))
        g.add(m.rod((x - 0.15, -0.32, 0.78), (x + 0.15, -0.32, 0.78), 0.01), kit("metal"))
        if rng.random() < 0.75:
            g.add(m.box(0.59, 0.33, 0.65, 0.01), front, at(x, 0.14, 1.45))
        if rng.random() < 0.8:
            g.put(trinket(kit), at(x + rng.uniform(-0.15, 0.15), rng.uniform(-0.15, 0.1), 0.91))
    g.add(m.box(0.6 * n + 0.05, 0.64, 0.04, 0.008), top, at(0, 0, 0.87))
    tap = np.array([(0, 0.2, 0.9), (0, 0.2, 1.15), (0, 0.1, 1.25), (0, 0.0, 1.2), (0, 0, 1.1)])
    g.add(m.tube(tap, 0.014), kit("metal"))
    return g


FURNITURE = (
    table,
    chair,
    sofa,
    shelf,
    cabinet,
    plant,
    floor_lamp,
    crates,
    statue,
    ladder,
    piano,
    easel,
    bed,
    counter,
    pillar,
    stairs,
)
