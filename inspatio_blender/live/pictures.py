"""Pictures on the GPU: a byte of each colour, four bytes a pixel, so that little has to be handed over.

Blender makes textures of floats only, four of them a pixel for a colour: sixteen bytes, and the time to convert them.
Here a pixel is one float instead whose lower three bytes are its codes, and whose upper one makes it a common number
whatever they are (no driver changes those on their way), which the shader takes apart again.

Main thread only, in a draw handler.
"""

from collections import OrderedDict
from collections.abc import Hashable

import gpu
import numpy as np

KEPT_BYTES = 32 * 2**20
"""Of textures: some twenty pictures of 832x480, so that a still scene with several viewports hands nothing over."""
COMMON = 0x3F
"""Upper byte of a float between 1/2 and 2."""


def pack(picture: np.ndarray, into: np.ndarray) -> None:
    """Put `picture`, uint8 (H, W, 3), into the lower bytes of `into`, uint8 (H, W, 4), whose last are COMMON."""
    for channel in range(3):  # Four times as fast as all at once.
        into[..., channel] = picture[..., channel]


class Pictures:
    """The textures of the pictures that were asked for last, within KEPT_BYTES."""

    def __init__(self) -> None:
        self._textures: OrderedDict[Hashable, gpu.types.GPUTexture] = OrderedDict()
        self._packed = np.empty((0, 0, 4), np.uint8)

    def has(self, key: Hashable) -> bool:
        """Whether the picture need not be handed over again."""
        return key in self._textures

    def texture(self, key: Hashable, picture: np.ndarray) -> gpu.types.GPUTexture:
        """The texture of `picture`, which is handed over where `key` is unknown. First row at the top."""
        if key in self._textures:
            self._textures.move_to_end(key)
            return self._textures[key]
        height, width = picture.shape[:2]
        if self._packed.shape[:2] != (height, width):
            self._packed = np.full((height, width, 4), COMMON, np.uint8)
        pack(picture, self._packed)
        buffer = gpu.types.Buffer("FLOAT", width * height, self._packed.reshape(-1).view(np.float32))
        texture = gpu.types.GPUTexture((width, height), format="R32F", data=buffer)
        self._textures[key] = texture
        while len(self._textures) > max(1, KEPT_BYTES // (4 * width * height)):
            self._textures.popitem(last=False)
        return texture

    def clear(self) -> None:
        """Let go of everything."""
        self._textures.clear()
        self._packed = np.empty((0, 0, 4), np.uint8)
