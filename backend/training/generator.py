"""Stage `causal`: the generator denoises blocks with its cache, each block after the one before.

An example is two blocks. The second is denoised after the reference and the first: the truth, roughened, and later
in the run the model's own answer (Self-Forcing, arXiv 2506.08009, with one step). Noise levels are the four of the
sampler, and the noisy input of a level is made as the sampler makes it, of the model's own answer: it never sees
more of the truth than it will in use. Windows around holes first, whole frames at the end.

Clips of real video without any condition may be among the examples, so that the free stream of distillation begins with
a model that knows of them. There is no mean of all video that were worth a picture: of these the model reads the truth
through the noise, and what it makes of nothing differs by its noise.
"""

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..codec.tiny import TinyCodec
from ..device import default_device
from ..model import CausalDiT, GeneratorConfig, Schedule, add_noise, predict_x0
from .fleet import Fleet
from .jdmd.condition import Condition
from .muon import Muon
from .runs import Average, Masters, cosine, follow_gradients, set_rate
from .samples import last_frame, sheet

LEARNING_RATE = 2.5e-3
WINDOW = (12, 12)  # latents: 96 x 96 pixels for most of the run
WHOLE_FROM = 0.75  # share of the run after which whole frames are trained on
FREE = 0.5
"""Share of steps on clips of real video, where there are any."""
HOLE_WEIGHT = 2.0
FLOOR = 0.02  # of latents of unit variance; below it an error counts as done
CHANGE_WEIGHT = 0.5
CHANGE_FLOOR = 0.05  # of latents: a change of the error from one to the next that counts as done
TINY = GeneratorConfig(
    dim=256,
    ffn_dim=768,
    num_heads=4,
    num_layers=6,
    freq_dim=128,
    latent_channels=64,
    text_dim=0,
    text_len=0,
    prediction="render_residual",
)

Latents = dict[str, Tensor]


def read_examples(folder: Path) -> list[Latents]:
    """All examples of a folder. Raises ValueError where there are none."""
    examples = [load_file(path) for path in sorted(folder.glob("*.safetensors"))]
    if not examples:
        raise ValueError(f"There are no examples in {folder}.")
    return examples


def draw_batch(
    examples: list[Latents], size: int, window: tuple[int, int], rng: np.random.Generator
) -> Latents:
    """`size` examples cut to a window of (height, width) latents at an even place; float32, (B, 6, C, h, w).

    Of four places drawn, the one whose holes come nearest to a third of it: little is learnt from a window without.
    Examples without a mask have no holes, and the first place is as good as any.
    """
    height, width = window
    cuts: dict[str, list[Tensor]] = {}
    for _ in range(size):
        places: list[tuple[float, int, Latents, int, int]] = []
        for _ in range(4):
            example = examples[rng.integers(len(examples))]
            full = example["truth"].shape[-2:]
            top = 2 * int(rng.integers(0, (full[0] - height) // 2 + 1))
            left = 2 * int(rng.integers(0, (full[1] - width) // 2 + 1))
            mask = example.get("mask")
            holes = 0.0
            if mask is not None:
                holes = float((mask[3:, 0, top : top + height, left : left + width] < 0).float().mean())
            places.append((abs(holes - 0.33), len(places), example, top, left))
        _, _, example, top, left = min(places, key=lambda place: place[:2])
        for name, tensor in example.items():
            cut = tensor if name == "text" else tensor[..., top : top + height, left : left + width]
            cuts.setdefault(name, []).append(cut)
    return {name: torch.stack(parts).float() for name, parts in cuts.items()}


def pixel_weight(codec: TinyCodec) -> Tensor:
    """Weight (C, 1, 1) of each latent channel's squared error: half as it counts in pixels, half even."""
    counts = codec.scale.square()
    return (0.5 + 0.5 * counts / counts.mean())[:, None, None]


def block_errors(x0: Tensor, batch: Latents, part: slice, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Mean squared error of each example's clean latents (B,), weighted by channel: in holes, and elsewhere."""
    square = ((x0 - batch["truth"][:, part]).square() * weight).mean(dim=2)
    hole = (batch["mask"][:, part].mean(dim=2) < 0.5).float()

    def mean(mask: Tensor) -> Tensor:
        return (square * mask).sum(dim=(1, 2, 3)) / mask.sum(dim=(1, 2, 3)).clamp(min=1)

    return mean(hole), mean(1 - hole)


def error_changes(x0: Tensor, batch: Latents, part: slice, weight: Tensor) -> Tensor:
    """How much each example's error changes from latent to latent (B,), mean absolute: what is seen as flicker."""
    error = (x0 - batch["truth"][:, part]) * weight.sqrt()
    return error.diff(dim=1).abs().mean(dim=(1, 2, 3, 4))


def block_loss(x0: Tensor, batch: Latents, part: slice, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Error of a block's clean latents as a share of what the render leaves; also that share in holes for the log.

    As shares, example by example, since the figure of merit is decibels: a few holes that nobody could have guessed
    would outweigh all the others. An error that stays is better than one that comes and goes, so changes of it
    count once more.
    """
    hole, covered = block_errors(x0, batch, part, weight)
    with torch.no_grad():
        hole_before, covered_before = block_errors(batch["render"][:, part], batch, part, weight)
        changes_before = error_changes(batch["render"][:, part], batch, part, weight)
    loss = HOLE_WEIGHT * hole / (hole_before + FLOOR) + covered / (covered_before + FLOOR)
    changes = error_changes(x0, batch, part, weight)
    loss = loss + CHANGE_WEIGHT * changes / (changes_before + CHANGE_FLOOR)
    return loss.mean(), (hole.sum() / hole_before.sum().clamp(min=1e-6)).detach()


class Trainee:
    """The generator with the schedule's four levels; one object for both blocks of an example."""

    def __init__(self, dit: CausalDiT):
        self.dit = dit
        schedule = Schedule()
        self.timesteps = schedule.steps
        self.sigmas = [schedule.sigma(t) for t in schedule.steps]

    def predict(self, batch: Latents, part: slice, cache, noisy: Tensor, level: int) -> Tensor:  # type: ignore[no-untyped-def]
        timestep = self.timesteps[level].expand(len(noisy))
        output = self.dit.denoise(
            noisy, batch["mask"][:, part], batch["render"][:, part], timestep, cache, None
        )
        return predict_x0(
            self.dit.config.prediction, output.float(), noisy, batch["render"][:, part], self.sigmas[level]
        )

    def noisy(self, batch: Latents, part: slice, cache, level: int) -> Tensor:  # type: ignore[no-untyped-def]
        """The input of a level as the sampler makes it: noise, or the model's own first answer with noise added."""
        noise = torch.randn_like(batch["truth"][:, part])
        if level == 0:
            return noise
        with torch.no_grad():
            answer = self.predict(batch, part, cache, torch.randn_like(noise), 0)
        return add_noise(answer, noise, self.sigmas[level])

    def noised(self, batch: Latents, part: slice, level: int) -> Tensor:
        """The truth at a level."""
        truth = batch["truth"][:, part]
        return add_noise(truth, torch.randn_like(truth), self.sigmas[level])


def of_nothing(batch: Latents) -> Latents:
    """Clips without a condition: their truth, and zeros for all that they might be made of."""
    nothing = Condition.nothing(batch["truth"])
    told = {"mask": nothing.mask, "render": nothing.render, "reference": nothing.reference}
    return {"truth": batch["truth"], **told}


def train_step(
    trainee: Trainee,
    batch: Latents,
    weight: Tensor,
    rng: np.random.Generator,
    whole: bool,
    free: bool = False,
) -> tuple[Tensor, Tensor]:
    """Loss of block 1, or (a quarter of the time) block 0; also what is left of the render's error in holes.

    The block before is the truth, roughened, or, in the later part of the run (`whole`), the model's own. free: noisy
    input is the truth's, see above.
    """
    first, second = slice(0, 3), slice(3, 6)
    part, previous = (first, None) if rng.random() < 0.25 else (second, batch["truth"][:, first])
    if previous is not None:
        if whole and rng.random() < 0.7:
            with torch.no_grad():
                cache = trainee.dit.prefill(batch["reference"][:, first], None, None)
                previous = trainee.predict(batch, first, cache, torch.randn_like(previous), 0)
        else:
            previous = previous + 0.15 * torch.randn_like(previous)
    cache = trainee.dit.prefill(batch["reference"][:, part], previous, None)
    level = int(rng.choice(4, p=(0.4, 0.15, 0.15, 0.3)))
    noisy = trainee.noised(batch, part, level) if free else trainee.noisy(batch, part, cache, level)
    x0 = trainee.predict(batch, part, cache, noisy, level)
    return block_loss(x0, batch, part, weight)


def optimizers(dit: CausalDiT, rate: float = LEARNING_RATE) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices, AdamW for the rest."""
    matrices = [p for name, p in dit.named_parameters() if p.ndim == 2 and name.startswith("blocks.")]
    chosen = {id(p) for p in matrices}
    rest = [p for p in dit.parameters() if id(p) not in chosen]
    return [
        Muon(matrices, lr=rate, weight_decay=0.02),
        torch.optim.AdamW(rest, lr=rate, weight_decay=0.0, betas=(0.9, 0.98)),
    ]


@torch.no_grad()
def start_at_the_render(dit: CausalDiT) -> None:
    """An untrained model of `render_residual` answers the render itself; its layers' gates are open, not modulated."""
    gates = torch.zeros(1, 6, dit.config.dim)
    gates[:, (2, 5)] = 1.0
    for name, parameter in dit.blocks.named_parameters():
        if name.endswith("modulation"):
            parameter.copy_(gates)
    for module in (dit.time_projection[1], dit.head.head):
        for parameter in module.parameters():
            parameter.zero_()


def save_generator(dit: CausalDiT, average: Average, path: Path, beside: Latents | None = None) -> None:
    """The averaged weights in bfloat16, the configuration as JSON in the metadata; tensors `beside` as they are."""
    tensors = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in average.weights.items()}
    save_file({**tensors, **(beside or {})}, path, metadata={"config": json.dumps(asdict(dit.config))})


def load_dit(path: Path) -> CausalDiT:
    """A generator, or a teacher, as `save_generator` wrote it, float32 and ready to be trained."""
    with safe_open(path, "pt") as file:
        dit = CausalDiT(GeneratorConfig(**json.loads(file.metadata()["config"])))
        dit.load_state_dict({name: file.get_tensor(name).float() for name in dit.state_dict()})
    return dit


@torch.no_grad()
def evaluate(trainee: Trainee, examples: list[Latents], weight: Tensor) -> tuple[float, float]:
    """Gain over the render in dB on held-out examples at full size, both blocks sampled: in holes, and elsewhere."""
    generator = torch.Generator().manual_seed(0)
    gains = []
    for example in examples:
        batch = {name: tensor[None].float().to(weight.device) for name, tensor in example.items()}
        previous, square, before, holes = None, [], [], []
        for part in (slice(0, 3), slice(3, 6)):
            cache = trainee.dit.prefill(batch["reference"][:, part], previous, None)
            noisy = torch.randn(batch["truth"][:, part].shape, generator=generator).to(weight)
            for level in range(4):
                x0 = trainee.predict(batch, part, cache, noisy, level)
                if level < 3:
                    noise = torch.randn(x0.shape, generator=generator).to(weight)
                    noisy = add_noise(x0, noise, trainee.sigmas[level + 1])
            previous = x0
            square.append(((x0 - batch["truth"][:, part]).square() * weight).mean(dim=2))
            before.append(
                ((batch["render"][:, part] - batch["truth"][:, part]).square() * weight).mean(dim=2)
            )
            holes.append((batch["mask"][:, part].mean(dim=2) < 0.5).float())
        error, error_before, hole = torch.cat(square), torch.cat(before), torch.cat(holes)
        if hole.mean() > 0.01:
            ratios = [(error_before * m).sum() / (error * m).sum().clamp(min=1e-6) for m in (hole, 1 - hole)]
            gains.append([10 * math.log10(max(float(ratio), 1e-6)) for ratio in ratios])
    mean = np.mean(gains, axis=0)
    return float(mean[0]), float(mean[1])


class Causal:
    """The stage: trained on `examples`, its figures those of `tests`.

    free: clips of real video, for a model that makes clips of nothing, too. start: weights that a new run begins with,
    which want a smaller rate.
    """

    name, every = "generator", 200

    def __init__(
        self,
        examples: list[Latents],
        tests: list[Latents],
        codec: TinyCodec,
        batch: int,
        rate: float = LEARNING_RATE,
        seed: int = 0,
        config: GeneratorConfig = TINY,
        start: Path | None = None,
        fleet: Fleet | None = None,
        free: list[Latents] | None = None,
    ) -> None:
        torch.manual_seed(seed)
        self._examples, self._tests, self._codec, self._free = examples, tests, codec, free or []
        self._batch, self._rate, self._seed, self._fleet = batch, rate, seed, fleet or Fleet()
        self._dtype = default_device().dtype
        self.model = CausalDiT(config)  # the float32 masters; `working` computes
        start_at_the_render(self.model)
        if start is not None:
            self.model.load_state_dict(load_dit(start).state_dict())
        self.model.to(self._fleet.device)
        self._working = CausalDiT(config).to(self._fleet.device, self._dtype)
        self._trainee, self._weight = Trainee(self._working), pixel_weight(codec).to(self._fleet.device)
        self.optimizers = optimizers(self.model, rate)
        self.average = Average(self.model, 0.999)

    def step(self, number: int, progress: float) -> dict[str, float]:
        """See `loop.Stage`. Windows first, whole frames in the last quarter."""
        rng = np.random.default_rng((self._seed, number, self._fleet.rank))
        torch.manual_seed(int(rng.integers(1 << 31)))
        masters = Masters(self._working, self.model)
        size = self._examples[0]["truth"].shape[-2:]
        whole = progress >= WHOLE_FROM
        window = (size[0], size[1]) if whole else (min(WINDOW[0], size[0]), min(WINDOW[1], size[1]))
        free = bool(self._free) and rng.random() < FREE
        count = max(1, self._batch // 4) if whole else self._batch
        drawn = draw_batch(self._free if free else self._examples, count, window, rng)
        batch = {name: tensor.to(self._fleet.device) for name, tensor in drawn.items()}
        batch = of_nothing(batch) if free else batch
        loss, left = train_step(self._trainee, batch, self._weight, rng, whole, free)
        loss.backward()
        masters.push_gradients()
        set_rate(self.optimizers, self._rate * cosine(progress))
        follow_gradients(self.model, self.optimizers, self._fleet)
        self.average.update(self.model, number + 1)
        return {"loss": loss.item(), "left_in_holes": left.item()}

    def _averaged(self) -> Trainee:
        averaged = CausalDiT(self.model.config)
        self.average.copy_to(averaged)
        return Trainee(averaged.to(self._fleet.device, self._dtype))

    @torch.no_grad()
    def look(self) -> tuple[dict[str, float], np.ndarray | None]:
        """Decibels gained over the render on held-out examples, in holes and elsewhere; truth, render and answer."""
        if not self._tests:
            return {}, None
        trainee, rows, generator = self._averaged(), [], torch.Generator().manual_seed(0)
        in_holes, elsewhere = evaluate(trainee, self._tests, self._weight)
        for example in self._tests[:4]:
            batch = {name: tensor[None].float().to(self._fleet.device) for name, tensor in example.items()}
            part = slice(0, 3)
            cache = trainee.dit.prefill(batch["reference"][:, part], None, None)
            noisy = torch.randn(batch["truth"][:, part].shape, generator=generator).to(self._weight)
            answer = trainee.predict(batch, part, cache, noisy, 0)
            shown = batch["truth"][0, part], batch["render"][0, part], answer[0]
            rows.append([last_frame(self._codec, latents) for latents in shown])
        return {"test_hole_db": in_holes, "test_covered_db": elsewhere}, sheet(rows)

    def save(self, folder: Path) -> None:
        """generator.safetensors."""
        save_generator(self.model, self.average, folder / "generator.safetensors")
