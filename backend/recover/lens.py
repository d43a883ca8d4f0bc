"""Intrinsics of a picture whose camera nobody knows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .error import RecoverError

FILM_DIAGONAL = math.hypot(36.0, 24.0)
"""Millimetres. An equivalent focal length compares diagonals (CIPA DCG-001), so any shape of picture will do."""
DEFAULT_FOCAL = 50.0


@dataclass(frozen=True)
class Lens:
    """focal: millimetres on 35 mm film. words: how it is known, for a person. is_guess: nothing says it."""

    focal: float
    words: str
    is_guess: bool = False

    def intrinsics(self, width: int, height: int) -> np.ndarray:
        """The 3x3 intrinsics of a picture of that size, its principal point in the middle."""
        return intrinsics_of(self.focal, width, height)


def intrinsics_of(focal: float, width: int, height: int) -> np.ndarray:
    """The 3x3 intrinsics of a picture of that size, taken with `focal` millimetres on 35 mm film."""
    pixels = focal / FILM_DIAGONAL * math.hypot(width, height)
    return np.array([[pixels, 0, (width - 1) / 2], [0, pixels, (height - 1) / 2], [0, 0, 1]])


def find_lens(
    size: tuple[int, int], exif: float | None, field_of_view: float | None, focal: float | None
) -> Lens:
    """The lens of a picture of `size` (width, height): what the user states, else EXIF, else 50 mm.

    field_of_view: across the picture, in degrees. Raises RecoverError for what no lens has.
    """
    if field_of_view is not None:
        if not 1 <= field_of_view <= 170:
            raise RecoverError(f"A field of view is from 1 to 170 degrees, got {field_of_view:g}.")
        width, height = size
        pixels = width / 2 / math.tan(math.radians(field_of_view) / 2)
        return Lens(
            pixels * FILM_DIAGONAL / math.hypot(width, height), f"{field_of_view:g}° across, as stated"
        )
    if focal is not None:
        if not 1 <= focal <= 5000:
            raise RecoverError(f"A focal length is from 1 to 5000 mm, got {focal:g}.")
        return Lens(focal, f"{focal:g} mm on 35 mm film, as stated")
    if exif is not None and 1 <= exif <= 5000:
        return Lens(exif, f"{exif:g} mm on 35 mm film, by its EXIF")
    return Lens(
        DEFAULT_FOCAL,
        f"{DEFAULT_FOCAL:g} mm on 35 mm film, a guess: nothing says it, so state --focal or --fov",
        is_guess=True,
    )


def found_lens(focal: float) -> Lens:
    """The lens that pictures tell themselves (focal.py)."""
    return Lens(focal, f"about {focal:.3g} mm on 35 mm film, as the pictures agree best")
