"""The loop that every stage is trained by: steps, figures on held-out data, pictures, checkpoints, an end when asked.

A stage's step depends on its number and on what the networks are, never on the steps before: a run that was interrupted
goes on from its checkpoint as if it had not been.
"""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Protocol

import numpy as np
import torch
from torch import nn

from .fleet import Fleet
from .log import Log
from .runs import Average, Checkpoint

KEEP_EVERY = 300.0
"""Seconds after which a checkpoint is written, report or not: what an interruption can cost."""


class Stage(Protocol):
    """What is trained, and how. `name` is the stem of its files."""

    name: str
    every: int
    """Steps from report to report."""

    @property
    def model(self) -> nn.Module: ...

    @property
    def optimizers(self) -> Sequence[torch.optim.Optimizer]: ...

    @property
    def average(self) -> Average: ...

    def step(self, number: int, progress: float) -> dict[str, float]:
        """Make step `number`; with it `progress` of the run is done, above 0 and up to 1. Losses by name."""

    def look(self) -> tuple[dict[str, float], np.ndarray | None]:
        """Figures of the averaged weights on held-out data, and what they make of it (H, W, 3) uint8."""

    def save(self, folder: Path) -> None:
        """Write the averaged weights for those who use them."""


class Interrupted(Exception):
    """The run was asked to end, and has: a checkpoint holds all that it had done."""


def train(stage: Stage, run: Path, steps: int, fleet: Fleet | None = None) -> None:
    """Train a stage to step `steps`, from RUN/NAME.pt on where there is one.

    Ctrl-C or SIGTERM ends it after the step that it is at, and raises Interrupted; the same command goes on from there.
    """
    fleet = fleet or Fleet()
    run.mkdir(parents=True, exist_ok=True)
    checkpoint = Checkpoint(run / f"{stage.name}.pt", stage.model, stage.optimizers, stage.average)
    log = Log(run, stage.name, checkpoint.step, checkpoint.seconds) if fleet.leads else None
    told: list[dict[str, float]] = []
    kept = checkpoint.seconds
    try:
        with _asked_to_end() as asked:
            for number in range(checkpoint.step, steps):
                told.append(stage.step(number, (number + 1) / steps))
                ended = fleet.any(bool(asked))
                due = (number + 1) % stage.every == 0 or number + 1 == steps
                if log is not None:
                    if due:
                        means = {name: float(np.mean([line[name] for line in told])) for name in told[0]}
                        figures, samples = stage.look()
                        log.report(number + 1, steps, {**means, **figures}, samples)
                        stage.save(run)
                    if due or ended or log.seconds - kept > KEEP_EVERY:
                        checkpoint.save(number + 1, log.seconds)
                        kept = log.seconds
                if due:
                    told.clear()
                    fleet.wait()
                if ended:
                    raise Interrupted(f"Ended after step {number + 1} of {steps}; the same command goes on.")
    finally:
        if log is not None:
            log.close()


@contextmanager
def _asked_to_end() -> Iterator[list[int]]:
    """A list that is empty until somebody asks this process to end. Whoever asks twice doesn't wait."""
    asked: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
