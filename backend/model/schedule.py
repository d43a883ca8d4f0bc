"""Noise levels of the generator: rectified flow, shifted towards noise (arXiv 2403.03206, section 5.3.2).

sigma runs from 1 (noise) down to 0 (clean) in 1000 even steps, each moved to shift*s / (1 + (shift-1)*s); a timestep
is 1000 times its sigma. Sampling uses four of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

TRAINING_STEPS = 1000
SHIFT = 5.0
SAMPLING_STEPS = (1000, 750, 500, 250)


class Schedule:
    """The levels and the sampled ones. All tensors are float32 on the CPU.

    timesteps (1000,) and sigmas (1000,) fall from 1000 and 1; `steps` are the sampled timesteps after the shift,
    for the released four: 1000, 937.5, 833.33, 625.
    """

    def __init__(self, steps: Sequence[int] = SAMPLING_STEPS) -> None:
        even = torch.linspace(1.0, 0.0, TRAINING_STEPS + 1)[:-1]
        self.sigmas: Tensor = SHIFT * even / (1 + (SHIFT - 1) * even)
        self.timesteps: Tensor = self.sigmas * TRAINING_STEPS
        self.steps: Tensor = self.timesteps[TRAINING_STEPS - torch.tensor(steps)]

    def sigma(self, timestep: Tensor | float) -> float:
        """Noise level of the nearest of the 1000 timesteps."""
        return self.sigmas[(self.timesteps - float(timestep)).abs().argmin()].item()
