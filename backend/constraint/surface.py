"""The reference seen from the target cameras: its pixels joined to a surface, cut where depth jumps, and rasterised.

Beside `splat`, which the released generators were trained on, this leaves no flying pixels at edges and no cracks
where the camera comes close. One view of h x w pixels into one target camera of H x W:

    polygons    a quad between four neighbouring pixels wherever they are one surface; where they are not, and along
                the picture's border, a cell: the pixel's own square, in the plane that its connected neighbours tell
    u, v, near  (corners) moved into the target camera and projected; `near` is 1 / depth there, 0 for sky
    nearest     (H, W) int64: scatter-max of near's bits with the polygon's number below them
    colour, depth, known (H, W) of the winner: its plane is met with the pixel's ray

Everything is done in disparity w = 1 / depth. With A = K' R K^-1 and t = K' (translation), a pixel s = (x, y, 1) of
the view lands at p ~ A s + w t, so the sky (w = 0) is a surface like any other, at infinity, that turns with the
camera and loses to everything. A plane is w = G s. Solved for the ray of a target pixel p, with q = A^-1 p and
e = A^-1 t:  1 / depth = k = G q / (1 + G e)  and  s ~ q - k e.  The sign of 1 + G e tells which side is seen: a surface
seen from behind hides what is behind it, and what it shows itself is unknown: a hole.

As with the micropolygons of REYES (Cook, Carpenter, Catmull 1987), a polygon has one depth where it competes with
others, its farthest corner's; what is handed out is exact. No result depends on an order: integers' maximum is the
same whichever thread comes first, on a GPU too.

Floor of the hot path, which is a quad that covers about one pixel: about 100 float operations and four 8-byte
maxima in a picture that stays in the cache; a target pixel takes about 50 more, 8 plane numbers and 12 of colour.
Memory it must touch: 4 + 12 bytes a view's pixel (disparity; share, limit, number), 24 + 16 a target's. The splat's are
about 60 operations and 20 4-byte sums.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .splat import CPU_PART, HOLE, SKY, Matrix, Render

STEEP = 5.0
"""Tangent of the angle between a surface's normal and the ray, up to which neighbours are always joined: 79 degrees."""

GRAZING = 30.0
"""The same, 88 degrees, up to which a surface that goes on as it did is joined: a floor that runs to the horizon. What
does not go on so is a veil: too steep to show anything, it hides what is behind it, or a wall seen edge-on would let
the sky through between its pixels. Beyond lies a gap between two things."""

BEHIND = 0.9
"""A veil's 1 / depth counts as this much of its farthest corner's, so that it never hides what stands there itself."""

BEND = 0.5
"""By how much of itself a step of disparity may differ from the one beside it and still go on as it did."""

NEAR = 1e-3
"""Polygons with a corner nearer than this, as a share of its depth in the view, are left out: they cross the
target camera's plane, and only what is nearer than their own size could be seen of them."""

TOUCH = 1e-3
"""How far, in pixels, polygons reach over their edges: more than what rounding tears open between them."""

PAIRS = CPU_PART
"""Rows of large triangles, and pixels of such rows, that are worked on at a time."""

SAME = 1.01
"""Views whose depths differ by less than this factor see the same surface: the lower keeps the pixel."""


def surface_views(
    colour: Tensor,
    depth: Tensor,
    intrinsics: Tensor,
    world_to_camera: Tensor,
    target_intrinsics: Tensor,
    target_world_to_camera: Tensor,
    size: tuple[int, int] | None = None,
) -> Render:
    """Render V views into F target cameras: what `splat_views` takes and gives, word for word.

    A pixel is known where the nearest surface of some view is seen from its front. Views may be of any size beside
    the targets': they need not be magnified.
    """
    height, width = size or (depth.shape[-2], depth.shape[-1])
    frames, views, device = len(target_world_to_camera), len(depth), colour.device
    render = Render(
        colour=torch.full((frames, 3, height, width), HOLE, device=device),
        known=torch.zeros(frames, height, width, dtype=torch.bool, device=device),
        depth=torch.full((frames, height, width), torch.inf, device=device),
        per_view_known=torch.zeros(frames, views, height, width, dtype=torch.bool, device=device),
    )
    surfaces = [_Surface.of(*view) for view in zip(colour, depth, intrinsics, strict=True)]
    targets = target_world_to_camera.to("cpu", torch.float64)
    motions = [targets @ torch.linalg.inv(source) for source in world_to_camera.to("cpu", torch.float64)]
    onto = target_intrinsics.to("cpu", torch.float64)
    inference = torch.is_inference_mode_enabled()

    def render_frame(frame: int) -> None:
        with torch.inference_mode(inference), torch.no_grad():
            seen = torch.full((height, width), -1.0, device=device)
            for view, surface in enumerate(surfaces):
                warp = _Warp.between(surface.lens, motions[view][frame], onto[frame])
                nearest = _rasterised(surface, warp, height, width)
                _resolve(surface, warp, nearest, seen, render, frame, view)

    # As in the splat: parts are too small for torch's own threads, so frames get one each.
    workers = torch.get_num_threads() if device.type == "cpu" else 1
    with ThreadPoolExecutor(max_workers=min(workers, max(frames, 1))) as pool:
        list(pool.map(render_frame, range(frames)))
    return render


@dataclass(frozen=True)
class _Warp:
    """From a view's pixels to a target's: p ~ forth s + w shift, and back: s ~ back p - k epipole."""

    forth: Matrix
    shift: Sequence[float]
    back: Matrix
    epipole: Sequence[float]

    @staticmethod
    def between(lens: Tensor, motion: Tensor, onto: Tensor) -> _Warp:
        """`lens` and `onto` (3, 3): intrinsics of view and target; motion (4, 4): from one's camera to the other's."""
        forth = onto @ motion[:3, :3] @ torch.linalg.inv(lens)
        shift, back = onto @ motion[:3, 3], torch.linalg.inv(forth)
        return _Warp(forth.tolist(), shift.tolist(), back.tolist(), (back @ shift).tolist())


@dataclass(frozen=True)
class _Surface:
    """A view's polygons, the same for every target. n = h w pixels; polygon i < n is the quad below and right of pixel
    i, polygon n + j the cell of pixel rim[j].

    colour (3, h, w), disparity (h, w), lens (3, 3) float64.
    limit (h-1, w-1): inf where there is a quad, -1 where there is not.
    share (h-1, w-1): how much of a quad's 1 / depth counts where it competes with others.
    numbers (h-1, w-1): int32, what a quad is drawn as, see `_rasterised`.
    rim (m,): pixels that have a cell. corners: x, y and disparity, (4, m) each, clockwise from the top left.
    planes (8, n + m): G of the triangle at a polygon's first corner, G of that at the opposite one, and column and row
        of its pixel.
    across (h, w), down (h, w), joined (h, w): bool, whether a pixel is one surface with its right neighbour, with the
        lower one, and with those two and the one between.
    """

    colour: Tensor
    disparity: Tensor
    lens: Tensor
    limit: Tensor
    share: Tensor
    numbers: Tensor
    rim: Tensor
    corners: tuple[Tensor, Tensor, Tensor]
    planes: Tensor
    across: Tensor
    down: Tensor
    joined: Tensor

    @staticmethod
    def of(colour: Tensor, depth: Tensor, intrinsics: Tensor) -> _Surface:
        """The polygons of a view: colour (3, h, w), depth (h, w), intrinsics (3, 3)."""
        device, (rows, columns) = colour.device, depth.shape
        depth = depth.to(device, torch.float32)
        usable, sky = depth > 0, depth >= SKY
        w = torch.where(usable & ~sky, 1 / depth, 0.0)
        lens = intrinsics.to("cpu", torch.float64)
        (across, veil_across), (down, veil_down) = (
            _connected(w, usable, sky, float(lens[0, 0])),
            [side.T.contiguous() for side in _connected(w.T, usable.T, sky.T, float(lens[1, 1]))],
        )
        joined, veiled = _quads(across, down), _quads(veil_across, veil_down)

        whole = F.pad(joined, (1, 0, 1, 0))
        inner = whole[1:, 1:] & whole[:-1, 1:] & whole[1:, :-1] & whole[:-1, :-1]
        rim = (usable & ~inner).flatten().nonzero()[:, 0]
        column, row = _places(rows, columns, device)
        x, y, own = column[rim], row[rim], w.flatten()[rim]
        slope_x = _slope(w, across).flatten()[rim]
        slope_y = _slope(w.T, down.T).T.flatten()[rim]
        half = torch.tensor([[-0.5, 0.5, 0.5, -0.5], [-0.5, -0.5, 0.5, 0.5]], device=device)[..., None]
        corner_w = (own + half[0] * slope_x + half[1] * slope_y).clamp(min=0)
        cell = [slope_x, slope_y, own - slope_x * x - slope_y * y]

        right, below = F.pad(w, (0, 1))[:, 1:], F.pad(w, (0, 0, 0, 1))[1:]
        beyond = F.pad(w, (0, 1, 0, 1))[1:, 1:]
        a, b, c, d = (plane.flatten() for plane in (w, right, below, beyond))
        first = [b - a, c - a, a - (b - a) * column - (c - a) * row]
        last = [d - c, d - b, d - (d - c) * (column + 1) - (d - b) * (row + 1)]
        quads = [*first, *last, column, row]
        polygons = rows * columns + len(rim)
        numbers = torch.arange(1, rows * columns + 1, dtype=torch.int32, device=device).view(rows, columns)
        return _Surface(
            colour.to(torch.float32).contiguous(),
            w,
            lens,
            torch.where(joined | veiled, torch.inf, -1.0)[:-1, :-1],
            torch.where(joined, 1.0, BEHIND)[:-1, :-1],
            torch.where(joined, numbers, numbers + polygons)[:-1, :-1],
            rim,
            (x + half[0], y + half[1], corner_w),
            torch.stack([torch.cat(pair) for pair in zip(quads, [*cell, *cell, x, y], strict=True)]),
            across,
            down,
            joined,
        )


def _even(count: int, size: int, device: torch.device) -> int:
    """How many of `count` things of `size` numbers are worked on at a time: all, or on a CPU an even part of them."""
    parts = -(-count * size // CPU_PART) if device.type == "cpu" else 1
    return max(1, -(-count // max(1, parts)))


def _places(rows: int, columns: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Column and row of every pixel, (rows * columns,) each."""
    row, column = torch.meshgrid(
        torch.arange(rows, device=device).float(), torch.arange(columns, device=device).float(), indexing="ij"
    )
    return column.flatten(), row.flatten()


def _quads(across: Tensor, down: Tensor) -> Tensor:
    """Where pixels (h, w) that are connected to the right and down make quads: three sides of four do, as the fourth
    step is what the other three come to."""
    sides = across[:-1, :-1].int() + across[1:, :-1] + down[:-1, :-1] + down[:-1, 1:]
    return F.pad(sides >= 3, (0, 1, 0, 1))


def _connected(w: Tensor, usable: Tensor, sky: Tensor, focal: float) -> tuple[Tensor, Tensor]:
    """Whether pixels of (h, w) are one surface with their right neighbours, and whether at least a veil: (h, w) each,
    from disparity w.

    Over a plane disparity changes by the same step from pixel to pixel, and step / disparity is the tangent of the
    angle to the ray over the focal length in pixels.
    """
    left, right = w[:, :-1], w[:, 1:]
    step = right - left
    tangent = focal * step.abs() / torch.minimum(left, right)
    steps = F.pad(step[:, None], (1, 1), value=torch.nan)[:, 0]
    goes_on = torch.zeros_like(tangent, dtype=torch.bool)
    for beside in (steps[:, :-2], steps[:, 2:]):
        goes_on |= (beside - step).abs() <= BEND * torch.minimum(beside.abs(), step.abs())
    solid = usable & ~sky
    both = solid[:, :-1] & solid[:, 1:]
    one = both & ((tangent <= STEEP) | (goes_on & (tangent <= GRAZING))) | (sky[:, :-1] & sky[:, 1:])
    return F.pad(one, (0, 1)), F.pad(one | both & (tangent <= GRAZING), (0, 1))


def _slope(w: Tensor, connected: Tensor) -> Tensor:
    """Change of disparity (h, w) from pixel to pixel along a row, from the neighbours that are connected; else 0."""
    step = F.pad((w[:, 1:] - w[:, :-1]) * connected[:, :-1], (1, 1))
    count = F.pad(connected[:, :-1].float(), (1, 1))
    return (step[:, :-1] + step[:, 1:]) / (count[:, :-1] + count[:, 1:]).clamp(min=1)


def _rasterised(surface: _Surface, warp: _Warp, height: int, width: int) -> Tensor:
    """The nearest polygon of every target pixel: (H+2, W+2) int64, with a border. 0 where there is none, else the bits
    of its 1 / depth above its number + 1, where that is to be seen; what is a veil or seen from behind has a number
    beyond all polygons."""
    device = surface.disparity.device
    target = _Target(
        torch.zeros((height + 2) * (width + 2), dtype=torch.int64, device=device),
        height,
        width,
        surface.planes.shape[1],
    )
    rows, columns = surface.disparity.shape
    rest = []
    band = _even(rows - 1, columns, device)
    x = torch.arange(columns, device=device).float()
    for start in range(0, rows - 1, band):
        stop = min(start + band, rows - 1)
        y = torch.arange(start, stop + 1, device=device).float()[:, None]
        grid = _project(warp, x, y, surface.disparity[start : stop + 1])
        u, v, near = ((p[:-1, :-1], p[:-1, 1:], p[1:, 1:], p[1:, :-1]) for p in grid)
        farthest = torch.minimum(_least(near) * surface.share[start:stop], surface.limit[start:stop])
        rest.append(_draw(u, v, farthest, surface.numbers[start:stop], target))
    count = len(surface.rim)
    part = _even(count, 1, device)
    for start in range(0, count, part):
        cut = slice(start, min(start + part, count))
        u, v, near = (tuple(p) for p in _project(warp, *(corner[:, cut] for corner in surface.corners)))
        numbers = torch.arange(cut.start, cut.stop, dtype=torch.int32, device=device)
        rest.append(_draw(u, v, _least(near), numbers + (rows * columns + 1), target))
    if rest:
        large_u, large_v, keys = (torch.cat(same, dim=-1) for same in zip(*rest, strict=True))
        _draw_triangles(large_u, large_v, keys, target)
    return target.nearest.view(height + 2, width + 2)


@dataclass(frozen=True)
class _Target:
    """What is drawn into: `nearest` ((H+2) (W+2),) as `_rasterised` says; `polygons` as many as there are."""

    nearest: Tensor
    height: int
    width: int
    polygons: int


Corners = tuple[Tensor, ...]


def _project(warp: _Warp, x: Tensor, y: Tensor, w: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where the view's points (x, y) with disparity w lie in the target: u, v, 1 / depth; the last -1 where `NEAR`."""
    moved = [
        ((x * a + c) + y * b).add_(w, alpha=s) for (a, b, c), s in zip(warp.forth, warp.shift, strict=True)
    ]
    z = moved[2]
    front = z > NEAR
    scale = z.clamp_(min=NEAR).reciprocal_()
    return moved[0].mul_(scale), moved[1].mul_(scale), torch.where(front, w * scale, -1.0)


def _least(four: Corners) -> Tensor:
    return torch.minimum(torch.minimum(four[0], four[1]), torch.minimum(four[2], four[3]))


def _most(four: Corners) -> Tensor:
    return torch.maximum(torch.maximum(four[0], four[1]), torch.maximum(four[2], four[3]))


def _cross(ax: Tensor, ay: Tensor, bx: Tensor, by: Tensor) -> Tensor:
    return (ax * by).addcmul_(ay, bx, value=-1)


def _draw(
    u: Corners, v: Corners, near: Tensor, numbers: Tensor, target: _Target
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw polygons with four corners clockwise; none where `near`, their 1 / depth, is negative.

    Nearly all reach over one or two pixels across and down: the four pixels from the first in reach on are tested
    for each. Handed back is what `_draw_triangles` has to draw: larger ones, and what is not convex or seen from
    behind.
    """
    keys = torch.stack((numbers, near.view(torch.int32)), dim=-1).view(torch.int64)[..., 0]
    stride = target.width + 2
    left, top = _least(u), _least(v)
    right, bottom = _most(u), _most(v)
    column = left.ceil().clamp_(-1, target.width - 1)
    row = top.ceil().clamp_(-1, target.height - 1)
    after = (1, 2, 3, 0)
    # From the pixel to the corners; twice the area between an edge and the pixel is negative outside.
    to_u, to_v = [corner - column for corner in u], [corner - row for corner in v]
    du, dv = (
        [to_u[j] - to_u[i] for i, j in enumerate(after)],
        [to_v[j] - to_v[i] for i, j in enumerate(after)],
    )
    turns = tuple(_cross(du[i], dv[i], du[j], dv[j]) for i, j in enumerate(after))
    slow = (torch.maximum(right - column, bottom - row) >= 2) | (_least(turns) <= 0)
    slow &= near >= 0
    edges = tuple(_cross(to_u[i], to_v[i], to_u[j], to_v[j]).add_(TOUCH) for i, j in enumerate(after))
    cells = ((row + 1) * stride + (column + 1)).long()
    for step, along, sign in ((0, dv, 0), (1, dv, -1), (stride, du, 1), (-1, dv, 1)):
        if step:
            cells += step
            for edge, change in zip(edges, along, strict=True):
                edge.add_(change, alpha=sign)
        # The sign bit of what is outside, spread over the whole key, makes it negative: it wins against nothing.
        outside = (_least(edges).view(torch.int32) >> 31).long()
        target.nearest.scatter_reduce_(0, cells.flatten(), outside.bitwise_or_(keys).flatten(), "amax")

    flat = slow.flatten().nonzero()[:, 0]
    columns = slow.shape[-1]
    place = (flat,) if slow.dim() == 1 else (flat // columns, flat % columns)
    return torch.stack([p[place] for p in u]), torch.stack([p[place] for p in v]), keys[place]


def _draw_triangles(u: Tensor, v: Tensor, keys: Tensor, target: _Target) -> None:
    """Draw polygons u, v (4, m) of any size as two triangles each: the span of every row that they reach."""
    if not len(keys):
        return
    halves = torch.tensor([[0, 1, 3], [2, 3, 1]], device=u.device)
    u, v = (corner[halves].transpose(0, 1).flatten(1) for corner in (u, v))
    keys = keys.repeat(2)
    area = (u[1] - u[0]) * (v[2] - v[0]) - (v[1] - v[0]) * (u[2] - u[0])
    keys = keys + target.polygons * (area < 0)
    v, order = v.sort(dim=0)
    u = u.gather(0, order)
    first = (v[0] - TOUCH).ceil().clamp(min=0)
    last = (v[2] + TOUCH).floor().clamp(max=target.height - 1)
    inside = (u.amin(dim=0) <= target.width - 1) & (u.amax(dim=0) >= 0) & (area != 0)
    counts = ((last - first + 1).clamp(min=0) * inside).long()

    for triangle, offset in _repeated(counts):
        y = first.index_select(0, triangle) + offset
        u0, u1, u2, v0, v1, v2 = (corner.index_select(0, triangle) for corner in (*u, *v))
        # The long edge from top to bottom, and the way over the corner between.
        ends = []
        for way in (((u0, v0, u2, v2),), ((u0, v0, u1, v1), (u1, v1, u2, v2))):
            x = u0
            for ua, va, ub, vb in way:
                x = x + (ub - ua) * ((y - va) / (vb - va).clamp(min=1e-9)).clamp(0, 1)
            ends.append(x)
        start = (torch.minimum(*ends) - TOUCH).ceil().clamp(min=0)
        stop = (torch.maximum(*ends) + TOUCH).floor().clamp(max=target.width - 1)
        cells = ((y + 1) * (target.width + 2) + (start + 1)).long()
        of_row = keys.index_select(0, triangle)
        for span, pixel in _repeated((stop - start + 1).clamp(min=0).long()):
            covered = cells.index_select(0, span).add_(pixel)
            target.nearest.scatter_reduce_(0, covered, of_row.index_select(0, span), "amax")


def _repeated(counts: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Every index as often as counts (m,) says, with 0, 1, 2 ... beside it; about `PAIRS` at a time."""
    ends = counts.cumsum(0)
    start, done = 0, 0
    while start < len(counts):
        stop = max(start + 1, int(torch.searchsorted(ends, done + PAIRS, right=True)))
        total = int(ends[stop - 1]) - done
        if total:
            index = torch.repeat_interleave(
                torch.arange(start, stop, device=counts.device), counts[start:stop], output_size=total
            )
            before = (ends - counts).sub_(done).index_select(0, index)
            yield index, torch.arange(total, device=counts.device) - before
        start, done = stop, done + total


def _resolve(
    surface: _Surface, warp: _Warp, nearest: Tensor, seen: Tensor, render: Render, frame: int, view: int
) -> None:
    """Put a view into the render of one frame where it is nearer than `seen` (H, W), the lower views' 1 / depth."""
    height, width = seen.shape
    polygons, device = surface.planes.shape[1], seen.device
    cells = []
    rows = _even(height, width, device)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        band = slice(top, bottom)
        keys = nearest[top + 1 : bottom + 1, 1:-1].contiguous()
        number, bits = (half.contiguous() for half in keys.view(torch.int32).view(*keys.shape, 2).unbind(-1))
        near = bits.view(torch.float32)
        reached, front = number > 0, (number > 0) & (number <= polygons)
        number = number.sub_(1).clamp_(0, polygons - 1)
        wins = reached & (near > seen[band] * SAME)
        shows, hides = wins & front, wins & ~front
        x, y, exact = _met(surface, warp, number, top, near)
        render.per_view_known[frame, view, band] = front
        render.known[frame, band] |= shows
        for out, value in zip(render.colour[frame, :, band], _sampled(surface, x, y), strict=True):
            torch.where(shows, value, out, out=out)
        places = (shows & (number >= surface.disparity.numel())).flatten().nonzero()[:, 0]
        cells.append([places + top * width, *(p.flatten().index_select(0, places) for p in (x, y, number))])
        distance, farthest = render.depth[frame, band], seen[band]
        torch.where(shows, exact.reciprocal_(), distance, out=distance)
        torch.where(wins, near, farthest, out=farthest)
        if view and bool(hides.any()):
            render.known[frame, band] &= ~hides
            render.colour[frame, :, band].masked_fill_(hides, HOLE)
            distance.masked_fill_(hides, torch.inf)
    places, x, y, number = (torch.cat(same) for same in zip(*cells, strict=True))
    own = surface.rim.index_select(0, number - surface.disparity.numel())
    render.colour[frame].flatten(1).index_copy_(1, places, _cell_colour(surface, x, y, own))


def _met(
    surface: _Surface, warp: _Warp, number: Tensor, top: int, near: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Where in the view the rays of target pixels (rows, W) from row `top` on meet their polygons `number`: x and y,
    and 1 / depth in the target there."""
    device, shape = number.device, number.shape
    u = torch.arange(shape[1], device=device).float()
    v = torch.arange(top, top + shape[0], device=device).float()[:, None]
    ray = [(u * a + c) + v * b for a, b, c in warp.back]
    index = number.flatten()
    *planes, column, row = (plane.index_select(0, index).view(shape) for plane in surface.planes)

    def meet(plane: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        along = (plane[0] * ray[0]).addcmul_(plane[1], ray[1]).addcmul_(plane[2], ray[2])
        facing = plane[0] * warp.epipole[0]
        facing.add_(plane[1], alpha=warp.epipole[1]).add_(plane[2], alpha=warp.epipole[2])
        k = along.div_(facing.add_(1).clamp_(min=1e-6))
        return [torch.add(q, k, alpha=-e) for q, e in zip(ray, warp.epipole, strict=True)], k

    (sx, sy, sz), _ = meet(planes[:3])
    beyond = (sx.add_(sy) > (column + row).add_(1).mul_(sz)).float()
    plane = [torch.lerp(first, last, beyond) for first, last in zip(planes[:3], planes[3:], strict=True)]
    (sx, sy, sz), k = meet(plane)
    # A polygon that is seen edge-on leaves rounding errors where the ray meets it: they stay within its pixel.
    scale = sz.clamp_(min=1e-6).reciprocal_()
    x, y = (s.mul_(scale).sub_(own).clamp_(-0.5, 1).add_(own) for s, own in ((sx, column), (sy, row)))
    return x, y, torch.maximum(k, near)


def _sampled(surface: _Surface, x: Tensor, y: Tensor) -> Tensor:
    """Colour (3, rows, W) of the view at (x, y): right in quads; cells need `_cell_colour`."""
    rows, columns = surface.disparity.shape
    grid = torch.stack((x * (2 / max(columns - 1, 1)) - 1, y * (2 / max(rows - 1, 1)) - 1), dim=-1)
    return F.grid_sample(surface.colour[None], grid[None], padding_mode="border", align_corners=True)[0]


def _cell_colour(surface: _Surface, x: Tensor, y: Tensor, own: Tensor) -> Tensor:
    """Colour (3, m) at places (m,) in the cells of pixels `own` (m,): bilinear over what is one surface with them."""
    rows, columns = surface.disparity.shape
    column, row = own % columns, torch.div(own, columns, rounding_mode="floor")
    dx, dy = x - column, y - row
    # The quarter of the cell: its neighbours are to the left or right of it, above or below.
    left, above = (dx < 0).long(), (dy < 0).long()
    beside, over = own + (1 - 2 * left), own + columns * (1 - 2 * above)
    around = torch.stack([own, beside, over, over + (beside - own)]).clamp_(0, rows * columns - 1)
    first = (own - left).clamp_(min=0), (own - columns * above).clamp_(min=0)
    quad = (own - left - columns * above).clamp_(min=0)
    joined = (column >= left) & (row >= above) & surface.joined.flatten().index_select(0, quad)
    along = (column >= left) & surface.across.flatten().index_select(0, first[0]) | joined
    down = (row >= above) & surface.down.flatten().index_select(0, first[1]) | joined
    dx, dy = dx.abs_(), dy.abs_()
    weights = torch.stack(
        [(1 - dx) * (1 - dy), dx * (1 - dy) * along, (1 - dx) * dy * down, dx * dy * joined]
    )
    weights /= weights.sum(dim=0)
    colours = (plane.flatten().index_select(0, around.flatten()).view_as(weights) for plane in surface.colour)
    return torch.stack([(colour * weights).sum(dim=0) for colour in colours])
