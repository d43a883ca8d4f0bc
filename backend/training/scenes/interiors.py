"""Layouts inside: furnished rooms, galleries and churches with arcades, warehouses, corridors, table tops."""

# ruff: noqa: RUF005 - here + adds arrays
from __future__ import annotations

from itertools import pairwise

import numpy as np

from . import buildings, fixtures, lighting, moving, nature, organic, props, trinkets
from . import meshes as m
from .meshes import rotate
from .rooms import FLOORS, furnish, hang, look_in_room, shell, walker
from .scene import Kit, Scene, at


def room(scene: Scene, kit: Kit) -> None:
    """A furnished room."""
    rng = scene.rng
    w, d, h = rng.uniform(3.2, 8), rng.uniform(3.2, 8), rng.uniform(2.4, 3.6)
    sunny = rng.random() < 0.5
    shell(scene, kit, w, d, h, sunny, int(rng.integers(1, 3)))
    theme = rng.permutation(len(props.FURNITURE))[: int(rng.integers(5, 10))]
    if rng.random() < 0.6:
        size = rng.uniform([1.4, 1.0], [3.2, 2.4])
        rug = m.quad(
            [
                (-size[0], -size[1], 0.012),
                (size[0], -size[1], 0.012),
                (size[0], size[1], 0.012),
                (-size[0], size[1], 0.012),
            ]
        )
        rug.uv = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], float)
        rug.position[:, :2] *= min(1.0, 0.45 * w / size[0], 0.45 * d / size[1])
        scene.add(rug, scene.material("carpet", 0.02))
    furnish(
        scene, kit, w, d, [props.FURNITURE[i] for i in theme], int(w * d * rng.uniform(0.3, 0.6)) + 3, 0.7
    )
    hang(scene, kit, w, d, h)
    if rng.random() < 0.15:
        furnish(scene, kit, w, d, [moving.standing], 2, 0.0)
    if rng.random() < 0.1:
        moving.fan(kit).place(scene, at(*(rng.uniform(-0.2, 0.2, 2) * [w, d]), h), solid=False)
    if rng.random() < 0.1:
        moving.pendulum(kit).place(scene, at(*(rng.uniform(-0.3, 0.3, 2) * [w, d]), h), solid=False)
    walker(scene, kit, w, d, 0.22)
    lighting.indoors(rng, scene, *scene.bounds, sunny)
    look_in_room(scene, w, d, h)


def hall(scene: Scene, kit: Kit) -> None:
    """Church, gallery or museum hall with arcades along both sides."""
    rng = scene.rng
    span, bays, h = rng.uniform(2.2, 4.0), int(rng.integers(4, 8)), rng.uniform(3.6, 7.0)
    d, w, nave = span * bays, rng.uniform(8, 14), rng.uniform(2.0, 3.2)
    sunny = rng.random() < 0.5
    shell(scene, kit, w, d, h + 0.4, sunny, int(rng.integers(1, 4)))
    stone = kit("stone")
    for side in (-1, 1):
        buildings.arcade(kit, bays, span, h, stone).place(
            scene, at(side * nave, 0) @ rotate(side * np.pi / 2), solid=False
        )
        for i in range(bays + 1):
            y = (i - bays / 2) * span
            scene.block((side * nave - 0.6, y - 0.6, 0), (side * nave + 0.6, y + 0.6, h))
    if rng.random() < 0.5:
        rib = np.linspace(0, np.pi, 13)
        for i in range(bays + 1):
            y = (i - bays / 2) * span
            path = np.stack([np.cos(rib) * nave, 0 * rib + y, h - 0.6 + 0.9 * np.sin(rib)], 1)
            scene.add(m.tube(path, 0.14, 6), stone)
    makers = [
        fixtures.statue,
        nature.bench,
        trinkets.plant,
        fixtures.crates,
        fixtures.easel,
        moving.standing,
        fixtures.pillar,
        props.table,
    ]
    furnish(scene, kit, w, d, [makers[i] for i in rng.permutation(8)[:4]], int(rng.integers(6, 18)), 0.3)
    hang(scene, kit, w, d, h)
    walker(scene, kit, nave, d, 0.3)
    lighting.indoors(rng, scene, *scene.bounds, sunny)
    look_in_room(scene, min(w, 2 * nave + 1), d, h)


def warehouse(scene: Scene, kit: Kit) -> None:
    """Storage hall or workshop: racks, crates, pillars, pipes, trusses."""
    rng = scene.rng
    w, d, h = rng.uniform(9, 16), rng.uniform(9, 18), rng.uniform(4, 6.5)
    sunny = rng.random() < 0.5
    shell(scene, kit, w, d, h, sunny, 2)
    metal = kit("metal")
    for y in np.arange(-d / 2 + 1, d / 2, 3.0):
        x = np.linspace(-w / 2, w / 2, 9)
        for a, b in pairwise(x):
            scene.add(m.rod((a, y, h - 0.9), ((a + b) / 2, y, h - 0.3), 0.025, 4), metal)
            scene.add(m.rod(((a + b) / 2, y, h - 0.3), (b, y, h - 0.9), 0.025, 4), metal)
        for z in (h - 0.9, h - 0.3):
            scene.add(m.box(w, 0.08, 0.08), metal, at(0, y, z))
        for side in (-1, 1):
            fixtures.pillar(kit, h, 0.12).place(scene, at(side * w * 0.28, y))
    makers = [
        fixtures.crates,
        fixtures.crates,
        props.shelf,
        fixtures.ladder,
        fixtures.stairs,
        nature.fence,
        props.table,
        props.cabinet,
    ]
    furnish(scene, kit, w, d, [makers[i] for i in rng.permutation(8)[:5]], int(rng.integers(14, 32)), 0.4)
    hang(scene, kit, w, d, h)
    walker(scene, kit, w, d, 0.4)
    lighting.indoors(rng, scene, *scene.bounds, sunny)
    look_in_room(scene, w, d, h)


def corridor(scene: Scene, kit: Kit) -> None:
    """Long passage with niches, doors, pilasters and things along the walls."""
    rng = scene.rng
    w, d, h = rng.uniform(1.8, 3.4), rng.uniform(8, 18), rng.uniform(2.3, 3.4)
    sunny = rng.random() < 0.4
    shell(scene, kit, w, d, h, sunny, 1)
    stone, step = kit("stone"), rng.uniform(1.8, 3.2)
    for y in np.arange(-d / 2 + step, d / 2 - 0.5, step):
        opening = w * rng.uniform(0.78, 0.9)
        arch = m.arch_wall(w, h, 0.3, opening, h * 0.92 - opening * 0.5 if rng.random() < 0.9 else 1.4, 0.0)
        scene.add(arch, stone, at(0, y))
        for side in (-1, 1):
            scene.block((side * w / 2 - 0.3, y - 0.3, 0), (side * w / 2 + 0.3, y + 0.3, h))
    makers = [
        trinkets.plant,
        props.cabinet,
        props.chair,
        fixtures.statue,
        fixtures.crates,
        trinkets.floor_lamp,
        moving.standing,
    ]
    furnish(scene, kit, w, d, [makers[i] for i in rng.permutation(7)[:4]], int(rng.integers(5, 12)), 0.9)
    hang(scene, kit, w, d, h)
    walker(scene, kit, 0.5, d, 0.35)
    lighting.indoors(rng, scene, *scene.bounds, sunny)
    look_in_room(scene, w, d, h)


def tabletop(scene: Scene, kit: Kit) -> None:
    """Still life: many things on a table or plinth in front of a wall or a curved backdrop, seen from near."""
    rng = scene.rng
    top = scene.material(FLOORS[rng.integers(len(FLOORS))], rng.uniform(0.1, 1.0), rng.uniform(0.8, 2.0))
    if rng.random() < 0.4:
        bend = np.linspace(0, np.pi / 2, 10)
        line = np.concatenate(
            [[(-3.0, 0.0)], np.stack([0.6 + 0.8 * np.sin(bend), 0.8 - 0.8 * np.cos(bend)], 1), [(1.4, 4.0)]]
        )
        low = np.stack([np.full(len(line), -5.0), line[:, 0], line[:, 1]], 1)
        back = m.strip(low, low + [10, 0, 0])
        back.normal = organic.vertex_normals(back.position, back.triangles)
        scene.add(back, kit.paint(0.1))
        scene.bounds = np.array([-3.0, -2.6, 0.05]), np.array([3.0, 1.2, 3.0])
        lighting.indoors(rng, scene, np.array([-1.5, -1.5, 0]), np.array([1.5, 1.2, 2.2]), False)
    else:
        w, d, h = rng.uniform(3, 5), rng.uniform(3, 5), 2.5
        shell(scene, kit, w, d, h, False, int(rng.integers(0, 2)))
        slab = rng.uniform(0.04, 0.1)
        scene.add(m.box(2.2, 1.4, slab, 0.02), top)
        lighting.indoors(rng, scene, *scene.bounds, False)
    scene.light.occlusion_radius = 0.25
    taken: list = []
    for _ in range(int(rng.integers(14, 34))):
        g = trinkets.trinket(kit, rng.uniform(0.2, 0.7))
        low, high = g.bounds()
        r = max(high[0], high[1], -low[0], -low[1])
        p = rng.uniform(-1, 1, 2) * [1.0, 0.6]
        if all(np.hypot(*(p - q)) > 0.8 * (r + s) for q, s in taken):
            taken.append((p, r))
            g.place(scene, at(*p, 0.06) @ rotate(rng.uniform(0, 6.3)))
    if rng.random() < 0.35:
        moving.ball(kit).place(
            scene, at(0, -0.1, 0.06) @ rotate(rng.uniform(0, 6.3)) @ m.scale(0.35), solid=False
        )
    if rng.random() < 0.2:
        moving.spinner(kit).place(scene, at(0.1, 0.2, 0.06) @ m.scale(0.4), solid=False)

    def view(rng):
        turn = rng.uniform(-2.4, -0.75)
        reach, z = rng.uniform(0.6, 1.9), rng.uniform(0.2, 1.1)
        return np.array([np.cos(turn) * reach, np.sin(turn) * reach, z]), np.array(
            [*rng.normal(size=2) * 0.2, rng.uniform(0.05, 0.3)]
        )

    scene.view = view
