"""Cameras as both processes exchange them: a scene frame, intrinsics and a pose for each target frame.

OpenCV axes (x right, y down, z forward), pixel centres at integers, 4x4 world-to-camera, float64. A pose is
a rotation and a translation: no scale, no mirror. Matrices are flat and row-major, as they are in the files.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from . import blocks
from .envelope import Blob, EnvelopeError

Matrix = tuple[float, ...]

ROTATION_TOLERANCE = 1e-3
"""Largest deviation of R R^T from the identity that still counts as a rotation (Blender's are float32)."""
NEXT = "next_"
"""Before the names of blobs that are the cameras of the block after."""
LARGEST = 1e9
"""Largest number a camera may hold; at and beyond it a distance is sky."""


class CameraError(ValueError):
    """An intrinsic matrix or a pose is not one; the message says which and why."""


def check_intrinsics(values: Sequence[float], where: str) -> Matrix:
    """The 9 numbers of a 3x3 intrinsic matrix; raises CameraError unless it is a pinhole without skew."""
    k = _numbers(values, 9, f"{where}: intrinsics")
    if k[0] <= 0 or k[4] <= 0:
        raise CameraError(f"{where}: focal lengths must be above 0, got {k[0]:g} and {k[4]:g}")
    if (k[1], k[3], k[6], k[7], k[8]) != (0.0, 0.0, 0.0, 0.0, 1.0):
        raise CameraError(f"{where}: intrinsics must be [fx 0 cx; 0 fy cy; 0 0 1]")
    return k


def check_pose(values: Sequence[float], where: str) -> Matrix:
    """The 16 numbers of a 4x4 world-to-camera matrix; raises CameraError unless it is rigid."""
    m = _numbers(values, 16, f"{where}: world_to_camera")
    if m[12:] != (0.0, 0.0, 0.0, 1.0):
        raise CameraError(f"{where}: the last row of world_to_camera must be 0 0 0 1")
    rows = (m[0:3], m[4:7], m[8:11])
    for i, a in enumerate(rows):
        for j, b in enumerate(rows):
            product = sum(x * y for x, y in zip(a, b, strict=True))
            if abs(product - (i == j)) > ROTATION_TOLERANCE:
                raise CameraError(
                    f"{where}: world_to_camera is not a rotation and a translation (scale or shear)"
                )
    if _determinant(m) < 0:
        raise CameraError(f"{where}: world_to_camera mirrors the world")
    return m


@dataclass(frozen=True)
class Cameras:
    """The target cameras of a shot or of one block, a frame each."""

    frames: tuple[float, ...]
    intrinsics: tuple[Matrix, ...]
    world_to_camera: tuple[Matrix, ...]

    def __len__(self) -> int:
        return len(self.frames)

    @staticmethod
    def checked(
        frames: Sequence[float],
        intrinsics: Sequence[Sequence[float]],
        world_to_camera: Sequence[Sequence[float]],
    ) -> Cameras:
        """Build from plain sequences (a matrix is flat, row-major); raises CameraError where one is wrong."""
        count = len(frames)
        if len(intrinsics) != count or len(world_to_camera) != count:
            raise CameraError(
                f"{count} frames need as many cameras, got {len(intrinsics)} intrinsics "
                f"and {len(world_to_camera)} poses"
            )
        times = _numbers(frames, count, "frames")
        return Cameras(
            times,
            tuple(check_intrinsics(k, f"frame {t:g}") for k, t in zip(intrinsics, times, strict=True)),
            tuple(check_pose(m, f"frame {t:g}") for m, t in zip(world_to_camera, times, strict=True)),
        )

    def block(self, number: int) -> Cameras:
        """The cameras of block `number`, filled up to the block's size with the last one."""
        span = blocks.block_span(number, len(self))
        real = slice(span.start, span.stop)
        return Cameras(
            tuple(blocks.padded(self.frames[real], span.size)),
            tuple(blocks.padded(self.intrinsics[real], span.size)),
            tuple(blocks.padded(self.world_to_camera[real], span.size)),
        )

    def after(self, number: int) -> Cameras | None:
        """The cameras of the block after block `number`; None after the last."""
        return self.block(number + 1) if number + 1 < blocks.block_count(len(self)) else None

    def blobs(self, prefix: str = "") -> list[Blob]:
        """As the blobs `frames` (n,), `intrinsics` (n, 3, 3) and `world_to_camera` (n, 4, 4), float64.

        `prefix` stands before their names.
        """
        n = len(self)
        parts = {
            "frames": ((n,), self.frames),
            "intrinsics": ((n, 3, 3), [x for m in self.intrinsics for x in m]),
            "world_to_camera": ((n, 4, 4), [x for m in self.world_to_camera for x in m]),
        }
        return [
            Blob(f"{prefix}{name}", "float64", shape, _pack(numbers))
            for name, (shape, numbers) in parts.items()
        ]

    @staticmethod
    def from_blobs(blobs: dict[str, Blob], prefix: str = "") -> Cameras:
        """The inverse of `blobs`; raises EnvelopeError for a wrong dtype or shape, else CameraError."""
        for part, tail in (("frames", ()), ("intrinsics", (3, 3)), ("world_to_camera", (4, 4))):
            name = f"{prefix}{part}"
            blob = blobs.get(name)
            if blob is None:
                raise EnvelopeError(f"the blob {name!r} is missing")
            if blob.dtype != "float64" or blob.shape[1:] != tail or len(blob.shape) != 1 + len(tail):
                raise EnvelopeError(
                    f"the blob {name!r} must be float64 of shape {('n', *tail)}, "
                    f"got {blob.dtype} of shape {blob.shape}"
                )
        k, m = (_unpack(blobs[f"{prefix}{part}"].data) for part in ("intrinsics", "world_to_camera"))
        return Cameras.checked(
            _unpack(blobs[f"{prefix}frames"].data),
            [k[i : i + 9] for i in range(0, len(k), 9)],
            [m[i : i + 16] for i in range(0, len(m), 16)],
        )


def _determinant(m: Matrix) -> float:
    return (
        m[0] * (m[5] * m[10] - m[6] * m[9])
        - m[1] * (m[4] * m[10] - m[6] * m[8])
        + m[2] * (m[4] * m[9] - m[5] * m[8])
    )


def _numbers(values: Sequence[float], count: int, what: str) -> Matrix:
    if isinstance(values, (str, bytes)) or not isinstance(values, Sequence) or len(values) != count:
        raise CameraError(f"{what}: expected {count} numbers")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise CameraError(f"{what}: {value!r} is not a number")
        if not math.isfinite(value) or abs(value) >= LARGEST:
            raise CameraError(f"{what}: {value!r} is not a finite number below {LARGEST:g}")
    return tuple(float(value) for value in values)


def _pack(values: Iterable[float]) -> bytes:
    packed = array("d", values)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _unpack(data: bytes | memoryview) -> list[float]:
    values = array("d", bytes(data))
    if sys.byteorder == "big":
        values.byteswap()
    return values.tolist()
