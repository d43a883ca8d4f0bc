"""The splat written down plainly, one view into one target: what `backend.constraint.splat` must equal.

One index_put a corner, exp and log as in the formula, nothing cut into parts or reused.
"""

from __future__ import annotations

import torch
from torch import Tensor

from backend.constraint.splat import FALLOFF, SATURATION, SKY


def product(matrix: Tensor, vectors: list[Tensor]) -> list[Tensor]:
    """Matrix times vectors, products rounded before they are summed."""
    return [
        sum((a * x for a, x in zip(row[1:], vectors[1:], strict=True)), row[0] * vectors[0]) for row in matrix
    ]


def plain_splat(
    colour: Tensor,
    depth: Tensor,
    intrinsics: Tensor,
    world_to_camera: Tensor,
    target_intrinsics: Tensor,
    target_world_to_camera: Tensor,
    size: tuple[int, int],
) -> tuple[Tensor, Tensor, Tensor]:
    """Colour (3, H, W), depth (H, W) and known (H, W) of a view (3, h, w) with depth (h, w) in one target."""
    height, width = size
    row, column = (x.float() for x in torch.meshgrid(*map(torch.arange, depth.shape), indexing="ij"))
    sky = depth >= SKY
    usable = depth > 0
    d = torch.where(usable & ~sky, depth, 1.0)
    motion = (target_world_to_camera @ torch.linalg.inv(world_to_camera)).float()

    ray = product(torch.linalg.inv(intrinsics), [column, row, torch.ones_like(d)])
    point = product(motion[:3], [*(x * d for x in ray), (~sky).float()])
    x, y, z = product(target_intrinsics, point)
    u, v = x / z - column + column + 1, y / z - row + row + 1

    visible = usable & (z > 0) & (u > 0) & (u < width + 1) & (v > 0) & (v < height + 1)
    everywhere = torch.where(depth.isfinite() & ~sky, depth, 0.0)
    whole = product(motion[:3], [*(x * torch.where(sky, 1.0, everywhere) for x in ray), (~sky).float()])
    z_of_all = product(target_intrinsics, whole)[2].clamp(0, SATURATION)
    log = torch.log(1 + torch.where(sky & (z > 0), SATURATION, z_of_all))
    weight = (1 / torch.exp(FALLOFF * log / log.max()))[visible]

    u, v, z, solid = u[visible], v[visible], z[visible], (~sky)[visible].float()
    values = torch.stack([*colour[:, visible], z * solid, solid, torch.ones_like(z)])
    sums = torch.zeros(len(values), height + 2, width + 2)
    for across, near_x in ((u.floor(), 1 - (u - u.floor())), (u.ceil(), 1 - (u.ceil() - u))):
        for down, near_y in ((v.floor(), 1 - (v - v.floor())), (v.ceil(), 1 - (v.ceil() - v))):
            for total, value in zip(sums, values, strict=True):
                shares = value * weight * near_x * near_y
                total.index_put_((down.long(), across.long()), shares, accumulate=True)

    *colours, distance, solid, weight = sums[:, 1:-1, 1:-1]
    known = weight > 0
    return (
        torch.where(known, torch.stack(colours) / weight, -1.0),
        torch.where(solid * 2 > weight, distance / solid, torch.inf),
        known,
    )
