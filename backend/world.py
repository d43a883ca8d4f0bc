"""A reference, decoded and checked: tensors ready for the constraint.

    reference.json + files' bytes  ->  colour (V,3,H,W), depth (V,H,W), intrinsics (V,3,3), world_to_camera (V,4,4)

The files may come from anyone, so each is measured by its header before it is decoded: a picture or depth map
that is not of the reference's size, or claims more than it holds, takes no memory. Depth is brought to one form:
sky is inf, and "no depth" (0, negative, NaN) is 0.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .pictures import Bytes, PictureError, decode_png, png_size
from .protocol.disk import FileFormatError, read_chunks
from .protocol.files import MAX_TRIANGLES, Reference, View, read_reference
from .protocol.references import Digest

if TYPE_CHECKING:
    import torch
    from torch import Tensor

MAX_WORLD_PIXELS = 256 * 1024 * 1024
"""Pixels of all views together: 7 bytes of memory each."""
MAX_EXR_CHANNELS = 64
SKY = 1e9


class WorldError(ValueError):
    """A reference cannot be used as a world; the message names the file and says why."""


@dataclass(frozen=True)
class World:
    """A reference ready to be entered.

    kind: "still", "stills" or "moving".
    colour (V, 3, H, W): uint8 codes as decoded (a quarter of the memory), or float32 in [-1, 1].
    depth (V, H, W): float32 planar z; inf is sky, 0 is "no depth".
    intrinsics (V, 3, 3), world_to_camera (V, 4, 4), frames (V,): float64.
    geometry (T, 3, 3): float32 corners of triangles in world space; None where the reference has none.
    """

    kind: str
    colour: Tensor
    depth: Tensor
    intrinsics: Tensor
    world_to_camera: Tensor
    frames: Tensor
    geometry: Tensor | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the views."""
        return self.depth.shape[-2], self.depth.shape[-1]

    @property
    def bytes(self) -> int:
        """Memory that the views take."""
        geometry = 0 if self.geometry is None else self.geometry.nbytes
        return self.colour.nbytes + self.depth.nbytes + geometry

    def pictures(self, views: Sequence[int] | slice, device: torch.device | None = None) -> Tensor:
        """Colour of some views as float32 in [-1, 1], (N, 3, H, W), on `device` or where it is."""
        colour = self.colour[views if isinstance(views, slice) else list(views)].to(device=device)
        return colour if colour.is_floating_point() else colour.float() / 127.5 - 1

    def views_at(self, times: Tensor) -> list[int]:
        """The view that is the world at each of `times` (n,): the nearest in scene frames, the earlier of two."""
        distance = (self.frames[None, :] - times.to(self.frames)[:, None]).abs()
        return distance.argmin(dim=1).tolist()


def load_world(folder: Path) -> tuple[World, str]:
    """World and digest of a reference folder. Raises FileFormatError or WorldError."""
    reference = read_reference(folder)
    files = {name: b"".join(read_chunks(folder / name)) for name in reference.file_names}
    return decode_world(reference, files), digest_of(reference, files)


def digest_of(reference: Reference, files: Mapping[str, Bytes]) -> str:
    """The digest that `references.reference_digest` gives for the same folder on disk."""
    digest = Digest(reference)
    for name in reference.file_names:
        digest.start_file(name, len(files[name]))
        digest.update(files[name])
    return digest.hexdigest()


def decode_world(reference: Reference, files: Mapping[str, Bytes]) -> World:
    """Decode every view. `files` holds the bytes of each file that the views name. Raises WorldError."""
    missing = [name for name in reference.file_names if name not in files]
    if missing:
        raise WorldError(f"The reference's file {missing[0]} is missing.")
    import torch  # Seconds, which those who only measure or read files of a world need not wait.

    count, height, width = len(reference.views), reference.height, reference.width
    check_size(count, width, height)
    for view in reference.views:
        _measure(view, files, height, width)
    geometry = None
    if reference.geometry:
        geometry = torch.from_numpy(_geometry(reference.geometry, files[reference.geometry]))
    colour = torch.empty(count, 3, height, width, dtype=torch.uint8)
    depth = torch.empty(count, height, width, dtype=torch.float32)

    def decode(index: int) -> None:
        view = reference.views[index]
        colour[index] = torch.from_numpy(_decode_png(view.colour, files[view.colour], height, width))
        depth[index] = torch.from_numpy(_decode_depth(view.depth, files[view.depth], height, width))

    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(decode, range(count)))
    return World(
        reference.kind,
        colour,
        depth,
        torch.tensor([v.intrinsics for v in reference.views], dtype=torch.float64).view(-1, 3, 3),
        torch.tensor([v.world_to_camera for v in reference.views], dtype=torch.float64).view(-1, 4, 4),
        torch.tensor([v.frame for v in reference.views], dtype=torch.float64),
        geometry,
    )


def check_size(count: int, width: int, height: int) -> None:
    """Refuse a reference whose views together have more pixels than a world may. Raises WorldError."""
    if count * height * width > MAX_WORLD_PIXELS:
        raise WorldError(
            f"A reference of {count} views of {width}x{height} pixels is too large: "
            "capture fewer frames, or at a lower resolution."
        )


def view_colour(reference: Reference, index: int, folder: Path) -> np.ndarray:
    """Colour of one view of a reference folder, (H, W, 3) uint8. Raises FileFormatError or WorldError."""
    view, height, width = reference.views[index], reference.height, reference.width
    data = b"".join(read_chunks(folder / view.colour))
    _measure_colour(view, data, height, width)
    return np.ascontiguousarray(_decode_png(view.colour, data, height, width).transpose(1, 2, 0))


def view_depth(reference: Reference, index: int, folder: Path) -> np.ndarray:
    """Depth of one view of a reference folder, (H, W) float32: inf is sky, 0 "no depth".

    Raises FileFormatError or WorldError.
    """
    name = reference.views[index].depth
    return _decode_depth(name, b"".join(read_chunks(folder / name)), reference.height, reference.width)


def _measure(view: View, files: Mapping[str, Bytes], height: int, width: int) -> None:
    """Refuse a view whose files do not claim to be what is expected, from their headers alone."""
    _measure_colour(view, files[view.colour], height, width)
    if view.depth.lower().endswith(".npy"):
        _npy_values(view.depth, files[view.depth], height, width)
    else:
        _exr_channel(view.depth, files[view.depth], height, width)


def _measure_colour(view: View, data: Bytes, height: int, width: int) -> None:
    try:
        found = png_size(data)
    except PictureError as error:
        raise WorldError(f"{view.colour} {error}.") from None
    if found != (width, height):
        raise WorldError(f"{view.colour} is {found[0]}x{found[1]} pixels, the reference is {width}x{height}.")


def _decode_png(name: str, data: Bytes, height: int, width: int) -> np.ndarray:
    """(3, H, W) uint8, red first; transparency is ignored."""
    try:
        return decode_png(data, width, height).transpose(2, 0, 1)
    except PictureError as error:
        raise WorldError(f"{name} {error}.") from None


def _decode_depth(name: str, data: Bytes, height: int, width: int) -> np.ndarray:
    """(H, W) float32 planar depth, inf for sky and 0 for "no depth". Raises WorldError when all is empty."""
    if name.lower().endswith(".npy"):
        values = _npy_values(name, data, height, width)
    else:
        values = exr_values(name, data, height, width)
    known = values > 0  # NaN is not
    if not known.any():
        raise WorldError(f"{name} holds no depth: every pixel is 0, negative or not a number.")
    return np.where(known, np.where(values >= SKY, np.float32(np.inf), values), np.float32(0))


def _npy_values(name: str, data: Bytes, height: int, width: int) -> np.ndarray:
    """The depth map of a .npy file, as a view of its bytes."""
    shape, fortran, dtype, rest = _npy(name, data)
    if shape != (height, width) or dtype != np.dtype("<f4") or fortran:
        raise WorldError(
            f"{name} must be float32 of shape ({height}, {width}), got {dtype} of shape {shape}."
        )
    if len(rest) != height * width * 4:
        raise WorldError(f"{name} ends early: the file is damaged.")
    return np.frombuffer(rest, np.dtype("<f4")).reshape(height, width)


def _geometry(name: str, data: Bytes) -> np.ndarray:
    """The triangles (T, 3, 3) of a .npy file, float32."""
    shape, fortran, dtype, rest = _npy(name, data)
    if len(shape) != 3 or shape[1:] != (3, 3) or dtype != np.dtype("<f4") or fortran:
        raise WorldError(f"{name} must be float32 of shape (triangles, 3, 3), got {dtype} of shape {shape}.")
    if not 0 < shape[0] <= MAX_TRIANGLES:
        raise WorldError(f"{name} holds {shape[0]} triangles; 1 to {MAX_TRIANGLES} are expected.")
    if len(rest) != shape[0] * 36:
        raise WorldError(f"{name} ends early: the file is damaged.")
    triangles = np.frombuffer(rest, np.dtype("<f4")).reshape(shape)
    if not np.isfinite(triangles).all():
        raise WorldError(f"{name} holds corners that are no numbers.")
    return triangles.copy()


def _npy(name: str, data: Bytes) -> tuple[tuple[int, ...], bool, np.dtype, memoryview]:
    """Shape, order, dtype and bytes of the array in a .npy file; its header is read without trusting it."""
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read(file)
    except (ValueError, EOFError, SyntaxError) as error:
        raise WorldError(f"{name} is not a .npy file: {error}") from None
    return shape, fortran, dtype, memoryview(data)[file.tell() :]


def _exr_channel(name: str, data: Bytes, height: int, width: int) -> tuple[int, str]:
    """Part and name of the channel of an EXR file that holds depth, found in its headers."""
    import OpenEXR

    try:
        with OpenEXR.File(io.BytesIO(data), separate_channels=True, header_only=True) as file:
            headers = [dict(part.header) for part in file.parts]  # emptied when the file is closed
    except Exception as error:  # the binding raises plain Exceptions, RuntimeErrors and its own
        raise WorldError(f"{name} is not an OpenEXR file: {error}") from None
    channels = [(index, channel.name) for index, h in enumerate(headers) for channel in h["channels"]]
    if not channels or len(channels) > MAX_EXR_CHANNELS:
        raise WorldError(f"{name} has {len(channels)} channels; 1 to {MAX_EXR_CHANNELS} are expected.")
    for header in headers:
        low, high = header["dataWindow"]
        columns, rows = (int(b) - int(a) + 1 for a, b in zip(low, high, strict=True))
        if header["type"] not in (OpenEXR.scanlineimage, OpenEXR.tiledimage):
            raise WorldError(f"{name} is a deep EXR file: save flat depth.")
        if (columns, rows) != (width, height):
            raise WorldError(f"{name} is {columns}x{rows} pixels, the reference is {width}x{height}.")
    for wanted in ("Depth.Z", "Z", "V"):
        for index, channel in channels:
            if channel == wanted or channel.endswith(f".{wanted}"):
                return index, channel
    if len(channels) == 1:
        return channels[0]
    raise WorldError(f"{name} has no channel Depth.Z, Z or V.")


def exr_size(name: str, data: Bytes) -> tuple[int, int]:
    """Width and height that an EXR file claims in its first header. Raises WorldError."""
    import OpenEXR

    try:
        with OpenEXR.File(io.BytesIO(data), separate_channels=True, header_only=True) as file:
            low, high = file.parts[0].header["dataWindow"]
            return int(high[0]) - int(low[0]) + 1, int(high[1]) - int(low[1]) + 1
    except Exception as error:  # see _exr_channel
        raise WorldError(f"{name} is not an OpenEXR file: {error}") from None


def exr_values(name: str, data: Bytes, height: int, width: int) -> np.ndarray:
    """(H, W) float32: the depth channel of an EXR file of that size, as it is. Raises WorldError."""
    import OpenEXR

    part, channel = _exr_channel(name, data, height, width)
    try:
        with OpenEXR.File(io.BytesIO(data), separate_channels=True) as file:
            values = np.array(file.parts[part].channels[channel].pixels)
    except Exception as error:  # see _exr_channel
        raise WorldError(f"{name} cannot be decoded: {error}") from None
    if values.shape != (height, width) or values.dtype.kind != "f":
        raise WorldError(f"{name}: channel {channel} must hold floats of {width}x{height} pixels.")
    return values.astype(np.float32)


__all__ = [
    "FileFormatError",
    "World",
    "WorldError",
    "decode_world",
    "digest_of",
    "exr_size",
    "exr_values",
    "load_world",
]
