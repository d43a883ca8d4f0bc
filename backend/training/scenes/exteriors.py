"""Layouts outside that are built: streets, courtyards, and open stages of plain shapes."""

from __future__ import annotations

import numpy as np

from . import buildings, fixtures, ground, lighting, moving, nature, props, trinkets
from . import meshes as m
from .ground import around, level, square
from .meshes import rotate
from .rooms import walker
from .scene import Kit, Scene, at


def street(scene: Scene, kit: Kit) -> None:
    """Street between two rows of houses, with pavements, lamps, trees, cars and people."""
    rng = scene.rng
    facades = [
        scene.material("facade", 0.25, 1 / rng.uniform(5, 9)),
        scene.material("bricks", 0.1, 0.6),
        scene.material("plaster", 0.05, 0.4),
    ]
    roofs = [scene.material("roof", 0.1, 0.4)]
    half = rng.uniform(3.2, 6)
    scene.add(square(260, -0.02), scene.material(rng.choice(["ground", "cobbles", "stone"]), 0.15, 0.35))
    pavement = scene.material(rng.choice(["tiles", "cobbles", "stone"]), 0.15, 0.6)
    for side in (-1, 1):
        scene.add(m.box(2.2, 120, 0.16, 0.03), pavement, at(side * (half + 1.1), 20))
        y = -30.0
        while y < 75:
            g = buildings.house(kit, facades, roofs)
            low, high = g.bounds()
            width = high[0] - low[0]
            g.place(scene, at(side * (half + 2.3 - low[1]), y + width / 2) @ rotate(side * -np.pi / 2))
            y += width + rng.choice([0.0, 0.0, 0.3, 2.5])
        makers = [
            nature.street_lamp,
            nature.tree,
            nature.bench,
            nature.bush,
            fixtures.crates,
            nature.fence,
            moving.standing,
            trinkets.plant,
        ]
        pool = [makers[i](kit) for i in rng.permutation(len(makers))[:5]]
        for y in np.arange(-14, 40, rng.uniform(1.8, 4)):
            pose = at(side * (half + rng.uniform(0.4, 1.6)), y + rng.normal() * 0.5, 0.16) @ rotate(
                side * -np.pi / 2
            )
            pool[rng.integers(len(pool))].place(scene, pose)
    if rng.random() < 0.5:
        for y in np.arange(-8, 40, rng.uniform(5, 12)):
            x = np.linspace(-half - 2.2, half + 2.2, 12)
            sag = 0.6 * (x / (half + 2.2)) ** 2 + rng.uniform(3.5, 6)
            scene.add(m.tube(np.stack([x, 0 * x + y, sag], 1), 0.012, 4), kit.paint(0.1, (0.02, 0.02, 0.02)))
    walker(scene, kit, half * 1.5, 24, 0.4, moving.OUTDOORS)
    for _ in range(int(rng.integers(0, 3))):
        side = rng.choice([-1, 1])
        moving.car(kit).place(
            scene, at(side * (half - 1.2), rng.uniform(2, 25)) @ rotate(0 if side < 0 else np.pi), solid=False
        )
    lighting.daylight(rng, scene, 26)
    scene.light.focus = np.array([0, 8, 3.0])

    def view(rng):
        eye = np.array(
            [
                rng.uniform(-1, 1) * (half + 1.5),
                rng.uniform(-12, 4),
                rng.choice([rng.uniform(0.5, 2.2), rng.uniform(2, 6)]),
            ]
        )
        target = np.array(
            [rng.uniform(-1, 1) * (half + 2), eye[1] + rng.uniform(3, 16), rng.uniform(0.8, 3.5)]
        )
        return eye, target

    scene.view = view
    scene.bounds = np.array([-half - 2, -40, 0.2]), np.array([half + 2, 80, 30])


def courtyard(scene: Scene, kit: Kit) -> None:
    """Cloister or plaza: arcades around a court with a fountain, plants, statues, stalls and people."""
    rng = scene.rng
    span, count, h = rng.uniform(2.2, 3.4), int(rng.integers(4, 7)), rng.uniform(3.4, 5.0)
    side = span * count / 2
    scene.add(
        square(120),
        scene.material(
            rng.choice(["tiles", "cobbles", "marble", "stone", "checker", "grass"]),
            rng.uniform(0.05, 0.5),
            0.5,
        ),
    )
    stone, back = (
        kit("stone"),
        scene.material(rng.choice(["plaster", "bricks", "stone", "facade"]), 0.05, 0.35),
    )
    roof = scene.material("roof", 0.1, 0.5)
    sides = 4 if rng.random() < 0.6 else 3
    for i in range(sides):
        turn = rotate(i * np.pi / 2)
        buildings.arcade(kit, count, span, h, stone).place(scene, turn @ at(0, side), solid=False)
        scene.add(m.box(2 * side + 6, 0.3, h + rng.uniform(0, 4)), back, turn @ at(0, side + 3))
        scene.add(
            m.quad(
                [
                    (-side - 0.3, side - 0.4, h),
                    (side + 0.3, side - 0.4, h),
                    (side + 3, side + 3, h + 1.2),
                    (-side - 3, side + 3, h + 1.2),
                ]
            ),
            roof,
            turn,
        )
        if rng.random() < 0.5:
            g = buildings.house(kit, [back], [roof])
            g.place(scene, turn @ at(rng.uniform(-3, 3), side + 9))
    makers = [
        nature.well,
        fixtures.statue,
        trinkets.plant,
        nature.bench,
        fixtures.crates,
        nature.bush,
        props.table,
        moving.standing,
        nature.street_lamp,
        nature.tree,
    ]
    chosen = [makers[i] for i in rng.permutation(len(makers))[:5]]
    ground.scatter(
        kit,
        scene,
        chosen,
        int(rng.integers(8, 20)),
        ((-side + 1, -side + 1), (side - 1, side - 1)),
        level,
        [],
        6,
    )
    walker(scene, kit, side, side, 0.4, (moving.figure, moving.figure, moving.ball))
    lighting.daylight(rng, scene, side + 6)
    scene.view = around(side * 0.4, side * 0.95, 0.5, 2.6, level)


def stage(scene: Scene, kit: Kit) -> None:
    """What people model first: shapes, towers, stairs and rings on an endless plane, playfully coloured."""
    rng = scene.rng
    scene.add(
        square(200),
        scene.material(
            rng.choice(["checker", "plain", "planks", "tiles", "gradient", "stone"]),
            rng.uniform(0.1, 0.8),
            0.4,
        ),
    )
    for _ in range(int(rng.integers(20, 55))):
        s, p = rng.uniform(0.25, 1.3), rng.uniform(-6, 6, 2)
        kind, spin = rng.integers(8), rotate(rng.uniform(0, 6.3))
        star = np.arange(10) * np.pi / 5
        outline = (
            np.stack([np.cos(star), np.sin(star)], 1) * np.where(np.arange(10) % 2, 0.45, 1.0)[:, None] * s
        )
        if kind < 5:
            mesh = (
                m.box(s, s * rng.uniform(0.4, 2), s * rng.uniform(0.4, 3), 0.06),
                m.lathe([(0, 0), (s * 0.6, 0), (0, s * 1.6)], 24),
                m.cylinder(s * 0.5, s * rng.uniform(0.4, 3), 24, 0.05),
                m.sphere(s * 0.6, 24, 14).moved(at(0, 0, s * 0.6)),
                m.prism(outline, s * 0.7),
            )[kind]
        elif kind == 5:
            mesh = m.torus(s * 0.7, s * 0.22, 28, 12).moved(at(0, 0, s * 0.9) @ rotate(1.57, "x"))
        elif kind == 6:
            mesh = m.arch_wall(2.4 * s, 2 * s, 0.6 * s, 1.5 * s, s * 0.9, 0.0)
        else:
            t = np.linspace(0, 6 * np.pi, 60)
            mesh = m.tube(
                np.stack([np.cos(t) * s * 0.5, np.sin(t) * s * 0.5, t * 0.12 * s], 1), 0.05 * s + 0.02, 8
            )
        material = (
            kit.paint()
            if rng.random() < 0.7
            else kit.varied(rng.choice(["wood", "stone", "metal", "fabric"]))
        )
        pose = at(*p) @ spin
        placed = mesh.moved(pose)
        scene.add(placed, material)
        scene.block(placed.position.min(0), placed.position.max(0))
    ground.scatter(
        kit,
        scene,
        [fixtures.stairs, fixtures.statue, trinkets.plant, fixtures.crates, nature.fence, fixtures.pillar],
        7,
        ((-6, -6), (6, 6)),
        level,
        [],
        5,
    )
    walker(scene, kit, 6, 6, 0.45, (moving.ball, moving.ball, moving.spinner, moving.figure))
    lighting.daylight(rng, scene, 14)
    scene.view = around(2.5, 7.5, 0.4, 3.2, level)
