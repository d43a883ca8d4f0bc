"""Distribution matching (arXiv 2311.18828, 2405.14867): where to a student's clips move to become like a teacher's.

Noise is added to a clip, and two models say what it was before: the teacher, who knows the real distribution, and the
critic, who knows the student's. Their difference is the gradient of the divergence between the two, at that noise
level, up to a factor that is brought to the same size for every clip.
"""

import torch
from torch import Tensor

from .condition import Condition
from .flow import Denoiser, draw_sigmas, noise_like, noised

LEAST = 1e-3
"""Of latents of unit variance: a clip that is as near to the teacher's answer counts as there."""


@torch.no_grad()
def answers(
    x0: Tensor,
    condition: Condition,
    teacher: Denoiser,
    critic: Denoiser,
    sigma: Tensor,
    noise: Tensor,
    guidance: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """What teacher and critic take clips x0 (B, G, C, h, w) for that are noised to levels sigma (B,).

    Critic's minus teacher's is the gradient of the divergence with respect to x0, times (sigma / (1 - sigma))^2.
    guidance: how far the teacher's answer goes beyond what it would be without the condition; 1 is the answer itself.
    """
    noisy = noised(x0, sigma, noise)
    real = teacher.x0(noisy, sigma, condition)
    if guidance != 1.0:
        free = teacher.x0(noisy, sigma, Condition.nothing(x0, condition.text))
        real = free + guidance * (real - free)
    return real, critic.x0(noisy, sigma, condition)


def dmd_loss(
    x0: Tensor,
    condition: Condition,
    teacher: Denoiser,
    critic: Denoiser,
    generator: torch.Generator,
    guidance: float = 1.0,
) -> Tensor:
    """A loss whose gradient with respect to a student's clips x0 is the divergence's, normalised.

    Each clip's is divided by how far the clip is from the teacher's answer on the mean: the gradient's size changes by
    orders with the noise level, and the noisiest clips would outweigh the others.
    """
    sigma = draw_sigmas(len(x0), generator)
    noise = noise_like(x0, generator)
    clip = x0.detach()
    real, fake = answers(clip, condition, teacher, critic, sigma, noise, guidance)
    apart = (clip - real).abs().mean(dim=(1, 2, 3, 4), keepdim=True).clamp(min=LEAST)
    target = clip - (fake - real) / apart
    return 0.5 * (x0 - target).square().mean()
