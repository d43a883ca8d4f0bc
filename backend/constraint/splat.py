"""The reference seen from the target cameras: forward warping by depth, splatted bilinearly.

One view of h x w pixels into one target camera of H x W:

    points  (4, n)      every pixel lifted by its planar depth, homogeneous; sky is a point at infinity
    u, v, z (n,)        moved into the target camera and projected
    sums    (P, cells)  each point shared among its four neighbours by proximity, nearer points counting more
    -> colour (3, H, W), depth (H, W), known (H, W)

A point's weight is proximity / exp(50 * log(1+z) / max log(1+z)), z saturated at 1000, the maximum being over
the whole warped view: softmax splatting (arXiv 2003.05534) with the importance that the generator was trained
on. Several views are splatted alone; in every target pixel the view with the nearest warped depth wins, and a
tie keeps the lower view.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor

FALLOFF = 50.0
"""How much the farthest point of a view counts less than one at the camera: exp(-50)."""

SATURATION = 1000.0
"""Depth beyond which points no longer count less."""

SKY = 1e9
"""Depth from which on a pixel is sky: it turns with the camera and does not shift."""

HOLE = -1.0
"""Colour of a pixel that nothing reached."""

CPU_PART = 32000
"""Pixels a CPU works on at a time. They stay in its cache, and torch starts no threads for so few (below
32768): where Blender keeps the cores busy, waiting for threads takes longer than the work."""

Matrix = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Render:
    """A reference rendered into F target cameras.

    colour (F, 3, H, W): -1..1, -1 in holes.
    known (F, H, W): bool, what at least one view reached.
    depth (F, H, W): planar depth in the target camera, unit of the input; inf in holes, and in known pixels
        where sky outweighs everything else.
    per_view_known (F, V, H, W): bool, what each view alone reached.
    """

    colour: Tensor
    known: Tensor
    depth: Tensor
    per_view_known: Tensor

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.colour, self.known, self.depth, self.per_view_known

    def split(self, count: int) -> list[Render]:
        """The same `count` frames at a time."""
        return [Render(*parts) for parts in zip(*(x.split(count) for x in self.tensors), strict=True)]

    @staticmethod
    def joined(parts: Sequence[Render]) -> Render:
        """Renders of the same views, one after the other."""
        return Render(*(torch.cat(same) for same in zip(*(part.tensors for part in parts), strict=True)))


def splat_views(
    colour: Tensor,
    depth: Tensor,
    intrinsics: Tensor,
    world_to_camera: Tensor,
    target_intrinsics: Tensor,
    target_world_to_camera: Tensor,
    size: tuple[int, int] | None = None,
) -> Render:
    """Render V views into F target cameras.

    colour (V, 3, h, w) in -1..1, depth (V, h, w) planar, intrinsics (V, 3, 3) and world_to_camera (V, 4, 4)
    of the views; target_intrinsics (F, 3, 3) and target_world_to_camera (F, 4, 4); `size` (H, W) of the
    targets, the views' if left out. Cameras are OpenCV's with pixel centres at integers; motion between them
    is taken in their own dtype, so give float64 where they stand far from the world's origin. Pixels whose
    depth is 0, negative or NaN and points behind a target camera reach nothing; depth of `SKY` or more, inf
    too, is sky.
    """
    height, width = size or (depth.shape[-2], depth.shape[-1])
    frames, views, device = len(target_world_to_camera), len(depth), colour.device
    render = Render(
        colour=torch.full((frames, 3, height, width), HOLE, device=device),
        known=torch.zeros(frames, height, width, dtype=torch.bool, device=device),
        depth=torch.full((frames, height, width), torch.inf, device=device),
        per_view_known=torch.zeros(frames, views, height, width, dtype=torch.bool, device=device),
    )
    lifted = [_lift(colour[view], depth[view], intrinsics[view]) for view in range(views)]
    exact = torch.promote_types(world_to_camera.dtype, target_world_to_camera.dtype)
    targets = target_world_to_camera.to("cpu", exact)
    motions = [targets @ torch.linalg.inv(source) for source in world_to_camera.to("cpu", exact)]
    projections = target_intrinsics.tolist()
    inference = torch.is_inference_mode_enabled()

    def render_frame(frame: int) -> None:
        with torch.inference_mode(inference), torch.no_grad():
            for view, parts in enumerate(lifted):
                # One cell of border around the target takes what falls outside.
                sums = torch.empty(len(parts[0].planes) + 1, height + 2, width + 2, device=device)
                _splat(parts, motions[view][frame].tolist(), projections[frame], sums)
                _merge(sums[:, 1:-1, 1:-1], render, frame, view)

    # Parts are too small for torch's own threads, so frames get one each.
    workers = torch.get_num_threads() if device.type == "cpu" else 1
    with ThreadPoolExecutor(max_workers=min(workers, max(frames, 1))) as pool:
        list(pool.map(render_frame, range(frames)))
    return render


@dataclass(frozen=True)
class _Part:
    """Some n pixels of a view as points of its camera.

    points (4, n): homogeneous; a pixel of sky is its direction with 0 below. pixels (2, n): column and row.
    usable (n,): bool, whether the pixel has depth. sky (n,): bool, None where the view has none.
    planes 4 or 5 of (n,): what is averaged beside z: red, green, blue, 1, and, in a view with sky, 1 where it
        is not sky.
    """

    points: list[Tensor]
    pixels: tuple[Tensor, Tensor]
    usable: Tensor
    sky: Tensor | None
    planes: list[Tensor]


def _lift(colour: Tensor, depth: Tensor, intrinsics: Tensor) -> list[_Part]:
    """Pixels of a view (3, h, w) with depth (h, w) as points of its camera, in parts."""
    width, device = depth.shape[-1], colour.device
    colour = rearrange(colour.to(torch.float32), "c h w -> c (h w)")
    depth = rearrange(depth.to(device, torch.float32), "h w -> (h w)")
    has_sky = any(bool((depth[cut] >= SKY).any()) for cut in _cuts(len(depth), device))
    inverse = torch.linalg.inv(intrinsics.cpu()).tolist()
    parts = []
    for cut in _cuts(len(depth), device):
        index = torch.arange(cut.start, cut.stop, device=device)
        column, row = (index % width).float(), torch.div(index, width, rounding_mode="floor").float()
        d = depth[cut]
        sky = d >= SKY
        ones, solid = torch.ones_like(d), (~sky).float()
        # Depth that is no number must not spoil the maximum over the view: it stays at the camera, as 0 does.
        scale = torch.where(sky, 1.0, torch.where(d.isfinite(), d, 0.0))
        parts.append(
            _Part(
                points=[*(_dot(line, (column, row, ones)) * scale for line in inverse), solid],
                pixels=(column, row),
                usable=d > 0,
                sky=sky if has_sky else None,
                planes=[*colour[:, cut], ones, solid] if has_sky else [*colour[:, cut], ones],
            )
        )
    return parts


def _cuts(length: int, device: torch.device) -> list[slice]:
    """How `length` numbers are cut into parts: small ones on a CPU, one elsewhere."""
    size = CPU_PART if device.type == "cpu" else length
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def _dot(line: Sequence[float], planes: Iterable[Tensor]) -> Tensor:
    """Sum of planes, each times its number of the line.

    Products are rounded before they are summed, on any machine. A point that falls on a whole coordinate, as
    all do when nothing moves, reaches a neighbour or not by the last bit; matmul would leave that bit to the
    processor.
    """
    total, *others = (plane * number for number, plane in zip(line, planes, strict=True))
    for product in others:
        total += product
    return total


def _project(part: _Part, motion: Matrix, intrinsics: Matrix) -> tuple[Tensor, Tensor, Tensor]:
    """Coordinates u, v in a target, 1 at the first pixel's centre, and planar depth z there; (n,) each."""
    moved = [_dot(line, part.points) for line in motion[:3]]
    x, y, z = (_dot(line, moved) for line in intrinsics)
    # The displacement is added to the pixel, as when the generator was trained: it rounds off the last bits.
    column, row = part.pixels
    u = x.div_(z).sub_(column).add_(column).add_(1)
    v = y.div_(z).sub_(row).add_(row).add_(1)
    return u, v, z


def _splat(parts: list[_Part], motion: Matrix, intrinsics: Matrix, sums: Tensor) -> None:
    """Fill `sums` (P, H+2, W+2) with a view's weighted sums: of the parts' planes, then of z (0 for sky)."""
    height, width = sums.shape[1] - 2, sums.shape[2] - 2
    projected = [_project(part, motion, intrinsics) for part in parts]
    nearness = [_saturate(part, z) for part, (_, _, z) in zip(parts, projected, strict=True)]
    farthest = torch.stack([far.max() for far in nearness]).max()
    falloff = -FALLOFF / farthest.log()

    for cut in _cuts(sums.numel(), sums.device):
        sums.view(-1)[cut].zero_()
    totals = sums.flatten(1)
    for part, (u, v, z), far in zip(parts, projected, nearness, strict=True):
        inside = part.usable & (z > 0) & (u > 0) & (u < width + 1) & (v > 0) & (v < height + 1)
        u, v = torch.where(inside, u, 0.0), torch.where(inside, v, 0.0)
        left, top = u.long(), v.long()
        right_share, bottom_share = u - left, v - top
        # On a whole coordinate both neighbours are the same cell, at full proximity: the point counts twice.
        right, below = right_share > 0, bottom_share > 0
        weight = far.pow_(falloff)
        cells = top.mul_(width + 2).add_(left)
        values = [*part.planes, z if part.sky is None else torch.where(part.sky, 0.0, z)]
        for down, share_down in (
            (0, 1 - bottom_share),
            (below * (width + 2), bottom_share.where(below, 1.0)),
        ):
            weight_down, cells_down = weight * share_down, cells + down
            for across, share in ((0, 1 - right_share), (right, right_share.where(right, 1.0))):
                cell, shared = cells_down + across, weight_down * share
                for total, value in zip(totals, values, strict=True):
                    total.scatter_add_(0, cell, value * shared)


def _saturate(part: _Part, z: Tensor) -> Tensor:
    """1 + z (n,) for the weights: 1 behind the camera, saturated, and saturated for sky."""
    far = z.clamp(0, SATURATION)
    if part.sky is not None:
        far = torch.where(part.sky & (z > 0), SATURATION, far)
    return far.add_(1)


def _merge(sums: Tensor, render: Render, frame: int, view: int) -> None:
    """Put a view's sums (P, H, W) into the render of one frame, where it is nearer than the lower views."""
    height, width = sums.shape[-2:]
    rows = max(1, CPU_PART // width) if sums.device.type == "cpu" else height
    for start in range(0, height, rows):
        band = slice(start, start + rows)
        red, green, blue, weight, *solid, depth = sums[:, band]
        known = weight > 0
        mean = depth / weight
        if solid:
            mean = torch.where(solid[0] * 2 > weight, depth / solid[0], torch.inf)
        wins = known & ((mean < render.depth[frame, band]) | ~render.known[frame, band])
        for out, total in zip(render.colour[frame, :, band], (red, green, blue), strict=True):
            out.copy_(torch.where(wins, (total / weight).clamp_(-1, 1), out))
        render.depth[frame, band] = torch.where(wins, mean, render.depth[frame, band])
        render.known[frame, band] |= known
        render.per_view_known[frame, view, band] = known
