"""Layouts of open land: gardens and parks, wild country, ruins."""

# ruff: noqa: RUF005 - here + adds arrays
from __future__ import annotations

import numpy as np

from . import buildings, fixtures, ground, lighting, moving, nature
from . import meshes as m
from .ground import around, square
from .meshes import rotate
from .rooms import walker
from .scene import Kit, Scene, at


def park(scene: Scene, kit: Kit) -> None:
    """Garden or park: lawn, path, trees, hedges, benches, fountain, fences, people."""
    rng = scene.rng
    lawn = scene.material(rng.choice(["grass", "grass", "ground"]), 0.02, 0.45)
    mesh, z = ground.terrain(kit, 130, rng.uniform(0, 3), 0.08, 12, lawn)
    scene.add(mesh, lawn)
    path = np.stack([2.5 * np.sin(np.linspace(-3, 3, 50)), np.linspace(-25, 25, 50)], 1)
    lift = z(path[:, 0], path[:, 1]) + 0.07
    left = np.stack([path[:, 0] - 0.9, path[:, 1], lift], 1)
    way = m.strip(left, left + [1.8, 0, 0])
    way.uv = way.position[:, :2].copy()
    scene.add(way, scene.material(rng.choice(["cobbles", "ground", "tiles", "stone"]), 0.1, 0.6))
    taken = [(p[0], p[1], 1.6) for p in path[::4]]
    ground.scatter(
        kit,
        scene,
        [nature.tree],
        int(rng.integers(8, 26)),
        ((-28, -28), (28, 28)),
        z,
        [*taken, (0, 0, 5.0)],
        4,
    )
    ground.scatter(
        kit,
        scene,
        [nature.bush, nature.tuft, nature.boulder],
        int(rng.integers(20, 60)),
        ((-16, -16), (16, 16)),
        z,
        taken,
        5,
    )
    makers = [
        nature.bench,
        nature.street_lamp,
        nature.fence,
        nature.well,
        fixtures.statue,
        moving.standing,
        fixtures.pillar,
    ]
    ground.scatter(kit, scene, makers, int(rng.integers(6, 16)), ((-9, -9), (9, 9)), z, taken, 6)
    if rng.random() < 0.2:
        moving.birds(kit).place(scene, at(0, 0, rng.uniform(3, 6)) @ rotate(rng.uniform(0, 6)), solid=False)
    walker(scene, kit, 8, 8, 0.3, (moving.figure, moving.ball))
    lighting.daylight(rng, scene, 22)
    scene.view = around(4, 12, 0.4, 3.5, z)


def wild(scene: Scene, kit: Kit) -> None:
    """Mountains, desert, forest or snow: displaced land with rocks, trees, grass and perhaps a hut."""
    rng = scene.rng
    land = scene.material(rng.choice(["ground", "ground", "grass", "stone"]), 0.05, 0.25)
    mesh, z = ground.terrain(
        kit, rng.uniform(120, 300), rng.uniform(3, 22), rng.uniform(0.03, 0.07), rng.uniform(5, 14), land
    )
    scene.add(mesh, land)
    dense = rng.random() < 0.5
    if dense:
        ground.scatter(
            kit, scene, [nature.tree], int(rng.integers(25, 60)), ((-30, -30), (30, 30)), z, [(0, 0, 3.0)], 4
        )
    ground.scatter(
        kit, scene, [nature.boulder], int(rng.integers(12, 50)), ((-18, -18), (18, 18)), z, [(0, 0, 1.5)], 5
    )
    ground.scatter(kit, scene, nature.SMALL, int(rng.integers(15, 60)), ((-12, -12), (12, 12)), z, [], 6)
    if rng.random() < 0.35:
        g = buildings.house(kit, [scene.material("planks", 0.1, 0.5)], [scene.material("roof", 0.1, 0.5)])
        g.place(scene, at(*rng.uniform(-5, 5, 2), -0.3) @ rotate(rng.uniform(0, 6)) @ m.scale(0.6))
    if rng.random() < 0.3:
        water = kit.paint(1.0, np.array([0.02, 0.08, 0.1]) * rng.uniform(0.5, 2))
        scene.add(square(300, -rng.uniform(0.1, 1.0)), water)
    if rng.random() < 0.25:
        moving.birds(kit).place(scene, at(0, 0, rng.uniform(3, 7)) @ rotate(rng.uniform(0, 6)), solid=False)
    if rng.random() < 0.3:
        ground.scatter(kit, scene, [moving.figure, moving.standing], 2, ((-3, -3), (3, 3)), z, [], 2, False)
    lighting.daylight(rng, scene, 24)
    scene.view = around(4, 13, 0.5, 4.0, z)


def ruins(scene: Scene, kit: Kit) -> None:
    """Broken columns and walls, arches, rubble and plants on rough ground."""
    rng = scene.rng
    land = scene.material(rng.choice(["ground", "grass", "cobbles"]), 0.05, 0.4)
    mesh, z = ground.terrain(kit, 160, rng.uniform(1, 9), 0.05, 12, land)
    scene.add(mesh, land)
    rows, step = int(rng.integers(2, 5)), rng.uniform(2.2, 3.5)
    for i in range(rows):
        for j in range(int(rng.integers(3, 7))):
            if rng.random() < 0.8:
                fixtures.pillar(kit, rng.choice([4.2, rng.uniform(0.6, 4)]), 0.32).place(
                    scene, at((i - rows / 2) * step * 1.5, (j - 3) * step)
                )
        if rng.random() < 0.6:
            scene.add(m.box(0.7, step * 4, 0.5, 0.04), kit("stone"), at((i - rows / 2) * step * 1.5, 0, 4.2))
    wall = scene.material(rng.choice(["bricks", "stone", "cobbles"]), 0.05, 0.5)
    for _ in range(int(rng.integers(2, 6))):
        pose = at(*rng.uniform(-9, 9, 2)) @ rotate(rng.choice([0, np.pi / 2]) + 0.1 * rng.normal())
        if rng.random() < 0.5:
            buildings.arcade(kit, int(rng.integers(1, 4)), 2.8, rng.uniform(3, 4.5), wall).place(scene, pose)
        else:
            for k in range(8):
                scene.add(m.box(0.62, 0.4, rng.uniform(0.5, 3.2), 0.02), wall, pose @ at(k * 0.6, 0))
    ground.scatter(
        kit,
        scene,
        [nature.boulder, nature.tuft, nature.bush, nature.log],
        int(rng.integers(30, 70)),
        ((-12, -12), (12, 12)),
        z,
        [],
        6,
    )
    ground.scatter(
        kit, scene, [nature.tree], int(rng.integers(0, 10)), ((-22, -22), (22, 22)), z, [(0, 0, 7)], 2
    )
    walker(scene, kit, 8, 8, 0.3, (moving.figure,))
    if rng.random() < 0.15:
        moving.birds(kit).place(scene, at(0, 0, 5) @ rotate(rng.uniform(0, 6)), solid=False)
    lighting.daylight(rng, scene, 20)
    scene.view = around(4, 11, 0.5, 3.5, z)
