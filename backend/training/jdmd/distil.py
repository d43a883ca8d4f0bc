"""Stage `jdmd`: the student is moved to where its clips are like a teacher's, in both streams.

    python -m backend.training.jdmd.distil --student FILE --teacher RUN/teacher.safetensors --latents DIR \\
        --free-teacher RUN/teacher.safetensors --free-latents DIR --joint 0.3 --run DIR --steps 800

The student begins as a causal model that knows re-rendering (`backend.training.generator`). Each critic begins as its
teacher: at first the student's clips are the nearest to those. With --joint 0 the free stream is left out, and needs no
teacher. Resumes from RUN/jdmd.pt, and writes RUN/generator.safetensors (the averaged weights) at every checkpoint.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

from ...model import CausalDiT, GeneratorConfig
from ..generator import Pool, draw_batch, save_generator
from ..runs import Checkpoint, Clock, cosine
from .flow import Condition, Flow
from .joint import Draw, Joint, Settings, Stream
from .teacher import WINDOW, condition_of

REPORT = 25
"""Steps."""


def load_dit(path: Path) -> CausalDiT:
    """A generator, or a teacher, as `save_generator` wrote it, float32 and ready to be trained."""
    with safe_open(path, "pt") as file:
        config = GeneratorConfig(**json.loads(file.metadata()["config"]))
        tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    dit = CausalDiT(config)
    dit.load_state_dict(tensors)
    return dit


def drawn_from(pool: Pool, batch_size: int, free: bool) -> Draw:
    """Conditions of windows of the pool's clips; in the free stream that is their size and nothing else."""

    def draw(generator: torch.Generator) -> Condition:
        rng = np.random.default_rng(int(torch.randint(1 << 31, (1,), generator=generator)))
        size = pool.examples[0]["truth"].shape[-2:]
        window = min(WINDOW[0], size[0]), min(WINDOW[1], size[1])
        return condition_of(draw_batch(pool.examples, batch_size, window, rng), free)

    return draw


def stream(
    name: str, teacher: Path, pool: Pool, batch_size: int, weight: float, guidance: float = 1.0
) -> Stream:
    """A stream whose critic begins as its teacher. The one called "free" has no conditions."""
    real, fake = Flow(load_dit(teacher).requires_grad_(False)), Flow(load_dit(teacher))
    return Stream(name, drawn_from(pool, batch_size, name == "free"), real, fake, weight, guidance)


def train(student: CausalDiT, streams: list[Stream], settings: Settings, run: Path, steps: int) -> Joint:
    """Train to step `steps`, from RUN/jdmd.pt on where there is one."""
    run.mkdir(parents=True, exist_ok=True)
    joint = Joint(student, streams, settings)
    checkpoint = Checkpoint(run / "jdmd.pt", joint.model, joint.optimizers, joint.average)
    clock, told = Clock(run / "jdmd.jsonl", checkpoint.seconds), []
    for step in range(checkpoint.step, steps):
        told.append(joint.step(step, cosine(step / steps)))
        if (step + 1) % REPORT == 0 or step + 1 == steps:
            means = {name: float(np.mean([each[name] for each in told])) for name in told[0]}
            clock.report(step=step + 1, **means)
            told.clear()
            save_generator(student, joint.average, run / "generator.safetensors")
            checkpoint.save(step + 1, clock.seconds)
    return joint


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--student", type=Path, required=True, help="generator.safetensors that a run begins with"
    )
    parser.add_argument("--teacher", type=Path, required=True, help="of re-rendering")
    parser.add_argument("--latents", type=Path, required=True, help="synthetic scenes")
    parser.add_argument("--free-teacher", type=Path, help="of real video")
    parser.add_argument("--free-latents", type=Path, help="real video")
    parser.add_argument("--joint", type=float, default=0.3, help="weight of the free stream")
    parser.add_argument("--guidance", type=float, default=1.5, help="of the re-rendering teacher")
    parser.add_argument("--run", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.joint > 0 and not (arguments.free_teacher and arguments.free_latents):
        parser.error("a joint weight needs --free-teacher and --free-latents")
    size = arguments.batch
    streams = [stream("rerender", arguments.teacher, Pool(arguments.latents), size, 1.0, arguments.guidance)]
    if arguments.joint > 0:
        streams.append(
            stream("free", arguments.free_teacher, Pool(arguments.free_latents), size, arguments.joint)
        )
    settings = Settings(seed=arguments.seed)
    train(load_dit(arguments.student), streams, settings, arguments.run, arguments.steps)


if __name__ == "__main__":
    main()
