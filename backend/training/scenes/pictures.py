"""Textures with a subject: paintings, posters, books, carpets, wallpaper, facades, roofs, clouds."""

from __future__ import annotations

import numpy as np

from .patterns import X, Y, any_colour, blend, colour, neutral, noise, pack


def wallpaper(rng):
    n = int(rng.choice([3, 4, 6]))
    fx, fy = (X * n) % 1 - 0.5, (Y * n + 0.5 * (np.floor(X * n) % 2)) % 1 - 0.5
    angle, radius = np.arctan2(fy, fx), np.hypot(fx, fy)
    flower = radius < 0.16 + 0.13 * np.cos(int(rng.integers(3, 8)) * angle)
    ring = np.abs(radius - 0.38) < 0.03
    a = neutral(rng)
    rgb = np.where(flower[..., None], any_colour(rng), np.where(ring[..., None], a * 0.75, a))
    return pack(rgb * (0.93 + 0.1 * noise(rng, 1.2))[..., None], np.full_like(X, 0.5))


def carpet(rng):
    u, v = np.abs(X - 0.5), np.abs(Y - 0.5)
    distance = np.maximum(u, v)
    medallion = np.hypot(u, v) * (1 + 0.15 * np.cos(8 * np.arctan2(v, u)))
    bands = [any_colour(rng) for _ in range(5)]
    motif = np.sin(2 * np.pi * rng.integers(5, 12) * u) * np.sin(2 * np.pi * rng.integers(5, 12) * v)
    rgb = blend(bands[0], bands[1], (motif > 0.3).astype(float))
    rgb = np.where((medallion < 0.22)[..., None], blend(bands[2], bands[3], (motif > 0).astype(float)), rgb)
    rgb = np.where((distance > 0.38)[..., None], blend(bands[3], bands[4], (motif > 0.1).astype(float)), rgb)
    rgb = np.where((distance > 0.47)[..., None], bands[2], rgb)
    return pack(rgb * (0.75 + 0.4 * noise(rng, 0.5))[..., None], noise(rng, 0.4))


def roof(rng):
    rows = 8
    row = np.floor(Y * rows)
    fx, fy = (X * 6 + 0.5 * (row % 2)) % 1 - 0.5, Y * rows % 1
    shade = rng.random((8, 7))[row.astype(int) % 8, np.floor(X * 6 + 0.5 * (row % 2)).astype(int)]
    base = colour(rng.uniform(0.0, 0.07), rng.uniform(0.2, 0.7), rng.uniform(0.3, 0.6))
    lip = np.clip((fy - 2.2 * fx**2) * 3, 0, 1)
    return pack(base * (0.5 + 0.4 * shade + 0.3 * lip)[..., None], lip)


def painting(rng):
    rgb = blend(any_colour(rng), any_colour(rng), np.clip(Y + rng.uniform(-0.3, 0.3) * noise(rng, 1.8), 0, 1))
    for _ in range(int(rng.integers(4, 14))):
        cx, cy, r, squash = rng.random(), rng.random(), rng.uniform(0.04, 0.35), rng.uniform(0.4, 2.2)
        angle = rng.uniform(0, np.pi)
        u = (X - cx) * np.cos(angle) + (Y - cy) * np.sin(angle)
        v = (Y - cy) * np.cos(angle) - (X - cx) * np.sin(angle)
        kind = rng.integers(4)
        shape = (
            np.hypot(u, v * squash) < r,
            np.maximum(np.abs(u), np.abs(v * squash)) < r,
            np.abs(v + 0.1 * np.sin(9 * u)) < r * 0.15,
            (v > -0.3 * r) & (v < r - 2 * np.abs(u) * squash),
        )[kind]
        rgb = np.where(
            shape[..., None], any_colour(rng) * (0.7 + 0.6 * noise(rng, 1.5, (1, 0.3)))[..., None], rgb
        )
    return pack(rgb * (0.9 + 0.2 * noise(rng, 0.7))[..., None], 0.5 + 0.2 * noise(rng, 0.8))


def poster(rng):
    """Blocks of made-up letters under a picture, like a poster, a sign or a page."""
    paper, ink = neutral(rng), any_colour(rng) * 0.5
    picture = painting(rng)[..., :3]
    split = rng.uniform(0.3, 0.7)
    rgb = np.where(
        (split > Y)[..., None] & (np.abs(X - 0.5) < 0.44)[..., None] & (Y > 0.06)[..., None], picture, paper
    )
    top = split + 0.05
    while top < 0.9:
        height = rng.choice([0.03, 0.06, 0.12])
        glyphs = rng.random((5, 400)) < 0.55
        column = np.floor(X / height * 5).astype(int)
        row = np.floor((Y - top) / height * 5).astype(int)
        on = (
            (row >= 0)
            & (row < 5)
            & (column % 5 != 0)
            & glyphs[np.clip(row, 0, 4), column]
            & (np.abs(X - 0.5) < rng.uniform(0.25, 0.42))
        )
        rgb = np.where(on[..., None], ink, rgb)
        top += height * 1.5
    return pack(rgb, np.full_like(X, 0.5))


def books(rng):
    edges = np.sort(rng.random(int(rng.integers(14, 30))))
    which = np.searchsorted(edges, X[0])
    tones = np.array([any_colour(rng) for _ in range(len(edges) + 1)])
    tones[-1] = tones[0]
    top = rng.uniform(0.0, 0.25, len(edges) + 1)
    inside = top[which][None] < Y
    rgb = np.where(inside[..., None], tones[which][None], 0.06)
    band = (np.abs(Y - 0.4) < 0.05) & (rng.random(len(edges) + 1) < 0.5)[which][None]
    rgb = np.where((band & inside)[..., None], colour(0.12, 0.5, 0.8), rgb)
    gap = np.abs(X[0][:, None] - edges[None]).min(1) < 0.006
    return pack(
        rgb * np.where(gap, 0.35, 1.0)[None, :, None] * (0.9 + 0.15 * noise(rng, 1))[..., None],
        np.broadcast_to(np.where(gap, 0.0, 0.6)[None], X.shape),
    )


def clouds(rng):
    """Cloud cover in every channel, for the sky."""
    n = noise(rng, rng.uniform(1.5, 2.1))
    return pack(np.repeat(n[..., None], 3, -1), n)
