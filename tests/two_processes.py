"""One process of two that make a step of joint distillation together; `test_train.py` starts both.

Each says what it ended with, and how far its step is from the one that the mean of both gradients asks for.
"""

import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from backend.training.config import read_config
from backend.training.fleet import Fleet, join
from backend.training.generator import load_dit, read_examples
from backend.training.jdmd.distil import stream
from backend.training.jdmd.joint import Joint, Settings
from backend.training.jdmd.spread import Spread


def made(config_file: Path, fleet: Fleet) -> Joint:
    """A student between its teachers, as stage `jdmd` has it."""
    config = read_config(config_file)
    torch.manual_seed(0)
    teachers = [config.run / name / "teacher.safetensors" for name in ("teacher", "teacher_free")]
    examples = [read_examples(config.latents(name)) for name in ("train", "free")]
    streams = [
        stream(name, teacher, pool, 1, 1.0, 1.5, fleet=fleet)
        for name, teacher, pool in zip(("rerender", "free"), teachers, examples, strict=True)
    ]
    return Joint(load_dit(config.student_file), streams, Settings(critic_rate=0.0, critic_steps=1), fleet)


Gradients = list[torch.Tensor]


def flat(parameters: Iterable[nn.Parameter]) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])


class Alone(Fleet):
    """A rank's own share, averaged with nobody."""

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        pass


class Told(Spread):
    """What somebody else has counted, and nothing of one's own."""

    def __init__(self, counted: Spread) -> None:
        super().__init__(counted.squares.shape[1])
        self.load_state_dict(counted.state_dict())

    def forget(self) -> None:
        pass

    def add(self, *_given: object) -> None:
        pass


def step(
    config_file: Path, fleet: Fleet, counted: Joint | None = None
) -> tuple[Joint, dict[str, float], torch.Tensor]:
    """A step, with the gradient that moved the student, before it is clipped.

    counted: whose critics' spreads to go by; what one process makes has another one than what all make. The critics
    stand still, so that two students' gradients differ by what they were drawn for and by nothing else; what a critic
    that is its teacher still leaves of a gradient is the guidance's.
    """
    joint, seen = made(config_file, fleet), []
    average = type(fleet).average_gradients
    if counted is not None:
        joint.streams = [
            replace(stream, critic=replace(stream.critic, spread=Told(other.critic.spread)))
            for stream, other in zip(joint.streams, counted.streams, strict=True)
        ]

    class Watched(type(fleet)):  # type: ignore[misc]
        def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
            kept = list(parameters)
            average(fleet, kept)
            seen.append(flat(kept).clone())

    joint._fleet = Watched(fleet.rank, fleet.count, fleet.device, fleet.accelerator)
    told = joint.step(0)
    return joint, told, seen[-1]


def main() -> None:
    torch.set_num_threads(1)
    fleet = join()
    assert fleet.count == 2 and fleet.accelerator is not None
    config_file = Path(sys.argv[1])
    together, told, mean = step(config_file, fleet)
    shares = [step(config_file, Alone(rank, 2, fleet.device), together)[2] for rank in range(2)]
    weights = torch.cat([p.detach().flatten() for p in together.student.parameters()])
    line = {
        "rank": fleet.rank,
        "draws": told["student_rerender"],
        "weights": float(weights.double().sum()),
        "spread": [float(stream.critic.spread.squares.double().sum()) for stream in together.streams],
        "apart": float((mean - sum(shares) / 2).norm() / mean.norm()),
    }
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
