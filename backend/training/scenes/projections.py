"""Clip matrices of cameras and lights."""

from __future__ import annotations

import numpy as np

HEIGHT, WIDTH = 144, 256
NEAR = 0.08


def projection(intrinsics: np.ndarray, far: float) -> np.ndarray:
    """4x4 clip matrix of OpenCV camera coordinates for `intrinsics` (3,3) with pixel centres at integers."""
    matrix = np.zeros((4, 4))
    matrix[0, 0] = 2 * intrinsics[0, 0] / WIDTH
    matrix[1, 1] = 2 * intrinsics[1, 1] / HEIGHT
    matrix[0, 2] = (2 * intrinsics[0, 2] + 1) / WIDTH - 1
    matrix[1, 2] = (2 * intrinsics[1, 2] + 1) / HEIGHT - 1
    matrix[2, 2] = (far + NEAR) / (far - NEAR)
    matrix[2, 3] = -2 * far * NEAR / (far - NEAR)
    matrix[3, 2] = 1
    return matrix


def sun_matrix(direction: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    """4x4 orthographic light matrix looking along -`direction` at a sphere."""
    side = np.cross(direction, [0.0, 0.0, 1.0] if abs(direction[2]) < 0.95 else [1.0, 0.0, 0.0])
    side /= np.linalg.norm(side)
    up = np.cross(side, direction)
    rows = np.stack([side, up, -direction]) / np.array([[radius], [radius], [radius * 2.5]])
    matrix = np.eye(4)
    matrix[:3, :3] = rows
    matrix[:3, 3] = -rows @ centre
    return matrix


def lamp_matrix(position: np.ndarray, reach: float) -> np.ndarray:
    """4x4 perspective light matrix (about 140 degrees) looking straight down."""
    view = np.eye(4)
    view[:3, :3] = [[1, 0, 0], [0, -1, 0], [0, 0, -1]]
    view[:3, 3] = -view[:3, :3] @ position
    near, wide = 0.15, 1 / np.tan(np.radians(70))
    matrix = np.zeros((4, 4))
    matrix[0, 0] = matrix[1, 1] = wide
    matrix[2, 2], matrix[2, 3] = (reach + near) / (reach - near), -2 * reach * near / (reach - near)
    matrix[3, 2] = 1
    return matrix @ view
