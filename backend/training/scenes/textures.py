"""Procedural textures: every function draws one tileable picture (SIZE, SIZE, 4) float in 0..1.

Red, green and blue are sRGB colours; alpha is a height that bumps the shading. `draw` picks by family name.
"""

from __future__ import annotations

import numpy as np

from .patterns import SIZE, X, Y, any_colour, blend, cells, colour, neutral, noise, pack, warm
from .pictures import books, carpet, clouds, painting, poster, roof, wallpaper


def plaster(rng):
    n, fine = noise(rng, 1.5), noise(rng, 0.6)
    base = neutral(rng) if rng.random() < 0.7 else any_colour(rng)
    rgb = base * (0.88 + 0.14 * n + 0.08 * fine)[..., None]
    return pack(rgb, 0.4 + 0.2 * n + 0.2 * fine)


def planks(rng):
    rows = int(rng.integers(4, 11))
    ident, inside = cells(rng, int(rng.integers(1, 3)), rows, 0.5, 0.006)
    grain = noise(rng, 1.0, (1.6, 0.12))
    base = warm(rng)
    rgb = base * (0.62 + 0.35 * ident + 0.45 * (grain - 0.5))[..., None] * (0.35 + 0.65 * inside)[..., None]
    return pack(rgb, 0.5 * inside + 0.25 * grain)


def wood(rng):
    ring = noise(rng, 2.0, (0.25, 1.2)) * rng.uniform(8, 22)
    grain = noise(rng, 0.8, (0.08, 1.5))
    amount = 0.5 + 0.5 * np.sin(2 * np.pi * ring)
    base = warm(rng)
    return pack(blend(base * 0.7, base, 0.6 * amount + 0.4 * grain), 0.4 + 0.15 * grain)


def bricks(rng):
    rows = int(rng.choice([6, 8, 10, 12]))
    ident, inside = cells(rng, max(2, rows // 3), rows, 0.5, 0.012)
    base = (
        colour(rng.uniform(0.0, 0.08), rng.uniform(0.3, 0.7), rng.uniform(0.4, 0.75))
        if rng.random() < 0.65
        else neutral(rng)
    )
    fine = noise(rng, 0.8)
    rgb = base * (0.65 + 0.4 * ident + 0.3 * (fine - 0.5))[..., None]
    return pack(blend(neutral(rng) * 0.9, rgb, inside), 0.75 * inside + 0.2 * fine)


def tiles(rng):
    n = int(rng.choice([3, 4, 6, 8]))
    ident, inside = cells(rng, n, n, 0.5 * (rng.random() < 0.2), 0.008)
    a, b = any_colour(rng), neutral(rng)
    check = (np.floor(X * n) + np.floor(Y * n)) % 2 if rng.random() < 0.5 else (ident > 0.85).astype(float)
    rgb = (
        blend(a, b, check * rng.uniform(0.3, 1))
        * (0.85 + 0.2 * ident)[..., None]
        * (0.92 + 0.16 * noise(rng, 1.2))[..., None]
    )
    return pack(blend(neutral(rng) * 0.6, rgb, inside), 0.6 * inside + 0.1)


def marble(rng):
    vein = np.abs(np.sin(2 * np.pi * (2 * X + rng.integers(0, 3) * Y + rng.uniform(2, 5) * noise(rng, 1.7))))
    base, dark = neutral(rng), any_colour(rng) * 0.5
    return pack(
        blend(dark, base, np.clip(vein**0.35 * 0.9 + 0.2 * noise(rng, 1.2), 0, 1)), np.full_like(X, 0.5)
    )


def weave(rng):
    n = int(rng.choice([24, 32, 48]))
    warp, weft = np.sin(2 * np.pi * n * X), np.sin(2 * np.pi * n * Y)
    a, b = any_colour(rng), any_colour(rng)
    over = (np.floor(X * n) + np.floor(Y * n)) % 2
    pattern = np.sin(2 * np.pi * rng.integers(0, 5) * X) * np.sin(2 * np.pi * rng.integers(1, 6) * Y) > 0.2
    rgb = (
        blend(a, b, 0.25 * over + 0.6 * pattern * (rng.random() < 0.5))
        * (0.8 + 0.1 * warp + 0.1 * weft)[..., None]
    )
    return pack(rgb * (0.9 + 0.2 * noise(rng, 1.3))[..., None], 0.5 + 0.2 * warp * over)


def stone(rng):
    n, fine = noise(rng, 1.3), noise(rng, 0.7)
    rgb = (
        blend(neutral(rng) * 0.6, neutral(rng), np.clip(1.6 * n - 0.3, 0, 1)) * (0.8 + 0.4 * fine)[..., None]
    )
    return pack(rgb, 0.7 * n + 0.3 * fine)


def cobbles(rng):
    n = int(rng.integers(40, 90))
    points = rng.random((n, 2))
    small = np.stack([X[::2, ::2], Y[::2, ::2]], -1).reshape(-1, 1, 2).astype(np.float32)
    apart = np.abs(small - points.astype(np.float32))
    distance = np.square(np.minimum(apart, 1 - apart)).sum(-1)
    two = np.argpartition(distance, 1, -1)[:, :2]
    near = np.sort(np.sqrt(np.take_along_axis(distance, two, -1)), -1)
    first = distance.argmin(-1)

    def full(values):
        return values.reshape(SIZE // 2, SIZE // 2).repeat(2, 0).repeat(2, 1)

    edge = np.clip(full(near[:, 1] - near[:, 0]) * np.sqrt(n) * 2.2, 0, 1)
    shade = full(rng.random(n)[first])
    rgb = neutral(rng) * (0.55 + 0.5 * shade + 0.2 * (noise(rng, 0.9) - 0.5))[..., None]
    return pack(blend(rgb * 0.35, rgb, edge), 0.8 * edge**0.6)


def checker(rng):
    n = int(rng.choice([2, 4, 8]))
    check = (np.floor(X * n) + np.floor(Y * n)) % 2
    rgb = blend(any_colour(rng), any_colour(rng), check) * (0.9 + 0.15 * noise(rng, 1.2))[..., None]
    return pack(rgb, np.full_like(X, 0.5))


def stripes(rng):
    n = int(rng.choice([3, 5, 8, 12]))
    phase = (X if rng.random() < 0.6 else X + Y) * n % 1.0
    a, b, c = any_colour(rng), any_colour(rng), any_colour(rng)
    rgb = np.where((phase < rng.uniform(0.3, 0.6))[..., None], a, np.where((phase < 0.7)[..., None], c, b))
    return pack(rgb * (0.88 + 0.18 * noise(rng, 1.0))[..., None], 0.4 + 0.1 * noise(rng, 0.8))


def grass(rng):
    n, fine = noise(rng, 1.4), noise(rng, 0.5)
    hue = rng.uniform(0.17, 0.33)
    a, b = (
        colour(hue, rng.uniform(0.4, 0.7), rng.uniform(0.2, 0.45)),
        colour(hue - 0.05, 0.5, rng.uniform(0.4, 0.7)),
    )
    return pack(blend(a, b, np.clip(0.6 * n + 0.8 * fine - 0.2, 0, 1)), fine)


def ground(rng):
    n, fine = noise(rng, 1.2), noise(rng, 0.6)
    kind = rng.integers(4)
    base = [
        colour(0.09, 0.4, 0.75),
        colour(0.07, 0.45, 0.4),
        colour(0.6, 0.04, 0.93),
        colour(0.08, 0.05, 0.35),
    ][kind]
    rgb = base * (0.75 + 0.3 * n + 0.3 * (fine - 0.5))[..., None]
    return pack(rgb, 0.5 * n + 0.4 * fine)


def rust(rng):
    n = noise(rng, 1.2)
    paint = any_colour(rng)
    spots = np.clip(6 * (n - rng.uniform(0.5, 0.75)), 0, 1)
    rgb = blend(
        paint * (0.85 + 0.2 * noise(rng, 1.0))[..., None],
        colour(0.05, 0.7, 0.35) * (0.6 + 0.8 * noise(rng, 0.7))[..., None],
        spots,
    )
    return pack(rgb, 0.5 - 0.2 * spots)


def brushed(rng):
    line = noise(rng, 0.6, (0.03, 1.0))
    base = colour(rng.uniform(0.05, 0.65), rng.uniform(0.02, 0.3), rng.uniform(0.45, 0.85))
    return pack(base * (0.8 + 0.35 * line)[..., None], np.full_like(X, 0.5))


def gradient(rng):
    amount = 0.5 - 0.5 * np.cos(2 * np.pi * (Y if rng.random() < 0.5 else X))
    return pack(blend(any_colour(rng), any_colour(rng), amount), np.full_like(X, 0.5))


def plain(rng):
    return pack(
        np.ones((SIZE, SIZE, 3)) * (0.94 + 0.08 * noise(rng, 1.2))[..., None], 0.5 + 0.05 * noise(rng, 0.8)
    )


def foliage(rng):
    hue = rng.uniform(0.18, 0.38) if rng.random() < 0.8 else rng.uniform(0.02, 0.14)
    a, b = (
        colour(hue, rng.uniform(0.4, 0.8), rng.uniform(0.2, 0.4)),
        colour(hue - 0.06, rng.uniform(0.4, 0.8), rng.uniform(0.4, 0.75)),
    )
    return pack(blend(a, b, np.clip(noise(rng, 0.4) * 1.6 - 0.3, 0, 1)), np.full_like(X, 0.5))


def bark(rng):
    n = noise(rng, 1.0, (0.2, 1.5))
    base = colour(rng.uniform(0.05, 0.1), rng.uniform(0.15, 0.5), rng.uniform(0.25, 0.6))
    return pack(base * (0.4 + 1.0 * n)[..., None], n)


def facade(rng):
    columns, rows = int(rng.integers(2, 5)), int(rng.integers(2, 5))
    fx, fy = X * columns % 1, Y * rows % 1
    w, h = rng.uniform(0.2, 0.36), rng.uniform(0.22, 0.38)
    dx, dy = np.abs(fx - 0.5), np.abs(fy - 0.5)
    glass, frame = (dx < w) & (dy < h), (dx < w + 0.05) & (dy < h + 0.05)
    bar = (dx < 0.02) | (np.abs(fy - 0.42) < 0.02)
    wall = (bricks, plaster, stone)[rng.integers(3)](rng)
    pane = blend(
        colour(0.6, 0.3, 0.15),
        colour(0.57, 0.25, rng.uniform(0.35, 0.8)),
        np.clip(1 - fy + 0.2 * noise(rng, 1.5), 0, 1),
    )
    rgb = np.where(frame[..., None], neutral(rng), wall[..., :3])
    rgb = np.where((glass & ~bar)[..., None], pane, rgb)
    return pack(rgb, np.where(glass & ~bar, 0.2, np.where(frame, 0.9, 0.4 + 0.2 * wall[..., 3])))


FAMILIES = {
    f.__name__: f
    for f in (
        plaster, planks, wood, bricks, tiles, marble, weave, stone, cobbles, checker, stripes, wallpaper, carpet, grass,
        ground, rust, brushed, gradient, plain, foliage, bark, facade, roof, painting, poster, books, clouds,
    )
}  # fmt: skip


def draw(family: str, rng: np.random.Generator) -> np.ndarray:
    """One picture (SIZE, SIZE, 4) uint8 of a family in `FAMILIES`."""
    return (FAMILIES[family](rng) * 255 + 0.5).astype(np.uint8)
