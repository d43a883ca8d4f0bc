"""Planar depth of triangles, at the centre of every pixel: exact, and quick for the few triangles of stand-ins.

A pixel's ray q = (u, v, 1) meets the triangle of p0, p1, p2 (corners times intrinsics: (u z, v z, z)) where all of

    e0 = q . (p1 x p2)    e1 = q . (p2 x p0)    e2 = q . (p0 x p1)

have the sign of det = p0 . (p1 x p2), at 1 / z = (e0 + e1 + e2) / det. That holds for triangles that reach behind
the camera too, so nothing is clipped (Olano and Greer, Triangle Scan Conversion using 2D Homogeneous Coordinates,
1997). In a row of pixels each edge leaves one side of a point, so a triangle is a span of each row; an edge that two
triangles share has the same point for both, and there is no crack between them.

The nearest surface is that of the largest 1 / z, which is linear in u and v. Knows nothing of Blender.
"""

import numpy as np

SMALL = 1024
"""Pixels of a triangle's bounds up to which triangles are drawn many at a time."""
AT_ONCE = 1 << 20
"""Pixels of small triangles' bounds that are looked at in one go: some 50 MB."""


def planar_depth(
    triangles: np.ndarray, intrinsics: np.ndarray, size: tuple[int, int], near: float, far: float
) -> np.ndarray:
    """Depth (height, width), float32, of the nearest surface at each pixel's centre, 0 where there is none.

    triangles (N, 3, 3): corners in the camera's space, OpenCV axes. size: (width, height). Surfaces nearer than `near`
    or farther than `far` do not count. Both sides of a triangle are seen.
    """
    width, height = size
    inverse = np.zeros((height, width))
    corners = np.asarray(triangles, np.float64) @ np.asarray(intrinsics, np.float64).T
    edges = np.stack([np.cross(corners[:, i - 2], corners[:, i - 1]) for i in range(3)], 1)
    det = np.einsum("ni,ni->n", corners[:, 0], edges[:, 0])
    low, high = _bounds(corners, width, height)
    drawn = np.isfinite(det) & (det != 0) & (corners[..., 2].max(1) > near) & np.all(high > low, 1)
    # With the sign of det taken out, inside is where every edge is positive.
    edges = edges[drawn] * np.sign(det[drawn])[:, None, None]
    planes = edges.sum(1) / np.abs(det[drawn])[:, None]
    low, high = low[drawn], high[drawn]
    counts = np.prod(high - low, 1)
    for i in np.flatnonzero(counts > SMALL):
        _draw_large(inverse, edges[i], planes[i], low[i], high[i], near)
    small = np.flatnonzero(counts <= SMALL)
    for part in np.split(small, np.flatnonzero(np.diff(np.cumsum(counts[small]) // AT_ONCE)) + 1):
        _draw_small(inverse, edges[part], planes[part], low[part], high[part], near)
    inverse[inverse < 1 / far] = 0
    return np.divide(1, inverse, where=inverse > 0, out=inverse).astype(np.float32)


def _bounds(corners: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """First pixel and that after the last, (N, 2) across and down: the whole picture where a corner is behind."""
    z = corners[..., 2:]
    limit = np.array([width, height])
    with np.errstate(all="ignore"):
        at = np.nan_to_num(corners[..., :2] / z)
    low, high = np.floor(at.min(1)), np.ceil(at.max(1)) + 1
    ahead = np.all(z[..., 0] > 1e-6 * np.abs(corners).max(axis=(1, 2))[:, None], axis=1)[:, None]
    low, high = np.where(ahead, low, 0), np.where(ahead, high, limit)
    return np.clip(low, 0, limit).astype(np.int64), np.clip(high, 0, limit).astype(np.int64)


def _spans(
    edges: np.ndarray, rows: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """First column of a triangle in a row, and that after its last: edges (M, 3, 3), rows, low and high (M,)."""
    slope, rest = edges[..., 0], edges[..., 1] * rows[:, None] + edges[..., 2]
    with np.errstate(all="ignore"):
        at = -rest / slope
    first = np.ceil(np.where(slope > 0, at, -np.inf).max(1))
    after = np.floor(np.where(slope < 0, at, np.inf).min(1)) + 1
    after[np.any((slope == 0) & (rest < 0), 1)] = -np.inf
    first = np.clip(first, low, high).astype(np.int64)
    return first, np.maximum(np.clip(after, low, high).astype(np.int64), first)


def _draw_large(inverse, edges, plane, low, high, near):
    rows, columns = np.arange(low[1], high[1]), np.arange(low[0], high[0])
    first, after = _spans(np.broadcast_to(edges, (len(rows), 3, 3)), rows, low[0], high[0])
    inside = (columns >= first[:, None]) & (columns < after[:, None])
    found = plane[0] * columns + (plane[1] * rows + plane[2])[:, None]
    inside &= found <= 1 / near
    found *= inside
    area = inverse[low[1] : high[1], low[0] : high[0]]
    np.maximum(area, found, out=area)


def _draw_small(inverse, edges, planes, low, high, near):
    lines = high[:, 1] - low[:, 1]
    which = np.repeat(np.arange(len(lines)), lines)
    rows = np.arange(len(which)) - np.repeat(np.cumsum(lines) - lines - low[:, 1], lines)
    first, after = _spans(edges[which], rows, low[which, 0], high[which, 0])
    counts = after - first
    columns = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts - first, counts)
    along = np.repeat(planes[which, 0], counts)
    found = along * columns + np.repeat(planes[which, 1] * rows + planes[which, 2], counts)
    pixels = np.repeat(rows * inverse.shape[1], counts) + columns
    there = found <= 1 / near
    order = np.argsort(found[there])  # Of several at one pixel the last that is written stays: the nearest.
    found, pixels = found[there][order], pixels[there][order]
    flat = inverse.reshape(-1)
    flat[pixels] = np.maximum(flat[pixels], found)
