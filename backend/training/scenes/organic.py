"""Meshes that grow: terrain, boulders, leaves, and the smooth noise they are displaced by."""

# ruff: noqa: RUF005 - here + adds arrays
from __future__ import annotations

import numpy as np

from .meshes import Mesh, sphere, unit


def heightfield(size_x: float, size_y: float, cells: int, height) -> Mesh:
    """Terrain grid centred on the origin; `height(x, y)` takes and gives arrays in metres."""
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, cells + 1) * size_x, np.linspace(-0.5, 0.5, cells + 1) * size_y)
    z = height(x, y)
    e = 0.05
    slope = np.stack(
        [(height(x - e, y) - height(x + e, y)) / (2 * e), (height(x, y - e) - height(x, y + e)) / (2 * e)], -1
    )
    normal = unit(np.concatenate([slope, np.ones_like(z)[..., None]], -1))
    n = cells + 1
    corner = (np.arange(cells)[:, None] * n + np.arange(cells)[None]).reshape(-1, 1)
    triangles = np.concatenate([corner + [0, 1, n + 1], corner + [0, n + 1, n]]).astype(np.int32)
    position = np.stack([x, y, z], -1).reshape(-1, 3)
    return Mesh(position, normal.reshape(-1, 3), position[:, :2].copy(), triangles)


def smooth_noise(rng: np.random.Generator, dimensions: int, octaves: int = 4, frequency: float = 1.0):
    """Smooth function of points (...,dimensions), roughly within -1..1, made of random plane waves."""
    waves = []
    for octave in range(octaves):
        for _ in range(4):
            direction = rng.normal(size=dimensions)
            direction *= frequency * 2**octave * rng.uniform(0.7, 1.4) / np.linalg.norm(direction)
            waves.append((direction, rng.uniform(0, 2 * np.pi), 0.5 / 1.9**octave))

    def value(points: np.ndarray) -> np.ndarray:
        return sum(a * np.sin(points @ d + p) for d, p, a in waves) * 0.6

    return value


def rock(rng: np.random.Generator, radius: float) -> Mesh:
    """Boulder about the origin: a sphere displaced by noise, normals recomputed."""
    base = sphere(1.0, 18, 12)
    noise = smooth_noise(rng, 3, 3, 1.6)
    stretch = rng.uniform(0.6, 1.2, 3)
    points = base.position * (1 + 0.35 * noise(base.position))[:, None] * stretch * radius
    normal = vertex_normals(points, base.triangles)
    return Mesh(points, unit(normal + 0.5 * base.normal), base.uv * radius, base.triangles)


def vertex_normals(position: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals (N,3)."""
    a, b, c = (position[triangles[:, i]] for i in range(3))
    face = np.cross(b - a, c - a)
    normal = np.zeros_like(position)
    for i in range(3):
        np.add.at(normal, triangles[:, i], face)
    return unit(normal)


def leaves(rng: np.random.Generator, centres: np.ndarray, outward: np.ndarray, size: float) -> Mesh:
    """One bent leaf (two triangles) at every centre (N,3), shaded along `outward` (N,3)."""
    n = len(centres)
    along = unit(rng.normal(size=(n, 3)) + outward * 0.8)
    side = unit(np.cross(along, rng.normal(size=(n, 3))))
    length = size * rng.uniform(0.6, 1.3, (n, 1))
    corners = np.stack(
        [centres, centres + along * length * 0.5 + side * length * 0.28,
         centres + along * length, centres + along * length * 0.5 - side * length * 0.28], 1
    )  # fmt: skip
    normal = unit(outward + 0.45 * rng.normal(size=(n, 3)))
    first = 4 * np.arange(n)[:, None]
    triangles = np.concatenate([first + [0, 1, 2], first + [0, 2, 3]]).astype(np.int32)
    uv = np.repeat(rng.uniform(0, 1, (n, 1, 2)), 4, 1) + np.array(
        [(0, 0), (0.05, 0.1), (0, 0.2), (-0.05, 0.1)]
    )
    return Mesh(corners.reshape(-1, 3), np.repeat(normal, 4, 0), uv.reshape(-1, 2), triangles)
