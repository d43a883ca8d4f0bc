"""Both streams at once: the student re-renders references after one teacher, and makes video of nothing after another.

    stream     conditions                 teacher                        weight
    re-render  synthetic scenes           knows how those scenes look    1
    free       nothing, zero condition    knows how real video looks     joint

Every stream has a critic that follows the student's clips of that stream, and their spread. A critic's steps come
before the student's: one that lags behind gives the gradient of a student that no longer is. Each stream draws from a
generator of its own, so that what one does does not change the other's draws: with a joint weight of 0 the run is that
of re-rendering alone.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ...model import CausalDiT, Schedule
from ...model.schedule import SAMPLING_STEPS
from ..fleet import Fleet
from ..generator import optimizers
from ..runs import Average, descend, set_rate
from .condition import Condition
from .dmd import dmd_loss
from .flow import Flow, flow_loss
from .rollout import roll_out

SAMPLING = {4: SAMPLING_STEPS, 2: SAMPLING_STEPS[::2]}
"""Timesteps before the shift, by their number."""

BETAS = 0.9, 0.98
"""Of the critics' AdamW. Muon takes as long as a critic's pass over a batch of clips, and a critic makes many steps."""

COUNTED = 16
"""Batches of the student's first clips that a critic's spread is measured on before any step."""

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
    """critic_steps: of every critic to one of the student.

    sampling: steps of the sampler, four or two.
    """

    student_rate: float = 2e-4
    critic_rate: float = 3e-4
    critic_steps: int = 3
    average: float = 0.99
    sampling: int = 4
    seed: int = 0


class Joint:
    """The student, its average, the critics and their optimizers: one `step` after the other."""

    def __init__(
        self, student: CausalDiT, streams: Sequence[Stream], settings: Settings, fleet: Fleet | None = None
    ) -> None:
        self.student, self.settings, self._fleet = student, settings, fleet or Fleet()
        self.schedule = Schedule(SAMPLING[settings.sampling])
        self.streams = [stream for stream in streams if stream.weight > 0]
        self.average = Average(student, settings.average)
        self.student_optimizers = optimizers(student, settings.student_rate)
        self.critic_optimizers = {
            stream.name: [
                torch.optim.AdamW(
                    stream.critic.dit.parameters(), lr=settings.critic_rate, betas=BETAS, weight_decay=0.0
                )
            ]
            for stream in self.streams
        }

    @property
    def model(self) -> nn.ModuleDict:
        """All that is trained, for a checkpoint."""
        critics = {stream.name: stream.critic.dit for stream in self.streams}
        spreads = {
            f"{stream.name}_spread": stream.critic.spread
            for stream in self.streams
            if stream.critic.spread is not None
        }
        return nn.ModuleDict({"student": self.student, **critics, **spreads})

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
        if number == 0:
            for stream in self.streams:
                self._count(stream)
        for stream in self.streams:
            told |= self._follow(stream, self._generator(number, stream, 0), pace)
        losses = []
        for stream in self.streams:
            generator = self._generator(number, stream, 1)
            condition = stream.draw(generator)
            made = roll_out(self.student, condition, generator, self.schedule)
            loss = dmd_loss(made, condition, stream.teacher, stream.critic, generator, stream.guidance)
            told[f"student_{stream.name}"] = loss.item()
            losses.append(stream.weight * loss)
        set_rate(self.student_optimizers, pace * self.settings.student_rate)
        descend(sum(losses[1:], losses[0]), self.student, self.student_optimizers, self._fleet)
        self.average.update(self.student, number + 1)
        return told

    def _follow(self, stream: Stream, generator: torch.Generator, pace: float) -> dict[str, float]:
        """A critic's steps. The student stands still meanwhile, so that all may be on the same clips of its making."""
        condition, losses = stream.draw(generator), []
        with torch.no_grad():
            made = roll_out(self.student, condition, generator, self.schedule)
        stream.critic.count(made, condition, generator, self._fleet)
        optimizers = self.critic_optimizers[stream.name]
        set_rate(optimizers, pace * self.settings.critic_rate)
        for _ in range(self.settings.critic_steps):
            loss = flow_loss(stream.critic, made, condition, generator)
            descend(loss, stream.critic.dit, optimizers, self._fleet)
            losses.append(loss.item())
        return {f"critic_{stream.name}": float(np.mean(losses))}

    def _count(self, stream: Stream) -> None:
        """Measure a critic's spread on clips of the untrained student, in place of its teacher's."""
        if stream.critic.spread is None:
            return
        stream.critic.spread.forget()
        for turn in range(COUNTED):
            generator = self._generator(0, stream, 2 + turn)
            condition = stream.draw(generator)
            with torch.no_grad():
                made = roll_out(self.student, condition, generator, self.schedule)
            stream.critic.count(made, condition, generator, self._fleet, kept=1.0)

    def _generator(self, number: int, stream: Stream, turn: int) -> torch.Generator:
        """Draws of one stream in one turn of a step, in this process."""
        place = (self.settings.seed, number, turn, zlib.crc32(stream.name.encode()), self._fleet.rank)
        return torch.Generator().manual_seed(int(np.random.SeedSequence(place).generate_state(1)[0]))
