"""Matrices of a scene folder as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..protocol.cameras import CameraError, check_intrinsics, check_pose
from .folder import Folder, SceneFolderError

BYTES_A_NUMBER = 40
"""More than any number takes: text that is longer than its numbers can be isn't read."""


def numbers(text: str, name: str) -> np.ndarray:
    """All the numbers of a text, (n,) float64, whatever brackets and commas stand between them."""
    for mark in "[](),":
        text = text.replace(mark, " ")
    try:
        return np.array([float(word) for word in text.split()])
    except ValueError as error:
        raise SceneFolderError(f"{name} holds something that is no number: {error}.") from None


def matrices(folder: Folder, name: str, count: int, size: int) -> np.ndarray:
    """The `count` square matrices (count, size, size) of a text file."""
    values = numbers(folder.text(name, 1000 + count * size * size * BYTES_A_NUMBER), name)
    if len(values) != count * size * size:
        raise SceneFolderError(
            f"{name} has {len(values)} numbers; {count} views need {size * size} each, {count * size * size}."
        )
    return values.reshape(count, size, size)


def check_source(
    intrinsics: np.ndarray, world_to_camera: np.ndarray, intrinsics_name: str, poses_name: str
) -> None:
    """Raises SceneFolderError unless every view is a pinhole at a rigid pose. The last row of poses is made exact."""
    if np.abs(world_to_camera[:, 3] - [0, 0, 0, 1]).max() <= 1e-3:
        world_to_camera[:, 3] = 0, 0, 0, 1
    try:
        for number, (k, pose) in enumerate(zip(intrinsics, world_to_camera, strict=True)):
            check_intrinsics(k.ravel().tolist(), f"{intrinsics_name}: view {number}")
            check_pose(pose.ravel().tolist(), f"{poses_name}: view {number}")
    except CameraError as error:
        raise SceneFolderError(f"{error}.") from None


def rows(arrays: Iterable[np.ndarray]) -> str:
    """A line a matrix, with every digit that a float64 has."""
    return "".join(row(matrix.ravel().tolist()) + "\n" for matrix in arrays)


def row(values: Sequence[float]) -> str:
    return " ".join(f"{value:.17g}" for value in values)
