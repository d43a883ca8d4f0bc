"""Choice of a layout, and the first view of it: where the camera stands and what it looks past."""

# ruff: noqa: RUF005 - here + adds arrays
from __future__ import annotations

import numpy as np

from . import exteriors, fixtures, interiors, landscapes, moving, nature, organic, props, trinkets
from . import meshes as m
from .meshes import rotate
from .scene import Group, Kit, Scene, at

INDOOR_SHARE = 0.52
INDOORS = (
    (interiors.room, 0.5), (interiors.hall, 0.17), (interiors.warehouse, 0.11), (interiors.corridor, 0.1),
    (interiors.tabletop, 0.12),
)  # fmt: skip
OUTDOORS = (
    (exteriors.street, 0.24), (landscapes.park, 0.18), (landscapes.wild, 0.18), (exteriors.courtyard, 0.17),
    (landscapes.ruins, 0.12), (exteriors.stage, 0.11),
)  # fmt: skip


def make_scene(rng: np.random.Generator) -> Scene:
    """A random scene with a view, `scene.first_view` (eye (3,), target (3,)), from free space."""
    scene = Scene(rng)
    kit = Kit(scene)
    layouts = INDOORS if rng.random() < INDOOR_SHARE else OUTDOORS
    chances = np.array([chance for _, chance in layouts])
    build = layouts[rng.choice(len(layouts), p=chances / chances.sum())][0]
    scene.kind = build.__name__
    build(scene, kit)
    for _ in range(60):
        eye, target = scene.view(rng)
        if scene.free(eye[None], 0.35) and np.linalg.norm(target - eye) > 0.5:
            break
    scene.first_view = eye, target
    if rng.random() < 0.5:
        foreground(scene, kit, eye, target)
    return scene


def foreground(scene: Scene, kit: Kit, eye: np.ndarray, target: np.ndarray) -> None:
    """Put something beside or across the near part of the view, so that it slides over what is behind."""
    rng = scene.rng
    forward = target - eye
    forward[2] = 0
    forward /= np.linalg.norm(forward) + 1e-6
    side = np.array([forward[1], -forward[0], 0])
    near = 0.45 if scene.kind == "tabletop" else rng.uniform(0.8, 2.0)
    offset = rng.choice([-1, 1]) * near * rng.uniform(0.12, 0.42)
    p = eye + forward * near + side * offset
    floor = np.array(
        [p[0], p[1], max(0.0, eye[2] - 2.2) if scene.kind in ("street", "wild", "park", "ruins") else 0.0]
    )
    turn = rotate(np.arctan2(side[1], side[0]))
    kind = rng.integers(7)
    g = Group()
    if scene.kind == "tabletop":
        trinkets.trinket(kit, eye[2] * 0.9).place(scene, at(p[0], p[1], 0.0), solid=True)
        return
    if kind == 0:
        g = trinkets.plant(kit, max(eye[2] - floor[2], 0.6) * rng.uniform(0.8, 1.2))
    elif kind == 1:
        g = fixtures.pillar(
            kit, 5.0 if scene.bounds is None else min(5.0, scene.bounds[1][2]), rng.uniform(0.06, 0.14)
        )
    elif kind == 2:
        g = nature.fence(kit)
    elif kind == 3:
        g = props.chair(kit)
    elif kind == 4:
        start = side * np.sign(offset) * 0.9 + [0, 0, rng.uniform(0.2, 0.6)]
        path = (
            np.linspace(0, 1, 6)[:, None] * (-side * np.sign(offset) * 0.9) + start - floor + [*p[:2], eye[2]]
        )
        path = path - [*p[:2], 0] + [*floor[:2], 0]
        path[:, :2] -= floor[:2]
        path = path + 0.05 * rng.normal(size=path.shape)
        g.add(m.tube(path, 0.012, 5), kit("bark"))
        centres = np.repeat(path, 14, 0) + 0.12 * rng.normal(size=(84, 3))
        g.add(
            organic.leaves(rng, centres, m.unit(rng.normal(size=(84, 3)) + [0, 0, 1]), 0.09),
            kit.varied("leaf"),
        )
        turn = np.eye(4)
    elif kind == 5:
        g = trinkets.floor_lamp(kit)
    else:
        g = moving.standing(kit)
    g.place(scene, at(*floor) @ turn, solid=True)
