"""What every training run shares: EMA, learning-rate curve, a checkpoint that resumes, a log of JSON lines."""

import json
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn


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
            kept = torch.load(path, weights_only=True)
            model.load_state_dict(kept["model"])
            for optimizer, state in zip(optimizers, kept["optimizers"], strict=True):
                optimizer.load_state_dict(state)
            average.weights, self.step, self.seconds = kept["average"], kept["step"], kept["seconds"]

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


class Clock:
    """Seconds of training, counted on over resumed runs, and a progress log."""

    def __init__(self, log: Path, seconds_before: float):
        self.log = log
        self.started = time.monotonic() - seconds_before

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def report(self, **values: float) -> None:
        line = {"seconds": round(self.seconds, 1), **{k: round(v, 6) for k, v in values.items()}}
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(" ".join(f"{k} {v:g}" for k, v in line.items()), flush=True)
