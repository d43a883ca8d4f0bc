"""Both streams at once: the student re-renders references after one teacher, and makes video of nothing after another.

    stream     conditions                 teacher                        weight
    re-render  synthetic scenes           knows how those scenes look    1
    free       nothing, zero condition    knows how real video looks     joint

Every stream has a critic that follows the student's clips of that stream. A critic's steps come before the student's:
one that lags behind gives the gradient of a student that no longer is. Each stream draws from a generator of its own,
so that what one does does not change the other's draws: with a joint weight of 0 the run is that of re-rendering alone.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ...model import CausalDiT
from ..generator import optimizers
from ..runs import Average
from .dmd import dmd_loss
from .flow import Condition, Flow, flow_loss
from .rollout import roll_out

Draw = Callable[[torch.Generator], Condition]
"""A batch of conditions, drawn by a generator and by nothing else."""


@dataclass(frozen=True)
class Stream:
    """One kind of clip that the student makes. weight: of its loss; 0 leaves it out. guidance: see `dmd.answers`."""

    name: str
    draw: Draw
    teacher: Flow
    critic: Flow
    weight: float
    guidance: float = 1.0


@dataclass(frozen=True)
class Settings:
    """critic_steps: of every critic to one of the student. Rates are Muon's and AdamW's alike."""

    student_rate: float = 2e-4
    critic_rate: float = 4e-4
    critic_steps: int = 5
    average: float = 0.99
    seed: int = 0


class Joint:
    """The student, its average, the critics and their optimizers: one `step` after the other."""

    def __init__(self, student: CausalDiT, streams: Sequence[Stream], settings: Settings) -> None:
        self.student, self.settings = student, settings
        self.streams = [stream for stream in streams if stream.weight > 0]
        self.average = Average(student, settings.average)
        self.student_optimizers = optimizers(student, settings.student_rate)
        self.critic_optimizers = {
            stream.name: optimizers(stream.critic.dit, settings.critic_rate) for stream in self.streams
        }

    @property
    def model(self) -> nn.ModuleDict:
        """All that is trained, for a checkpoint."""
        critics = {stream.name: stream.critic.dit for stream in self.streams}
        return nn.ModuleDict({"student": self.student, **critics})

    @property
    def optimizers(self) -> list[torch.optim.Optimizer]:
        """The same of the optimizers, always in one order."""
        return [*self.student_optimizers, *(one for each in self.critic_optimizers.values() for one in each)]

    def step(self, number: int, pace: float = 1.0) -> dict[str, float]:
        """Step `number` of a run: the critics', then the student's, whose rate is `pace` of its own. Losses by name.

        The gradient of distribution matching keeps its size however near the goal is, so a run ends by slowing down. A
        step depends on the number and on what the networks are, not on those before: a run can be taken up again.
        """
        told: dict[str, float] = {}
        for turn in range(self.settings.critic_steps):
            for stream in self.streams:
                told[f"critic_{stream.name}"] = self._step_critic(
                    stream, self._generator(number, stream, turn)
                )
        losses = []
        for stream in self.streams:
            generator = self._generator(number, stream, self.settings.critic_steps)
            condition = stream.draw(generator)
            made = roll_out(self.student, condition, generator)
            loss = dmd_loss(made, condition, stream.teacher, stream.critic, generator, stream.guidance)
            told[f"student_{stream.name}"] = loss.item()
            losses.append(stream.weight * loss)
        for optimizer in self.student_optimizers:
            for group in optimizer.param_groups:
                group["lr"] = pace * self.settings.student_rate
        _step(self.student, sum(losses[1:], losses[0]), self.student_optimizers)
        self.average.update(self.student, number + 1)
        return told

    def _step_critic(self, stream: Stream, generator: torch.Generator) -> float:
        condition = stream.draw(generator)
        with torch.no_grad():
            made = roll_out(self.student, condition, generator)
        loss = flow_loss(stream.critic, made, condition, generator)
        _step(stream.critic.dit, loss, self.critic_optimizers[stream.name])
        return loss.item()

    def _generator(self, number: int, stream: Stream, turn: int) -> torch.Generator:
        """Draws of one stream in one turn of a step."""
        place = (self.settings.seed, number, turn, zlib.crc32(stream.name.encode()))
        return torch.Generator().manual_seed(int(np.random.SeedSequence(place).generate_state(1)[0]))


def _step(model: nn.Module, loss: torch.Tensor, optimizers: Sequence[torch.optim.Optimizer]) -> None:
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()
