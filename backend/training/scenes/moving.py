"""Things that move: groups whose parts follow functions of time, in frames at 24 a second."""

from __future__ import annotations

import numpy as np

from . import meshes as m
from .meshes import rotate
from .scene import Group, Kit, at

RATE = 24.0


def figure(kit: Kit, walking: bool = True) -> Group:
    """Person of capsules, 1.6 to 1.9 m, walking towards -y or standing."""
    rng, g = kit.rng, Group()
    h = rng.uniform(1.55, 1.9) / 1.8
    skin = kit.paint(0.2, np.array([0.62, 0.36, 0.25]) * rng.uniform(0.25, 1.1))
    coat, cloth, hair = (
        kit.paint(0.1),
        kit.paint(0.1),
        kit.paint(0.3, np.array([0.2, 0.12, 0.06]) * rng.uniform(0.1, 2)),
    )
    speed, pace, phase = rng.uniform(0.7, 1.6), rng.uniform(0.8, 1.1), rng.uniform(0, 6.3)
    if not walking:
        speed = 0.0
    swing = 0.55 if walking else 0.06

    def body(t):
        bob = 0.03 * abs(np.sin(np.pi * 2 * pace * t / RATE + phase)) if walking else 0.0
        return at(0, -speed * t / RATE, bob) @ m.scale(h)

    def limb(side, top, bend, joint, lower):
        def pose(t):
            angle = swing * side * np.sin(np.pi * 2 * pace * t / RATE + phase)
            matrix = body(t) @ at(*top) @ rotate(angle, "x")
            if lower:
                matrix = (
                    matrix
                    @ at(0, 0, -joint)
                    @ rotate(bend * (0.5 + 0.5 * np.sin(np.pi * 2 * pace * t / RATE + phase + side)), "x")
                )
            return matrix

        return pose

    def add(mesh, material, mover):
        g.add(mesh, material, None if walking else mover(0.0), mover if walking else None)

    add(
        m.merge(
            [
                m.capsule(0.17, 0.62, 14).moved(m.scale(1.15, 0.75, 1)),
                m.capsule(0.06, 0.2).moved(at(0, 0, 0.52)),
            ]
        ),
        coat,
        lambda t: body(t) @ at(0, 0, 0.85),
    )
    add(m.sphere(0.115, 14, 10).moved(m.scale(0.85, 1, 1.2)), skin, lambda t: body(t) @ at(0, 0, 1.64))
    add(
        m.sphere(0.12, 14, 8).moved(at(0, 0.02, 0.03) @ m.scale(0.9, 1, 1.1)),
        hair,
        lambda t: body(t) @ at(0, 0.015, 1.67),
    )
    down = rotate(np.pi, "x")
    for side in (-1, 1):
        leg, arm = (0.09 * side, 0, 0.92), (0.23 * side, 0, 1.38)
        add(m.capsule(0.08, 0.48).moved(down), cloth, limb(side, leg, 0, 0, False))
        add(
            m.merge(
                [
                    m.capsule(0.06, 0.5).moved(down),
                    m.capsule(0.05, 0.24).moved(at(0, 0.04, -0.46) @ rotate(1.57, "x")),
                ]
            ),
            cloth,
            limb(side, leg, -0.5, 0.42, True),
        )
        add(m.capsule(0.055, 0.34).moved(down), coat, limb(-side, arm, 0, 0, False))
        add(m.capsule(0.042, 0.34).moved(down), skin, limb(-side, arm, 0.5, 0.28, True))
    return g


def standing(kit: Kit) -> Group:
    """A person who stands still."""
    return figure(kit, walking=False)


def ball(kit: Kit) -> Group:
    """Ball that rolls along x or bounces."""
    rng, g = kit.rng, Group()
    r, speed = rng.uniform(0.1, 0.45), rng.uniform(-2.0, 2.0)
    material = kit("fabric") if rng.random() < 0.5 else kit.paint(0.7)
    bounce = rng.uniform(0.2, 0.9) if rng.random() < 0.5 else 0.0
    mesh = m.merge([m.sphere(r, 18, 12), m.torus(r * 0.98, r * 0.06, 24, 6)])

    def pose(t):
        x = speed * (t / RATE - 0.4)
        return at(x, 0, r + bounce * abs(np.cos(4.0 * t / RATE))) @ rotate(x / r, "y")

    g.add(mesh, material, mover=pose)
    return g


def fan(kit: Kit) -> Group:
    """Ceiling fan hanging from z = 0."""
    rng, g = kit.rng, Group()
    speed = rng.uniform(2, 9)
    g.add(m.rod((0, 0, 0), (0, 0, -0.4), 0.025), kit("metal"))
    blades = [
        m.box(0.7, 0.14, 0.015).moved(rotate(a) @ at(0.45, 0, -0.42) @ rotate(0.2, "x"))
        for a in np.arange(4) * np.pi / 2
    ]
    g.add(
        m.merge([*blades, m.sphere(0.1, 12, 8).moved(at(0, 0, -0.42))]),
        kit("wood"),
        mover=lambda t: rotate(speed * t / RATE),
    )
    return g


def pendulum(kit: Kit) -> Group:
    """Lamp that swings on a cable from z = 0."""
    rng, g = kit.rng, Group()
    length, wide, rate, phase = (
        rng.uniform(0.6, 1.4),
        rng.uniform(0.15, 0.5),
        rng.uniform(2, 4),
        rng.uniform(0, 6),
    )
    turn = rotate(rng.uniform(0, 6))

    def pose(t):
        return turn @ rotate(wide * np.sin(rate * t / RATE + phase), "x")

    g.add(m.rod((0, 0, 0), (0, 0, -length), 0.008, 5), kit.paint(0.3, (0.02, 0.02, 0.02)), mover=pose)
    g.add(
        m.lathe([(0.2, -0.15), (0.05, 0.05), (0.03, 0.1)], 16).moved(at(0, 0, -length)),
        kit.paint(),
        mover=pose,
    )
    g.add(m.sphere(0.07, 10, 7).moved(at(0, 0, -length - 0.1)), kit.glow((1, 0.8, 0.5), 1.0), mover=pose)
    return g


def car(kit: Kit) -> Group:
    """Car driving along -y, or parked."""
    rng, g = kit.rng, Group()
    speed = rng.uniform(1.5, 7.0) * (rng.random() < 0.75)
    paint, glass, dark = (
        kit.paint(0.9),
        kit.paint(1.0, (0.03, 0.04, 0.05)),
        kit.paint(0.1, (0.015, 0.015, 0.015)),
    )
    h = rng.uniform(0.4, 0.65)
    side = np.array(
        [
            (-2.1, 0.3),
            (2.0, 0.3),
            (2.05, 0.75),
            (1.1, 0.85),
            (0.5, 0.85 + h),
            (-1.2, 0.85 + h),
            (-1.9, 0.9),
            (-2.15, 0.75),
        ]
    )
    shell = (
        m.prism(side * [1, 1], 1.7)
        .moved(rotate(np.pi / 2, "x"))
        .moved(at(0, 0.85, 0))
        .moved(rotate(-np.pi / 2))
    )
    cabin = np.array([(0.95, 0.88), (0.45, 0.8 + h), (-1.15, 0.8 + h), (-1.7, 0.92)])
    windows = (
        m.prism(cabin, 1.74).moved(rotate(np.pi / 2, "x")).moved(at(0, 0.87, 0)).moved(rotate(-np.pi / 2))
    )

    def pose(t):
        return at(0, -speed * (t / RATE - 0.4), 0)

    def add(mesh, material, mover):
        g.add(mesh, material, mover(0.0) if speed == 0 else None, mover if speed else None)

    add(shell, paint, pose)
    add(windows, glass, pose)
    for x in (-0.8, 0.8):
        for y in (-1.3, 1.3):
            wheel = m.merge(
                [
                    m.torus(0.26, 0.09, 18, 8),
                    m.box(0.5, 0.08, 0.08).moved(at(0, 0, -0.04)),
                    m.box(0.08, 0.5, 0.08).moved(at(0, 0, -0.04)),
                ]
            )
            wheel = wheel.moved(rotate(np.pi / 2, "y"))
            add(
                wheel,
                dark,
                lambda t, x=x, y=y: pose(t) @ at(x, y, 0.34) @ rotate(speed * t / RATE / 0.34, "x"),
            )
    return g


def birds(kit: Kit) -> Group:
    """Small flock with beating wings, flying along -y at z = 0."""
    rng, g = kit.rng, Group()
    dark = kit.paint(0.2, np.full(3, rng.choice([0.03, 0.7])))
    speed = rng.uniform(2, 6)
    for _ in range(int(rng.integers(2, 6))):
        start, beat, phase = rng.normal(size=3) * [1.5, 1.5, 0.6], rng.uniform(12, 22), rng.uniform(0, 6)

        def pose(t, start=start):
            return at(start[0], start[1] - speed * (t / RATE - 0.4), start[2])

        g.add(
            m.lathe([(0, -0.2), (0.05, -0.05), (0.04, 0.1), (0, 0.22)], 8).moved(rotate(1.57, "x")),
            dark,
            mover=pose,
        )
        for s in (-1, 1):
            wing = m.quad([(0, -0.1, 0), (s * 0.4, 0.0, 0), (s * 0.35, 0.1, 0), (0, 0.1, 0)])
            g.add(
                wing,
                dark,
                mover=lambda t, s=s, p=pose, b=beat, f=phase: (
                    p(t) @ rotate(s * 0.7 * np.sin(b * t / RATE + f), "y")
                ),
            )
    return g


def spinner(kit: Kit) -> Group:
    """Sculpture that turns on a stand, like a product shot or a gyroscope."""
    rng, g = kit.rng, Group()
    g.add(m.cylinder(0.35, 0.8, 20, 0.03), kit("stone"))
    speed = rng.uniform(-3, 3)
    for i in range(3):
        mesh = m.torus(0.34 - 0.09 * i, 0.025, 28, 8)
        g.add(
            mesh,
            kit("metal") if i % 2 else kit.paint(),
            mover=lambda t, i=i: (
                at(0, 0, 1.2) @ rotate(speed * (i + 1) * t / RATE + i) @ rotate(1.2 + 0.5 * i, "x")
            ),
        )
    g.add(
        m.box(0.12, 0.12, 0.12, 0.02), kit.paint(), mover=lambda t: at(0, 0, 1.14) @ rotate(-speed * t / RATE)
    )
    return g


ON_FLOOR = (figure, figure, ball, spinner)
OUTDOORS = (figure, figure, car, ball)
