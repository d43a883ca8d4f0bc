"""Training of tiny's generator: denoising of blocks with the cache, each block after the one before.

    python -m backend.training.prepare ... (first)
    python -m backend.training.generator --latents DIR --test DIR --codec FILE --run DIR --minutes 60

An example is two blocks. The second is denoised after the reference and the first: the truth, roughened, and later
in the run the model's own answer (Self-Forcing, arXiv 2506.08009, with one step). Noise levels are the four of the
sampler, and the noisy input of a level is made as the sampler makes it, of the model's own answer: it never sees
more of the truth than it will in use. Windows around holes first, whole frames at the end.
"""

import argparse
import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..codec.tiny import TinyCodec
from ..device import default_device
from ..model import CausalDiT, GeneratorConfig, Schedule, add_noise, predict_x0
from .muon import Muon
from .runs import Average, Checkpoint, Clock, Masters, cosine

LEARNING_RATE = 2.5e-3
WINDOW = (12, 12)  # latents: 96 x 96 pixels for most of the run
WHOLE_FROM = 0.75  # share of the run after which whole frames are trained on
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


class Pool:
    """Examples in memory, read from a folder that may still be growing."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.seen: set[Path] = set()
        self.examples: list[Latents] = []
        self.grow()

    def grow(self) -> None:
        for path in sorted(set(self.folder.glob("*.safetensors")) - self.seen):
            self.seen.add(path)
            self.examples.append(load_file(path))


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
            cuts.setdefault(name, []).append(tensor[..., top : top + height, left : left + width])
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


def train_step(
    trainee: Trainee, batch: Latents, weight: Tensor, rng: np.random.Generator, whole: bool
) -> tuple[Tensor, Tensor]:
    """Loss of block 1, or (a quarter of the time) block 0; also what is left of the render's error in holes.

    The block before is the truth, roughened, or, in the later part of the run (`whole`), the model's own.
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
    x0 = trainee.predict(batch, part, cache, trainee.noisy(batch, part, cache, level), level)
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


def save_generator(dit: CausalDiT, average: Average, path: Path) -> None:
    """The averaged weights in bfloat16, the configuration as JSON in the metadata."""
    tensors = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in average.weights.items()}
    save_file(tensors, path, metadata={"config": json.dumps(asdict(dit.config))})


@torch.no_grad()
def evaluate(trainee: Trainee, examples: list[Latents], weight: Tensor) -> tuple[float, float]:
    """Gain over the render in dB on held-out examples at full size, both blocks sampled: in holes, and elsewhere."""
    generator = torch.Generator().manual_seed(0)
    gains = []
    for example in examples:
        batch = {name: tensor[None].float() for name, tensor in example.items()}
        previous, square, before, holes = None, [], [], []
        for part in (slice(0, 3), slice(3, 6)):
            cache = trainee.dit.prefill(batch["reference"][:, part], previous, None)
            noisy = torch.randn(batch["truth"][:, part].shape, generator=generator)
            for level in range(4):
                x0 = trainee.predict(batch, part, cache, noisy, level)
                if level < 3:
                    noisy = add_noise(
                        x0, torch.randn(x0.shape, generator=generator), trainee.sigmas[level + 1]
                    )
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


def train(
    pool: Pool,
    tests: Pool,
    codec: TinyCodec,
    run: Path,
    minutes: float,
    batch_size: int,
    seed: int = 0,
    config: GeneratorConfig = TINY,
    start: Path | None = None,
    learning_rate: float = LEARNING_RATE,
) -> None:
    """Train on the pool, which may grow meanwhile; resumes from RUN/generator.pt. `tests` give the log's figures.

    start: weights that a new run begins with, which want a smaller rate.
    """
    run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    dtype = default_device().dtype
    dit = CausalDiT(config)  # the float32 masters; `working` computes
    start_at_the_render(dit)
    if start is not None:
        dit.load_state_dict({name: tensor.float() for name, tensor in load_file(start).items()})
    working = CausalDiT(config).to(dtype)
    trainee, weight = Trainee(working), pixel_weight(codec)
    steps = optimizers(dit, learning_rate)
    average = Average(dit, 0.999)
    checkpoint = Checkpoint(run / "generator.pt", dit, steps, average)
    step = checkpoint.step
    torch.manual_seed(seed + step)
    masters = Masters(working, dit)
    rng = np.random.default_rng((seed, step))
    clock, losses = Clock(run / "generator.jsonl", checkpoint.seconds), []
    while clock.seconds < minutes * 60:
        progress = clock.seconds / (minutes * 60)
        for optimizer in steps:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * cosine(progress)
        whole = progress >= WHOLE_FROM
        window, size = ((18, 32), max(1, batch_size // 4)) if whole else (WINDOW, batch_size)
        batch = draw_batch(pool.examples, size, window, rng)
        loss, left = train_step(trainee, batch, weight, rng, whole)
        loss.backward()
        masters.push_gradients()
        torch.nn.utils.clip_grad_norm_(dit.parameters(), 1.0)
        for optimizer in steps:
            optimizer.step()
        masters.pull()
        step += 1
        average.update(dit, step)
        losses.append((loss.item(), left.item()))
        if step % 200 == 0 or clock.seconds >= minutes * 60:
            averaged = CausalDiT(config)
            average.copy_to(averaged)
            in_holes, elsewhere = evaluate(Trainee(averaged.to(dtype)), tests.examples, weight)
            mean = np.mean(losses, axis=0)
            clock.report(
                step=step,
                loss=mean[0],
                left_in_holes=mean[1],
                test_hole_db=in_holes,
                test_covered_db=elsewhere,
            )
            losses.clear()
            pool.grow()
            save_generator(dit, average, run / "generator.safetensors")
            checkpoint.save(step, clock.seconds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--latents", type=Path, required=True, help="folder written by backend.training.prepare"
    )
    parser.add_argument(
        "--test", type=Path, required=True, help="the same of sequences for the log's figures only"
    )
    parser.add_argument("--codec", type=Path, required=True, help="codec.safetensors")
    parser.add_argument("--run", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--start", type=Path, help="weights that a new run begins with")
    parser.add_argument("--rate", type=float, default=LEARNING_RATE, help="peak learning rate")
    arguments = parser.parse_args()
    train(
        Pool(arguments.latents),
        Pool(arguments.test),
        TinyCodec.load(arguments.codec),
        arguments.run,
        arguments.minutes,
        arguments.batch,
        start=arguments.start,
        learning_rate=arguments.rate,
    )


if __name__ == "__main__":
    main()
