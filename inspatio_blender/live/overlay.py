"""The live picture in the viewport: on the camera's frame, to a pixel, in every 3D viewport that looks through it.

Main thread only.
"""

from collections import deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import bpy
import numpy as np

from ..shots import UserError

KEPT = 1000
"""Draws whose times are kept."""


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


State = Literal["fresh", "stale"]


class Source(Protocol):
    """Where the overlay gets what it shows: asked for at each redraw, so it must answer at once."""

    def shown(self, scene: bpy.types.Scene, frame: int) -> Shown | None:
        """What is to be seen of `scene` at `frame`; None: nothing."""
        ...

    def states(self, scene: bpy.types.Scene) -> Mapping[int, State]:
        """The frames of `scene` that are generated, and whether they are stale."""
        ...


class Overlay:
    """Draws what a source has to show into the 3D viewports, from its making until `free`.

    Raises UserError where there is no window to draw in. `draw_ms` and `upload_ms` hold the milliseconds of the last
    draws and of the pictures handed to the GPU.
    """

    def __init__(self, source: Source) -> None:
        if bpy.app.background:
            raise UserError("There is no viewport in background mode: start the preview in Blender's window")
        self._source = source
        self.draw_ms: deque[float] = deque(maxlen=KEPT)
        self.upload_ms: deque[float] = deque(maxlen=KEPT)

    def tag_redraw(self) -> None:
        """Have the viewports drawn again that show the picture, and the timelines that mark its frames."""

    def free(self) -> None:
        """Draw no more, and let go of the GPU's memory. Harmless to repeat."""
