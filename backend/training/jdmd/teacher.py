"""Stage `teacher`: what the student is held against, a bidirectional flow-matching model for each stream.

In re-rendering the condition is left out of one clip in ten, so that guidance has something to go beyond. Windows for
most of the run, then whole frames. RUN/teacher.safetensors are the averaged weights.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor, nn

from ...codec.base import Codec
from ...model import CausalDiT, GeneratorConfig
from ..fleet import Fleet
from ..generator import TINY, Latents, draw_batch, load_dit, optimizers, save_generator
from ..runs import Average, cosine, descend, set_rate
from ..samples import last_frame, sheet
from .condition import Condition
from .flow import Flow, flow_loss
from .spread import Spread

CONFIG = replace(TINY, prediction="flow")
RATE = 1.5e-3
WINDOW = (12, 12)
"""Latents, for most of the run."""
WHOLE_FROM = 0.75
WITHOUT = 0.1
"""Share of clips whose condition is left out."""
SPREAD = "spread."
"""What names of a spread's tensors begin with in a teacher's file."""
SEEN = 160
"""Examples that a spread is measured on at first."""
SHOWN = 4
"""Clips of the picture of samples."""


def condition_of(batch: Latents, free: bool) -> Condition:
    """What a model is told of a batch's clips: all there is, or nothing but their text."""
    text = batch.get("text")
    if free:
        return Condition.nothing(batch["truth"], text)
    return Condition(batch["reference"], batch["mask"], batch["render"], text)


def left_out(condition: Condition, chosen: Tensor) -> Condition:
    """The same, but nothing for the chosen clips (B,)."""
    kept = (~chosen)[:, None, None, None, None].to(condition.render)
    parts = condition.reference * kept, condition.mask * kept, condition.render * kept
    return Condition(*parts, condition.text)


def whole_clip(example: Latents, device: torch.device) -> Latents:
    """An example as a batch of one, at full size."""
    return {name: tensor[None].float().to(device) for name, tensor in example.items()}


@torch.no_grad()
def evaluate(flow: Flow, examples: list[Latents], free: bool, device: torch.device | None = None) -> float:
    """The loss on held-out clips at full size, with the same noise at every call."""
    generator, losses = torch.Generator().manual_seed(0), []
    for example in examples:
        batch = whole_clip(example, device or torch.device("cpu"))
        losses.append(float(flow_loss(flow, batch["truth"], condition_of(batch, free), generator)))
    return float(np.mean(losses))


class Teacher:
    """The stage: trained on `examples`, its figures those of `tests`. free: of real video, without a condition.

    start: a generator of the same shape whose weights a new run begins with. One with text answers the velocity, as the
    released one does; one without answers what a render lacks, and has a `Spread` around that. In the free stream its
    head begins anew: what it would say of no render is not to be relied on.
    """

    name = "teacher"

    def __init__(
        self,
        examples: list[Latents],
        tests: list[Latents],
        codec: Codec | None,
        free: bool,
        batch: int,
        rate: float = RATE,
        seed: int = 0,
        config: GeneratorConfig = CONFIG,
        start: CausalDiT | None = None,
        fleet: Fleet | None = None,
        every: int = 100,
    ) -> None:
        torch.manual_seed(seed)
        self.every, self._fleet = every, fleet or Fleet()
        self._examples, self._tests, self._codec, self._free = examples, tests, codec, free
        self._batch, self._rate, self._seed = batch, rate, seed
        self.dit = CausalDiT(config)
        if start is not None:
            self.dit.load_state_dict(start.state_dict())
        self.spread: Spread | None = None
        if config.text_dim == 0:
            if free or start is None:
                for parameter in self.dit.head.head.parameters():
                    nn.init.zeros_(parameter)
            sample = examples[:: max(1, len(examples) // SEEN)]
            generator = torch.Generator().manual_seed(seed)
            self.spread = Spread.of(sample, lambda index: self._expected(sample[index], generator))
            self.spread.to(self._fleet.device)
        self.dit.to(self._fleet.device)
        self.flow = Flow(self.dit, self.spread)
        self.optimizers = optimizers(self.dit, rate)
        self.average = Average(self.dit, 0.998)

    @property
    def model(self) -> nn.ModuleDict:
        """All that a checkpoint keeps."""
        return nn.ModuleDict({"dit": self.dit} | ({} if self.spread is None else {"spread": self.spread}))

    def _expected(self, example: Latents, generator: torch.Generator) -> Tensor:
        """What the model that is not trained yet expects of an example."""
        batch = whole_clip(example, torch.device("cpu"))
        return Flow(self.dit).expected(condition_of(batch, self._free), generator)[0]

    def step(self, number: int, progress: float) -> dict[str, float]:
        """See `loop.Stage`."""
        place = np.random.SeedSequence((self._seed, number, self._fleet.rank))
        rng = np.random.default_rng(place)
        generator = torch.Generator().manual_seed(int(rng.integers(1 << 31)))
        whole, size = progress >= WHOLE_FROM, self._examples[0]["truth"].shape[-2:]
        window = (size[0], size[1]) if whole else (min(WINDOW[0], size[0]), min(WINDOW[1], size[1]))
        drawn = draw_batch(self._examples, max(1, self._batch // 4) if whole else self._batch, window, rng)
        batch = {name: tensor.to(self._fleet.device) for name, tensor in drawn.items()}
        condition = condition_of(batch, self._free)
        if not self._free:
            condition = left_out(condition, torch.rand(len(batch["truth"]), generator=generator) < WITHOUT)
        # What the network has come to expect is no longer lacking: broad as at first, the rule would trust noise.
        self.flow.count(batch["truth"], condition, generator, self._fleet)
        loss = flow_loss(self.flow, batch["truth"], condition, generator)
        set_rate(self.optimizers, self._rate * cosine(progress))
        descend(loss, self.dit, self.optimizers, self._fleet)
        self.average.update(self.dit, number + 1)
        return {"loss": loss.item()}

    def _averaged(self) -> Flow:
        averaged = CausalDiT(self.dit.config).to(self._fleet.device)
        self.average.copy_to(averaged)
        return Flow(averaged, self.spread)

    @torch.no_grad()
    def look(self) -> tuple[dict[str, float], np.ndarray | None]:
        """The loss on held-out clips; clips made from noise, in re-rendering with truth and render before them."""
        if not self._tests:
            return {}, None
        flow, rows, generator = self._averaged(), [], torch.Generator().manual_seed(0)
        figures = {"test_loss": evaluate(flow, self._tests, self._free, self._fleet.device)}
        if self._codec is None:
            return figures, None
        for example in self._tests[:SHOWN]:
            batch = whole_clip(example, self._fleet.device)
            made = flow.sample(condition_of(batch, self._free), generator)
            shown = [made] if self._free else [batch["truth"], batch["render"], made]
            rows.append([last_frame(self._codec, latents[0]) for latents in shown])
        return figures, sheet(rows)

    def save(self, folder: Path) -> None:
        """teacher.safetensors."""
        kept = {} if self.spread is None else self.spread.state_dict(prefix=SPREAD)
        save_generator(self.dit, self.average, folder / "teacher.safetensors", kept)


def load_flow(path: Path) -> Flow:
    """A teacher as it was saved, float32 and ready to be trained: a critic begins as one."""
    dit, spread = load_dit(path), None
    with safe_open(path, "pt") as file:
        kept = [name for name in file.keys() if name.startswith(SPREAD)]  # noqa: SIM118
        if kept:
            spread = Spread(dit.config.latent_channels)
            spread.load_state_dict({name.removeprefix(SPREAD): file.get_tensor(name) for name in kept})
    return Flow(dit, spread)
