"""What procedural textures are made of: tileable noise, cells, colours and how they are blended."""

from __future__ import annotations

import colorsys

import numpy as np

SIZE = 256


Y, X = np.mgrid[0:SIZE, 0:SIZE] / SIZE


def colour(hue: float, saturation: float, value: float) -> np.ndarray:
    """sRGB colour (3,) of a hue, saturation and value in 0..1."""
    return np.array(
        colorsys.hsv_to_rgb(hue % 1.0, float(np.clip(saturation, 0, 1)), float(np.clip(value, 0, 1)))
    )


def noise(rng, slope: float = 1.0, stretch: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
    """Tileable noise (SIZE, SIZE) in 0..1 with an amplitude falling as frequency ** -slope."""
    fy = np.fft.fftfreq(SIZE)[:, None] * SIZE * stretch[1]
    fx = np.fft.rfftfreq(SIZE)[None] * SIZE * stretch[0]
    radius = np.hypot(fx, fy)
    radius[0, 0] = 1e9
    spectrum = (rng.normal(size=radius.shape) + 1j * rng.normal(size=radius.shape)) * radius**-slope
    field = np.fft.irfft2(spectrum, (SIZE, SIZE))
    return np.clip(0.5 + field / (5 * field.std() + 1e-12), 0, 1)


def blend(a: np.ndarray, b: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """Colours `a` and `b` (3,) or (S,S,3) mixed by `amount` (S,S)."""
    return a + (b - a) * amount[..., None]


def pack(rgb: np.ndarray, height: np.ndarray) -> np.ndarray:
    """(S,S,4) of a picture and a height."""
    return np.concatenate([np.clip(rgb, 0, 1), np.clip(height, 0, 1)[..., None]], -1)


def warm(rng) -> np.ndarray:
    """A wood or leather like colour."""
    return colour(rng.uniform(0.03, 0.11), rng.uniform(0.25, 0.7), rng.uniform(0.25, 0.8))


def neutral(rng) -> np.ndarray:
    """A wall, stone or plaster like colour."""
    return colour(
        rng.uniform(0, 1) if rng.random() < 0.3 else rng.uniform(0.05, 0.15),
        rng.uniform(0.02, 0.25),
        rng.uniform(0.35, 0.95),
    )


def vivid(rng) -> np.ndarray:
    """A painted, saturated colour."""
    return colour(rng.uniform(0, 1), rng.uniform(0.3, 0.8), rng.uniform(0.3, 0.85))


def any_colour(rng) -> np.ndarray:
    """A colour of any of the kinds."""
    return (warm, neutral, vivid)[rng.integers(3)](rng)


def cells(rng, columns: int, rows: int, stagger: float, gap: float):
    """Rows of bricks: (identity in 0..1 per cell (S,S), 1 inside and 0 in the joint (S,S))."""
    row = np.floor(Y * rows).astype(int)
    shifted = (X + stagger * (row % 2) / columns) % 1.0
    column = np.floor(shifted * columns).astype(int) % columns
    fx, fy = shifted * columns % 1.0, Y * rows % 1.0
    edge = np.minimum(np.minimum(fx, 1 - fx) / columns, np.minimum(fy, 1 - fy) / rows)
    return rng.random((rows, columns))[row % rows, column], np.clip(edge / gap - 0.3, 0, 1)
