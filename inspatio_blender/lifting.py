"""A view's depth lifted into the world: a surface over its pixels, or a small square at each. Knows nothing of Blender.

    depth (H, W), intrinsics, world_to_camera  ->  points in world space, faces over them, and each point's pixel

A surface is cut where depth jumps: between two neighbouring pixels of which one is over 10 % further away there is
nothing that anybody has seen. Thinning a view takes every so many pixels, yet the jump is looked for between all
of them: a floor that runs to the horizon is one surface, however coarse.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from .depth_files import SKY

JUMP = 1.1
"""A neighbour that is so many times further away belongs to something else."""
SQUARE_FILL = 0.8
"""Share of the way to the next point that a point's square takes."""

Form = Literal["MESH", "POINTS"]


@dataclass(frozen=True)
class Surface:
    """Part of a world.

    points (N, 3) float32 in world space; rows and columns (N,): each point's pixel; faces (M, 4): four points each,
    counter-clockwise as the view's camera sees them.
    """

    points: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    faces: np.ndarray


def lift(
    depth: np.ndarray, intrinsics: np.ndarray, world_to_camera: np.ndarray, form: Form, vertices: int
) -> Surface:
    """The surface that a view shows, of about `vertices` points at most; without sky and "no depth".

    depth (H, W): planar z. intrinsics (3, 3) and world_to_camera (4, 4): OpenCV, pixel centres at integers.
    """
    height, width = depth.shape
    samples = vertices if form == "MESH" else vertices / 4
    thin = max(1.0, (height * width / max(samples, 4)) ** 0.5)
    rows, columns = _spread(height, thin), _spread(width, thin)
    known = (depth > 0) & (depth < SKY)  # NaN is neither
    seen = known[np.ix_(rows, columns)]
    z = np.where(seen, depth[np.ix_(rows, columns)], 1.0).astype(np.float64)
    k, m = np.asarray(intrinsics, np.float64), np.asarray(world_to_camera, np.float64)
    x, y = (columns[None, :] - k[0, 2]) / k[0, 0] * z, (rows[:, None] - k[1, 2]) / k[1, 1] * z
    points = (np.stack([x, y, z], -1) - m[:3, 3]) @ m[:3, :3]
    grid_rows, grid_columns = np.meshgrid(rows, columns, indexing="ij")
    if form == "POINTS":
        facing = [thin * z[..., None] / k[axis, axis] * m[axis, :3] for axis in (0, 1)]
        right = 0.5 * SQUARE_FILL * _ways(points, z, seen, facing[0], 1)[seen]
        down = 0.5 * SQUARE_FILL * _ways(points, z, seen, facing[1], 0)[seen]
        corners = [points[seen] + a * right + b * down for a, b in ((-1, -1), (-1, 1), (1, 1), (1, -1))]
        squares = np.stack(corners, 1)
        return Surface(
            squares.reshape(-1, 3).astype(np.float32),
            np.repeat(grid_rows[seen], 4),
            np.repeat(grid_columns[seen], 4),
            np.arange(4 * len(squares), dtype=np.int32).reshape(-1, 4),
        )
    whole = (
        seen[:-1, :-1] & seen[1:, :-1] & seen[1:, 1:] & seen[:-1, 1:] & ~_torn(depth, known, rows, columns)
    )
    index = np.arange(seen.size).reshape(seen.shape)
    faces = np.stack([index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]], -1)[whole]
    used = np.zeros(seen.size, bool)
    used[faces.ravel()] = True
    number = np.cumsum(used, dtype=np.int32) - 1
    return Surface(
        points.reshape(-1, 3)[used].astype(np.float32),
        grid_rows.ravel()[used],
        grid_columns.ravel()[used],
        number[faces],
    )


def cut(surface: Surface, faces: int) -> list[Surface]:
    """The surface in pieces of at most so many faces each; points on a cut are in both."""
    pieces = []
    for first in range(0, len(surface.faces), faces):
        used, part = np.unique(surface.faces[first : first + faces], return_inverse=True)
        pieces.append(
            Surface(
                surface.points[used],
                surface.rows[used],
                surface.columns[used],
                part.reshape(-1, 4).astype(np.int32),
            )
        )
    return pieces


def _spread(size: int, thin: float) -> np.ndarray:
    """Pixels from the first to the last of `size`, about `thin` apart."""
    return np.unique(np.linspace(0, size - 1, max(2, round(size / thin))).round().astype(int))


def _ways(points: np.ndarray, z: np.ndarray, seen: np.ndarray, facing: np.ndarray, axis: int) -> np.ndarray:
    """From each sample to the next along `axis`, on the surface; `facing` the camera where nothing is beside it."""
    one, other = (np.moveaxis(z, axis, 0)[part] for part in (np.s_[:-1], np.s_[1:]))
    both = np.moveaxis(seen, axis, 0)
    joined = (both[:-1] & both[1:] & ~_jumps(one, other))[..., None]
    step = np.diff(np.moveaxis(points, axis, 0), axis=0) * joined
    ways, count = np.zeros_like(np.moveaxis(points, axis, 0)), np.zeros((*both.shape, 1))
    for part in (np.s_[:-1], np.s_[1:]):
        ways[part] += step
        count[part] += joined
    return np.where(
        np.moveaxis(count, 0, axis) > 0, np.moveaxis(ways / np.maximum(count, 1), 0, axis), facing
    )


def _torn(depth: np.ndarray, known: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Whether depth jumps anywhere in the cell between four samples, its edges included."""
    value = np.where(known, depth, np.nan)
    with np.errstate(invalid="ignore"):  # Beside an unknown pixel nothing jumps: it tears the surface itself.
        across = _jumps(value[:, :-1], value[:, 1:])
        down = _jumps(value[:-1], value[1:])
    across = np.logical_or.reduceat(across, columns[:-1], axis=1)
    down = np.logical_or.reduceat(down, rows[:-1], axis=0)
    return (
        np.logical_or.reduceat(across[:-1], rows[:-1], axis=0)
        | across[rows[1:]]
        | np.logical_or.reduceat(down[:, :-1], columns[:-1], axis=1)
        | down[:, columns[1:]]
    )


def _jumps(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (one > JUMP * other) | (other > JUMP * one)
