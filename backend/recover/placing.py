"""Where a picture lies in its view.

A view is what a camera's frame shows, the reference's size; a picture may be of any size and, behind a Blender camera,
reach over the frame or leave some of it empty. Coordinates below are pixels, centres at integers.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

WHOLE = (0.0, 0.0, 1.0, 1.0)
"""The picture fills its view."""

FITS = ("stretch", "fit", "crop")
"""How a picture of another shape lies in a camera's frame: bent to fill it, whole within it, or covering it."""


def rectangle_of(fit: str, picture: float, frame: float) -> tuple[float, float, float, float]:
    """Where a picture of an aspect lies in a frame of another: left, top, width and height in shares of the frame."""
    width = height = 1.0
    if fit == "fit":
        width, height = min(1.0, picture / frame), min(1.0, frame / picture)
    elif fit == "crop":
        width, height = max(1.0, picture / frame), max(1.0, frame / picture)
    return (1 - width) / 2, (1 - height) / 2, width, height


@dataclass(frozen=True)
class Placement:
    """A picture of `width` x `height` pixels in a view of `view_width` x `view_height`.

    rectangle: left, top, width and height of the picture in shares of the view.
    """

    width: int
    height: int
    view_width: int
    view_height: int
    rectangle: tuple[float, float, float, float] = WHOLE

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels of the view to one of the picture, across and down."""
        return (
            self.rectangle[2] * self.view_width / self.width,
            self.rectangle[3] * self.view_height / self.height,
        )

    @property
    def corner(self) -> tuple[float, float]:
        """Where the picture's upper left corner (not its first pixel's centre) lies in the view."""
        return self.rectangle[0] * self.view_width - 0.5, self.rectangle[1] * self.view_height - 0.5

    def of_size(self, width: int, height: int) -> Placement:
        """Where another picture lies that shows the same in `width` x `height` pixels."""
        return Placement(width, height, self.view_width, self.view_height, self.rectangle)

    def intrinsics(self, view: np.ndarray) -> np.ndarray:
        """The 3x3 intrinsics of the picture's own pixels, of the `view`'s."""
        (across, down), (left, top) = self.scale, self.corner
        k = np.array(view, np.float64)
        k[0] = [k[0, 0] / across, 0.0, (k[0, 2] - left) / across - 0.5]
        k[1] = [0.0, k[1, 1] / down, (k[1, 2] - top) / down - 0.5]
        return k

    def colour(self, picture: np.ndarray) -> np.ndarray:
        """The view (H, W, 3) uint8 of a picture (h, w, 3); where there is none, its border goes on."""
        (across, down), (left, top) = self.scale, self.corner
        # Made smaller by areas first: a bilinear sample alone would leave out most of a large picture.
        columns, rows = max(1, round(self.width * across)), max(1, round(self.height * down))
        if columns < self.width or rows < self.height:
            size = min(columns, self.width), min(rows, self.height)
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            across, down = across * self.width / size[0], down * self.height / size[1]
        to_view = np.array([[across, 0.0, left + across / 2], [0.0, down, top + down / 2]])
        return cv2.warpAffine(
            picture,
            to_view,
            (self.view_width, self.view_height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )

    def depth(self, depth: np.ndarray) -> np.ndarray:
        """The view (H, W) float32 of a depth map (h, w) by its nearest pixels; 0, "no depth", where there is none."""
        (across, down), (left, top) = self.scale, self.corner
        columns = np.floor((np.arange(self.view_width) - left) / across).astype(np.int64)
        rows = np.floor((np.arange(self.view_height) - top) / down).astype(np.int64)
        inside = np.ix_((rows >= 0) & (rows < self.height), (columns >= 0) & (columns < self.width))
        view = np.zeros((self.view_height, self.view_width), np.float32)
        view[inside] = depth[np.ix_(rows[inside[0][:, 0]], columns[inside[1][0]])]
        return view
