"""Where a camera's frame is seen, as mathematics: no Blender.

The viewport's own projection says where a direction before the camera comes to lie, with the zoom and offset of the
view, the sensor's fit and the shift in it; the camera says which directions its frame ends at. So the two are put
together, instead of following how Blender makes the first from the second.
"""

import math
from collections.abc import Sequence

Rect = tuple[float, float, float, float]
"""Left, bottom, right and top."""


def frame_plane(
    across: float,
    up: float,
    sensor: tuple[str, float, float],
    shift: tuple[float, float],
    lens: float,
) -> Rect:
    """Where a camera's frame ends on the plane one unit before it, in units of that plane.

    The frame is `across` by `up` pixels, as displayed (their aspect is in it); `sensor` is its fit ("AUTO",
    "HORIZONTAL", "VERTICAL"), width and height, `lens` the focal length in the same unit. An orthographic
    camera has its scale for width and height, and a `lens` of 1.
    """
    fit, width, height = sensor
    horizontal = fit == "HORIZONTAL" or (fit == "AUTO" and across >= up)
    size = (height if fit == "VERTICAL" else width) / lens
    view = across if horizontal else up
    half_x, half_y = size * across / view / 2, size * up / view / 2
    x, y = shift[0] * size, shift[1] * size
    return x - half_x, y - half_y, x + half_x, y + half_y


def rect_of_plane(plane: Rect, window_matrix: Sequence[Sequence[float]], width: int, height: int) -> Rect:
    """Pixels of a region of `width` by `height` that a rectangle of the plane one unit before the viewer is seen at.

    `window_matrix` is the 4x4 projection from the viewer's space (-Z forward, Y up) to clip space, rows first.
    """

    def seen(x: float, y: float) -> tuple[float, float]:
        across, up, _, w = (row[0] * x + row[1] * y - row[2] + row[3] for row in window_matrix)
        return (across / w + 1) / 2 * width, (up / w + 1) / 2 * height

    return (*seen(*plane[:2]), *seen(*plane[2:]))


def on_pixels(rect: Rect, width: int, height: int) -> tuple[Rect, bool]:
    """`rect` moved onto whole pixels where it is as large as a picture of `width` x `height`, and whether it is."""
    across, up = rect[2] - rect[0], rect[3] - rect[1]
    if abs(across - width) >= 0.5 or abs(up - height) >= 0.5:
        return rect, False
    left, bottom = float(math.floor(rect[0] + 0.5)), float(math.floor(rect[1] + 0.5))
    return (left, bottom, left + width, bottom + height), True
