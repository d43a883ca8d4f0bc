"""Stage `teacher`: what the student is held against, a bidirectional flow-matching model for each stream.

    python -m backend.training.jdmd.teacher --latents DIR --test DIR --run DIR --steps 4000          re-rendering
    python -m backend.training.jdmd.teacher --latents DIR --test DIR --run DIR --steps 4000 --free   real video

Latents are what `backend.training.prepare` writes, or `backend.training.jdmd.clips` for --free. In re-rendering the
condition is left out of one clip in ten, so that guidance has something to go beyond. Resumes from RUN/teacher.pt, and
writes RUN/teacher.safetensors (the averaged weights) at every checkpoint.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...model import CausalDiT, GeneratorConfig
from ..generator import TINY, Latents, Pool, draw_batch, optimizers, save_generator
from ..runs import Average, Checkpoint, Clock, cosine
from .flow import Condition, Flow, flow_loss

CONFIG = replace(TINY, prediction="flow")
RATE = 1.5e-3
WINDOW = (12, 12)
"""Latents, for most of the run."""
WHOLE_FROM = 0.75
WITHOUT = 0.1
"""Share of clips whose condition is left out."""
REPORT = 100
"""Steps."""


def condition_of(batch: Latents, free: bool) -> Condition:
    """What a teacher is told of a batch's clips: all there is, or nothing."""
    if free:
        return Condition.nothing(batch["truth"])
    return Condition(batch["reference"], batch["mask"], batch["render"])


def left_out(condition: Condition, chosen: Tensor) -> Condition:
    """The same, but nothing for the chosen clips (B,)."""
    kept = (~chosen)[:, None, None, None, None]
    return Condition(condition.reference * kept, condition.mask * kept, condition.render * kept)


@torch.no_grad()
def evaluate(flow: Flow, examples: list[Latents], free: bool) -> float:
    """The loss on held-out clips at full size, with the same noise at every call."""
    generator, losses = torch.Generator().manual_seed(0), []
    for example in examples:
        batch = {name: tensor[None].float() for name, tensor in example.items()}
        losses.append(float(flow_loss(flow, batch["truth"], condition_of(batch, free), generator)))
    return float(np.mean(losses))


def train(
    pool: Pool,
    tests: Pool,
    run: Path,
    steps: int,
    batch_size: int,
    free: bool,
    seed: int = 0,
    config: GeneratorConfig = CONFIG,
) -> Flow:
    """Train to step `steps`, from RUN/teacher.pt on where there is one. Returns the model, not averaged."""
    run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    flow = Flow(CausalDiT(config))
    updates, average = optimizers(flow.dit, RATE), Average(flow.dit, 0.998)
    checkpoint = Checkpoint(run / "teacher.pt", flow.dit, updates, average)
    clock, losses = Clock(run / "teacher.jsonl", checkpoint.seconds), []
    for step in range(checkpoint.step, steps):
        # Drawn by the step's number, so that a run that was interrupted goes on as if it had not been.
        rng, generator = np.random.default_rng((seed, step)), torch.Generator().manual_seed(seed + step)
        whole = step >= WHOLE_FROM * steps
        size = pool.examples[0]["truth"].shape[-2:]
        window = (size[0], size[1]) if whole else (min(WINDOW[0], size[0]), min(WINDOW[1], size[1]))
        batch = draw_batch(pool.examples, max(1, batch_size // 4) if whole else batch_size, window, rng)
        condition = condition_of(batch, free)
        if not free:
            condition = left_out(condition, torch.rand(len(batch["truth"]), generator=generator) < WITHOUT)
        loss = flow_loss(flow, batch["truth"], condition, generator)
        for optimizer in updates:
            optimizer.zero_grad()
            for group in optimizer.param_groups:
                group["lr"] = RATE * cosine(step / steps)
        loss.backward()
        nn.utils.clip_grad_norm_(flow.dit.parameters(), 1.0)
        for optimizer in updates:
            optimizer.step()
        average.update(flow.dit, step + 1)
        losses.append(loss.item())
        if (step + 1) % REPORT == 0 or step + 1 == steps:
            averaged = Flow(CausalDiT(config))
            average.copy_to(averaged.dit)
            clock.report(
                step=step + 1, loss=float(np.mean(losses)), test=evaluate(averaged, tests.examples, free)
            )
            losses.clear()
            save_generator(flow.dit, average, run / "teacher.safetensors")
            checkpoint.save(step + 1, clock.seconds)
    return flow


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--latents", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True, help="the same, held out, for the log's figures")
    parser.add_argument("--run", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--free", action="store_true", help="clips of real video, without a condition")
    arguments = parser.parse_args()
    pools = Pool(arguments.latents), Pool(arguments.test)
    train(*pools, arguments.run, arguments.steps, arguments.batch, arguments.free)


if __name__ == "__main__":
    main()
