"""Depth maps that the user has, brought to one form: planar depth in scene units, sky inf, "no depth" 0.

    EXR    floats, the channel as backend/world.py finds it
    PNG    16 bits, one channel, with a range
    NPY    float16, float32, float64, or uint16 with a range

Whole numbers are low + code / 65535 * (high - low); with a low of 0, code 0 means "no depth". What the values mean:

    planar    depth along the camera's axis, as Blender's Z pass has it
    ray       distance from the camera's centre, planar = ray / |K^-1 (u, v, 1)|
    inverse   1 / planar; 0 is sky
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..pictures import GREY, PictureError, png_header
from ..protocol import MIB
from ..world import SKY, WorldError, exr_size, exr_values
from .error import RecoverError

ENCODINGS = ("planar", "ray", "inverse")
ENDINGS = (".exr", ".npy", ".png")
MAX_DEPTH_BYTES = 1024 * MIB
MAX_DEPTH_PIXELS = 128 * 1024 * 1024
ASPECT_TOLERANCE = 0.005
"""Shapes that differ less are one shape, rounded to pixels."""


@dataclass(frozen=True)
class DepthForm:
    """What the numbers of a depth map mean.

    encoding: one of ENCODINGS. range: lowest and highest value of a map of whole numbers, in scene units (of an
    inverse one in their inverse).
    """

    encoding: str = "planar"
    range: tuple[float, float] | None = None


PLANAR = DepthForm()


def read_values(path: Path, form: DepthForm) -> np.ndarray:
    """(H, W) float32 values of a depth map as they are meant, "no depth" NaN. Raises RecoverError."""
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise RecoverError(
            f"{path.name} is no depth map that can be read: save depth as EXR, 16-bit PNG or NPY."
        )
    values = {".exr": _exr, ".npy": _npy, ".png": _png}[ending](path.name, _bytes(path))
    if values.dtype.kind == "u":
        return _in_range(path.name, values, form.range)
    return values.astype(np.float32)


def planar_depth(name: str, values: np.ndarray, encoding: str, intrinsics: np.ndarray) -> np.ndarray:
    """(H, W) float32 planar depth of `read_values`; `intrinsics` are those of its own pixels.

    Raises RecoverError for a map that holds no depth, is sky everywhere, or holds negative depth.
    """
    unknown = np.isnan(values)
    below = int((values < 0).sum())
    if below:
        raise RecoverError(
            f"{name} holds negative depth in {below} of {values.size} pixels: depth counts from the camera into the "
            "picture, and what is not known is 0."
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        if encoding == "inverse":
            depth = np.where(values == 0, np.float32(np.inf), 1 / values)
        elif encoding == "ray":
            depth = values / ray_lengths(intrinsics, *values.shape)
        else:
            depth = values
    depth = np.where(unknown, np.float32(0), np.where(depth >= SKY, np.float32(np.inf), depth)).astype(
        np.float32
    )
    if not (depth > 0).any():
        raise RecoverError(f"{name} holds no depth: every pixel is 0 or not a number.")
    if not np.isfinite(depth[depth > 0]).any():
        raise RecoverError(f"{name} is sky everywhere: a world needs something at a distance.")
    return depth


def ray_lengths(intrinsics: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W) float32: how far a ray goes for a planar depth of 1, |K^-1 (u, v, 1)|."""
    across = (np.arange(width) - intrinsics[0, 2]) / intrinsics[0, 0]
    down = (np.arange(height) - intrinsics[1, 2]) / intrinsics[1, 1]
    return np.sqrt(1 + across[None, :] ** 2 + down[:, None] ** 2).astype(np.float32)


def check_shape(name: str, depth: tuple[int, int], picture_name: str, picture: tuple[int, int]) -> None:
    """Raises RecoverError unless a depth map (width, height) has the shape of its picture; its size may be another."""
    if abs(depth[0] * picture[1] / (depth[1] * picture[0]) - 1) > ASPECT_TOLERANCE:
        raise RecoverError(
            f"{name} is {depth[0]}x{depth[1]} pixels, {picture_name} is {picture[0]}x{picture[1]}: "
            "depth must have its picture's shape."
        )


def _in_range(name: str, codes: np.ndarray, span: tuple[float, float] | None) -> np.ndarray:
    if span is None:
        raise RecoverError(f"{name} holds whole numbers: say which range of depth they stand for.")
    low, high = span
    if not 0 <= low < high < SKY:
        raise RecoverError(f"The range of {name} must go from 0 or more up to more, got {low:g} to {high:g}.")
    values = (low + codes.astype(np.float64) / 65535 * (high - low)).astype(np.float32)
    if low == 0:
        values[codes == 0] = np.nan
    return values


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_DEPTH_BYTES:
            raise RecoverError(f"{path.name} has {size >> 20} MiB: that is no depth map.")
        return path.read_bytes()
    except OSError as error:
        raise RecoverError(f"{path} cannot be read: {error.strerror or error}.") from None


def _check_pixels(name: str, width: int, height: int) -> None:
    if width < 1 or height < 1 or width * height > MAX_DEPTH_PIXELS:
        raise RecoverError(f"{name} claims {width}x{height} pixels: that is no depth map.")


def _exr(name: str, data: bytes) -> np.ndarray:
    try:
        width, height = exr_size(name, data)
        _check_pixels(name, width, height)
        return exr_values(name, data, height, width)
    except WorldError as error:
        raise RecoverError(str(error)) from None


def _png(name: str, data: bytes) -> np.ndarray:
    try:
        width, height, bits, colours = png_header(data)
    except PictureError as error:
        raise RecoverError(f"{name} {error}.") from None
    _check_pixels(name, width, height)
    if bits != 16:
        raise RecoverError(f"{name} has {bits} bits a pixel: depth needs 16, or EXR.")
    if colours != GREY:
        raise RecoverError(f"{name} has several channels: save depth as a grey PNG of 16 bits.")
    try:
        codes = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        codes = None
    if codes is None or codes.dtype != np.uint16 or codes.shape != (height, width):
        raise RecoverError(f"{name} cannot be decoded: the file is damaged.")
    return codes


def _npy(name: str, data: bytes) -> np.ndarray:
    """The array of a .npy file; its header is read without trusting it."""
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        read: Any = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except (ValueError, EOFError, SyntaxError) as error:
        raise RecoverError(f"{name} is not a .npy file: {error}.") from None
    if len(shape) == 3 and 1 in (shape[0], shape[2]):
        shape = tuple(shape[:2]) if shape[2] == 1 else tuple(shape[1:])
    plain = dtype.kind == "f" and dtype.itemsize in (2, 4, 8)
    if len(shape) != 2 or not (plain or (dtype.kind == "u" and dtype.itemsize == 2)):
        raise RecoverError(
            f"{name} must be one map of float16, float32, float64 or uint16, got {dtype} of shape {shape}."
        )
    _check_pixels(name, shape[1], shape[0])
    rest = memoryview(data)[file.tell() :]
    if len(rest) != shape[0] * shape[1] * dtype.itemsize:
        raise RecoverError(f"{name} ends early: the file is damaged.")
    return np.frombuffer(rest, dtype).reshape(shape, order="F" if fortran else "C")
