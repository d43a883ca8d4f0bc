"""Camera moves, and how much of what they see a reference camera has seen (by casting some rays)."""

import itertools
import math
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix, Vector

from .solids import Point

GRID = (48, 27)
"""Rays across and down for coverage estimates."""


def camera(name: str, at: Point, look: Point, lens: float = 30.0) -> bpy.types.Object:
    """A camera at a point that looks at another."""
    thing = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    bpy.context.scene.collection.objects.link(thing)
    thing.data.lens, thing.data.sensor_width = lens, 36.0
    thing.data.clip_start, thing.data.clip_end = 0.05, 500.0
    thing.rotation_mode = "QUATERNION"
    set_pose(thing, pose(at, look))
    return thing


def pose(at: Point, look: Point, roll: float = 0.0) -> Matrix:
    """camera_to_world (Blender axes) of a camera at a point that looks at another."""
    ahead = Vector(look) - Vector(at)
    turn = ahead.to_track_quat("-Z", "Y").to_matrix().to_4x4()
    return Matrix.Translation(Vector(at)) @ turn @ Matrix.Rotation(roll, 4, "Z")


def set_pose(thing: bpy.types.Object, matrix: Matrix) -> None:
    thing.location = matrix.to_translation()
    thing.rotation_quaternion = matrix.to_quaternion()


def rays(thing_lens: float, matrix: Matrix) -> tuple[np.ndarray, Vector]:
    """Unit directions (rows, columns, 3) in world space, and the origin."""
    columns, rows = GRID
    x = ((np.arange(columns) + 0.5) / columns - 0.5) * 36.0 / thing_lens
    y = (0.5 - (np.arange(rows) + 0.5) / rows) * 36.0 / thing_lens * 9 / 16
    xs, ys = np.meshgrid(x, y)
    own = np.stack([xs, ys, -np.ones_like(xs)], -1)
    world = own @ np.array(matrix.to_3x3()).T
    return world / np.linalg.norm(world, axis=-1, keepdims=True), matrix.to_translation()


def cast(lens: float, matrix: Matrix) -> np.ndarray:
    """Distance along each ray to what it hits, inf for sky: (rows, columns)."""
    directions, origin = rays(lens, matrix)
    graph = bpy.context.evaluated_depsgraph_get()
    distance = np.full(directions.shape[:2], np.inf)
    for row in range(distance.shape[0]):
        for column in range(distance.shape[1]):
            hit, point, *_ = bpy.context.scene.ray_cast(graph, origin, Vector(directions[row, column]))
            if hit:
                distance[row, column] = (point - origin).length
    return distance


def coverage(lens: float, reference: Matrix, target: Matrix) -> float:
    """The share of the target's picture that the reference sees too; 0 where the target is cramped."""
    seen = cast(lens, reference)
    found = cast(lens, target)
    if found.min() < 0.3 or np.isinf(found).mean() > 0.7:
        return 0.0
    directions, origin = rays(lens, target)
    far = np.where(np.isinf(found), 1e4, found)[..., None]
    points = np.array(origin) + directions * far
    local = (points - np.array(reference.to_translation())) @ np.array(reference.to_3x3())
    columns, rows = GRID
    depth = np.maximum(-local[..., 2], 1e-6)
    u = (local[..., 0] / depth * lens / 36.0 + 0.5) * columns - 0.5
    v = (0.5 - local[..., 1] / depth * lens / 36.0 * 16 / 9) * rows - 0.5
    inside = (local[..., 2] < 0) & (u > -0.5) & (u < columns - 0.5) & (v > -0.5) & (v < rows - 0.5)
    column = np.clip(np.round(u), 0, columns - 1).astype(int)
    row = np.clip(np.round(v), 0, rows - 1).astype(int)
    there, before = np.linalg.norm(local, axis=-1), seen[row, column]
    visible = np.where(np.isinf(found), np.isinf(before), there < before * 1.06 + 0.05)
    return float((inside & visible).mean())


def clear(start: Matrix, end: Matrix) -> bool:
    """Whether a straight way between two poses meets nothing."""
    way = end.to_translation() - start.to_translation()
    if way.length < 1e-4:
        return True
    graph = bpy.context.evaluated_depsgraph_get()
    hit, *_ = bpy.context.scene.ray_cast(
        graph, start.to_translation(), way.normalized(), distance=way.length + 0.3
    )
    return not hit


@dataclass(frozen=True)
class Move:
    """A move about a starting pose: an orbit round what it looks at, a shift, a turn, scaled by an amount."""

    at: Point
    look: Point
    yaw: float = 0.0
    """Orbit about the look-at point, degrees."""
    pitch: float = 0.0
    shift: Point = (0.0, 0.0, 0.0)
    """Right, up, ahead, in metres, of camera and aim together."""
    pan: float = 0.0
    """Turn in place, degrees, positive to the right."""
    ahead: float = 0.0
    """Towards the look-at point, as a share of the way."""
    sway: float = 0.0
    """A hand-held wander, metres."""

    def pose(self, t: float, amount: float = 1.0) -> Matrix:
        at, look = Vector(self.at), Vector(self.look)
        t, amount = float(t), float(amount) * float(t)
        way = at - look
        right = way.cross(Vector((0, 0, 1))).normalized() * -1
        way = Matrix.Rotation(math.radians(self.yaw) * amount, 3, "Z") @ way
        way = Matrix.Rotation(math.radians(self.pitch) * amount, 3, right) @ way
        way *= 1 - self.ahead * amount
        forward = -way.normalized()
        right = forward.cross(Vector((0, 0, 1))).normalized()
        offset = (
            right * self.shift[0] + Vector((0, 0, 1)) * self.shift[1] + forward * self.shift[2]
        ) * amount
        if self.sway:
            offset += float(self.sway) * Vector((math.sin(5.1 * t), math.sin(3.3 * t), math.sin(7.7 * t)))
        eye = look + way + offset
        aim = eye + Matrix.Rotation(-math.radians(self.pan) * amount, 3, "Z") @ (look + offset - eye)
        return pose(eye, aim)


def ease(t: float) -> float:
    """Slow in and slow out, a little."""
    return 0.6 * t + 0.4 * t * t * (3 - 2 * t)


def fit(move: Move, lens: float, wanted: float, most: float = 2.5) -> float | None:
    """The amount at which the move's end has the wanted coverage of its start, None where it can't be had."""
    start = move.pose(0.0)
    low, high = 0.0, most
    for _ in range(7):
        middle = (low + high) / 2
        if coverage(lens, start, move.pose(1.0, middle)) > wanted:
            low = middle
        else:
            high = middle
    steps = [move.pose(t, low) for t in np.linspace(0, 1, 6)]
    if low < 0.04 or not all(clear(a, b) for a, b in itertools.pairwise(steps)):
        return None
    found = coverage(lens, start, steps[-1])
    return low if found > wanted - 0.1 and min(cast(lens, step).min() for step in steps) > 0.3 else None


def animate(thing: bpy.types.Object, move: Move, amount: float, frames: np.ndarray) -> None:
    """Key the move on a camera at every frame."""
    last = None
    for t, frame in zip(np.linspace(0, 1, len(frames)), frames, strict=True):
        matrix = move.pose(ease(t), amount)
        set_pose(thing, matrix)
        if last is not None and thing.rotation_quaternion.dot(last) < 0:
            thing.rotation_quaternion.negate()
        last = thing.rotation_quaternion.copy()
        thing.keyframe_insert("location", frame=float(frame))
        thing.keyframe_insert("rotation_quaternion", frame=float(frame))
