"""Building meshes: boxes, lathed and extruded forms, tubes, height fields, with coordinates in metres.

A `Solid` gathers faces of several materials and becomes one object. Its UV map is a box projection in metres
(so that a brick is a brick's size everywhere), but for panels, whose UV square is filled once by a picture.
"""

import math
from collections.abc import Sequence

import bpy
import numpy as np
from mathutils import Euler, Matrix, Vector

Point = Sequence[float]


class Solid:
    """Faces on their way to one object. Parts are placed by `at` and turned by `turn` (Euler radians)."""

    def __init__(self) -> None:
        self.vertices: list[Vector] = []
        self.faces: list[tuple[int, ...]] = []
        self.materials: list[bpy.types.Material] = []
        self.slots: list[int] = []
        self.smooth: list[bool] = []
        self.uvs: list[list[tuple[float, float]] | None] = []

    def add(
        self,
        vertices: Sequence[Point],
        faces: Sequence[Sequence[int]],
        material: bpy.types.Material,
        at: Point = (0, 0, 0),
        turn: Point = (0, 0, 0),
        smooth: bool = False,
        uvs: Sequence[list[tuple[float, float]] | None] | None = None,
    ) -> "Solid":
        """Add raw faces."""
        start = len(self.vertices)
        matrix = Matrix.Translation(Vector(at)) @ Euler(turn).to_matrix().to_4x4()
        self.vertices += [matrix @ Vector(v) for v in vertices]
        self.faces += [tuple(start + i for i in face) for face in faces]
        if material not in self.materials:
            self.materials.append(material)
        self.slots += [self.materials.index(material)] * len(faces)
        self.smooth += [smooth] * len(faces)
        self.uvs += list(uvs) if uvs is not None else [None] * len(faces)
        return self

    def box(
        self,
        size: Point,
        material: bpy.types.Material,
        at: Point = (0, 0, 0),
        turn: Point = (0, 0, 0),
        taper: float = 1.0,
    ) -> "Solid":
        """A box standing on `at` (its bottom's centre); `taper` scales its top."""
        x, y, z = size[0] / 2, size[1] / 2, size[2]
        vertices = [
            (sx * x * k, sy * y * k, h) for h, k in ((0, 1), (z, taper)) for sy in (-1, 1) for sx in (-1, 1)
        ]
        faces = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (1, 3, 7, 5), (3, 2, 6, 7), (2, 0, 4, 6)]
        return self.add(vertices, faces, material, at, turn)

    def add_column(
        self, left: float, right: float, low: float, high: float, thick: float, material: bpy.types.Material
    ) -> None:
        """A piece of wall between x and z limits, its face at y = 0; nothing where the limits meet."""
        if right - left > 1e-4 and high - low > 1e-4:
            self.box((right - left, thick, high - low), material, ((left + right) / 2, thick / 2, low))

    def lathe(
        self,
        profile: Sequence[tuple[float, float]],
        material: bpy.types.Material,
        at: Point = (0, 0, 0),
        turn: Point = (0, 0, 0),
        segments: int = 20,
        smooth: bool = True,
        squash: float = 1.0,
        ring: bool = False,
    ) -> "Solid":
        """A form turned about z from (radius, height) points, low to high; `squash` flattens it in y.

        Its ends are closed by discs, or, for a `ring`, joined to each other.
        """
        vertices, faces = [], []
        for radius, height in profile:
            for k in range(segments):
                angle = 2 * math.pi * k / segments
                vertices.append((radius * math.cos(angle), radius * math.sin(angle) * squash, height))
        count = len(profile) * segments
        for row in range(len(profile) - (not ring)):
            for k in range(segments):
                a, b = row * segments + k, row * segments + (k + 1) % segments
                faces.append((a, b, (b + segments) % count, (a + segments) % count))
        if not ring:
            faces.append(tuple(reversed(range(segments))))
            faces.append(tuple(range(count - segments, count)))
        return self.add(vertices, faces, material, at, turn, smooth)

    def cylinder(
        self,
        radius: float,
        height: float,
        material: bpy.types.Material,
        at: Point = (0, 0, 0),
        turn: Point = (0, 0, 0),
        segments: int = 16,
    ) -> "Solid":
        return self.lathe([(radius, 0), (radius, height)], material, at, turn, segments)

    def ball(
        self,
        radius: float,
        material: bpy.types.Material,
        at: Point = (0, 0, 0),
        squash: Point = (1, 1, 1),
        segments: int = 16,
    ) -> "Solid":
        """A sphere about `at`, scaled by `squash`."""
        steps = segments // 2
        profile = [
            (
                radius * max(0.02, math.sin(math.pi * i / steps)),
                -radius * math.cos(math.pi * i / steps) * squash[2],
            )
            for i in range(steps + 1)
        ]
        profile = [(r * squash[0], z) for r, z in profile]
        return self.lathe(profile, material, at, (0, 0, 0), segments, squash=squash[1] / squash[0])

    def tube(
        self,
        points: Sequence[Point],
        radius: float | Sequence[float],
        material: bpy.types.Material,
        segments: int = 8,
    ) -> "Solid":
        """A round rod along points; `radius` is one number or one a point."""
        radii = [radius] * len(points) if isinstance(radius, (int, float)) else list(radius)
        path = [Vector(p) for p in points]
        vertices, faces = [], []
        side = (path[1] - path[0]).orthogonal()
        for i, (point, r) in enumerate(zip(path, radii, strict=True)):
            ahead = (path[min(i + 1, len(path) - 1)] - path[max(i - 1, 0)]).normalized()
            side = (side - ahead * side.dot(ahead)).normalized()
            up = ahead.cross(side)
            for k in range(segments):
                angle = 2 * math.pi * k / segments
                vertices.append(point + r * (math.cos(angle) * side + math.sin(angle) * up))
        for row in range(len(path) - 1):
            for k in range(segments):
                a, b = row * segments + k, row * segments + (k + 1) % segments
                faces.append((a, b, b + segments, a + segments))
        faces.append(tuple(reversed(range(segments))))
        faces.append(tuple(range((len(path) - 1) * segments, len(path) * segments)))
        return self.add(vertices, faces, material, smooth=True)

    def slab(
        self,
        outline: Sequence[tuple[float, float]],
        depth: float,
        material: bpy.types.Material,
        at: Point = (0, 0, 0),
        turn: Point = (0, 0, 0),
    ) -> "Solid":
        """A polygon in the xz plane (counter-clockwise seen from −y), `depth` thick towards +y."""
        n = len(outline)
        vertices = [(x, 0, z) for x, z in outline] + [(x, depth, z) for x, z in outline]
        faces = [tuple(range(n)), tuple(reversed(range(n, 2 * n)))]
        faces += [(i, i + n, (i + 1) % n + n, (i + 1) % n) for i in range(n)]
        return self.add(vertices, faces, material, at, turn)

    def panel(
        self,
        width: float,
        height: float,
        material: bpy.types.Material,
        at: Point = (0, 0, 0),
        turn: Point = (0, 0, 0),
    ) -> "Solid":
        """An upright sheet facing −y, its bottom's centre at `at`, whose UV square is filled once."""
        x = width / 2
        vertices = [(-x, 0, 0), (x, 0, 0), (x, 0, height), (-x, 0, height)]
        return self.add(vertices, [(0, 1, 2, 3)], material, at, turn, uvs=[[(0, 0), (1, 0), (1, 1), (0, 1)]])

    def sheet(
        self,
        heights: np.ndarray,
        size: tuple[float, float],
        material: bpy.types.Material,
        at: Point = (0, 0, 0),
        turn: Point = (0, 0, 0),
        smooth: bool = True,
    ) -> "Solid":
        """A height field (rows along y, columns along x) over `size` metres, centred on `at`."""
        rows, columns = heights.shape
        xs, ys = np.linspace(-0.5, 0.5, columns) * size[0], np.linspace(-0.5, 0.5, rows) * size[1]
        vertices = [(xs[c], ys[r], float(heights[r, c])) for r in range(rows) for c in range(columns)]
        faces = [
            (r * columns + c, r * columns + c + 1, (r + 1) * columns + c + 1, (r + 1) * columns + c)
            for r in range(rows - 1)
            for c in range(columns - 1)
        ]
        return self.add(vertices, faces, material, at, turn, smooth)

    def object(
        self, name: str, at: Point = (0, 0, 0), turn: float = 0.0, bevel: float = 0.0, scale: float = 1.0
    ) -> bpy.types.Object:
        """Make the object in the current scene at `at`, turned about z, its edges rounded by `bevel`."""
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata([tuple(v) for v in self.vertices], [], self.faces)
        for material in self.materials:
            mesh.materials.append(material)
        mesh.polygons.foreach_set("material_index", self.slots)
        mesh.polygons.foreach_set("use_smooth", self.smooth)
        self._write_uvs(mesh)
        mesh.update()
        thing = bpy.data.objects.new(name, mesh)
        bpy.context.scene.collection.objects.link(thing)
        thing.location, thing.rotation_euler[2] = at, turn
        thing.scale = (scale,) * 3
        if bevel:
            modifier = thing.modifiers.new("Bevel", "BEVEL")
            modifier.width, modifier.segments, modifier.limit_method = bevel, 2, "ANGLE"
            modifier.angle_limit = math.radians(50)
        return thing

    def _write_uvs(self, mesh: bpy.types.Mesh) -> None:
        layer = mesh.uv_layers.new(name="UVMap")
        flat = np.empty((len(mesh.loops), 2), np.float32)
        for polygon, own in zip(mesh.polygons, self.uvs, strict=True):
            loops = polygon.loop_indices
            if own is not None:
                flat[loops.start : loops.stop] = own
                continue
            normal = [abs(c) for c in polygon.normal]
            axis = normal.index(max(normal))
            first, second = ((1, 2), (0, 2), (0, 1))[axis]
            for loop in loops:
                point = self.vertices[mesh.loops[loop].vertex_index]
                flat[loop] = point[first], point[second]
        layer.uv.foreach_set("vector", flat.ravel())


def copy(thing: bpy.types.Object, at: Point, turn: float = 0.0, scale: float = 1.0) -> bpy.types.Object:
    """The same mesh at another place."""
    other = thing.copy()
    bpy.context.scene.collection.objects.link(other)
    other.location, other.rotation_euler[2], other.scale = at, turn, (scale,) * 3
    return other


def group(
    name: str,
    things: Sequence[bpy.types.Object],
    at: Point = (0, 0, 0),
    turn: float = 0.0,
    scale: float = 1.0,
) -> bpy.types.Object:
    """Put objects built about the origin under one empty, and the empty in place."""
    empty = bpy.data.objects.new(name, None)
    bpy.context.scene.collection.objects.link(empty)
    for thing in things:
        if thing.parent is None:
            thing.parent = empty
    empty.location, empty.rotation_euler[2], empty.scale = at, turn, (scale,) * 3
    return empty
