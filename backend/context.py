"""The reference as a session sees it: rendered into target cameras, and as the generator's context latents.

The context shows the generator the reference itself, as a video that runs beside the target's. Views of another
size or shape than the target are scaled until they cover the target's frame, and cropped around the middle.
"""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from .codec.base import Codec, Encoder
from .constraint import WARPS, Render
from .protocol.blocks import block_size
from .world import World

CPU = torch.device("cpu")

SETTLED = 1e-6
"""Largest change of a still picture's latents from a block to the next at which they count as settled."""


def render_world(
    world: World,
    times: Tensor,
    intrinsics: Tensor,
    world_to_camera: Tensor,
    height: int,
    width: int,
    device: torch.device = CPU,
    warp: str = "splat",
) -> Render:
    """Render the world into n target cameras: times (n,), intrinsics (n, 3, 3), world_to_camera (n, 4, 4).

    The render is made, by the `warp` of that name, and lies on `device`; only the views that are rendered go there.

    A still or stills are the world at every time; of a moving world each frame shows the view nearest to its time.
    """
    if world.kind != "moving":
        return _render(world, slice(None), intrinsics, world_to_camera, height, width, device, warp)
    views = world.views_at(times)
    parts, start = [], 0
    for stop in range(1, len(views) + 1):
        if stop == len(views) or views[stop] != views[start]:
            targets = slice(start, stop)
            view = slice(views[start], views[start] + 1)
            cameras = intrinsics[targets], world_to_camera[targets]
            parts.append(_render(world, view, *cameras, height, width, device, warp))
            start = stop
    return Render.joined(parts)


def _render(
    world: World,
    views: slice,
    intrinsics: Tensor,
    world_to_camera: Tensor,
    height: int,
    width: int,
    device: torch.device,
    warp: str,
) -> Render:
    shown = world.pictures(views, device), world.depth[views].to(device), world.intrinsics[views]
    if warp == "splat":
        shown = magnified(*shown, height, width)
    return WARPS[warp](
        *shown, world.world_to_camera[views], intrinsics, world_to_camera, size=(height, width)
    )


def magnified(
    colour: Tensor, depth: Tensor, intrinsics: Tensor, height: int, width: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Views (V, 3, h, w), (V, h, w), (V, 3, 3) with at least as many pixels across as a target of (height, width).

    Splatted at a larger size as they are, their pixels would lie apart like stars. Colour is interpolated, depth
    is not: between a box and the wall behind it there is nothing.
    """
    rows, columns = depth.shape[-2:]
    scale = max(height / rows, width / columns)
    if scale <= 1:
        return colour, depth, intrinsics
    size = round(rows * scale), round(columns * scale)
    return (
        F.interpolate(colour, size=size, mode="bilinear", align_corners=False),
        F.interpolate(depth[:, None], size=size, mode="nearest-exact")[:, 0],
        scaled(intrinsics, size[1] / columns, size[0] / rows),
    )


def scaled(intrinsics: Tensor, across: float, down: float) -> Tensor:
    """Intrinsics (n, 3, 3) of the same cameras with pictures of `across`, `down` times the size."""
    result = intrinsics.clone()
    result[:, 0, 0] *= across
    result[:, 1, 1] *= down
    result[:, 0, 2] = (result[:, 0, 2] + 0.5) * across - 0.5
    result[:, 1, 2] = (result[:, 1, 2] + 0.5) * down - 0.5
    return result


def cover(pictures: Tensor, height: int, width: int) -> Tensor:
    """Pictures (N, 3, h, w) scaled to cover (height, width), and cropped around the middle."""
    rows, columns = pictures.shape[-2:]
    if (rows, columns) == (height, width):
        return pictures
    scale = max(height / rows, width / columns)
    size = max(height, round(rows * scale)), max(width, round(columns * scale))
    scaled = F.interpolate(pictures, size=size, mode="bilinear", align_corners=False, antialias=True)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return scaled[..., top : top + height, left : left + width].contiguous()


class ReferenceContext(Protocol):
    """Gives each block its reference latents (1, 3, C, h, w)."""

    def latents(self, block: int, times: Tensor, views: list[int]) -> Tensor:
        """Latents of block `block`, whose frames show the world at `times` (n,) and `views` one a latent."""

    def state(self) -> dict[str, Tensor]:
        """What the next block's latents depend on."""

    def restart(self) -> None:
        """Stand before the first block."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Stand where `state` was taken."""


class MovingContext:
    """A moving reference: the views nearest to the target's times, as one stream.

    Where time stands still it is the stream of a still picture.
    """

    def __init__(self, codec: Codec, world: World, height: int, width: int, device: torch.device) -> None:
        self._codec, self._world, self._size, self._device = codec, world, (height, width), device
        self._encoder = codec.encoder()

    def latents(self, block: int, times: Tensor, views: list[int]) -> Tensor:
        shown = self._world.pictures(self._world.views_at(times), self._device)
        return self._encoder.push(cover(shown, *self._size)[None])

    def state(self) -> dict[str, Tensor]:
        return self._encoder.state()

    def restart(self) -> None:
        self._encoder = self._codec.encoder()

    def restore(self, state: dict[str, Tensor]) -> None:
        self._encoder.restore(state)


class StillContext:
    """Views that stand still: each is a video of one picture, encoded when first asked for and then kept.

    A causal autoencoder's latents of a still picture stop changing after its memory is filled; from there on
    they are the same for every block, and the stream that made them is let go. They depend on the block's number
    only, so there is no state to save.
    """

    def __init__(self, codec: Codec, world: World, height: int, width: int, device: torch.device) -> None:
        self._codec = codec
        self._pictures = [
            cover(world.pictures([view], device), height, width) for view in range(len(world.frames))
        ]
        self._encoders: list[Encoder | None] = [None for _ in self._pictures]
        self._blocks: list[list[Tensor]] = [[] for _ in self._pictures]

    def latents(self, block: int, times: Tensor, views: list[int]) -> Tensor:
        shown = [self._view_latents(view, block)[:, latent] for latent, view in enumerate(views)]
        return torch.stack(shown, dim=1)

    def _view_latents(self, view: int, block: int) -> Tensor:
        kept = self._blocks[view]
        while len(kept) <= block and not self._settled(view):
            encoder = self._encoders[view] or self._codec.encoder()
            self._encoders[view] = None
            video = self._pictures[view].expand(block_size(len(kept)), -1, -1, -1)
            try:
                kept.append(encoder.push(video[None]))
            except BaseException:  # Cancelled on the way: the stream stands between two blocks.
                kept.clear()
                raise
            self._encoders[view] = None if self._settled(view) else encoder
        return kept[min(block, len(kept) - 1)]

    def _settled(self, view: int) -> bool:
        kept = self._blocks[view]
        return len(kept) > 1 and bool((kept[-1] - kept[-2]).abs().max() <= SETTLED)

    def state(self) -> dict[str, Tensor]:
        return {}

    def restart(self) -> None:
        """Nothing to do: latents depend on the block's number only."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Nothing to do, see `restart`."""
