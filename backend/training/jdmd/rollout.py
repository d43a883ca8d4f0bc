"""The student's own blocks, made as in use: cache, reference, its own block before (Self-Forcing, arXiv 2506.08009).

Trained on true blocks alone a student never meets its own mistakes, which is all it meets in use. The gradient goes
through the last step of each block; steps before it, and the blocks that came before, are taken as they are.
"""

import torch
from torch import Tensor

from ...model import CausalDiT, Schedule, add_noise, predict_x0
from ...model.config import BLOCK_LATENTS
from .flow import Condition


def roll_out(
    dit: CausalDiT,
    condition: Condition,
    generator: torch.Generator,
    schedule: Schedule | None = None,
    last_step: int | None = None,
) -> Tensor:
    """Clean latents (B, G, C, h, w) of all blocks of a condition, with gradients to the weights.

    last_step: the step of the schedule whose answer counts, 0 to its last; None draws one for the whole clip, so that
    every step learns.
    """
    schedule = schedule or Schedule()
    count = len(schedule.steps)
    if last_step is None:
        last_step = int(torch.randint(count, (1,), generator=generator))
    blocks: list[Tensor] = []
    for start in range(0, condition.render.shape[1], BLOCK_LATENTS):
        part = condition.part(slice(start, start + BLOCK_LATENTS))
        previous = blocks[-1].detach() if blocks else None
        with torch.no_grad():
            cache = dit.prefill(part.reference, previous, None)
        noisy = torch.randn(part.render.shape, generator=generator)
        for step, timestep in enumerate(schedule.steps[: last_step + 1]):
            sigma = schedule.sigma(timestep)
            with torch.set_grad_enabled(step == last_step and torch.is_grad_enabled()):
                output = dit.denoise(noisy, part.mask, part.render, timestep.expand(len(noisy)), cache, None)
                x0 = predict_x0(dit.config.prediction, output.float(), noisy, part.render, sigma)
            if step < last_step:
                noise = torch.randn(x0.shape, generator=generator)
                noisy = add_noise(x0, noise, schedule.sigma(schedule.steps[step + 1]))
        blocks.append(x0)
    return torch.cat(blocks, dim=1)
