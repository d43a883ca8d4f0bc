"""What the overlay is given: the picture to be seen at a frame, and which frames there are."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Protocol

import bpy
import numpy as np

from .states import State


@dataclass(frozen=True, eq=False)
class Shown:
    """What is to be seen at a frame."""

    array: np.ndarray | None
    """The picture, uint8 (H, W, 3) sRGB, first row at the top; None: there is only the badge."""
    key: Hashable
    """The same key says that it is the same picture, so that it is handed to the GPU but once."""
    stale: bool = False
    badge: tuple[str, ...] = ()
    """Short texts; `badge.words` makes them."""


class Source(Protocol):
    """Where the overlay gets what it shows: asked at each redraw, so it must answer at once."""

    def shown(self, scene: bpy.types.Scene, frame: int) -> Shown | None:
        """What is to be seen of `scene` at `frame`; None: nothing."""
        ...

    def states(self, scene: bpy.types.Scene) -> Mapping[int, State]:
        """The frames of `scene` that are generated, and whether they are stale."""
        ...
