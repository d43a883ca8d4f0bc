"""Sampling of one block: denoise to a clean latent, add less noise, and again, over the steps of the schedule."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .config import Prediction
from .dit import Cache, CausalDiT, TextKeyValues
from .schedule import Schedule


class Cancelled(Exception):
    """The generation was called off between two steps; nothing of the block is kept."""


def predict_x0(prediction: Prediction, output: Tensor, noisy: Tensor, render: Tensor, sigma: float) -> Tensor:
    """The clean latent that the generator's `output` stands for; all tensors (B, G, C, h, w), dtype of `noisy`.

    flow: the output is noise - x0, so x0 = noisy - sigma * output, taken in float64 where the device has it.
    render_residual: the output is what the render lacks, x0 = render + output.
    """
    if prediction == "render_residual":
        return (render + output).to(noisy.dtype)
    exact = torch.float32 if noisy.device.type == "mps" else torch.float64
    return (noisy.to(exact) - sigma * output.to(exact)).to(noisy.dtype)


def add_noise(x0: Tensor, noise: Tensor, sigma: float) -> Tensor:
    """`x0` at noise level `sigma`: (1 - sigma) * x0 + sigma * noise."""
    return (1 - sigma) * x0 + sigma * noise


def sample_block(
    dit: CausalDiT,
    cache: Cache,
    mask: Tensor,
    render: Tensor,
    noise: Tensor,
    renoise: Callable[[int], Tensor],
    text: TextKeyValues | None,
    cancelled: Callable[[], bool] = lambda: False,
    *,
    schedule: Schedule | None = None,
) -> Tensor:
    """Sample a block's latents x0 (B, 3, C, h, w) from `noise` of that shape.

    `mask` (B, 3, 4, h, w) and `render` (B, 3, C, h, w) are the block's condition, `cache` its prefilled context.
    `renoise(step)` is the fresh noise added after that step, `cancelled()` is asked before every step and ends the
    sampling with `Cancelled`. The released schedule is the default.
    """
    schedule = schedule or Schedule()
    sigmas = [schedule.sigma(timestep) for timestep in schedule.steps]
    noisy = noise
    for step, (timestep, sigma) in enumerate(zip(schedule.steps, sigmas, strict=True)):
        if cancelled():
            raise Cancelled
        output = dit.denoise(noisy, mask, render, timestep.expand(len(noisy)), cache, text)
        x0 = predict_x0(dit.config.prediction, output, noisy, render, sigma)
        if step + 1 < len(sigmas):
            noisy = add_noise(x0, renoise(step), sigmas[step + 1])
    return x0
