"""How much of each target frame the reference reaches, measured at low resolution before anything is generated.

    views (V, h, w)          sampled to about the target's pixels, lifted to points 4 x (n,)
    points, F cameras        projected together: u, v, z (F, n)
    cells (F, n)             the upper left of the four pixels that a point is shared among, and with it the others
    -> known (F, H, W)       what any view reaches; its mean is the coverage

Which pixels are reached is all that is asked for, so nothing is weighed or coloured, and a few frames that see
the same views are done together: a shot of 250 frames takes well under two seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor

from .constraint.splat import CPU_PART, SKY
from .context import scaled
from .model.sampler import Cancelled
from .session import CameraBlock, Cancel
from .world import World

LOW_PIXELS = 128 * 72
"""Pixels of a target frame at which coverage is measured."""
VIEW_PIXELS = CPU_PART
"""Pixels of a view that are kept of one that is larger than the target."""


@torch.inference_mode()
def coverage_of(
    world: World, cameras: CameraBlock, width: int, height: int, cancelled: Cancel = lambda: False
) -> list[float]:
    """The share of covered pixels, 0 to 1, for each camera of a target of (height, width).

    Target and views are thinned out by about the same factor, so that cracks between pixels that are seen from
    near show here as they will in the take; views larger than the target by more. The splat measures,
    whichever warp the preset has: it is asked for before a preset is loaded, and the surface takes too long with
    several views. Raises Cancelled.
    """
    factor = max(1.0, (width * height / LOW_PIXELS) ** 0.5)
    small_height, small_width = max(1, round(height / factor)), max(1, round(width / factor))
    rows, columns = world.size
    scale = min(1 / factor, (VIEW_PIXELS / (rows * columns)) ** 0.5)
    scale = max(scale, small_height / rows, small_width / columns)  # Fewer would lie apart like stars.
    intrinsics = scaled(cameras.intrinsics, small_width / width, small_height / height)
    count = len(cameras.times)
    if world.kind == "moving":
        shown = [[view] for view in world.views_at(cameras.times)]
    else:
        shown = [list(range(len(world.frames)))] * count
    motions = cameras.world_to_camera[:, None] @ torch.linalg.inv(world.world_to_camera)[torch.tensor(shown)]
    projections = (intrinsics[:, None] @ motions[:, :, :3]).float()
    shares: list[float] = []
    stop = 0
    for views, group in groupby(shown):
        start, stop = stop, stop + len(list(group))
        points = [_points(world.depth[view], world.intrinsics[view], scale) for view in views]
        largest = max(small_height * small_width, *(len(lifted[0]) for lifted in points))
        for part in projections[start:stop].split(max(1, CPU_PART // largest)):
            if cancelled():
                raise Cancelled
            known = torch.zeros(len(part), small_height, small_width, dtype=torch.bool)
            for index, lifted in enumerate(points):
                known |= _reached(lifted, part[:, index], small_height, small_width)
            shares += known.float().mean(dim=(1, 2)).tolist()
    return shares


def _points(depth: Tensor, intrinsics: Tensor, scale: float) -> list[Tensor]:
    """The pixels of a view (h, w), `scale` of them each way, as points of its camera: 4 x (n,), homogeneous.

    Sky is its direction with 0 below, a pixel without depth is all 0. Planes stay apart: together they would start
    threads, see `CPU_PART`.
    """
    rows, columns = depth.shape
    size = max(1, round(rows * scale)), max(1, round(columns * scale))
    row, column = (
        ((torch.arange(count) + 0.5) * whole / count).long()
        for count, whole in zip(size, depth.shape, strict=True)
    )
    sampled = depth.reshape(-1).index_select(0, (row[:, None] * columns + column).flatten()).view(size)
    lens = scaled(intrinsics[None], size[1] / columns, size[0] / rows)[0]
    x = ((torch.arange(size[1]) - lens[0, 2]) / lens[0, 0]).float()
    y = ((torch.arange(size[0]) - lens[1, 2]) / lens[1, 1]).float()[:, None]
    sky = sampled >= SKY
    z = sampled.where(~sky, 1.0)
    return [plane.flatten() for plane in (x * z, y * z, z, ((sampled > 0) & ~sky).float())]


def _reached(points: Sequence[Tensor], projections: Tensor, height: int, width: int) -> Tensor:
    """The pixels (F, H, W), bool, of F targets that points 4 x (n,) reach through `projections` (F, 3, 4)."""
    frames, across, down = len(projections), width + 2, height + 2  # One pixel of border around each target.
    x, y, z = (_dot(line, points) for line in projections.unbind(dim=1))
    u, v = x.div_(z).add_(1), y.div_(z).add_(1)
    inside = (z > 0) & (u >= 0) & (u < width + 1) & (v >= 0) & (v < height + 1)
    cells = v.long().mul_(across).add_(u.long()).add_(torch.arange(frames)[:, None] * (across * down))
    outside = frames * across * down
    known = torch.zeros(outside + 1, dtype=torch.bool)
    known.index_fill_(0, cells.where(inside, outside).flatten(), True)
    corners = known[:outside].view(frames, down, across)
    upper, lower = corners[:, :-1], corners[:, 1:]
    rows = upper | lower
    return (rows[:, :, :-1] | rows[:, :, 1:])[:, :height, :width]


def _dot(line: Tensor, points: Sequence[Tensor]) -> Tensor:
    """Lines (F, 4) times points 4 x (n,)."""
    x, y, z, w = points
    return line[:, 0, None] * x + line[:, 1, None] * y + line[:, 2, None] * z + line[:, 3, None] * w
