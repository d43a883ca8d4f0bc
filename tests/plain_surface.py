"""The surface warp written down plainly, one view into one target: what `backend.constraint.surface` must equal.

Every polygon in turn is met with the ray of every target pixel, in double precision, with the textbook's ray and
plane in space; the pixel keeps the polygon whose farthest corner is nearest. Only what is one surface (`_Surface`) is
taken from the module.
"""

from __future__ import annotations

import torch
from torch import Tensor

from backend.constraint.surface import NEAR, TOUCH, _Surface

BESIDE = 4 * TOUCH
"""Pixels of the target: where an edge passes nearer than this to a pixel's centre, either answer is right."""


def plain_surface(
    colour: Tensor,
    depth: Tensor,
    intrinsics: Tensor,
    motion: Tensor,
    onto: Tensor,
    size: tuple[int, int],
) -> tuple[Tensor, Tensor, Tensor]:
    """Depth (H, W) of a view (h, w) in a target, inf in sky and holes; whether it is known; whether that is certain.

    motion (4, 4): from the view's camera to the target's. Certain: one polygon alone is the nearest, and it is a
    little beside the pixel's centre too.
    """
    surface = _Surface.of(colour, depth, intrinsics)
    height, width = size
    row, column = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    back = torch.linalg.inv(onto.double())
    rotation, translation = motion[:3, :3].double(), motion[:3, 3].double()
    to_pixels = torch.linalg.inv(intrinsics.double())

    corners, shown, share = polygons_of(surface)
    points, w = corners[..., :2], corners[..., 2]
    points = torch.cat([points, torch.ones_like(w)[..., None]], dim=-1) @ to_pixels.T
    # Homogeneous, so that a corner of the sky is its direction with 0 below.
    moved = points @ rotation.T + translation * w[..., None]
    before = moved[..., 2].amin(dim=1) > NEAR
    moved, w, shown, share = moved[before], w[before], shown[before], share[before]
    farthest = (w / moved[..., 2]).amin(dim=1) * share
    halves = torch.tensor([[0, 1, 3], [2, 3, 1]])
    basis = moved[:, halves].mT.flatten(0, 1)
    turned = torch.linalg.det(basis)
    solid = turned.abs() > 1e-9
    farthest, shown = (x.repeat_interleave(2)[solid] for x in (farthest, shown))
    shown = shown & (turned[solid] > 0)
    if not len(farthest):
        return torch.full(size, torch.inf), torch.zeros(size).bool(), torch.ones(size).bool()
    inverse, near = torch.linalg.inv(basis[solid]), w[:, halves].flatten(0, 1)[solid]

    def nearest(x: float, y: float) -> tuple[Tensor, Tensor, Tensor]:
        """What wins and how near it is, a little beside the pixels' centres; and whether nothing else is as near."""
        rays = torch.stack([column + x, row + y, torch.ones_like(row)], dim=-1) @ back.T
        # A ray is a sum of a triangle's corners, and meets it where all shares are positive.
        shares = torch.einsum("tij,hwj->thwi", inverse, rays)
        met = torch.where(shares.amin(dim=-1) >= 0, farthest[:, None, None], -1.0)
        best, winner = met.max(dim=0)
        k = torch.einsum("thwi,ti->thw", shares, near).gather(0, winner[None])[0]
        alone = ((met >= best * (1 - 1e-5)) & (met >= 0)).sum(dim=0) <= 1
        return torch.where(best >= 0, winner, -1), k, alone

    winner, k, certain = nearest(0, 0)
    for x, y in ((-BESIDE, 0), (BESIDE, 0), (0, -BESIDE), (0, BESIDE)):
        certain = certain & (nearest(x, y)[0] == winner)
    known = (winner >= 0) & shown[winner]
    return torch.where(known, 1 / k, torch.inf), known, certain


def polygons_of(surface: _Surface) -> tuple[Tensor, Tensor, Tensor]:
    """Corners (P, 4, 3) clockwise: x, y, disparity; whether it is shown, and how much of its nearness counts, (P,)."""
    row, column = (surface.limit > 0).nonzero().unbind(dim=1)
    y = torch.stack([row, row, row + 1, row + 1], dim=1)
    x = torch.stack([column, column + 1, column + 1, column], dim=1)
    quads = torch.stack([x, y, surface.disparity[y, x]], dim=-1).double()
    cells = torch.stack(surface.corners, dim=-1).transpose(0, 1).double()
    shown = surface.numbers[row, column] <= surface.planes.shape[1]
    many = torch.ones(len(cells))
    return (
        torch.cat([quads, cells]),
        torch.cat([shown, many.bool()]),
        torch.cat([surface.share[row, column], many]).double(),
    )
