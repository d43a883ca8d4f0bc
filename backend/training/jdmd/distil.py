"""Stage `jdmd`: the student is moved to where its clips are like a teacher's, in both streams.

The student begins as a causal model that knows re-rendering (stage `causal`). Each critic begins as its teacher: at
first the student's clips are the nearest to those. RUN/generator.safetensors are the averaged weights.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ...codec.base import Codec
from ...model import CausalDiT
from ..distance import sharpness
from ..fleet import Fleet
from ..generator import Latents, draw_batch, save_generator
from ..runs import Average, cosine
from ..samples import last_frame, sheet, to_codes
from .condition import Condition
from .joint import Draw, Joint, Settings, Stream
from .rollout import roll_out
from .teacher import SHOWN, WINDOW, condition_of, load_flow, whole_clip


def drawn_from(examples: list[Latents], batch_size: int, free: bool, device: torch.device) -> Draw:
    """Conditions of windows of examples; in the free stream that is their size, their text and nothing else."""

    def draw(generator: torch.Generator) -> Condition:
        rng = np.random.default_rng(int(torch.randint(1 << 31, (1,), generator=generator)))
        size = examples[0]["truth"].shape[-2:]
        window = min(WINDOW[0], size[0]), min(WINDOW[1], size[1])
        batch = draw_batch(examples, batch_size, window, rng)
        return condition_of({name: tensor.to(device) for name, tensor in batch.items()}, free)

    return draw


def stream(
    name: str,
    teacher: Path,
    examples: list[Latents],
    batch_size: int,
    weight: float,
    guidance: float = 1.0,
    fleet: Fleet | None = None,
) -> Stream:
    """A stream whose critic begins as its teacher. The one called "free" has no conditions."""
    device = (fleet or Fleet()).device
    real, fake = load_flow(teacher), load_flow(teacher)
    real.dit.requires_grad_(False)
    for each in (real, fake):
        each.to(device)
    draw = drawn_from(examples, batch_size, name == "free", device)
    return Stream(name, draw, real, fake, weight, guidance)


class Distil:
    """The stage, its figures of `tests` and of clips made of nothing."""

    name = "jdmd"

    def __init__(
        self,
        student: CausalDiT,
        streams: Sequence[Stream],
        settings: Settings,
        tests: list[Latents],
        codec: Codec | None,
        fleet: Fleet | None = None,
        every: int = 25,
    ) -> None:
        self.every, self._fleet = every, fleet or Fleet()
        self._tests, self._codec = tests, codec
        self.joint = Joint(student.to(self._fleet.device), streams, settings, fleet)

    @property
    def model(self) -> nn.Module:
        return self.joint.model

    @property
    def optimizers(self) -> list[torch.optim.Optimizer]:
        return self.joint.optimizers

    @property
    def average(self) -> Average:
        return self.joint.average

    def step(self, number: int, progress: float) -> dict[str, float]:
        """See `loop.Stage`. The gradient of distribution matching keeps its size, so the run ends by slowing down."""
        return self.joint.step(number, cosine(progress))

    @torch.no_grad()
    def _made(self) -> list[tuple[Latents, torch.Tensor, torch.Tensor]]:
        """Held-out clips with what the averaged student makes of each, and of nothing."""
        dit = CausalDiT(self.joint.student.config).to(self._fleet.device)
        self.average.copy_to(dit)
        generator, made = torch.Generator().manual_seed(0), []
        last = len(self.joint.schedule.steps) - 1
        for example in self._tests[:SHOWN]:
            batch = whole_clip(example, self._fleet.device)
            told, nothing = (
                roll_out(dit, condition_of(batch, free), generator, self.joint.schedule, last)
                for free in (False, True)
            )
            made.append((batch, told, nothing))
        return made

    def look(self) -> tuple[dict[str, float], np.ndarray | None]:
        """Decibels over the render on held-out latents, and sharpness beside the true frames'.

        The picture: truth, render, what the student makes of it, and what it makes of nothing.
        """
        made, codec = self._made(), self._codec
        if not made:
            return {}, None
        gains = []
        for batch, told, _ in made:
            before, after = ((each - batch["truth"]).square().mean() for each in (batch["render"], told))
            gains.append(10 * torch.log10(before / after))
        figures = {"test_db": float(torch.stack(gains).mean())}
        if codec is None:
            return figures, None
        rows = [
            [last_frame(codec, clip[0]) for clip in (batch["truth"], batch["render"], told, free)]
            for batch, told, free in made
        ]
        true, ours = (to_codes(torch.stack([row[place] for row in rows])) / 255 for place in (0, 2))
        return {**figures, "sharpness": sharpness(ours) / sharpness(true)}, sheet(rows)

    def save(self, folder: Path) -> None:
        """generator.safetensors."""
        save_generator(self.joint.student, self.average, folder / "generator.safetensors")
