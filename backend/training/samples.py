"""Pictures of what networks make, to be looked at before anything is used."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..codec.base import Codec


def to_codes(colour: Tensor) -> np.ndarray:
    """(F, 3, H, W) in [-1, 1] -> uint8 (F, H, W, 3)."""
    return ((colour.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def sheet(rows: Sequence[Sequence[Tensor]]) -> np.ndarray:
    """Pictures (3, H, W) in [-1, 1], rows of as many each -> one picture (H, W, 3) uint8."""
    return np.concatenate([np.concatenate(list(to_codes(torch.stack(list(row)))), axis=1) for row in rows])


@torch.no_grad()
def last_frame(codec: Codec, latents: Tensor) -> Tensor:
    """The last frame (3, H, W) of a clip's latents (G, C, h, w)."""
    return codec.decoder().push(latents[None].float())[0, -1]
