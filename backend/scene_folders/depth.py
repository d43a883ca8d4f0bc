"""Depth in the release's 16 bits: depth = min + code / 65535 * (max - min), one range for a whole scene.

With min 0, code 0 means "no depth". There is no sky: ours is put at a distance that is far for the scene and still
leaves fine steps to what is near. Version 1.5's name for it is uint16_minmax_v1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from ..pictures import GREY, Bytes, PictureError, png_header
from ..world import SKY

CODES = 65535

FAR = 2.0, 65.0
"""Sky lies at so many times the farthest depth or the nearest: then a step is a thousandth of the nearest."""
SKY_ALONE = 1000.0
"""Where sky lies when there is nothing else."""
COARSE = 0.01
"""A step that is larger than this share of the nearest depth is worth a word."""


@dataclass(frozen=True)
class DepthRange:
    """min and max of a scene's codes; both are float32 values, so that text and depth maps hold them exactly.

    sky: whether there is sky, which lies at max.
    """

    low: float
    high: float
    sky: bool = False
    nearest: float = 0.0

    @staticmethod
    def over(maps: Iterable[np.ndarray]) -> DepthRange:
        """The range for depth maps (H, W) float32."""
        nearest, farthest, empty, sky = np.inf, 0.0, False, False
        for depth in maps:
            known = depth[(depth > 0) & np.isfinite(depth)]
            if known.size:
                nearest, farthest = min(nearest, float(known.min())), max(farthest, float(known.max()))
            beyond = bool(np.isinf(depth).any())
            empty, sky = empty or bool((depth == 0).any()), sky or beyond
        if not farthest:
            return DepthRange(0.0 if empty else SKY_ALONE, SKY_ALONE, sky, SKY_ALONE)
        high = max(FAR[0] * farthest, FAR[1] * nearest) if sky else farthest
        return DepthRange(0.0 if empty else nearest, float(np.float32(min(high, SKY / 2))), sky, nearest)

    @staticmethod
    def read(text: str) -> DepthRange:
        """From metadata.txt, "min max". Raises ValueError, whose message goes on from the file's name."""
        try:
            low, high = (float(word) for word in text.split())
        except ValueError:
            raise ValueError("must hold two numbers, the depth's min and max") from None
        if not 0 <= low <= high < SKY:  # NaN is not
            raise ValueError(
                f"must hold a min of at least 0 and a max of at least that, got {low:g} {high:g}"
            )
        return DepthRange(low, high)

    def written(self) -> str:
        return f"{self.low:.9g} {self.high:.9g}\n"

    @property
    def step(self) -> float:
        return (self.high - self.low) / CODES

    def encoded(self, depth: np.ndarray) -> np.ndarray:
        """Codes (H, W) uint16 of depth (H, W) float32 whose range this is."""
        if self.high == self.low:
            return np.zeros(depth.shape, np.uint16)
        far = np.where(np.isinf(depth), self.high, depth).astype(np.float64)
        codes = np.rint((far - self.low) / (self.high - self.low) * CODES).clip(0, CODES)
        if self.low == 0:
            codes[(depth > 0) & (codes == 0)] = 1
        return codes.astype(np.uint16)

    def decoder(self) -> np.ndarray:
        """Depth float32 of every code: codes are decoded by looking them up."""
        return (self.low + np.arange(CODES + 1) / CODES * (self.high - self.low)).astype(np.float32)

    def lost(self) -> list[str]:
        """What depth loses in this range."""
        said = []
        if self.sky:
            said.append(
                f"Sky becomes a surface at a depth of {self.high:.6g}: a scene folder has no sky, so it will shift "
                "a little when the camera moves."
            )
        if self.step > COARSE * self.nearest:
            said.append(
                f"Depth comes in equal steps of {self.step:.3g} between {self.low:.4g} and {self.high:.6g}, which "
                f"is coarse for what is near ({self.nearest:.3g}): bring the farthest thing closer."
            )
        return said


def decode_depth_png(data: Bytes, width: int, height: int) -> np.ndarray:
    """Codes (H, W) uint16 of a grey PNG of 16 bits. Raises PictureError."""
    columns, rows, bits, colour = png_header(data)
    if (bits, colour) != (16, GREY):
        raise PictureError("must be a grey PNG of 16 bits")
    if (columns, rows) != (width, height):
        raise PictureError(f"is {columns}x{rows} pixels, the scene is {width}x{height}")
    codes = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if codes is None or codes.shape != (height, width) or codes.dtype != np.uint16:
        raise PictureError("cannot be decoded: the file is damaged")
    return codes
