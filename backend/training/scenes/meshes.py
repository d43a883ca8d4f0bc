"""Triangle meshes the scenes are built of: boxes, lathes, tubes, arches, terrain, rocks and leaves.

A `Mesh` holds positions (N,3) in metres with z up, unit normals (N,3), texture coordinates (N,2) in metres
(so that one texture repeat covers one metre before a material scales it) and triangles (M,3).
"""

# ruff: noqa: RUF005 - here + adds arrays
from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Mesh:
    """Geometry without a material; `position` (N,3), `normal` (N,3), `uv` (N,2), `triangles` (M,3) int32."""

    position: np.ndarray
    normal: np.ndarray
    uv: np.ndarray
    triangles: np.ndarray

    def moved(self, matrix: np.ndarray) -> Mesh:
        """This mesh under a 4x4 rigid or scaling `matrix`."""
        linear = matrix[:3, :3]
        normal = self.normal @ np.linalg.inv(linear)
        return Mesh(self.position @ linear.T + matrix[:3, 3], unit(normal), self.uv, self.triangles)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (...,3) scaled to length one; zero vectors stay zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def merge(meshes: list[Mesh]) -> Mesh:
    """One mesh of several."""
    offsets = np.cumsum([0] + [len(m.position) for m in meshes[:-1]])
    return Mesh(
        np.concatenate([m.position for m in meshes]),
        np.concatenate([m.normal for m in meshes]),
        np.concatenate([m.uv for m in meshes]),
        np.concatenate([m.triangles + o for m, o in zip(meshes, offsets, strict=True)]),
    )


def translate(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> np.ndarray:
    """4x4 translation."""
    matrix = np.eye(4)
    matrix[:3, 3] = x, y, z
    return matrix


def scale(x: float, y: float | None = None, z: float | None = None) -> np.ndarray:
    """4x4 scaling, even if only `x` is given."""
    return np.diag([x, x if y is None else y, x if z is None else z, 1.0])


def rotate(angle: float, axis: str = "z") -> np.ndarray:
    """4x4 rotation by `angle` radians about a world axis."""
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(4)
    matrix[i, i] = matrix[j, j] = np.cos(angle)
    matrix[j, i] = np.sin(angle)
    matrix[i, j] = -matrix[j, i]
    return matrix


def box(x: float, y: float, z: float, bevel: float = 0.0) -> Mesh:
    """Box of size (x, y, z) standing on z = 0, centred in x and y, with chamfered, smoothly shaded edges."""
    half = np.array([x, y, z]) / 2
    bevel = min(bevel, 0.45 * min(x, y, z))
    position, normal, uv, triangles, index = [], [], [], [], {}
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        if axis == 1:
            u, v = v, u
        for side in (-1, 1):
            corners = []
            for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
                point = np.zeros(3)
                point[axis], point[u], point[v] = (
                    side * half[axis],
                    a * (half[u] - bevel),
                    b * (half[v] - bevel),
                )
                sign = [0, 0, 0]
                sign[axis], sign[u], sign[v] = side, a, b
                index[(axis, *sign)] = len(position)
                corners.append(len(position))
                position.append(point)
                normal.append(np.eye(3)[axis] * side)
                uv.append((point[u] + 0.37 * axis, point[v]))
            triangles += [corners[:3], [corners[0], corners[2], corners[3]]]
    if bevel > 0:
        for axis in range(3):  # the edge along `axis` joins the faces of the two other axes
            p, q = (axis + 1) % 3, (axis + 2) % 3
            for a in (-1, 1):
                for b in (-1, 1):
                    ends = []
                    for along in (-1, 1):
                        sign = [0, 0, 0]
                        sign[axis], sign[p], sign[q] = along, a, b
                        ends.append((index[(p, *sign)], index[(q, *sign)]))
                    (a0, b0), (a1, b1) = ends
                    triangles += [[a0, b0, b1], [a0, b1, a1]]
        for a in (-1, 1):
            for b in (-1, 1):
                for c in (-1, 1):
                    triangles.append([index[(axis, a, b, c)] for axis in range(3)])
    position = np.array(position) + [0, 0, half[2]]
    return Mesh(position, np.array(normal), np.array(uv), np.array(triangles, np.int32))


def lathe(profile: list[tuple[float, float]], segments: int = 16, crease: float = 0.7) -> Mesh:
    """Revolution of `profile`, (radius, z) pairs, about z; edges sharper than `crease` (cosine) stay sharp."""
    profile = np.asarray(profile, float)
    steps = np.diff(profile, axis=0)
    length = np.maximum(np.linalg.norm(steps, axis=1), 1e-6)
    flat = np.stack([steps[:, 1], -steps[:, 0]], 1) / length[:, None]
    start, end = flat.copy(), flat.copy()
    for i in range(1, len(flat)):
        if flat[i] @ flat[i - 1] > crease:
            mean = unit(flat[i] + flat[i - 1])
            start[i] = end[i - 1] = mean
    angle = np.linspace(0, 2 * np.pi, segments + 1)
    ring = np.stack([np.cos(angle), np.sin(angle)], 1)
    along = np.concatenate([[0], np.cumsum(length)])
    rows = np.stack([profile[:-1], profile[1:]], 1).reshape(-1, 2)
    normals = np.stack([start, end], 1).reshape(-1, 2)
    heights = np.stack([along[:-1], along[1:]], 1).reshape(-1)
    count = segments + 1
    position = np.concatenate(
        [rows[:, None, :1] * ring, np.broadcast_to(rows[:, None, 1:], (len(rows), count, 1))], -1
    )
    normal = np.concatenate(
        [normals[:, None, :1] * ring, np.broadcast_to(normals[:, None, 1:], (len(rows), count, 1))], -1
    )
    widest = max(profile[:, 0].max(), 1e-3)
    uv = np.stack(np.broadcast_arrays(angle[None] * widest, heights[:, None]), -1)
    quads = (np.arange(0, len(rows), 2)[:, None] * count + np.arange(segments)[None]).reshape(-1, 1)
    triangles = np.concatenate([quads + [0, 1, count + 1], quads + [0, count + 1, count]])
    return Mesh(
        position.reshape(-1, 3), unit(normal.reshape(-1, 3)), uv.reshape(-1, 2), triangles.astype(np.int32)
    )


def cylinder(radius: float, height: float, segments: int = 12, bevel: float = 0.0) -> Mesh:
    """Closed cylinder standing on z = 0."""
    b = min(bevel, radius * 0.5, height * 0.4)
    rim = (
        [(radius, 0), (radius, height)]
        if b <= 0
        else [(radius - b, 0), (radius, b), (radius, height - b), (radius - b, height)]
    )
    return lathe([(0, 0), *rim, (0, height)], segments, crease=0.5)


def sphere(radius: float, segments: int = 16, rings: int = 9) -> Mesh:
    """Sphere about the origin."""
    polar = np.linspace(-np.pi / 2, np.pi / 2, rings)
    return lathe([(radius * max(np.cos(p), 0.0), radius * np.sin(p)) for p in polar], segments, crease=-1)


def capsule(radius: float, length: float, segments: int = 10) -> Mesh:
    """Capsule from z = 0 to z = length along z."""
    polar = np.linspace(0, np.pi / 2, 4)
    low = [(radius * np.sin(p), radius - radius * np.cos(p)) for p in polar]
    high = [(radius * np.cos(p), length - radius + radius * np.sin(p)) for p in polar]
    return lathe(low + high, segments, crease=-1)


def torus(radius: float, tube_radius: float, segments: int = 24, sides: int = 10) -> Mesh:
    """Torus about z, centred on the origin."""
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    return lathe(
        [(radius + tube_radius * np.cos(a), tube_radius * np.sin(a)) for a in angle], segments, crease=-1
    )


def tube(path: np.ndarray, radius: float | np.ndarray, sides: int = 6) -> Mesh:
    """Round tube along `path` (P,3) with one radius or one per point (P,)."""
    path = np.asarray(path, float)
    radius = np.broadcast_to(np.asarray(radius, float), len(path))
    tangent = unit(np.gradient(path, axis=0))
    helper = np.where(np.abs(tangent[:, 2:]) < 0.9, [[0, 0, 1.0]], [[1.0, 0, 0]])
    helper = np.broadcast_to(helper[len(path) // 2], path.shape)
    side = unit(np.cross(tangent, helper))
    other = np.cross(tangent, side)
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    normal = side[:, None] * np.cos(angle)[:, None] + other[:, None] * np.sin(angle)[:, None]
    position = path[:, None] + normal * radius[:, None, None]
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    uv = np.stack(np.broadcast_arrays(angle[None] * radius.max(), along[:, None]), -1)
    count = sides + 1
    quads = (np.arange(len(path) - 1)[:, None] * count + np.arange(sides)[None]).reshape(-1, 1)
    triangles = np.concatenate([quads + [0, 1, count + 1], quads + [0, count + 1, count]])
    return Mesh(position.reshape(-1, 3), normal.reshape(-1, 3), uv.reshape(-1, 2), triangles.astype(np.int32))


def rod(start, end, radius: float, sides: int = 6) -> Mesh:
    """Straight tube between two points."""
    return tube(np.array([start, end], float), radius, sides)


def quad(corners: np.ndarray) -> Mesh:
    """Flat quadrilateral of 4 corners (4,3) in order, uv in metres from the first corner."""
    corners = np.asarray(corners, float)
    u, v = corners[1] - corners[0], corners[3] - corners[0]
    normal = unit(np.cross(u, v))
    relative = corners - corners[0]
    uv = np.stack([relative @ unit(u), relative @ unit(v)], 1)
    return Mesh(corners, np.repeat(normal[None], 4, 0), uv, np.array([[0, 1, 2], [0, 2, 3]], np.int32))


def panel(width: float, height: float) -> Mesh:
    """Upright picture in the xz plane, facing -y, uv 0..1 over the picture (v down), centred on the origin."""
    w, h = width / 2, height / 2
    mesh = quad([(-w, 0, -h), (w, 0, -h), (w, 0, h), (-w, 0, h)])
    mesh.uv = np.array([(0, 1), (1, 1), (1, 0), (0, 0)], float)
    return mesh


def strip(lower: np.ndarray, upper: np.ndarray) -> Mesh:
    """Flat-shaded band between two polylines (P,3), vertices doubled at every joint."""
    parts = [quad([lower[i], lower[i + 1], upper[i + 1], upper[i]]) for i in range(len(lower) - 1)]
    return merge(parts)


def prism(outline: np.ndarray, height: float) -> Mesh:
    """Extrusion of a star-shaped `outline` (P,2), counter-clockwise, from z = 0 to `height`."""
    outline = np.asarray(outline, float)
    closed = np.concatenate([outline, outline[:1]])
    low = np.concatenate([closed, np.zeros((len(closed), 1))], 1)
    high = low + [0, 0, height]
    sides = strip(low, high)
    centre = np.append(outline.mean(0), height)
    top = np.concatenate([[centre], high[:-1]])
    n = len(outline)
    fan = np.stack([np.zeros(n, int), 1 + np.arange(n), 1 + (np.arange(n) + 1) % n], 1)
    cap = Mesh(top, np.repeat([[0, 0, 1.0]], n + 1, 0), top[:, :2], fan.astype(np.int32))
    return merge([sides, cap])


def arch_wall(
    width: float, height: float, depth: float, opening: float, spring: float, pointed: float
) -> Mesh:
    """Wall in the xz plane from z = 0, centred, with an arched opening; `pointed` > 0 makes a Gothic arch."""
    half, top = width / 2, opening / 2
    angle = np.linspace(np.pi, 0, 15)
    x = np.cos(angle) * top
    z = spring + np.sin(angle) * top * (1 + pointed * (1 - np.abs(np.cos(angle))))
    z = np.minimum(z, height - 0.1)
    curve = np.concatenate([[[-top, 0]], np.stack([x, z], 1), [[top, 0]]])
    parts = []
    for y, flip in ((-depth / 2, False), (depth / 2, True)):
        low = np.stack([x, np.full(15, y), z], 1)
        high = np.stack([x, np.full(15, y), np.full(15, height)], 1)
        parts.append(strip(high, low) if flip else strip(low, high))
        for a, b in ((-half, -top), (top, half)):
            corners = [(a, y, 0), (b, y, 0), (b, y, height), (a, y, height)]
            parts.append(quad(corners[::-1] if flip else corners))
    for part in parts:
        part.uv = part.position[:, [0, 2]].copy()
    inner = np.stack([curve[:, 0], np.full(17, -depth / 2), curve[:, 1]], 1)
    parts.append(strip(inner, inner + [0, depth, 0]))
    for side in (-half, half):
        parts.append(
            quad(
                [
                    (side, -depth / 2, 0),
                    (side, depth / 2, 0),
                    (side, depth / 2, height),
                    (side, -depth / 2, height),
                ]
            )
        )
    parts.append(
        quad(
            [
                (-half, -depth / 2, height),
                (half, -depth / 2, height),
                (half, depth / 2, height),
                (-half, depth / 2, height),
            ]
        )
    )
    return merge(parts)
