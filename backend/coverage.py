"""How much of each target frame the reference reaches, measured at low resolution."""

from __future__ import annotations

import torch

from .context import render_world, scaled
from .model.sampler import Cancelled
from .session import CameraBlock, Cancel
from .world import World

LOW_PIXELS = 128 * 72
"""Pixels of a target frame at which coverage is measured."""
VIEW_PIXELS = 4 * LOW_PIXELS
"""Pixels of a view that are kept of one that is larger than the target."""
FRAMES_AT_A_TIME = 12


@torch.inference_mode()
def coverage_of(
    world: World, cameras: CameraBlock, width: int, height: int, cancelled: Cancel = lambda: False
) -> list[float]:
    """The share of covered pixels, 0 to 1, for each camera of a target of (height, width).

    Target and views are thinned out by about the same factor, so that cracks between pixels that are seen from
    near show here as they will in the take; views larger than the target by more. The splat measures:
    every preset there is has it, and coverage is asked for before a preset is loaded. Raises Cancelled.
    """
    factor = max(1.0, (width * height / LOW_PIXELS) ** 0.5)
    small_height, small_width = max(1, round(height / factor)), max(1, round(width / factor))
    rows, columns = world.size
    thin = thinned(world, max(round(factor), int((rows * columns / VIEW_PIXELS) ** 0.5), 1))
    intrinsics = scaled(cameras.intrinsics, small_width / width, small_height / height)
    shares: list[float] = []
    for start in range(0, len(cameras.frames), FRAMES_AT_A_TIME):
        if cancelled():
            raise Cancelled
        part = slice(start, start + FRAMES_AT_A_TIME)
        render = render_world(
            thin,
            cameras.frames[part],
            intrinsics[part],
            cameras.world_to_camera[part],
            small_height,
            small_width,
        )
        shares += render.known.float().mean(dim=(1, 2)).tolist()
    return shares


def thinned(world: World, step: int) -> World:
    """Every `step`-th pixel of every view, seen by the camera that has its pixels there."""
    if step == 1:
        return world
    first = step // 2
    intrinsics = world.intrinsics.clone()
    intrinsics[:, 0, 2] = (intrinsics[:, 0, 2] - first) / step
    intrinsics[:, 1, 2] = (intrinsics[:, 1, 2] - first) / step
    intrinsics[:, 0, 0] /= step
    intrinsics[:, 1, 1] /= step
    return World(
        world.kind,
        world.colour[..., first::step, first::step],
        world.depth[..., first::step, first::step],
        intrinsics,
        world.world_to_camera,
        world.frames,
    )
