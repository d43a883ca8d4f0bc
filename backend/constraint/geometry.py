"""Depth of a scene's triangles in a camera, at the centre of every pixel.

    triangles (T, 3, 3)     moved into the camera, times intrinsics: corners p0 p1 p2 = (u z, v z, z)
    bounds (T, 2)           the pixels that a triangle may reach; most of a dressed set's reach no centre and go
    rows (R,)               a triangle in a row of pixels: from where to where it reaches, by its three edges
    pixels (P,)             of these rows, with 1 / z there; the largest stays: (H, W)

A pixel's ray q = (u, v, 1) meets the triangle where q . (p1 x p2), q . (p2 x p0) and q . (p0 x p1) all have the sign
of p0 . (p1 x p2); their sum over it is 1 / z there. That holds for triangles that reach behind the camera too, so none
is cut (Olano and Greer, Triangle Scan Conversion using 2D Homogeneous Coordinates, 1997). An edge that two triangles
share is the same numbers with the other sign in each, so there is no crack between them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

NEAR = 1e-3
"""Surfaces nearer to the camera than this do not count."""

TRIANGLES_AT_ONCE = 1 << 18
PIXELS_AT_ONCE = 1 << 20


def depth_of_triangles(
    triangles: Tensor, intrinsics: Tensor, world_to_camera: Tensor, size: tuple[int, int]
) -> Tensor:
    """Planar depth of the nearest surface (F, H, W), float32, inf where there is none; it lies where the triangles do.

    triangles (T, 3, 3) float32: corners in world space; both sides are seen. intrinsics (F, 3, 3), world_to_camera
    (F, 4, 4): OpenCV axes, pixel centres at integers. size: (H, W).
    """
    height, width = size
    device = triangles.device
    inverse = torch.zeros(len(world_to_camera), height * width, device=device)
    poses = world_to_camera.to("cpu", torch.float64)
    turns = (intrinsics.to("cpu", torch.float64) @ poses[:, :3, :3]).to(device, torch.float32)
    centres = -(poses[:, :3, :3].mT @ poses[:, :3, 3:]).squeeze(2).to(device, torch.float32)
    inference = torch.is_inference_mode_enabled()

    # Numbers of one kind lie together: corner, coordinate, triangle.
    planes = [some.permute(1, 2, 0).contiguous() for some in triangles.split(TRIANGLES_AT_ONCE)]

    def draw(frame: int) -> None:
        with torch.inference_mode(inference), torch.no_grad():
            for some in planes:
                _draw(turns[frame] @ (some - centres[frame, :, None]), width, height, inverse[frame])

    # Frames get a thread each, as in the splat.
    workers = torch.get_num_threads() if device.type == "cpu" else 1
    with ThreadPoolExecutor(max_workers=min(workers, max(len(poses), 1))) as pool:
        list(pool.map(draw, range(len(poses))))
    return inverse.reciprocal_().view(-1, height, width)


def _draw(corners: Tensor, width: int, height: int, inverse: Tensor) -> None:
    """Raise `inverse` (H W,) to the inverse depth of triangles with corners (3, 3, T): each (u z, v z, z)."""
    first, last = _bounds(corners, width, height)
    drawn = ((last[0] >= first[0]) & (last[1] >= first[1])).nonzero().squeeze(1)
    first, last = first[:, drawn], last[:, drawn]
    p0, p1, p2 = corners[..., drawn].double()
    edges = torch.stack([torch.linalg.cross(a, b, dim=0) for a, b in ((p1, p2), (p2, p0), (p0, p1))])
    volume = (p0 * edges[0]).sum(dim=0)
    plane = torch.where(volume == 0, 0.0, edges.sum(dim=0) / volume)
    # With the volume's sign taken out, inside is where no edge is negative.
    lines = torch.cat([edges * volume.sign(), plane[None]]).float()
    area = (last - first + 1).prod(dim=0).cumsum(0)
    start = 0
    while start < len(area):
        done = int(area[start - 1]) if start else 0
        stop = max(start + 1, int(torch.searchsorted(area, done + PIXELS_AT_ONCE, right=True)))
        part = slice(start, stop)
        _draw_rows(lines[..., part], first[:, part], last[:, part], width, inverse)
        start = stop


def _bounds(corners: Tensor, width: int, height: int) -> tuple[Tensor, Tensor]:
    """First and last pixel (2, T), across and down, that a triangle may reach; the last before the first: none.

    Of a triangle that reaches behind the camera the part before it counts: its corners, and where its edges pass NEAR.
    """
    ahead = corners[:, 2] >= NEAR
    low, high = _extent(corners[:, :2] / corners[:, 2:], ahead)
    crossing = (ahead.any(dim=0) & ~ahead.all(dim=0)).nonzero().squeeze(1)
    if len(crossing):
        here = corners[..., crossing]
        there = here.roll(-1, dims=0)
        share = (NEAR - here[:, 2:]) / (there[:, 2:] - here[:, 2:])
        cut = (here + share * (there - here))[:, :2] / NEAR
        passes = ahead[:, crossing] != ahead[:, crossing].roll(-1, dims=0)
        low_cut, high_cut = _extent(cut, passes)
        low[:, crossing] = low_cut.minimum(low[:, crossing])
        high[:, crossing] = high_cut.maximum(high[:, crossing])
    size = torch.tensor([[width], [height]], device=corners.device, dtype=corners.dtype)
    return low.ceil().clamp(min=0).minimum(size).long(), high.floor().clamp(min=-1).minimum(size - 1).long()


def _extent(places: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    """Least and greatest (2, T) of the places on screen (3, 2, T) that are `there` (3, T)."""
    there = there[:, None]
    return torch.where(there, places, torch.inf).amin(dim=0), torch.where(there, places, -torch.inf).amax(
        dim=0
    )


def _draw_rows(lines: Tensor, first: Tensor, last: Tensor, width: int, inverse: Tensor) -> None:
    """Raise `inverse` by triangles given as lines (4, 3, T): three edges and 1 / z, each linear in u, v and 1."""
    which, row = _repeated(last[1] - first[1] + 1, first[1])
    slope, drop, rest = lines[..., which].unbind(1)
    rest = drop.mul_(row).add_(rest)
    at = -rest[:3] / slope[:3]
    left = torch.where(slope[:3] > 0, at, -torch.inf).amax(dim=0).ceil()
    right = torch.where(slope[:3] < 0, at, torch.inf).amin(dim=0).floor()
    beside = ((slope[:3] == 0) & (rest[:3] < 0)).any(dim=0)
    left = left.maximum(first[0, which])
    right = torch.where(beside, -1.0, right.minimum(last[0, which]))
    count = (right - left + 1).clamp(min=0).long()
    place, column = _repeated(count, left.long())
    found = slope[3, place] * column + rest[3, place]
    found = torch.where(found * NEAR <= 1, found, 0.0)
    inverse.scatter_reduce_(0, (row * width)[place] + column, found, "amax")


def _repeated(count: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """For each of N entries `count` numbers from `start` on: the entry's index, and the number."""
    which = torch.repeat_interleave(count)
    return which, torch.arange(len(which), device=count.device) + (start - count.cumsum(0) + count)[which]
