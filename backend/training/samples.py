"""Pictures and latents, wherever a codec computes; sheets of what networks make, to be looked at before it is used."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from ..codec.base import Codec


def to_codes(colour: Tensor) -> np.ndarray:
    """(F, 3, H, W) in [-1, 1] -> uint8 (F, H, W, 3)."""
    return ((colour.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def sheet(rows: Sequence[Sequence[Tensor]]) -> np.ndarray:
    """Pictures (3, H, W) in [-1, 1], rows of as many each -> one picture (H, W, 3) uint8."""
    return np.concatenate([np.concatenate(list(to_codes(torch.stack(list(row)))), axis=1) for row in rows])


def place_of(codec: Codec) -> torch.device:
    """Where a codec computes."""
    return next(cast(nn.Module, codec).parameters()).device


def encoded(codec: Codec, frames: Tensor) -> Tensor:
    """Latents (G, C, h, w) of frames (F, 3, H, W) in [-1, 1]: both lie on the CPU, wherever the codec computes."""
    return codec.encoder().push(frames[None].to(place_of(codec)))[0].cpu()


@torch.no_grad()
def last_frame(codec: Codec, latents: Tensor) -> Tensor:
    """The last frame (3, H, W) of a clip's latents (G, C, h, w), on the CPU."""
    return codec.decoder().push(latents[None].float().to(place_of(codec)))[0, -1].cpu()
