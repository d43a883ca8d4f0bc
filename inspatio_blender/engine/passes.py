"""From codes to what a compositor reads: passes, as flat float32 with the bottom row first, as Blender wants them.

    Combined    RGBA    the picture, scene-linear: the plate where the shot asks for plates
    Depth       Z       planar depth of what the reference shows there; 1e10 where it shows nothing, and in the sky
    Generated   RGB     the generated picture alone, brought to the size of the render, scene-linear
    Mask        V       1 where the picture is generated, as no view of the reference reaches there
    Coverage    V       the share of the reference's own detail, 0 to 1

Scene-linear is what an sRGB code shows: the view transform Standard gives the code back. Knows nothing of Blender.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..client import RawPlates

NOTHING = 1e10
"""The depth of nothing, as Blender's other engines write it."""


@dataclass(frozen=True)
class Pass:
    """A pass as it is registered with Blender: `channels` are the letters of its channels."""

    name: str
    channels: str
    kind: str


PASSES = (
    Pass("Combined", "RGBA", "COLOR"),
    Pass("Depth", "Z", "VALUE"),
    Pass("Generated", "RGB", "COLOR"),
    Pass("Mask", "V", "VALUE"),
    Pass("Coverage", "V", "VALUE"),
)


def _linear_of_codes() -> np.ndarray:
    share = np.arange(256) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4).astype(np.float32)


LINEAR = _linear_of_codes()
"""Linear light of the sRGB codes 0 to 255, with Rec.709's primaries."""


@dataclass(frozen=True)
class Window:
    """The part of a frame that is rendered: columns and rows, rows counted from the bottom."""

    left: int
    bottom: int
    right: int
    top: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.top - self.bottom


def make(
    plates: RawPlates, is_plate: bool, window: Window, primaries: np.ndarray
) -> Mapping[str, np.ndarray]:
    """The passes of the first of `plates` by name.

    is_plate: Combined is the plate, not the generated picture. primaries (3, 3): from linear Rec.709 to the scene's
    own linear space.
    """

    def part(array: np.ndarray) -> np.ndarray:
        return array[0][::-1][window.bottom : window.top, window.left : window.right]

    def linear(codes: np.ndarray) -> np.ndarray:
        light = LINEAR[part(codes)]
        return light if np.array_equal(primaries, np.eye(3)) else light @ primaries.T.astype(np.float32)

    combined = np.ones((window.height, window.width, 4), np.float32)
    generated = linear(plates.enlarged)
    combined[..., :3] = linear(plates.colour) if is_plate else generated
    return {
        "Combined": combined.ravel(),
        "Depth": np.minimum(part(plates.depth), NOTHING).astype(np.float32).ravel(),
        "Generated": generated.ravel(),
        "Mask": (part(plates.mask) / np.float32(255)).ravel(),
        "Coverage": (part(plates.coverage) / np.float32(255)).ravel(),
    }
