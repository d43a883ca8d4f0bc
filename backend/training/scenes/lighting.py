"""Light of a scene: time of day, lamps, ambient light, fog, exposure and the look of the picture."""

from __future__ import annotations

import numpy as np

from .scene import Light, Scene, linear
from .textures import colour


def look(rng: np.random.Generator, light: Light) -> None:
    """Exposure, contrast, saturation, tone curve and bump, differing from artist to artist."""
    light.exposure = float(np.exp(rng.normal(-0.05, 0.22)))
    light.contrast, light.saturation = float(rng.uniform(0, 0.45)), float(rng.uniform(0.75, 1.15))
    light.film, light.bump = float(rng.uniform(0, 1)), float(rng.choice([0.0, 0.004, 0.008, 0.015]))


def daylight(rng: np.random.Generator, scene: Scene, radius: float) -> None:
    """Sun, sky, clouds and sometimes fog: noon, evening, overcast, dusk or an invented sky."""
    light = scene.light
    look(rng, light)
    kind = rng.choice(["noon", "evening", "overcast", "dusk", "invented"], p=[0.38, 0.22, 0.18, 0.1, 0.12])
    height = {"noon": rng.uniform(0.5, 1.2), "evening": rng.uniform(0.15, 0.4)}.get(
        kind, rng.uniform(0.3, 1.0)
    )
    turn = rng.uniform(0, 2 * np.pi)
    light.sun_direction = np.array(
        [np.cos(turn) * np.cos(height), np.sin(turn) * np.cos(height), np.sin(height)]
    )
    blue = linear(colour(rng.uniform(0.54, 0.64), rng.uniform(0.35, 0.8), rng.uniform(0.6, 0.95)))
    if kind == "noon":
        sun, low, high = np.array([1.0, 0.95, 0.86]) * rng.uniform(0.9, 1.6), blue * 0.4 + 0.45, blue
    elif kind == "evening":
        sun = np.array([1.0, rng.uniform(0.5, 0.75), rng.uniform(0.2, 0.45)]) * rng.uniform(0.9, 1.5)
        low, high = np.array([0.85, 0.5, 0.3]) * rng.uniform(0.5, 1), blue * rng.uniform(0.3, 0.8)
    elif kind == "overcast":
        grey = rng.uniform(0.45, 0.8)
        sun, low, high = np.full(3, 0.15), np.full(3, grey) * [0.97, 1, 1.03], np.full(3, grey * 0.8)
    elif kind == "dusk":
        sun = np.array([0.25, 0.3, 0.5]) * rng.uniform(0.5, 1)
        low, high = np.array([0.3, 0.22, 0.3]) * rng.uniform(0.5, 1.2), np.array([0.05, 0.07, 0.18])
        light.exposure *= 1.7
    else:
        sun = linear(colour(rng.random(), 0.4, 1)) * rng.uniform(0.5, 1.3)
        low, high = linear(colour(rng.random(), 0.5, 0.8)), linear(colour(rng.random(), 0.6, 0.7))
    light.sun_colour, light.sky_low, light.sky_high = sun, low, high
    light.ground_light = low * rng.uniform(0.2, 0.5)
    light.ambient_high = (0.45 * low + 0.55 * high) * rng.uniform(0.45, 0.75) + 0.03
    light.ambient_low = light.ambient_high * 0.45 + sun * 0.06 * [1.1, 1, 0.8]
    light.softness = float(rng.choice([0.02, 0.05, 0.12]))
    if rng.random() < 0.7:
        light.cloud_cover, light.cloud_layer = float(rng.uniform(0.2, 0.8)), float(scene.layer("clouds"))
    light.fog_colour = 0.8 * low + 0.1 * sun
    if rng.random() < 0.35:
        light.fog_density = float(np.exp(rng.uniform(np.log(0.0015), np.log(0.02))))
    light.focus, light.radius = np.array([0.0, 0.0, 2.0]), radius


def indoors(rng: np.random.Generator, scene: Scene, low: np.ndarray, high: np.ndarray, sunny: bool) -> None:
    """Lamps in the box `low`..`high` (3,), warm or cool ambient light, and sun if it can get in."""
    if sunny:
        daylight(rng, scene, float(np.linalg.norm(high - low)) * 0.62)
        scene.light.sun_colour = scene.light.sun_colour * rng.uniform(1.5, 3.0)
        scene.light.fog_density = 0.0
    else:
        look(rng, scene.light)
    light = scene.light
    light.focus = (low + high) / 2
    tone = colour(rng.choice([0.08, 0.1, 0.12, 0.58, rng.random()]), rng.uniform(0.05, 0.4), 1.0)
    base = rng.uniform(0.1, 0.42) * (1.0 if sunny else 1.1)
    light.ambient_high = linear(tone) * base
    light.ambient_low = light.ambient_high * rng.uniform(0.4, 0.8) * [1.05, 1.0, 0.92]
    light.exposure *= 1.25 if sunny else 1.35
    size = high - low
    if rng.random() < (0.4 if sunny else 0.92):
        light.lamp_position = np.array(
            [*(low[:2] + size[:2] * rng.uniform(0.25, 0.75, 2)), high[2] - rng.uniform(0.2, 0.6)]
        )
        lamp = linear(colour(rng.choice([0.07, 0.1, 0.13, 0.6]), rng.uniform(0.05, 0.45), 1.0))
        light.lamp_colour = (
            lamp * rng.uniform(0.25, 0.75) * max(size[2] - 0.8, 1.5) ** 2 * rng.uniform(0.6, 1.3)
        )
    for _ in range(int(rng.integers(0, 4))):
        position = low + size * rng.uniform([0.08, 0.08, 0.15], [0.92, 0.92, 0.8])
        power = linear(
            colour(rng.choice([0.06, 0.1, 0.55, rng.random()]), rng.uniform(0.1, 0.6), 1)
        ) * rng.uniform(0.1, 0.7)
        light.points.append((position, power * max(1.0, size[2] / 3)))
    if rng.random() < 0.15:
        light.fog_density, light.fog_colour = float(rng.uniform(0.01, 0.04)), light.ambient_high.copy()
