"""What every training run shares: EMA, learning-rate curve, a checkpoint that resumes."""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..protocol.disk import read_json, write_json
from .fleet import Fleet


class Average:
    """Exponential moving average of a module's trained weights."""

    def __init__(self, module: nn.Module, decay: float):
        self.decay = decay
        self.weights = {name: p.detach().clone() for name, p in module.named_parameters()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, parameter in module.named_parameters():
            self.weights[name].lerp_(parameter, 1 - decay)

    @torch.no_grad()
    def copy_to(self, module: nn.Module) -> None:
        for name, parameter in module.named_parameters():
            parameter.copy_(self.weights[name])


class Masters:
    """float32 masters of a module that computes in bfloat16: gradients go up to them, stepped weights come down."""

    def __init__(self, module: nn.Module, master: nn.Module):
        self.pairs = list(zip(module.parameters(), master.parameters(), strict=True))
        self.pull()

    @torch.no_grad()
    def push_gradients(self) -> None:
        for parameter, master in self.pairs:
            master.grad = None if parameter.grad is None else parameter.grad.float()
            parameter.grad = None

    @torch.no_grad()
    def pull(self) -> None:
        for parameter, master in self.pairs:
            parameter.copy_(master)


def cosine(progress: float, warmup: float = 0.02, floor: float = 0.02) -> float:
    """Share of the peak learning rate at `progress` in 0..1: linear warm-up, then a half cosine."""
    if progress < warmup:
        return progress / warmup
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warmup) / (1 - warmup))))


def set_rate(optimizers: Sequence[torch.optim.Optimizer], rate: float) -> None:
    """One learning rate for all parameters of all optimizers."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate


def descend(
    loss: Tensor, model: nn.Module, optimizers: Sequence[torch.optim.Optimizer], fleet: Fleet
) -> None:
    """Move a model down a loss."""
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss.backward()
    follow_gradients(model, optimizers, fleet)


def follow_gradients(model: nn.Module, optimizers: Sequence[torch.optim.Optimizer], fleet: Fleet) -> None:
    """Move a model by the mean of the fleet's gradients, which are clipped to a norm of 1."""
    fleet.average_gradients(model.parameters())
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()


def hold_to(run: Path, settings: Mapping[str, Any]) -> None:
    """Note in RUN/settings.json what is made there, and with what; the next time it has to be the same.

    Raises ValueError where it isn't: half of a run with one setting and half with another is a run with neither.
    """
    settings = {name: str(value) if isinstance(value, Path) else value for name, value in settings.items()}
    path = run / "settings.json"
    if not path.exists():
        run.mkdir(parents=True, exist_ok=True)
        write_json(path, settings)
        return
    kept = read_json(path)
    for name, value in settings.items():
        if kept.get(name) != value:
            raise ValueError(
                f"{run} was begun with {name} = {kept.get(name)}, not {value}: remove that folder, or name another."
            )


class Checkpoint:
    """All that a run goes on from: what is trained, its optimizers and average, steps and seconds so far.

    Made of new ones, it fills them from the file where there is one.
    """

    def __init__(
        self, path: Path, model: nn.Module, optimizers: Sequence[torch.optim.Optimizer], average: Average
    ):
        self.path, self.model, self.optimizers, self.average = path, model, optimizers, average
        self.step, self.seconds = 0, 0.0
        if path.exists():
            kept = torch.load(path, map_location="cpu", weights_only=True)
            model.load_state_dict(kept["model"])
            for optimizer, state in zip(optimizers, kept["optimizers"], strict=True):
                optimizer.load_state_dict(state)
            with torch.no_grad():
                for name, weights in average.weights.items():
                    weights.copy_(kept["average"][name])
            self.step, self.seconds = kept["step"], kept["seconds"]

    def save(self, step: int, seconds: float) -> None:
        """Written whole or not at all."""
        self.step, self.seconds = step, seconds
        kept = {
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "average": self.average.weights,
            "step": step,
            "seconds": seconds,
        }
        temporary = self.path.with_suffix(".tmp")
        torch.save(kept, temporary)
        os.replace(temporary, self.path)
