"""The surface warp written down plainly, one view into one target: what `backend.constraint.surface` must equal.

Every polygon in turn is met with the ray of every target pixel, in double precision, with the textbook's ray and
plane in space; the pixel keeps the polygon whose farthest corner is nearest, or where there is none the
fringe whose is farthest. Only what is one surface (`joins.py`) is
taken from the program.
"""

from __future__ import annotations

import torch
from torch import Tensor

from backend.constraint.joins import ACROSS, CELL, DOWN, QUAD, VEIL
from backend.constraint.raster import BEHIND, NEAR, REACH, TOUCH
from backend.constraint.surface import Surface

BESIDE = 4 * float(TOUCH)
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

    Depth is NaN where a fringe is shown: there it goes on beyond what the view tells, and may be cut off.

    motion (4, 4): from the view's camera to the target's. Certain: one polygon alone is the nearest, and it is a
    little beside the pixel's centre too.
    """
    surface = Surface.of(colour, depth, intrinsics)
    height, width = size
    row, column = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    back = torch.linalg.inv(onto.double())
    rotation, translation = motion[:3, :3].double(), motion[:3, 3].double()
    to_pixels = torch.linalg.inv(intrinsics.double())

    corners, shown, share, fringe = polygons_of(surface)
    points, w = corners[..., :2], corners[..., 2]
    points = torch.cat([points, torch.ones_like(w)[..., None]], dim=-1) @ to_pixels.T
    # Homogeneous, so that a corner of the sky is its direction with 0 below.
    moved = points @ rotation.T + translation * w[..., None]
    before = moved[..., 2].amin(dim=1) > float(NEAR)
    moved, w, shown, share, fringe = (x[before] for x in (moved, w, shown, share, fringe))
    farthest = (w / moved[..., 2]).amin(dim=1) * share
    rank = torch.where(fringe, -1 - farthest, farthest)
    halves = torch.tensor([[0, 1, 3], [2, 3, 1]])
    basis = moved[:, halves].mT.flatten(0, 1)
    turned = torch.linalg.det(basis)
    rank, shown, fringe = (x.repeat_interleave(2) for x in (rank, shown, fringe))
    solid = torch.where(fringe, turned, turned.abs()) > 1e-9
    rank, shown, fringe = rank[solid], shown[solid], fringe[solid]
    shown = shown & (turned[solid] > 0)
    if not len(rank):
        return torch.full(size, torch.inf), torch.zeros(size).bool(), torch.ones(size).bool()
    inverse, near = torch.linalg.inv(basis[solid]), w[:, halves].flatten(0, 1)[solid]

    def nearest(x: float, y: float) -> tuple[Tensor, Tensor, Tensor]:
        """What wins and how near it is, a little beside the pixels' centres; and whether nothing else is as near."""
        rays = torch.stack([column + x, row + y, torch.ones_like(row)], dim=-1) @ back.T
        # A ray is a sum of a triangle's corners, and meets it where all shares are positive.
        shares = torch.einsum("tij,hwj->thwi", inverse, rays)
        met = torch.where(shares.amin(dim=-1) >= 0, rank[:, None, None], -torch.inf)
        best, winner = met.max(dim=0)
        k = torch.einsum("thwi,ti->thw", shares, near).gather(0, winner[None])[0]
        alone = (met >= best - 1e-5 * best.abs()).sum(dim=0) <= 1
        return torch.where(best.isfinite(), winner, -1), k, alone | best.isinf()

    winner, k, certain = nearest(0, 0)
    for x, y in ((-BESIDE, 0), (BESIDE, 0), (0, -BESIDE), (0, BESIDE)):
        certain = certain & (nearest(x, y)[0] == winner)
    known = (winner >= 0) & shown[winner]
    distance = torch.where(known, 1 / k, torch.inf)
    return torch.where(known & fringe[winner], torch.nan, distance), known, certain


def polygons_of(surface: Surface) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Corners (P, 4, 3) clockwise: x, y, disparity; (P,) each: whether it is shown, how much of its nearness
    counts, and whether it is a fringe."""
    w, links = torch.from_numpy(surface.w).double(), torch.from_numpy(surface.links)
    row, column = ((links & (QUAD | VEIL)) > 0).nonzero().unbind(dim=1)
    y = torch.stack([row, row, row + 1, row + 1], dim=1)
    x = torch.stack([column, column + 1, column + 1, column], dim=1)
    quads = torch.stack([x, y, w[y, x]], dim=-1).double()
    shown = (links[row, column] & QUAD) > 0

    slope_x = mean_step(w, (links & ACROSS) > 0)
    slope_y = mean_step(w.T, (links & DOWN).T > 0).T
    y, x = ((links & CELL) > 0).nonzero().unbind(dim=1)
    cells, fringes = (
        torch.stack(
            [
                torch.stack([x + dx, y + dy, (w + dx * slope_x + dy * slope_y).clamp(min=0)[y, x]], dim=-1)
                for dx, dy in ((-half, -half), (half, -half), (half, half), (-half, half))
            ],
            dim=1,
        ).double()
        for half in (0.5, float(REACH))
    )
    many = torch.ones(2 * len(cells))
    return (
        torch.cat([quads, cells, fringes]),
        torch.cat([shown, many.bool()]),
        torch.cat([torch.where(shown, 1.0, float(BEHIND)), many]).double(),
        torch.cat([torch.zeros(len(quads) + len(cells)), torch.ones(len(fringes))]).bool(),
    )


def mean_step(w: Tensor, joined: Tensor) -> Tensor:
    """Change of w (h, w) along its rows, the mean over the neighbours that a pixel is joined to; 0 where to none."""
    steps = torch.where(joined[:, :-1], w.diff(dim=1), torch.nan)
    nothing = torch.full_like(w[:, :1], torch.nan)
    both = torch.stack([torch.cat([steps, nothing], dim=1), torch.cat([nothing, steps], dim=1)])
    return both.nanmean(dim=0).nan_to_num()
