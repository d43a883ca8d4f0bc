"""Plates: frames of a take developed to the scene's resolution.

A preset generates 832x480 or less, a plate is as large as the scene renders. What the reference covers is warped
again at the plate's size, and supplies what the generated frame is too small for; the rest is the generated frame,
enlarged. A plate depends on nothing but its frame, the reference, its camera and the strength, so it can be made at
any time, and again.

    frame (h, w)  ------------------------------- enlarged ----------------> plain (H, W)
    reference, camera --warped--> colour, known, depth (H, W)
                                  --shrunk to the frame--> (h, w)
    frame against that, around each pixel: trust, gain, added (h, w)

    plate = plain + strength * inside * trust * (gain * colour + added - plain)

`gain` and `added` bring the warp to the light that the frame has, where that is plainly another or a hole is near;
`trust` falls where the two show different things; `inside` is 0 in holes and rises softly away from them. All of them
are smooth over the plate and made of this frame alone: no seam, and nothing flickers that stands still.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from . import protocol
from .constraint.splat import HOLE
from .constraint.surface import Planes, Surfaces
from .context import scaled
from .model.sampler import Cancelled
from .session import CameraBlock, Cancel
from .world import World

if TYPE_CHECKING:
    from .constraint.compiled import Array

COMPARED = 320
"""About so many pixels across, at most, are frame and warp held against each other: larger frames are averaged."""
AROUND = 7
"""Pixels of that each way, twice: around each so far frame and warp are held against each other."""
SOFT = 3
"""The same: both are blurred by this first, for a small generator's frame is softer than its pixels."""
WHOLE = 3
"""Power of a pixel's known share that it counts with: one that is half hole shows half of something else."""
PRIOR = 0.2
"""Share of known pixels around one at which what they tell counts about half. Where none tell, the warp is right."""
NOISE = 10.0
"""Codes by which they may always differ."""
ALIKE = 0.3
"""The share of their contrast by which they may differ and still show the same."""
SLIGHT = 8.0
"""Codes of coarse change that are as likely the generator's inaccuracy as another light. In less than that the
reference is right; but not beside holes, where a step to the generated picture would show."""
ANOTHER = 70.0
"""Codes of coarse change that are rather another thing than another light."""
GAINS = 0.8, 1.25
"""Least and greatest contrast that another light gives what the warp shows."""
CRACKS = 3, 9
"""Least and most pixels of a plate's that a pixel of the frame counts for. The frame knows nothing of what is narrower:
such holes are cracks, which show what is beside them, and beside them the warp is trusted."""
WORKING_PIXELS = 32 * 1024 * 1024
"""Pixels of the plates that are being made at a time: about a hundred bytes of memory each."""


class PlateError(ValueError):
    """There can be no such plate; the message says why."""


@dataclass(frozen=True)
class Plate:
    """One developed frame of H x W pixels.

    colour (H, W, 3): uint8 sRGB. mask (H, W): uint8, 255 where the picture is generated, as no view of the reference
    reaches there. coverage (H, W): uint8, the share of the reference's own detail in each pixel. depth (H, W): float32,
    planar depth in the frame's camera; inf where no view reaches, and in the sky. enlarged (H, W, 3): uint8 sRGB,
    the frame alone as plain scaling brings it to this size.
    """

    colour: np.ndarray
    mask: np.ndarray
    coverage: np.ndarray
    depth: np.ndarray
    enlarged: np.ndarray


@dataclass(frozen=True)
class Plates:
    """Developed frames: what a `Plate` has, for n of them."""

    colour: np.ndarray
    mask: np.ndarray
    coverage: np.ndarray
    depth: np.ndarray
    enlarged: np.ndarray

    @staticmethod
    def joined(plates: Sequence[Plate]) -> Plates:
        return Plates(
            np.stack([plate.colour for plate in plates]),
            np.stack([plate.mask for plate in plates]),
            np.stack([plate.coverage for plate in plates]),
            np.stack([plate.depth for plate in plates]),
            np.stack([plate.enlarged for plate in plates]),
        )


def develop(
    world: World,
    cameras: CameraBlock,
    frames: np.ndarray,
    width: int,
    height: int,
    strength: float,
    cancelled: Cancel = lambda: False,
) -> Plates:
    """Develop frames (n, h, w, 3), uint8 sRGB, seen by n cameras, whose intrinsics are those of the plates.

    strength: 0 is the frame enlarged, 1 all the detail that the reference has. Raises PlateError for a size or strength
    that is out of bounds, Cancelled.
    """
    return Plates.joined(list(developed(world, cameras, frames, width, height, strength, cancelled)))


def developed(
    world: World,
    cameras: CameraBlock,
    frames: np.ndarray,
    width: int,
    height: int,
    strength: float,
    cancelled: Cancel = lambda: False,
) -> Iterator[Plate]:
    """The same, plate by plate, as soon as each is made; several are at a time."""
    check_plate(width, height, strength, len(frames))
    lenses, poses = (
        x.to("cpu", torch.float64).numpy() for x in (cameras.intrinsics, cameras.world_to_camera)
    )
    shown = world.views_at(cameras.times) if world.kind == "moving" else [None] * len(frames)
    count = max(1, min(torch.get_num_threads(), len(frames), WORKING_PIXELS // (width * height)))

    @lru_cache(maxsize=count)
    def surfaces(view: int | None) -> Surfaces:
        part = slice(None) if view is None else slice(view, view + 1)
        views = world.pictures(part), world.depth[part], world.intrinsics[part], world.world_to_camera[part]
        return Surfaces.of(*views)

    spare: list[_Canvas] = []

    def one(index: int) -> Plate:
        if cancelled():
            raise Cancelled
        try:
            canvas = spare.pop()
        except IndexError:
            canvas = _Canvas.of(height, width)
        plate = _develop(surfaces(shown[index]), lenses[index], poses[index], frames[index], canvas, strength)
        spare.append(canvas)
        return plate

    if shown:
        surfaces(shown[0])  # All threads need it: one makes it.
    with ThreadPoolExecutor(max_workers=count, thread_name_prefix="plate") as pool:
        try:
            yield from pool.map(one, range(len(frames)))
        finally:
            pool.shutdown(cancel_futures=True)


def check_plate(width: int, height: int, strength: float, count: int = 1) -> None:
    """Raises PlateError unless `count` plates of this size and strength can be made at a time."""
    side, pixels = protocol.MAX_SIDE, protocol.MAX_PLATE_PIXELS
    if not (1 <= width <= side and 1 <= height <= side and width * height <= pixels):
        raise PlateError(
            f"A plate may have 1 to {side} pixels a side, and {pixels >> 20} million at most: got {width}x{height}."
        )
    if count > protocol.plates_at_a_time(width, height):
        raise PlateError(
            f"{count} plates of {width}x{height} are too many at a time: "
            f"ask for {protocol.plates_at_a_time(width, height)}."
        )
    if not 0 <= strength <= 1:
        raise PlateError(f"The strength of a plate must be 0 to 1, got {strength:g}.")


def at_plate_size(
    cameras: CameraBlock, frame_width: int, frame_height: int, width: int, height: int
) -> CameraBlock:
    """Cameras of frames of one size as those of their plates: both show exactly the same of the world."""
    intrinsics = scaled(cameras.intrinsics, width / frame_width, height / frame_height)
    return CameraBlock(cameras.times, intrinsics, cameras.world_to_camera)


def enlarged(frame: np.ndarray, width: int, height: int) -> np.ndarray:
    """A frame (h, w, 3) as plain scaling brings it to a plate's size, uint8; what is smaller is averaged."""
    rows, columns, _ = frame.shape
    if width < columns or height < rows:
        size = min(width, columns), min(height, rows)
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    if frame.shape[:2] == (height, width):
        return frame
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC)


@dataclass(frozen=True)
class _Canvas:
    """What a plate is made in, again and again."""

    planes: Planes
    colour: Array
    known: Array
    reached: list[Array]

    @staticmethod
    def of(height: int, width: int) -> _Canvas:
        return _Canvas(
            Planes.of(height, width),
            np.empty((3, height, width), np.float32),
            np.empty((height, width), np.bool_),
            [],
        )


def _develop(
    surfaces: Surfaces, lens: Array, pose: Array, frame: Array, canvas: _Canvas, strength: float
) -> Plate:
    from .blending import blend, shrink

    colour, known = canvas.colour, canvas.known
    height, width = known.shape
    if not canvas.reached:
        canvas.reached.append(np.empty((len(surfaces.views), height, width), np.bool_))
    depth = np.full((height, width), np.inf, np.float32)
    colour.fill(HOLE)
    known.fill(False)
    surfaces.draw(lens, pose, canvas.planes, colour, depth, known, canvas.reached[0])
    plain = enlarged(frame, width, height)
    step = max(1, round(frame.shape[1] / COMPARED))
    rows, columns = (
        max(1, min(side // step, whole)) for side, whole in zip(frame.shape, known.shape, strict=False)
    )
    small = cv2.resize(frame, (columns, rows), interpolation=cv2.INTER_AREA)
    sums = np.empty((rows, columns, 4), np.float32)
    shrink(colour, known, sums)
    plate, coverage = np.empty((height, width, 3), np.uint8), np.empty((height, width), np.uint8)
    around = inside(known, height / frame.shape[0])
    blend(plain, colour, known, around, against(small, sums), np.float32(strength), plate, coverage)
    return Plate(plate, np.where(known, np.uint8(0), np.uint8(255)), coverage, depth, plain)


def inside(known: Array, scale: float) -> Array:
    """How far the warp may be trusted by its holes alone, where known (H, W) is False: (H, W) uint8, 0 in them.

    scale: pixels of the plate to one of the frame, over half of which it rises to 255. Cracks are no holes.
    """
    holes = np.where(known, np.uint8(0), np.uint8(255))
    crack = int(np.clip(round(scale), *CRACKS))
    holes = cv2.morphologyEx(holes, cv2.MORPH_OPEN, np.ones((crack, crack), np.uint8))
    ramp = int(np.clip(round(scale / 2), 2, 4))
    around = cv2.blur(holes, (2 * ramp + 1, 2 * ramp + 1))
    # At a straight edge half of what is around a pixel is hole.
    return cv2.subtract(255 - holes, cv2.add(around, around))


def against(frame: Array, sums: Array) -> Array:
    """What frame (h, w, 3) uint8 and warp, shrunk to sums (h, w, 4) as by `shrink`, have in common around each pixel.

    (h, w, 5) float32: trust, gain, and what is added, red, green and blue, as `blend` takes them.
    """
    share = np.maximum(sums[..., 3], 1e-3)
    weight = sums[..., 3] ** WHOLE
    warp = sums[..., :3] / share[..., None]
    own, seen = (
        _blurred(x * weight[..., None], SOFT) / np.maximum(_blurred(weight, SOFT), 1e-6)[..., None]
        for x in (frame.astype(np.float32), warp)
    )
    total = np.maximum(_blurred(weight, AROUND), 1e-6)

    def mean(x: Array) -> Array:
        return (_blurred(x * weight.reshape(x.shape[:2] + (1,) * (x.ndim - 2)), AROUND).T / total.T).T

    mean_own, mean_seen = mean(own), mean(seen)
    var_own = mean((own * own).sum(axis=2)) - (mean_own * mean_own).sum(axis=2)
    var_seen = mean((seen * seen).sum(axis=2)) - (mean_seen * mean_seen).sum(axis=2)
    both = mean((own * seen).sum(axis=2)) - (mean_own * mean_seen).sum(axis=2)
    told = (1 + PRIOR) * total / (total + PRIOR)
    floor = 3 * NOISE**2
    gain = 1 + told * (np.clip((both + floor) / (var_seen + floor), *GAINS) - 1)
    apart = var_own - 2 * gain * both + gain * gain * var_seen
    allowed = floor + ALIKE * (var_own + gain * gain * var_seen)
    changed = np.square(mean_own - mean_seen).max(axis=2)
    trust = np.exp(-told * (np.maximum(apart / allowed - 1, 0) + changed / ANOTHER**2))
    # At a straight edge of a hole half of what is around is known.
    relit = np.maximum(changed**2 / (changed**2 + SLIGHT**4), np.minimum(2 * (1 - total), 1))
    added = (relit * told)[..., None] * (mean_own - gain[..., None] * mean_seen)
    return np.ascontiguousarray(np.dstack([trust, 1 + relit * (gain - 1), added]), np.float32)


def _blurred(x: Array, size: int) -> Array:
    """The mean around each pixel, nearer ones counting more: that of means."""
    once = cv2.blur(x, (size, size), borderType=cv2.BORDER_REPLICATE)
    return cv2.blur(once, (size, size), borderType=cv2.BORDER_REPLICATE)
