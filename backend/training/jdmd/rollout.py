"""The student's own blocks, made as in use: cache, reference, its own block before (Self-Forcing, arXiv 2506.08009).

Trained on true blocks alone a student never meets its own mistakes, which is all it meets in use. The gradient goes
through the last step of each block; steps before it, and the blocks that came before, are taken as they are.
"""

import torch
from torch import Tensor

from ...model import CausalDiT, Schedule, add_noise, predict_x0
from ...model.config import BLOCK_LATENTS
from .condition import Condition
from .flow import noise_like


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
    with torch.no_grad():
        read = condition.read_by(dit)
    text = condition.read_by(dit) if read is not None and torch.is_grad_enabled() else read
    blocks: list[Tensor] = []
    for start in range(0, condition.render.shape[1], BLOCK_LATENTS):
        part = condition.part(slice(start, start + BLOCK_LATENTS))
        previous = blocks[-1].detach() if blocks else None
        with torch.no_grad():
            cache = dit.prefill(part.reference, previous, read)
        noisy = noise_like(part.render, generator)
        for step, timestep in enumerate(schedule.steps[: last_step + 1]):
            sigma = schedule.sigma(timestep)
            learns = step == last_step and torch.is_grad_enabled()
            with torch.set_grad_enabled(learns):
                told = timestep.expand(len(noisy)), cache, text if learns else read
                output = dit.denoise(noisy, part.mask, part.render, *told)
                x0 = predict_x0(dit.config.prediction, output.float(), noisy, part.render, sigma)
            if step < last_step:
                noisy = add_noise(x0, noise_like(x0, generator), schedule.sigma(schedule.steps[step + 1]))
        blocks.append(x0)
    return torch.cat(blocks, dim=1)
