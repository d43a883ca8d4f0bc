"""The parts that layouts inside share: the shell of a room, its furniture, what hangs, who walks, views."""

from __future__ import annotations

import numpy as np

from . import buildings, moving
from . import meshes as m
from .meshes import rotate
from .scene import Group, Kit, Scene, at

WALLS = ("plaster", "plaster", "wallpaper", "bricks", "planks", "stone", "tiles", "stripes", "plain")


FLOORS = ("planks", "planks", "tiles", "marble", "stone", "checker", "weave", "wood")


def shell(scene: Scene, kit: Kit, w: float, d: float, h: float, open_windows: bool, openings: int) -> None:
    """Floor, ceiling and four walls with windows, doors, skirting, beams; x in -w/2..w/2, y in -d/2..d/2."""
    rng = scene.rng
    floor = scene.material(FLOORS[rng.integers(len(FLOORS))], rng.uniform(0.05, 0.9), rng.uniform(0.35, 0.9))
    walls = scene.material(WALLS[rng.integers(len(WALLS))], rng.uniform(0.02, 0.2), rng.uniform(0.3, 0.8))
    if rng.random() < 0.3:
        walls = kit.paint(0.1, 0.2 + 0.6 * rng.random(3) * rng.random() + 0.15)
    other = kit.paint(0.1) if rng.random() < 0.3 else walls
    ceiling = kit.paint(0.05, np.full(3, rng.uniform(0.45, 0.8))) if rng.random() < 0.7 else kit("wood")
    g, x, y = Group(), w / 2, d / 2
    g.add(m.quad([(-x, -y, 0), (x, -y, 0), (x, y, 0), (-x, y, 0)]), floor)
    g.add(m.quad([(-x, -y, h), (x, -y, h), (x, y, h), (-x, y, h)]), ceiling)
    outside = (
        None
        if open_windows
        else scene.material("gradient", 0.1).tinted((1.0, 1.0, 1.0), 0.1, rng.uniform(0.3, 1.0))
    )
    ends = [((-x, -y), (x, -y)), ((x, -y), (x, y)), ((x, y), (-x, y)), ((-x, y), (-x, -y))]
    trim = kit("wood") if rng.random() < 0.5 else kit.paint(0.3, (0.7, 0.69, 0.66))
    with_windows = set(rng.permutation(4)[:openings].tolist())
    sill, tall = rng.uniform(0.3, 1.0), rng.uniform(1.1, min(2.0, h - 1.2))
    for i, (a, b) in enumerate(ends):
        a, b = np.array(a), np.array(b)
        length = np.linalg.norm(b - a)
        along = (b - a) / length
        pose = at(*a) @ rotate(np.arctan2(along[1], along[0]))
        holes = []
        if i in with_windows:
            count, wide = max(1, int(length // rng.uniform(1.9, 3.2))), rng.uniform(0.8, 1.6)
            holes = [
                ((k + 0.5) * length / count, min(wide, length / count - 0.3), sill, tall)
                for k in range(count)
            ]
            for position, width, low, height in holes:
                g.put(
                    buildings.window(kit, width, height, outside),
                    pose @ at(position, -0.05, low + height / 2),
                )
        else:
            if rng.random() < 0.6:
                g.put(buildings.door(kit), pose @ at(rng.uniform(0.2, 0.8) * length, 0.03))
            for _ in range(int(rng.integers(0, 5))):
                picture = (
                    pose
                    @ at(rng.uniform(0.1, 0.9) * length, 0.03, rng.uniform(1.3, min(2.0, h - 0.7)))
                    @ rotate(np.pi)
                )
                g.put(buildings.framed(kit), picture)
        buildings.wall(g, a, b, h, other if i == 0 else walls, holes)
        g.add(m.box(length, 0.03, 0.12, 0.01), trim, pose @ at(length / 2, 0.015))
        if h < 4 and rng.random() < 0.5:
            g.add(m.box(length, 0.08, 0.09, 0.03), trim, pose @ at(length / 2, 0.04, h - 0.09))
    if rng.random() < 0.4:
        for k in np.arange(-y + 0.6, y, rng.uniform(0.9, 1.6)):
            g.add(m.box(w, 0.14, 0.18, 0.015), trim, at(0, k, h - 0.18))
    g.place(scene, np.eye(4), solid=False)
    scene.bounds = np.array([-x, -y, 0.05]), np.array([x, y, h])


def furnish(scene: Scene, kit: Kit, w: float, d: float, makers, count: int, against: float) -> None:
    """Place `count` props apart from each other; share `against` stand with their backs to a wall."""
    rng, taken = scene.rng, []
    for _ in range(count):
        g = makers[rng.integers(len(makers))](kit)
        low, high = g.bounds()
        for _ in range(12):
            if rng.random() < against:
                side = int(rng.integers(4))
                turn = -side * np.pi / 2
                half = (w, d)[side % 2] / 2 - 0.05
                reach = (d, w)[side % 2] / 2 - high[1] - 0.08
                along = rng.uniform(-half + high[0], half - high[0]) if half > high[0] else 0.0
                pose = rotate(turn) @ at(along, reach)
            else:
                pose = at(*(rng.uniform(-0.36, 0.36, 2) * [w, d])) @ rotate(
                    rng.choice([0, 1, 2, 3]) * np.pi / 2 + rng.normal() * 0.3
                )
            corners = np.array([(a, b, 0, 1) for a in (low[0], high[0]) for b in (low[1], high[1])]) @ pose.T
            a, b = corners[:, :2].min(0), corners[:, :2].max(0)
            apart = all(np.any(a > q + 0.08) or np.any(b < p - 0.08) for p, q in taken)
            if apart and np.all(a > -np.array([w, d]) / 2) and np.all(b < np.array([w, d]) / 2):
                taken.append((a, b))
                g.place(scene, pose)
                break


def hang(scene: Scene, kit: Kit, w: float, d: float, h: float) -> None:
    """Lamps, cables, pipes or a duct under the ceiling."""
    rng = scene.rng
    for _ in range(int(rng.integers(0, 4))):
        p = rng.uniform(-0.35, 0.35, 2) * [w, d]
        length = rng.uniform(0.3, min(1.2, h - 1.7))
        g = Group()
        g.add(m.rod((0, 0, 0), (0, 0, -length), 0.008, 4), kit.paint(0.2, (0.02, 0.02, 0.02)))
        shade = [
            [(0.22, -0.16), (0.04, 0.02)],
            [(0.0, -0.3), (0.13, -0.22), (0.16, -0.13), (0.1, 0), (0, 0.02)],
        ][rng.integers(2)]
        g.add(m.lathe(shade, 16), kit.glow((0.9, 0.8, 0.6), rng.uniform(0, 0.9)), at(0, 0, -length))
        g.place(scene, at(*p, h))
    for _ in range(int(rng.integers(0, 3))):
        y, r = rng.uniform(-0.45, 0.45) * d, rng.uniform(0.015, 0.12)
        x = np.linspace(-w / 2, w / 2, 10)
        sag = rng.uniform(0, 0.3) * (1 - (2 * x / w) ** 2) if r < 0.04 else 0 * x
        scene.add(m.tube(np.stack([x, 0 * x + y, h - 0.1 - r - sag], 1), r, 8), kit("metal"))


def walker(scene: Scene, kit: Kit, w: float, d: float, chance: float, makers=moving.ON_FLOOR) -> None:
    """With `chance`, put one to three moving things about the middle of the floor."""
    rng = scene.rng
    if rng.random() > chance:
        return
    for _ in range(int(rng.integers(1, 4))):
        g = makers[rng.integers(len(makers))](kit)
        g.place(scene, at(*(rng.uniform(-0.25, 0.25, 2) * [w, d])) @ rotate(rng.uniform(0, 6.3)), solid=False)


def look_in_room(scene: Scene, w: float, d: float, h: float) -> None:
    """Views from near one wall or corner across the room, at any height an artist would use."""

    def view(rng):
        turn = rng.uniform(0, 2 * np.pi)
        out = np.array([np.cos(turn), np.sin(turn)])
        reach = rng.uniform(0.45, 0.97) / np.abs(out / ([w / 2 - 0.3, d / 2 - 0.3])).max()
        eye = np.array([*(out * reach), rng.uniform(0.5, min(2.3, h - 0.3))])
        target = np.array(
            [
                *(-out * reach * rng.uniform(-0.1, 0.7) + rng.normal(size=2) * 0.5),
                rng.uniform(0.5, min(1.7, h - 0.7)),
            ]
        )
        return eye, target

    scene.view = view
