"""Rotary positions of tokens in time, height and width (RoFormer, arXiv 2104.09864, split over three axes).

A head of d channels is d/2 pairs of neighbouring channels. The first pairs turn with time, the next with
height, the last with width; time gets d - 4*(d//6) channels, height and width 2*(d//6) each. Within an axis of
`a` channels pair i turns by position * 10000 ** (-2i/a).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from einops import repeat
from torch import Tensor

THETA = 10000.0


class Rotation:
    """Cosine and sine of every token's angles, (N, 1, head_dim/2) each, to turn (B, N, heads, head_dim)."""

    def __init__(self, cos: Tensor, sin: Tensor) -> None:
        self.cos = cos
        self.sin = sin

    def __call__(self, x: Tensor) -> Tensor:
        """Turn queries or keys (B, N, heads, head_dim) to their positions; same shape and dtype back."""
        even, odd = x.unflatten(-1, (-1, 2)).unbind(-1)
        turned = torch.stack((even * self.cos - odd * self.sin, even * self.sin + odd * self.cos), dim=-1)
        return turned.flatten(-2).to(x.dtype)


@lru_cache(maxsize=8)
def rotation(times: range, height: int, width: int, head_dim: int, *, device: torch.device) -> Rotation:
    """Rotation of tokens ordered (time, height, width).

    `times` are the positions in time of the latents in order; height and width positions count from 0 and
    `height`, `width` are in tokens. Angles are taken in float64, cosine and sine kept in float32. The same for every
    pass of a take, so the last few are kept: on a CPU they take as long as a layer does on a GPU.
    """
    with torch.inference_mode(False):  # or what was made during inference could not be trained with
        return _rotation(times, height, width, head_dim, device)


def _rotation(times: range, height: int, width: int, head_dim: int, device: torch.device) -> Rotation:
    plane = 2 * (head_dim // 6)
    angles = torch.cat(
        [
            repeat(_angles(times, head_dim - 2 * plane), "t c -> (t h w) c", h=height, w=width),
            repeat(_angles(range(height), plane), "h c -> (t h w) c", t=len(times), w=width),
            repeat(_angles(range(width), plane), "w c -> (t h w) c", t=len(times), h=height),
        ],
        dim=-1,
    ).unsqueeze(1)
    return Rotation(angles.cos().float().to(device), angles.sin().float().to(device))


def _angles(positions: Sequence[int], channels: int) -> Tensor:
    """Angles (positions, channels/2) of one axis, float64 on the CPU."""
    exponents = torch.arange(0, channels, 2, dtype=torch.float64) / channels
    return torch.outer(torch.tensor(list(positions), dtype=torch.float64), THETA**-exponents)
