"""What to draw into a viewport's overlay so that a code of a picture comes out as that code on the screen.

Blender keeps overlays in a texture of sRGB bytes and shows them, past the scene's view transform, as

    shown = 255 * linear^(1 / 2.2)

so what is drawn is rounded to the 256 linear values of sRGB. Those can show 246 of the 256 codes; 2, 3 and 4 are off by
2 or 3, where the first steps of sRGB are coarser than those of the power, and seven others by 1.
"""

import numpy as np

POWER = 2.2


def linear_of_srgb(codes: np.ndarray) -> np.ndarray:
    """Linear light of sRGB codes 0 to 255."""
    share = np.asarray(codes, np.float64) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def shown(linear: np.ndarray) -> np.ndarray:
    """The code on the screen of a value in the overlay's texture."""
    return 255 * np.asarray(linear) ** (1 / POWER)


def linear_of_codes() -> np.ndarray:
    """What to draw for each code: of the values that the overlay keeps, the one shown nearest to it. float32 (256,)."""
    kept = linear_of_srgb(np.arange(256))
    distance = np.abs(shown(kept)[None, :] - np.arange(256)[:, None])
    return kept[distance.argmin(axis=1)].astype(np.float32)
