"""The mask that tells the generator what the render knows: pixels to mask latents."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from ..model.config import MASK_CHANNELS

SHRINK = 8
"""Pixels of a frame per pixel of a latent, in height and in width."""


def mask_latents(known: Tensor, first: bool) -> Tensor:
    """Mask latents (G, 4, H/8, W/8) of frames' known pixels (F, H, W), bool.

    Known is +1, a hole -1, shrunk bilinearly; a latent's four channels are its four frames. `first` says that
    the frames begin a stream: then F = 1 + 4(G-1) and the first frame fills all four channels, else F = 4G.
    """
    signed = known.unsqueeze(1).float() * 2 - 1
    size = (known.shape[-2] // SHRINK, known.shape[-1] // SHRINK)
    small = F.interpolate(signed, size=size, mode="bilinear", align_corners=False).squeeze(1)
    if first:
        small = torch.cat([small[:1].expand(MASK_CHANNELS - 1, -1, -1), small])
    return rearrange(small, "(g c) h w -> g c h w", c=MASK_CHANNELS)
