"""What a generator is made of: the numbers that fix the shapes of its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Prediction = Literal["flow", "render_residual"]

BLOCK_LATENTS = 3
"""Latents in a block, the unit of generation. Reference and previous block have as many."""

MASK_CHANNELS = 4
"""Mask channels of a latent: one for each of the four frames it stands for."""

PATCH = 2
"""Height and width of a patch in latent pixels; one patch is one token."""


@dataclass(frozen=True)
class GeneratorConfig:
    """Shapes of a `CausalDiT`, and what its output means.

    `text_dim=0` is a generator without text: it has no text embedding and no cross-attention.
    `prediction` says how a clean latent is made of the output, see `sampler.predict_x0`.
    """

    dim: int
    ffn_dim: int
    num_heads: int
    num_layers: int
    freq_dim: int
    latent_channels: int = 16
    text_dim: int = 4096
    text_len: int = 512
    prediction: Prediction = "flow"

    def __post_init__(self) -> None:
        if self.dim % self.num_heads:
            raise ValueError(f"dim {self.dim} is not a multiple of num_heads {self.num_heads}")
        if self.head_dim % 2 or self.freq_dim % 2:
            raise ValueError(f"head_dim {self.head_dim} and freq_dim {self.freq_dim} must be even")

    @property
    def head_dim(self) -> int:
        """Channels of one attention head."""
        return self.dim // self.num_heads

    @property
    def in_dim(self) -> int:
        """Input channels: noisy latent, mask, render latent."""
        return 2 * self.latent_channels + MASK_CHANNELS

    @property
    def out_dim(self) -> int:
        """Output channels: one latent."""
        return self.latent_channels


RELEASED_1_3B = GeneratorConfig(dim=1536, ffn_dim=8960, num_heads=12, num_layers=30, freq_dim=256)
"""InSpatio-World 1 and 1.5 with 1.3 B parameters: both have these shapes."""
