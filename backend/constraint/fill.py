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


def distance_weights(known: Tensor, depth: Tensor, power: float) -> Tensor:
    """Weight of each pixel in the fill: 0 in holes, rising with distance. (F, H, W) each -> (F, 1, H, W)."""
    frames = known.shape[0]
    finite = known & torch.isfinite(depth)
    # nanmedian over known, finite pixels; 1 where a frame has none
    median = torch.where(finite, depth, torch.nan).reshape(frames, -1).nanmedian(dim=1).values
    median = torch.nan_to_num(median, nan=1.0).clamp(min=1e-6).view(frames, 1, 1)
    relative = torch.where(finite, depth / median, DISTANCE_RANGE[1]).clamp(*DISTANCE_RANGE)
    return (known * relative**power).unsqueeze(1)


def fill_holes(render: Render, power: float = DISTANCE_POWER) -> Tensor:
    """The render's colour (F, 3, H, W) with every hole filled from its surroundings, far ones first.

    Known pixels come back unchanged; a frame without any known pixel comes back as mid grey (0).
    """
    weight = distance_weights(render.known, render.depth, power).to(render.colour.dtype)
    colour = render.colour * (weight > 0)
    levels = [(colour, weight)]
    while max(levels[-1][0].shape[-2:]) > 1:
        fine_colour, fine_weight = levels[-1]
        pooled = F.avg_pool2d(fine_weight, 2, ceil_mode=True, count_include_pad=False)
        mixed = F.avg_pool2d(fine_colour * fine_weight, 2, ceil_mode=True, count_include_pad=False)
        levels.append((mixed / pooled.clamp(min=1e-12) * (pooled > 0), pooled))
    filled, trust = levels[-1]
    for fine_colour, fine_weight in reversed(levels[:-1]):
        size = fine_colour.shape[-2:]
        coarse_trust = F.interpolate(trust, size=size, mode="bilinear", align_corners=False)
        coarse = F.interpolate(filled * trust, size=size, mode="bilinear", align_corners=False)
        seen = fine_weight > 0
        filled = torch.where(seen, fine_colour, coarse / coarse_trust.clamp(min=1e-12))
        trust = torch.where(seen, fine_weight, coarse_trust)
    return filled
