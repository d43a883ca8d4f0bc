"""The release's trajectory texts, read into cameras and written from them.

Version 1 is three lines of numbers: pitch in degrees, yaw in degrees, and how far the camera goes, in shares of
the foreground's depth. Each line's numbers are keys spread evenly over the shot. The camera moves on a sphere
around a point ahead of it:

    camera_to_world = [Ry(yaw) Rx(pitch) | (-r cos(pitch) sin(yaw), -r sin(pitch), r - r cos(pitch) cos(yaw))]

with r = displacement * foreground depth, positive yaw to the right and positive pitch downwards; where all pitch
and yaw are zero it goes straight by (0, 0, r). Keys are smoothed, but the displacement of the first and of the last
frame stays that of its key.

Version 1.5, `target_tcw.txt`, is a line a frame: the 16 numbers, row by row, of world-to-camera, where the world is
the first source camera and the unit that of the depth.

Cameras are OpenCV's (x right, y down, z forward), float64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SPLINE_KEYS = 4
"""Number of keys from which on a smoothing cubic spline is laid through them; straight lines below."""

RIGID_TOLERANCE = 1e-3
"""How far a rotation read from text may be from orthonormal: its numbers are rounded."""


ORBIT_DEGREES, ORBIT_DEPTHS = 0.1, 0.005
"""How far a written orbit may be off: in its direction, and in its place in shares of the foreground's depth."""
KEYS_TOLERANCE = 1e-4
"""How closely keys must follow their course for fewer of them to do."""
ANGLE_ZERO = 1e-6
"""Angles in radians that are zero but for rounding."""


class TrajectoryError(ValueError):
    """A trajectory text does not hold what it should; the message says where."""


def read_orbit(
    text: str, frames: int, foreground_depth: float, *, rotation_only: bool = False
) -> NDArray[np.float64]:
    """world_to_camera (frames, 4, 4) of a version 1 text; the world is the camera of the reference.

    `foreground_depth` is the nearest depth of the first frame. `rotation_only` keeps the camera where it stands.
    Raises TrajectoryError.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) != 3:
        raise TrajectoryError(
            f"A trajectory has 3 lines (pitch, yaw, displacement), this one has {len(lines)}."
        )
    keys = [_numbers(line, number) for number, line in enumerate(lines, start=1)]
    pitch, yaw, displacement = (_spread(line, frames) for line in keys)
    displacement[-1], displacement[0] = keys[2][-1], keys[2][0]
    x, y, r = np.radians(pitch), np.radians(yaw), displacement * foreground_depth

    camera_to_world = np.tile(np.eye(4), (frames, 1, 1))
    camera_to_world[:, :3, :3] = _about_y(y) @ _about_x(x)
    if not rotation_only:
        if pitch.any() or yaw.any():
            move = (-r * np.cos(x) * np.sin(y), -r * np.sin(x), r - r * np.cos(x) * np.cos(y))
        else:
            move = (np.zeros(frames), np.zeros(frames), r)
        camera_to_world[:, :3, 3] = np.stack(move, axis=-1)
    return np.linalg.inv(camera_to_world)


def write_orbit(world_to_camera: NDArray[np.float64], foreground_depth: float) -> str:
    """The version 1 text whose cameras (frames, 4, 4) these are.

    Up to three keys are joined by straight lines, and four hold any cubic course, such as one that eases in and out.
    More keys are smoothed by up to a degree, so a path that needs them can't be written. Raises TrajectoryError that
    says what it has that a version 1 text has no words for.
    """
    wanted = np.linalg.inv(world_to_camera)
    choices = [
        [_keys(course, weights, count) for count in range(1, SPLINE_KEYS + 1)]
        for course, weights in _orbit_of(wanted, foreground_depth)
    ]
    lines = [next((keys for keys, off in line if off < KEYS_TOLERANCE), line[-1][0]) for line in choices]
    text = "".join(" ".join(f"{round(key, 9) + 0.0:.10g}" for key in keys) + "\n" for keys in lines)
    made = np.linalg.inv(read_orbit(text, len(wanted), foreground_depth))
    turned = np.degrees(_angle(made[:, :3, :3], wanted[:, :3, :3]))
    moved = np.linalg.norm(made[:, :3, 3] - wanted[:, :3, 3], axis=-1) / foreground_depth
    worst = int(np.argmax(np.maximum(turned / ORBIT_DEGREES, moved / ORBIT_DEPTHS)))
    if turned[worst] > ORBIT_DEGREES or moved[worst] > ORBIT_DEPTHS:
        raise TrajectoryError(
            f"The camera's path cannot be told in version 1's three lines: at frame {worst + 1} they would be "
            f"{turned[worst]:.2g} degrees and {100 * moved[worst]:.2g} % of the foreground's depth off. They hold "
            "orbits around the point ahead and straight ways that are steady or eased, without roll: use version 1.5."
        )
    return text


Course = tuple[NDArray[np.float64], NDArray[np.float64]]
"""What a line of a trajectory text is at every frame (frames,), and how much each of them says about it (frames,)."""


def _orbit_of(camera_to_world: NDArray[np.float64], foreground_depth: float) -> tuple[Course, Course, Course]:
    """Pitch and yaw in degrees, and displacement, that come closest to poses (frames, 4, 4)."""
    rotation, position = camera_to_world[:, :3, :3], camera_to_world[:, :3, 3] / foreground_depth
    every = np.ones(len(position))
    x = np.arctan2(rotation[:, 1, 2], rotation[:, 1, 1])
    y = np.unwrap(np.arctan2(-rotation[:, 2, 0], rotation[:, 0, 0]))
    if max(np.abs(x).max(), np.abs(y).max()) < ANGLE_ZERO:
        return (np.zeros(len(x)), every), (np.zeros(len(y)), every), (position[:, 2], every)
    way = np.stack([-np.cos(x) * np.sin(y), -np.sin(x), 1 - np.cos(x) * np.cos(y)], axis=-1)
    # Where it looks straight ahead it stands at the origin, whatever the displacement: such a frame says nothing.
    length = np.linalg.norm(way, axis=-1)
    displacement = (way * position).sum(axis=-1) / np.maximum(length, ANGLE_ZERO) ** 2
    return (np.degrees(x), every), (np.degrees(y), every), (displacement, length)


def _keys(
    course: NDArray[np.float64], weights: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], float]:
    """`count` keys spread evenly over a course that come closest to it, and how far off they are at most."""
    times, at = np.linspace(0, 1, len(course)), np.linspace(0, 1, count)
    if count < SPLINE_KEYS:
        shares = np.stack([np.interp(times, at, unit) for unit in np.eye(count)], axis=-1)
    else:
        powers = np.arange(count)
        shares = times[:, None] ** powers @ np.linalg.inv(at[:, None] ** powers)
    keys = np.linalg.lstsq(weights[:, None] * shares, weights * course, rcond=None)[0]
    return keys, float(np.abs(weights * (shares @ keys - course)).max())


def _angle(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angle in radians between rotations (frames, 3, 3) each."""
    chord = np.sqrt(((a - b) ** 2).sum(axis=(-2, -1)) / 2)
    return 2 * np.arcsin(np.clip(chord / 2, 0, 1))


def read_world_to_camera(text: str) -> NDArray[np.float64]:
    """world_to_camera (frames, 4, 4) of a version 1.5 text. Raises TrajectoryError."""
    rows = [_numbers(line, number) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not rows:
        raise TrajectoryError("The trajectory is empty.")
    for number, row in enumerate(rows, start=1):
        if len(row) != 16:
            raise TrajectoryError(f"Pose {number} has {len(row)} numbers instead of 16.")
    poses = np.stack(rows).reshape(-1, 4, 4)
    for number, pose in enumerate(poses, start=1):
        rotation = pose[:3, :3]
        rigid = (
            np.abs(rotation @ rotation.T - np.eye(3)).max() < RIGID_TOLERANCE and np.linalg.det(rotation) > 0
        )
        if not rigid or np.abs(pose[3] - [0, 0, 0, 1]).max() > RIGID_TOLERANCE:
            raise TrajectoryError(f"Pose {number} is not a rotation and a translation.")
    return poses


def _numbers(line: str, number: int) -> NDArray[np.float64]:
    """The numbers of a line, one at least and all finite."""
    try:
        values = np.array([float(word) for word in line.split()])
    except ValueError as error:
        raise TrajectoryError(f"Line {number} holds something that is no number: {error}.") from error
    if not len(values) or not np.isfinite(values).all():
        raise TrajectoryError(f"Line {number} must hold finite numbers.")
    return values


def _spread(keys: NDArray[np.float64], frames: int) -> NDArray[np.float64]:
    """Keys spread evenly over the frames, (frames,)."""
    at, times = np.linspace(0, 1, len(keys)), np.linspace(0, 1, frames)
    if len(keys) < SPLINE_KEYS:
        return np.interp(times, at, keys)
    from scipy.interpolate import UnivariateSpline

    return UnivariateSpline(at, keys, k=3)(times)


def _about_x(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotations (frames, 3, 3) about x by angles in radians, positive from z (forward) to y (down)."""
    cos, sin, one, zero = np.cos(angle), np.sin(angle), np.ones_like(angle), np.zeros_like(angle)
    return np.stack([one, zero, zero, zero, cos, sin, zero, -sin, cos], axis=-1).reshape(-1, 3, 3)


def _about_y(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotations (frames, 3, 3) about y by angles in radians, positive from z (forward) to x (right)."""
    cos, sin, one, zero = np.cos(angle), np.sin(angle), np.ones_like(angle), np.zeros_like(angle)
    return np.stack([cos, zero, sin, zero, one, zero, -sin, zero, cos], axis=-1).reshape(-1, 3, 3)
