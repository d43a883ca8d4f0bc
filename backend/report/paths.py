"""The shot's cameras and the reference's views from above and from the side, to one scale in the world's axes, Z up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from ..protocol.cameras import Matrix
from ..protocol.files import Reference, Take
from .graphs import nice_steps, svg

WIDTH = 520
LOWEST, HIGHEST = 200, 460
"""Of a drawing's height."""
ROOM = 30
"""Around what is drawn, in units of the view box."""
MOST_POINTS = 500
FRUSTUMS = 7
REACH = 0.14
"""How far a frustum reaches, by how far all cameras lie apart."""


@dataclass(frozen=True)
class _Seen:
    """Cameras as points: where they are (n, 3), and of some the corners of the frustum (m, 4, 3) and its tip (m, 3)."""

    centres: np.ndarray
    tips: np.ndarray
    corners: np.ndarray


def camera_paths(take: Take, reference: Reference | None) -> list[tuple[str, str]]:
    """What is seen from where, and its drawing: from above, and from the side that shows more of the way."""
    cameras, shot = take.shot.cameras, take.shot
    centres = _centres(cameras.world_to_camera)
    others = _centres([view.world_to_camera for view in reference.views]) if reference else np.empty((0, 3))
    everything = np.concatenate([centres, others])
    extent = float(np.ptp(everything, axis=0).max())
    reach = REACH * extent if extent > 1e-6 else 1.0
    size = shot.width, shot.height
    path = _seen(centres, cameras.intrinsics, cameras.world_to_camera, size, reach)
    views = None
    if reference is not None:
        poses = [view.world_to_camera for view in reference.views]
        lenses = [view.intrinsics for view in reference.views]
        # A little larger, to be seen where the shot begins at a view.
        views = _seen(others, lenses, poses, (reference.width, reference.height), 1.3 * reach)
    spread = np.ptp(centres, axis=0) if extent > 1e-6 else np.ones(3)
    side = 0 if spread[0] >= spread[1] else 1
    frames = cameras.frames
    return [
        ("From above", _drawing((0, 1), path, views, frames)),
        ("From the front" if side == 0 else "From the right", _drawing((side, 2), path, views, frames)),
    ]


def _centres(poses: Sequence[Matrix]) -> np.ndarray:
    """Where cameras stand in the world (n, 3)."""
    matrices = np.asarray(poses, np.float64).reshape(-1, 4, 4)
    return -np.einsum("nji,nj->ni", matrices[:, :3, :3], matrices[:, :3, 3])


def _seen(
    centres: np.ndarray,
    intrinsics: Sequence[Matrix],
    poses: Sequence[Matrix],
    size: tuple[int, int],
    reach: float,
) -> _Seen:
    some = np.unique(np.linspace(0, len(centres) - 1, min(len(centres), FRUSTUMS)).round().astype(int))
    width, height = size
    # Pixel centres at integers: the frame's edges lie half a pixel outside.
    pixels = np.array([[-0.5, -0.5], [width - 0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5]])
    corners = []
    for index in some:
        k = np.asarray(intrinsics[index]).reshape(3, 3)
        pose = np.asarray(poses[index]).reshape(4, 4)
        rays = np.column_stack(
            [(pixels[:, 0] - k[0, 2]) / k[0, 0], (pixels[:, 1] - k[1, 2]) / k[1, 1], np.ones(4)]
        )
        corners.append(centres[index] + reach * rays @ pose[:3, :3])
    return _Seen(centres, centres[some], np.stack(corners))


def _drawing(axes: tuple[int, int], path: _Seen, views: _Seen | None, frames: Sequence[float]) -> str:
    """One view: two of the world's axes, to the right and up."""
    drawn = [path] if views is None else [path, views]
    points = np.concatenate([part for one in drawn for part in (one.centres, one.corners.reshape(-1, 3))])[
        :, axes
    ]
    low, high = points.min(axis=0), points.max(axis=0)
    across, tall = np.maximum(high - low, 1e-3 * float((high - low).max()) or 1.0)
    height = float(np.clip((WIDTH - 2 * ROOM) * tall / across + 2 * ROOM, LOWEST, HIGHEST))
    scale = min((WIDTH - 2 * ROOM) / across, (height - 2 * ROOM) / tall)
    middle = (low + high) / 2

    def place(world: np.ndarray) -> np.ndarray:
        right, up = (world[..., axis] for axis in axes)
        x = WIDTH / 2 + scale * (right - middle[0])
        return np.stack([x, height / 2 - scale * (up - middle[1])], axis=-1)

    parts = [_grid(axes, scale, middle, height)]
    if views is not None:
        parts.append(_cameras(views, place, "view"))
    parts.append(_cameras(path, place, "path"))
    first, last = place(path.centres[0]), place(path.centres[-1])
    parts.append(f'<circle class="start" cx="{first[0]:.1f}" cy="{first[1]:.1f}" r="5.5"/>')
    parts.append(f'<rect class="end" x="{last[0] - 5:.1f}" y="{last[1] - 5:.1f}" width="10" height="10"/>')
    parts.append(_name(first, f"{frames[0]:g}", -10, height))
    if len(frames) > 1:
        parts.append(_name(last, f"{frames[-1]:g}", 20, height))
    right, up = ("XYZ"[axis] for axis in axes)
    return svg(WIDTH, height, f"Cameras: {right} to the right, {up} up", parts)


def _cameras(seen: _Seen, place: object, kind: str) -> str:
    """The way of cameras, and the frustums of some."""
    assert callable(place)
    parts = []
    for tip, corners in zip(seen.tips, seen.corners, strict=True):
        a, (b, c, d, e) = place(tip), place(corners)
        lines = " ".join(
            [
                f"M{_xy(b)}L{_xy(c)}L{_xy(d)}L{_xy(e)}Z",
                *(f"M{_xy(a)}L{_xy(corner)}" for corner in (b, c, d, e)),
            ]
        )
        parts.append(f'<path class="frustum {kind}" d="{lines}"/>')
    count = len(seen.centres)
    some = np.unique(np.linspace(0, count - 1, min(count, MOST_POINTS)).round().astype(int))
    way = " ".join(_xy(point) for point in place(seen.centres[some]))
    parts.append(f'<polyline class="way {kind}" points="{way}"/>')
    return "".join(parts)


def _grid(axes: tuple[int, int], scale: float, middle: np.ndarray, height: float) -> str:
    """Lines at round numbers of the scene's units, the same step on both axes."""
    half = WIDTH / 2 / scale
    steps = nice_steps(0.0, 2 * half, 6)
    step = steps[1] - steps[0]
    parts = []
    for value in (
        np.arange(np.ceil((middle[0] - half) / step), np.floor((middle[0] + half) / step) + 1) * step
    ):
        x = WIDTH / 2 + scale * (value - middle[0])
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height:.1f}"/>')
        if 26 < x < WIDTH - 20:
            parts.append(
                f'<text x="{x:.1f}" y="{height - 5:.1f}" text-anchor="middle">{_number(value)}</text>'
            )
    half = height / 2 / scale
    for value in (
        np.arange(np.ceil((middle[1] - half) / step), np.floor((middle[1] + half) / step) + 1) * step
    ):
        y = height / 2 - scale * (value - middle[1])
        parts.append(f'<line class="grid" x1="0" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        if 24 < y < height - 22:
            parts.append(f'<text x="4" y="{y:.1f}" dy="-.25em">{_number(value)}</text>')
    right, up = ("XYZ"[axis] for axis in axes)
    parts.append(
        f'<text class="axis" x="{WIDTH - 6}" y="{height - 5:.1f}" text-anchor="end">{right} →</text>'
    )
    parts.append(f'<text class="axis" x="4" y="14">{up} ↑</text>')
    return "".join(parts)


def _name(at: np.ndarray, text: str, below: float, height: float) -> str:
    y = min(max(at[1] + below, 12.0), height - 16)
    return f'<text class="name" x="{at[0]:.1f}" y="{y:.1f}" text-anchor="middle">{escape(text)}</text>'


def _number(value: float) -> str:
    return f"{value + 0.0:.6g}".replace("-", "−")


def _xy(point: np.ndarray) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"
