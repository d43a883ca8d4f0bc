"""The surface warp written down plainly, one view into one target: what `backend.constraint.surface` must equal.

Every polygon in turn is met with the ray of every target pixel, in double precision, with the textbook's ray and
plane in space; the pixel keeps the polygon whose farthest corner is nearest. Only what is one surface (`_Surface`) is
taken from the module.
"""

from __future__ import annotations

import torch
from torch import Tensor

from backend.constraint.surface import NEAR, _Surface

MARGIN = 1e-3
"""Of a pixel of the view: where a polygon's edge passes nearer than this to a ray, either answer is right."""


def plain_surface(
    colour: Tensor,
    depth: Tensor,
    intrinsics: Tensor,
    motion: Tensor,
    onto: Tensor,
    size: tuple[int, int],
) -> tuple[Tensor, Tensor, Tensor]:
    """Depth (H, W) of a view (h, w) in a target, inf in sky and holes; whether it is known; whether that is certain.

    motion (4, 4): from the view's camera to the target's. Certain: one polygon alone is the nearest, and none of its edges
    or of a nearer one's passes through the pixel's centre.
    """
    surface = _Surface.of(colour, depth, intrinsics)
    height, width = size
    row, column = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    back = torch.linalg.inv(onto.double())
    rays = torch.stack([column, row, torch.ones_like(row)], dim=-1) @ back.T
    rotation, translation = motion[:3, :3].double(), motion[:3, 3].double()
    to_pixels = torch.linalg.inv(intrinsics.double())

    triangles = []
    for corners, shown, share in polygons_of(surface):
        # Homogeneous points, so that a corner of the sky is its direction with 0 below.
        points = [
            (to_pixels @ torch.tensor([x, y, 1.0], dtype=torch.float64), w) for x, y, w in corners
        ]
        moved = [rotation @ ray + translation * w for ray, w in points]
        if min(float(point[2]) for point in moved) <= NEAR:
            continue
        farthest = min(w / float(point[2]) for point, (_, w) in zip(moved, points, strict=True)) * share
        for three in ((0, 1, 3), (2, 3, 1)):
            basis = torch.stack([moved[i] for i in three], dim=1)
            turned = float(torch.linalg.det(basis))
            if abs(turned) > 1e-12:
                # The ray is a sum of the corners: in the triangle where all shares are positive.
                shares = rays @ torch.linalg.inv(basis).T
                near = shares @ torch.tensor([points[i][1] for i in three], dtype=torch.float64)
                inner = shares.amin(dim=-1) / shares.sum(dim=-1).abs().clamp(min=1e-12)
                triangles.append((inner, near, torch.tensor(farthest), torch.tensor(shown and turned > 0)))
    if not triangles:
        return torch.full(size, torch.inf), torch.zeros(size).bool(), torch.ones(size).bool()
    inner, near, farthest, shown = (torch.stack(same) for same in zip(*triangles, strict=True))
    farthest = farthest[:, None, None].expand_as(inner)
    best, winner = torch.where(inner >= 0, farthest, -1.0).max(dim=0)
    rivals = (farthest >= best * (1 - 1e-5)) & (inner > -MARGIN)
    certain = ~(rivals & (inner < MARGIN)).any(dim=0) & (rivals.sum(dim=0) <= 1)
    known = (best >= 0) & shown[winner]
    distance = 1 / near.gather(0, winner[None])[0]
    return torch.where(known, distance, torch.inf), known, certain


def polygons_of(surface: _Surface) -> list[tuple[list[tuple[float, float, float]], bool, float]]:
    """Corners (x, y, disparity) clockwise, whether it is shown, and how much of its nearness counts."""
    polygons = surface.planes.shape[1]
    found = []
    for r, c in (surface.limit > 0).nonzero().tolist():
        places = [(c, r), (c + 1, r), (c + 1, r + 1), (c, r + 1)]
        corners = [(x, y, float(surface.disparity[y, x])) for x, y in places]
        found.append((corners, int(surface.numbers[r, c]) <= polygons, float(surface.share[r, c])))
    for cell in range(len(surface.rim)):
        x, y, w = (corner[:, cell].tolist() for corner in surface.corners)
        found.append((list(zip(x, y, w, strict=True)), True, 1.0))
    return found
