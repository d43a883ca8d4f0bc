"""Flow matching: a model of clean latents at every noise level, which gives the score of the distribution it saw.

A noisy latent is (1 - sigma) * x0 + sigma * noise, and the model answers the velocity noise - x0 (arXiv 2210.02747).
The same generator serves, with all blocks of a clip at once as its noisy part: every latent sees every other.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ...model import CausalDiT
from ...model.config import BLOCK_LATENTS
from ...model.schedule import SHIFT, TRAINING_STEPS

LEAST, MOST = 0.02, 0.98
"""Noise levels that are drawn. Nearer to 0 nothing is left to say, nearer to 1 everything is a guess."""


@dataclass(frozen=True)
class Condition:
    """What is known of a clip of G latents: reference (B, G, C, h, w), mask (B, G, 4, h, w), render (B, G, C, h, w).

    Mask and render as the generator takes them. `nothing` is a clip that is made freely.
    """

    reference: Tensor
    mask: Tensor
    render: Tensor

    @staticmethod
    def nothing(x0: Tensor) -> "Condition":
        """No reference and no render, for clips like x0 (B, G, C, h, w): all 20 condition channels are zero."""
        mask = x0.new_zeros(*x0.shape[:2], 4, *x0.shape[3:])
        return Condition(torch.zeros_like(x0), mask, torch.zeros_like(x0))

    def part(self, latents: slice) -> "Condition":
        """That of some latents, with their reference."""
        return Condition(self.reference[:, latents], self.mask[:, latents], self.render[:, latents])


class Denoiser(Protocol):
    """Whatever knows what a noisy clip was before."""

    def x0(self, noisy: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        """Clean latents (B, G, C, h, w) of noisy ones at levels sigma (B,)."""


@dataclass(frozen=True)
class Flow:
    """A generator as a bidirectional flow-matching model: `CausalDiT` with prediction "flow", all latents noisy.

    A clip is two blocks at most: positions of the reference end where those of the noisy latents begin.
    """

    dit: CausalDiT

    def velocity(self, noisy: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        """noise - x0 (B, G, C, h, w), as expected of the noisy latents at levels sigma (B,)."""
        if noisy.shape[1] > 2 * BLOCK_LATENTS:
            raise ValueError(f"a clip may have {2 * BLOCK_LATENTS} latents, this one has {noisy.shape[1]}")
        cache = self.dit.prefill(condition.reference, None, None)
        timestep = TRAINING_STEPS * sigma
        return self.dit.denoise(noisy, condition.mask, condition.render, timestep, cache, None).float()

    def x0(self, noisy: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        """See `Denoiser`."""
        return noisy - per_clip(sigma) * self.velocity(noisy, sigma, condition)


def per_clip(sigma: Tensor) -> Tensor:
    """Levels (B,) for latents (B, G, C, h, w)."""
    return sigma[:, None, None, None, None]


def draw_sigmas(count: int, generator: torch.Generator) -> Tensor:
    """Noise levels (B,), shifted towards noise as those of the sampler."""
    even = torch.rand(count, generator=generator)
    return (SHIFT * even / (1 + (SHIFT - 1) * even)).clamp(LEAST, MOST)


def noised(x0: Tensor, sigma: Tensor, noise: Tensor) -> Tensor:
    """Latents (B, G, C, h, w) at levels sigma (B,)."""
    level = per_clip(sigma)
    return (1 - level) * x0 + level * noise


def flow_loss(flow: Flow, x0: Tensor, condition: Condition, generator: torch.Generator) -> Tensor:
    """Mean squared error of the velocity at noise levels drawn anew. It never falls to 0: nobody knows the noise."""
    sigma = draw_sigmas(len(x0), generator)
    noise = torch.randn(x0.shape, generator=generator)
    answer = flow.velocity(noised(x0, sigma, noise), sigma, condition)
    return (answer - (noise - x0)).square().mean()
