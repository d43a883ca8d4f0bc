"""Depth-aware filling of the holes of a render: what `completion` starts from.

The released generator is given holes as -1. A patch autoencoder mixes a hole's -1 into the known pixels of the same
patch, so `tiny` is conditioned on a filled render instead (its mask still says where the holes are). What lies in a
disocclusion is nearly always what is behind: known pixels count by their distance, so that the background flows
into the hole and the foreground does not.

One block, step by step: render.colour (F, 3, H, W) with -1 in holes and render.known (F, H, W)
-> weights (F, 1, H, W) -> pull: halve weighted colours until one pixel is left -> push: from coarse to fine, each
level shows its own colour where it has weight and the coarser one where it has not -> (F, 3, H, W), no holes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from .splat import Render

# Weight of a known pixel grows with this power of its distance (relative to the frame's median). Of 0, 0.5, 1, 1.5, 2
# and 3 the one that came nearest to the truth on rasterised scenes.
DISTANCE_POWER = 1.0
# The nearest and farthest relative distances that still make a difference: beyond them lies "near" or "sky".
DISTANCE_RANGE = (0.1, 10.0)


def distance_weights(known: Tensor, depth: Tensor, powers: tuple[float, ...]) -> Tensor:
    """Weight of each pixel in each fill: 0 in holes, rising with distance. (F, H, W) each -> (F, P, H, W)."""
    median = median_depth(known & depth.isfinite(), depth)
    relative = torch.where(depth.isfinite(), depth / median, DISTANCE_RANGE[1]).clamp(*DISTANCE_RANGE)
    return torch.stack([known * relative**power for power in powers], dim=1)


def median_depth(counted: Tensor, depth: Tensor) -> Tensor:
    """Median of each frame's depth over the `counted` pixels (F, H, W) -> (F, 1, 1); 1 where there are none."""
    median = torch.where(counted, depth, torch.nan).flatten(1).nanmedian(dim=1).values
    return torch.nan_to_num(median, nan=1.0).clamp(min=1e-6)[:, None, None]


def fill_holes(render: Render, powers: tuple[float, ...] = (DISTANCE_POWER,)) -> Tensor:
    """The render's colour (F, 3 P, H, W) with every hole filled from its surroundings, once for each power.

    Known pixels come back unchanged; a frame without any known pixel comes back as mid grey (0). Colours stay
    multiplied by their weights from the first level to the last, so that all fills share one walk and one division.
    """
    weight = distance_weights(render.known, render.depth, powers).to(render.colour.dtype).unsqueeze(2)
    colour = render.colour.unsqueeze(1)
    fine = torch.cat([torch.where(weight > 0, colour * weight, 0.0), weight], dim=2)  # (F, P, 3 + 1, H, W)
    levels = [fine.flatten(1, 2)]
    while max(levels[-1].shape[-2:]) > 1:
        levels.append(F.avg_pool2d(levels[-1], 2, ceil_mode=True, count_include_pad=False))
    known = [level.unflatten(1, (-1, 4))[:, :1, 3] > 0 for level in levels]  # alike for all powers
    filled = levels[-1]
    for level, seen in reversed(list(zip(levels[:-1], known[:-1], strict=True))):
        coarse = F.interpolate(filled, size=level.shape[-2:], mode="bilinear", align_corners=False)
        filled = torch.where(seen, level, coarse)
    mixed = filled.unflatten(1, (-1, 4))
    answer = mixed[:, :, :3] / mixed[:, :, 3:].clamp(min=1e-12)
    return torch.where(render.known[:, None, None], colour, answer).flatten(1, 2)
