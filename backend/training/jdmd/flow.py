"""Flow matching: a model of clean latents at every noise level, which gives the score of the distribution it saw.

A noisy latent is (1 - sigma) * x0 + sigma * noise, and the model answers the velocity noise - x0 (arXiv 2210.02747).
The same generator serves, with all blocks of a clip at once as its noisy part: every latent sees every other.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from ...model import CausalDiT
from ...model.config import BLOCK_LATENTS
from ...model.schedule import SHIFT, TRAINING_STEPS
from ..fleet import Fleet
from .condition import Condition, per_clip
from .spread import Spread

LEAST, MOST = 0.02, 0.98
"""Noise levels that are drawn. Nearer to 0 nothing is left to say, nearer to 1 everything is a guess."""
KEPT = 0.95
"""Share of what its spread has counted that remains from step to step."""


class Denoiser(Protocol):
    """Whatever knows what a noisy clip was before."""

    def x0(self, noisy: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        """Clean latents (B, G, C, h, w) of noisy ones at levels sigma (B,)."""


@dataclass(frozen=True)
class Flow:
    """A generator as a bidirectional flow-matching model: `CausalDiT` with prediction "flow", all latents noisy.

    A clip is two blocks at most: positions of the reference end where those of the noisy latents begin.

    spread: with it the network answers what the render lacks, as the causal generator does, and Bayes' rule adds what
    the noisy clip tells of that. The causal generator is such a model already, which a small network that answers the
    velocity takes long to come to. Without it the network answers the velocity, as the released one does.
    """

    dit: CausalDiT
    spread: Spread | None = None

    def to(self, device: torch.device) -> None:
        """Move to where it is computed."""
        self.dit.to(device)
        if self.spread is not None:
            self.spread.to(device)

    def velocity(self, noisy: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        """noise - x0 (B, G, C, h, w), as expected of the noisy latents at levels sigma (B,)."""
        if self.spread is None:
            return self.answer(noisy, sigma, condition)
        return (noisy - self.x0(noisy, sigma, condition)) / per_clip(sigma).to(noisy)

    def answer(self, noisy: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        """What the network itself says of noisy clips."""
        if noisy.shape[1] > 2 * BLOCK_LATENTS:
            raise ValueError(f"a clip may have {2 * BLOCK_LATENTS} latents, this one has {noisy.shape[1]}")
        text = condition.read_by(self.dit)
        cache = self.dit.prefill(condition.reference, None, text)
        timestep = TRAINING_STEPS * sigma
        return self.dit.denoise(noisy, condition.mask, condition.render, timestep, cache, text).float()

    @torch.no_grad()
    def expected(self, condition: Condition, generator: torch.Generator) -> Tensor:
        """Clean latents of a condition as the network expects them that sees nothing but noise."""
        noise = noise_like(condition.render, generator)
        level = condition.render.new_ones(len(noise))
        return condition.render + self.answer(noise, level, condition)

    def count(
        self, x0: Tensor, condition: Condition, generator: torch.Generator, fleet: Fleet, kept: float = KEPT
    ) -> None:
        """Clips of the kind that is modelled: the spread, where there is one, follows what all of a fleet count.

        kept: share of what it had counted that remains.
        """
        if self.spread is not None:
            self.spread.add(x0, condition, self.expected(condition, generator), kept)
            fleet.average(self.spread.buffers())

    def x0(self, noisy: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        """See `Denoiser`."""
        return self.expectation(noisy, sigma, condition)[0]

    def expectation(self, noisy: Tensor, sigma: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
        """Clean latents of noisy ones, and the size of the error that counts as one."""
        answer = self.answer(noisy, sigma, condition)
        if self.spread is None:
            level = per_clip(sigma).to(noisy)
            return noisy - level * answer, level
        return self.spread.guess(condition.render + answer, noisy, sigma, condition)

    @torch.no_grad()
    def sample(self, condition: Condition, generator: torch.Generator, steps: int = 24) -> Tensor:
        """Clean latents of a condition, from noise in so many even steps of the shifted schedule (Euler)."""
        x = noise_like(condition.render, generator)
        even = torch.linspace(1, 0, steps + 1)
        levels = SHIFT * even / (1 + (SHIFT - 1) * even)
        for sigma, lower in pairwise(levels):
            x = x + (lower - sigma) * self.velocity(x, sigma.expand(len(x)), condition)
        return x


def draw_sigmas(count: int, generator: torch.Generator) -> Tensor:
    """Noise levels (B,), shifted towards noise as those of the sampler."""
    even = torch.rand(count, generator=generator)
    return (SHIFT * even / (1 + (SHIFT - 1) * even)).clamp(LEAST, MOST)


def noise_like(x: Tensor, generator: torch.Generator) -> Tensor:
    """Normal noise, drawn on the CPU: the same wherever x lies."""
    return torch.randn(x.shape, generator=generator).to(x)


def noised(x0: Tensor, sigma: Tensor, noise: Tensor) -> Tensor:
    """Latents (B, G, C, h, w) at levels sigma (B,)."""
    level = per_clip(sigma).to(x0)
    return (1 - level) * x0 + level * noise


def flow_loss(flow: Flow, x0: Tensor, condition: Condition, generator: torch.Generator) -> Tensor:
    """Mean squared error of clean latents at noise levels drawn anew, in units of how uncertain they are.

    Without a spread that is the error of the velocity. It never falls to 0: nobody knows the noise.
    """
    sigma = draw_sigmas(len(x0), generator)
    made, deviation = flow.expectation(noised(x0, sigma, noise_like(x0, generator)), sigma, condition)
    return ((made - x0) / deviation).square().mean()
