"""Plates: frames of a take developed to the scene's resolution.

A preset generates 832x480 or less, a plate is as large as the scene renders. What the reference covers is warped
again at the plate's size, and supplies what the generated frame is too small for; the rest is the generated frame,
enlarged. A plate depends on nothing but its frame, the reference, its camera and the strength, so it can be made at
any time, and again.

    frame  (h, w, 3)  --enlarged-->  (H, W, 3)
    reference, camera  --warped-->   colour (H, W, 3), depth (H, W), known (H, W)
    plate = enlarged + strength * trust * (warped + what the frame has changed coarsely - enlarged)

trust is that of `finish`, at the frame's size: 0 in holes and near them, less where frame and warp disagree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from . import protocol
from .context import render_world, scaled
from .finish import agreement, box, inside, smooth
from .model.sampler import Cancelled
from .session import CameraBlock, Cancel
from .world import World

WARP = "splat"
"""The warp that plates are made with, whatever the preset's."""
COARSE = 5
"""Pixels of the generated frame: what is coarser than this is the generated frame's."""

ANOTHER = 0.5
"""Coarse change (of a range of 2) that is rather another thing than another light: trust has fallen to 1/e."""


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
    def joined(plates: list[Plate]) -> Plates:
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
    """The same, one after the other."""
    check_plate(width, height, strength, len(frames))
    for index, frame in enumerate(frames):
        if cancelled():
            raise Cancelled
        one = slice(index, index + 1)
        camera = CameraBlock(cameras.times[one], cameras.intrinsics[one], cameras.world_to_camera[one])
        yield _develop(world, camera, frame, width, height, strength)


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
    """A frame (h, w, 3) as plain scaling brings it to a plate's size, uint8; smaller ones are averaged."""
    smaller = width <= frame.shape[1] and height <= frame.shape[0]
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LANCZOS4)


@torch.inference_mode()
def _develop(
    world: World, camera: CameraBlock, frame: np.ndarray, width: int, height: int, strength: float
) -> Plate:
    render = render_world(
        world, camera.times, camera.intrinsics, camera.world_to_camera, height, width, warp=WARP
    )
    known = render.known.unsqueeze(1).float()
    generated = _tensor(frame)
    small = generated.shape[-2:]
    share = _shrunk(known, *small)
    warped = _shrunk(render.colour * known, *small) / share.clamp(min=1e-6)
    mostly = share[:, 0] > 0.5
    weight = mostly.unsqueeze(1).float()
    changed = box((generated - warped) * weight, COARSE) / box(weight, COARSE).clamp(min=1e-6)
    trust = inside(mostly) * agreement(generated, warped + changed, mostly)
    trust = trust * torch.exp(-((changed.abs().amax(dim=1, keepdim=True) / ANOTHER) ** 2))
    trust = _grown(trust, height, width) * inside(render.known) * smooth(render) * strength
    large = enlarged(frame, width, height)
    plain = _tensor(large)
    detail = render.colour + _grown(changed, height, width)
    colour = plain + trust * (detail - plain)
    return Plate(
        _codes(colour)[0].permute(1, 2, 0).contiguous().numpy(),
        (~render.known[0]).to(torch.uint8).mul(255).numpy(),
        (trust[0, 0] * 255).round().to(torch.uint8).numpy(),
        render.depth[0].numpy(),
        large,
    )


def _tensor(picture: np.ndarray) -> Tensor:
    """A picture (H, W, 3) of codes as (1, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(picture).permute(2, 0, 1).unsqueeze(0).float() / 127.5 - 1


def _codes(picture: Tensor) -> Tensor:
    return ((picture.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def _shrunk(x: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(x, size=(height, width), mode="area")


def _grown(x: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(x, size=(height, width), mode="bilinear", align_corners=False)
