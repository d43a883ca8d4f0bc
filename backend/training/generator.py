"""Training of tiny's generator: denoising of blocks with the cache, each block after the one before.

    python -m backend.training.examples ... (see `prepare`)
    python -m backend.training.generator --latents DIR --codec FILE --run DIR --minutes 60

An example is two blocks. Block 0 is denoised after the reference alone. Its own prediction, cut from the gradient, or
else the truth, stands as previous block when block 1 is denoised: the model meets its own mistakes (Self-Forcing,
arXiv 2506.08009, with one step). Noise levels are the four of the sampler. Later in the run a share of the noisy
inputs is made as the sampler makes them, from the model's own prediction at the level before. The loss is taken on
clean latents, weighted so that it counts as an error in pixels, more in holes.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..codec.tiny import TinyCodec
from ..device import default_device
from ..model import CausalDiT, GeneratorConfig, Schedule, add_noise, predict_x0
from .runs import Average, Clock, Masters, cosine, load_checkpoint, save_checkpoint

LEARNING_RATE = 1.5e-3
HOLE_WEIGHT = 3.0
TINY = GeneratorConfig(
    dim=256,
    ffn_dim=768,
    num_heads=4,
    num_layers=8,
    freq_dim=128,
    latent_channels=48,
    text_dim=0,
    text_len=0,
    prediction="render_residual",
)

Latents = dict[str, Tensor]


def draw_batch(examples: list[Latents], size: int, window: tuple[int, int], rng: np.random.Generator) -> Latents:
    """`size` examples cut to a window of (height, width) latents at an even place; float32, (B, 6, C, h, w)."""
    height, width = window
    cuts: dict[str, list[Tensor]] = {}
    for _ in range(size):
        example = examples[rng.integers(len(examples))]
        full = example["truth"].shape[-2:]
        top = 2 * rng.integers(0, (full[0] - height) // 2 + 1)
        left = 2 * rng.integers(0, (full[1] - width) // 2 + 1)
        for name, tensor in example.items():
            cuts.setdefault(name, []).append(tensor[..., top : top + height, left : left + width])
    return {name: torch.stack(parts).float() for name, parts in cuts.items()}


def pixel_weight(codec: TinyCodec) -> Tensor:
    """Weight (C, 1, 1) of each latent channel's squared error: half as it counts in pixels, half even."""
    counts = codec.scale.square()
    return (0.5 + 0.5 * counts / counts.mean())[:, None, None]


def block_loss(x0: Tensor, batch: Latents, part: slice, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted squared error of a block's clean latents, and its plain part in holes for the log."""
    error = (x0 - batch["truth"][:, part]).square() * weight
    hole = (batch["mask"][:, part].mean(dim=2, keepdim=True) < 0.5).float()
    loss = (error * (1 + (HOLE_WEIGHT - 1) * hole)).mean()
    in_holes = (error * hole).sum() / (hole.sum() * error.shape[2]).clamp(min=1)
    return loss, in_holes.detach()


class Trainee:
    """The generator with the schedule's four levels; one object for both blocks of an example."""

    def __init__(self, dit: CausalDiT):
        self.dit = dit
        schedule = Schedule()
        self.timesteps = schedule.steps
        self.sigmas = [schedule.sigma(t) for t in schedule.steps]

    def predict(self, batch: Latents, part: slice, cache, noisy: Tensor, level: int) -> Tensor:  # type: ignore[no-untyped-def]
        timestep = self.timesteps[level].expand(len(noisy))
        output = self.dit.denoise(noisy, batch["mask"][:, part], batch["render"][:, part], timestep, cache, None)
        return predict_x0(
            self.dit.config.prediction, output.float(), noisy, batch["render"][:, part], self.sigmas[level]
        )

    def noisy(self, batch: Latents, part: slice, cache, level: int, own: bool) -> Tensor:  # type: ignore[no-untyped-def]
        """The input of a level: from the truth, or (`own`) as the sampler makes it, from the level before."""
        truth = batch["truth"][:, part]
        if own and level > 0:
            with torch.no_grad():
                before = add_noise(truth, torch.randn_like(truth), self.sigmas[level - 1])
                truth = self.predict(batch, part, cache, before, level - 1)
        return add_noise(truth, torch.randn_like(truth), self.sigmas[level])


def train_step(
    trainee: Trainee, batch: Latents, weight: Tensor, rng: np.random.Generator, own_share: float
) -> tuple[Tensor, Tensor]:
    losses, holes, previous = [], [], None
    for block in (0, 1):
        part = slice(3 * block, 3 * block + 3)
        cache = trainee.dit.prefill(batch["reference"][:, part], previous, None)
        level = int(rng.integers(len(trainee.sigmas)))
        noisy = trainee.noisy(batch, part, cache, level, rng.random() < own_share)
        x0 = trainee.predict(batch, part, cache, noisy, level)
        loss, hole = block_loss(x0, batch, part, weight)
        losses.append(loss)
        holes.append(hole)
        previous = x0.detach() if rng.random() < 0.7 else batch["truth"][:, part]
    return (losses[0] + losses[1]) / 2, (holes[0] + holes[1]) / 2


def optimizers(dit: CausalDiT) -> list[torch.optim.Optimizer]:
    """Muon (Jordan 2024) for the layers' matrices, AdamW for the rest."""
    matrices = [p for name, p in dit.named_parameters() if p.ndim == 2 and name.startswith("blocks.")]
    chosen = {id(p) for p in matrices}
    rest = [p for p in dit.parameters() if id(p) not in chosen]
    return [
        torch.optim.Muon(matrices, lr=LEARNING_RATE, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=LEARNING_RATE, weight_decay=0.0, betas=(0.9, 0.98)),
    ]


def start_at_the_render(dit: CausalDiT) -> None:
    """An untrained model of `render_residual` answers the render itself."""
    torch.nn.init.zeros_(dit.head.head.weight)
    torch.nn.init.zeros_(dit.head.head.bias)


def save_generator(dit: CausalDiT, average: Average, path: Path) -> None:
    """The averaged weights in bfloat16, the configuration as JSON in the metadata."""
    tensors = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in average.weights.items()}
    save_file(tensors, path, metadata={"config": json.dumps(asdict(dit.config))})


@torch.no_grad()
def evaluate(trainee: Trainee, examples: list[Latents], weight: Tensor) -> tuple[float, float, float]:
    """On held-out examples at full size, first block: error of the last level in holes and elsewhere, and the render's in holes."""
    generator = torch.Generator().manual_seed(0)
    holes, covered, renders = [], [], []
    part = slice(0, 3)
    for example in examples:
        batch = {name: tensor[None].float() for name, tensor in example.items()}
        cache = trainee.dit.prefill(batch["reference"][:, part], None, None)
        x0 = batch["truth"][:, part]
        for level, sigma in enumerate(trainee.sigmas):
            noise = torch.randn(x0.shape, generator=generator)
            x0 = trainee.predict(batch, part, cache, add_noise(x0, noise, sigma), level)
        hole = (batch["mask"][:, part].mean(dim=2, keepdim=True) < 0.5).float()
        error = (x0 - batch["truth"][:, part]).square() * weight
        before = (batch["render"][:, part] - batch["truth"][:, part]).square() * weight
        count = (hole.sum() * error.shape[2]).clamp(min=1)
        holes.append(float((error * hole).sum() / count))
        renders.append(float((before * hole).sum() / count))
        covered.append(float((error * (1 - hole)).mean()))
    return float(np.mean(holes)), float(np.mean(covered)), float(np.mean(renders))


def train(
    examples: list[Latents], codec: TinyCodec, run: Path, minutes: float, batch_size: int, seed: int = 0,
    config: GeneratorConfig = TINY,
) -> None:
    """Train on all but the first 24 `examples`. Windows grow: half the width for most of the run, then the whole."""
    run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    dtype = default_device().dtype
    dit = CausalDiT(config)  # the float32 masters; `working` computes
    start_at_the_render(dit)
    working = CausalDiT(config).to(dtype)
    trainee, weight = Trainee(working), pixel_weight(codec)
    steps = optimizers(dit)
    average, step, before = Average(dit, 0.999), 0, 0.0
    checkpoint = load_checkpoint(run / "generator.pt")
    if checkpoint is not None:
        dit.load_state_dict(checkpoint["generator"])
        for optimizer, state in zip(steps, checkpoint["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        average.weights, step, before = checkpoint["average"], checkpoint["step"], checkpoint["seconds"]
        torch.manual_seed(seed + step)
    masters = Masters(working, dit)
    rng = np.random.default_rng((seed, step))
    held_out, examples = examples[:24], examples[24:]
    clock, losses = Clock(run / "generator.jsonl", before), []
    while clock.seconds < minutes * 60:
        progress = clock.seconds / (minutes * 60)
        for optimizer in steps:
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * cosine(progress)
        window, size = ((18, 16), batch_size) if progress < 0.75 else ((18, 32), batch_size // 2)
        batch = draw_batch(examples, size, window, rng)
        loss, hole = train_step(trainee, batch, weight, rng, own_share=0.0 if progress < 0.5 else 0.5)
        loss.backward()
        masters.push_gradients()
        torch.nn.utils.clip_grad_norm_(dit.parameters(), 1.0)
        for optimizer in steps:
            optimizer.step()
        masters.pull()
        step += 1
        average.update(dit, step)
        losses.append((loss.item(), hole.item()))
        if step % 250 == 0 or clock.seconds >= minutes * 60:
            averaged = CausalDiT(config)
            average.copy_to(averaged)
            in_holes, elsewhere, of_render = evaluate(Trainee(averaged.to(dtype)), held_out, weight)
            mean = np.mean(losses, axis=0)
            clock.report(
                step=step, loss=mean[0], hole=mean[1], test_hole=in_holes, test_covered=elsewhere, fill_hole=of_render
            )
            losses.clear()
            save_generator(dit, average, run / "generator.safetensors")
            save_checkpoint(
                run / "generator.pt",
                {
                    "generator": dit.state_dict(),
                    "optimizers": [optimizer.state_dict() for optimizer in steps],
                    "average": average.weights,
                    "step": step,
                    "seconds": clock.seconds,
                },
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latents", type=Path, required=True, help="folder written by backend.training.prepare")
    parser.add_argument("--codec", type=Path, required=True, help="codec.safetensors")
    parser.add_argument("--run", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--batch", type=int, default=8)
    arguments = parser.parse_args()
    examples = [load_file(path) for path in sorted(arguments.latents.glob("*.safetensors"))]
    train(examples, TinyCodec.load(arguments.codec), arguments.run, arguments.minutes, arguments.batch)


if __name__ == "__main__":
    main()
