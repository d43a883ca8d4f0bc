"""A clip's lens: where in the footage lies what a pinhole camera sees, and the footage brought to that camera.

Blender's tracker solves a pinhole camera plus a distortion. Stand-ins are rendered with the pinhole camera alone, so
the footage has to lose its distortion before both are views of one world:

    pixel of the reference -> pinhole picture of the clip's size -> Lens.distort -> pixel of the footage

Positions in the footage are those of the tracker's markers: (0, 0) is its lower left corner and (width, height) its
upper right, so pixel centres lie at halves. The four models are libmv's, as Blender's tracker fits them
(intern/libmv/libmv/simple_pipeline/distortion_models.h in Blender's sources). Knows nothing of Blender.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

NUKE_STEPS = 200
"""Most steps that the inverse of Nuke's model may take; it ends as soon as it stands still."""


@dataclass(frozen=True)
class Lens:
    """Size of the footage in pixels, and how its lens distorts: one of the tracker's models with its coefficients.

    focal is in pixels, centre (the principal point) in pixels from the lower left corner; pixel_aspect is the width
    of a pixel by its height. coefficients:
        POLYNOMIAL (k1, k2, k3)   DIVISION (k1, k2)   NUKE (k1, k2, p1, p2)   BROWN (k1, k2, k3, k4, p1, p2)
    """

    width: int
    height: int
    focal: float
    centre: tuple[float, float]
    model: str = "POLYNOMIAL"
    coefficients: tuple[float, ...] = (0.0, 0.0, 0.0)
    pixel_aspect: float = 1.0

    @property
    def display_aspect(self) -> float:
        """Width of the picture by its height as it is displayed."""
        return self.width * self.pixel_aspect / self.height

    def distort(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where in the footage lies what a pinhole picture of its size has at (x, y).

        Not a number, or infinite, where the model has no answer.
        """
        if not any(self.coefficients):
            return x, y
        # Lengths in the tracker's models are widths of a pixel.
        across, up = x - self.centre[0], (y - self.centre[1]) / self.pixel_aspect
        unit = self.focal
        if self.model == "NUKE":
            unit = max(self.width, int(self.height / self.pixel_aspect)) / 2
        with np.errstate(all="ignore"):
            across, up = _MODELS[self.model](across / unit, up / unit, *self.coefficients)
        return across * unit + self.centre[0], up * unit * self.pixel_aspect + self.centre[1]


def _polynomial(x, y, k1, k2, k3):
    r2 = x * x + y * y
    scale = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    return x * scale, y * scale


def _division(x, y, k1, k2):
    r2 = x * x + y * y
    scale = 1 / (1 + r2 * (k1 + r2 * k2))
    return x * scale, y * scale


def _brown(x, y, k1, k2, k3, k4, p1, p2):
    r2 = x * x + y * y
    scale = 1 + r2 * (k1 + r2 * (k2 + r2 * (k3 + r2 * k4)))
    return (
        x * scale + p1 * (r2 + 2 * x * x) + p2 * 2 * x * y,
        y * scale + p2 * (r2 + 2 * y * y) + p1 * 2 * x * y,
    )


def _nuke(x, y, k1, k2, p1, p2):
    """Nuke's model says where a distorted point belongs; the way back is found step by step."""
    distorted_x, distorted_y = x, y
    for _ in range(NUKE_STEPS):
        x2, y2 = distorted_x * distorted_x, distorted_y * distorted_y
        scale = 1 + (x2 + y2) * (k1 + (x2 + y2) * k2)
        next_x, next_y = x * (scale + p1 * y2), y * (scale + p2 * x2)
        change = np.maximum(np.abs(next_x - distorted_x), np.abs(next_y - distorted_y))
        distorted_x, distorted_y = next_x, next_y
        if not np.any(change > 1e-7):
            break
    # What has not come to rest by then lies beyond what the lens can show.
    rest = np.where(change > 1e-7, np.nan, 1.0)
    return distorted_x * rest, distorted_y * rest


_MODELS = {"POLYNOMIAL": _polynomial, "DIVISION": _division, "BROWN": _brown, "NUKE": _nuke}


class Undistortion:
    """Brings frames of the footage to a reference of `width` x `height` pixels, made once for all of them.

    The pinhole picture lies in the camera's frame, whose displayed aspect is `aspect`: as wide as the frame, its middle
    in the frame's middle.

    seen (height, width): bool, where the footage has a pixel; elsewhere the picture repeats its border.
    """

    def __init__(self, lens: Lens, width: int, height: int, aspect: float):
        self._footage = lens.width, lens.height
        # Edge-based positions in the frame, 0 to 1; the reference covers the frame whatever its own shape is.
        across, down = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
        rows = ((0.5 - down) * lens.display_aspect / aspect + 0.5) * lens.height
        x, y = np.meshgrid(across * lens.width, rows)
        x, y = lens.distort(x, y)
        with np.errstate(invalid="ignore"):
            inside = (x >= 0) & (x <= lens.width) & (y >= 0) & (y <= lens.height)
        self.seen = inside & ~_folded(x, y)
        # A footage much larger than the reference is averaged over whole pixels first, or grain would alias.
        tall = lens.height * lens.display_aspect / aspect
        self._block = max(1, lens.width // width), max(1, int(tall) // height)
        self._columns, self._lines = lens.width // self._block[0], lens.height // self._block[1]
        left, right, self._x = _between(x / self._block[0], self._columns)
        low, high, self._y = _between(y / self._block[1], self._lines)
        self._corners = [line * self._columns + column for line in (low, high) for column in (left, right)]
        self._shape = height, width

    def picture(self, pixels: np.ndarray, each: Callable = map) -> np.ndarray:
        """A frame of the footage (rows, columns, 4), lowest row first, as the reference shows it: (H, W, 3) uint8.

        Values of 0 to 1 are codes 0 to 255; they are mixed as they are. `each` is `map`, or that of a pool of threads.
        """
        up = self._block[1]
        lines = pixels[: self._lines * up : up]
        for line in range(1, up):
            lines = lines + pixels[line : self._lines * up : up]
        return np.stack(list(each(self._channel, (lines[..., channel] for channel in range(3)))), -1)

    def _channel(self, lines: np.ndarray) -> np.ndarray:
        """One colour of the picture, from sums of as many lines as there are in a block."""
        across, up = self._block
        values = lines[:, : self._columns * across : across].copy()
        for column in range(1, across):
            values += lines[:, column : self._columns * across : across]
        values = values.ravel()
        low_left, low_right, high_left, high_right = (values.take(corner) for corner in self._corners)
        low, high = _mix(low_left, low_right, self._x), _mix(high_left, high_right, self._x)
        codes = _mix(low, high, self._y)
        codes *= 255 / (across * up)
        codes += 0.5
        return np.clip(codes, 0, 255, out=codes).astype(np.uint8).reshape(self._shape)


def _mix(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """`first` plus `share` of the way to `second`, which is used up."""
    second -= first
    second *= share
    second += first
    return second


def _folded(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Where the distortion turns back on itself, as a polynomial does beyond its range: it shows nothing true there."""
    if min(x.shape) < 2:
        return np.zeros(x.shape, bool)
    with np.errstate(invalid="ignore"):
        along, across = np.gradient(x), np.gradient(y)
        # x grows with the columns, y falls with the rows.
        return ~(along[1] * across[0] - along[0] * across[1] < 0)


def _between(position: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The two pixels of `count` that an edge-based position lies between, and its share of the second."""
    centre = np.clip(np.nan_to_num(position - 0.5, posinf=0, neginf=0), 0, count - 1).ravel()
    first = centre.astype(np.int32)
    return first, np.minimum(first + 1, count - 1), (centre - first).astype(np.float32)
