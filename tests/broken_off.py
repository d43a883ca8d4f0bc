"""A training run that is broken off goes on as if it had not been."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
import torch

from backend.training.loop import Stage, train

S = TypeVar("S", bound=Stage)


class Broken(Exception):
    """What ends a run in the midst, as if its process had been killed."""


def trained_after_a_break(made: Callable[[], S], folder: Path, steps: int, at: int) -> S:
    """Train a stage whole, in folder/whole, and one that is broken off before step `at`, in folder/broken: both have to
    end alike. Returns the latter. Its `every` should lie before `at`, or it begins anew."""
    train(whole := made(), folder / "whole", steps)
    broken = made()
    kind = type(broken)

    def step(number: int, progress: float) -> dict[str, float]:
        if number == at:
            raise Broken
        return kind.step(broken, number, progress)

    broken.step = step  # type: ignore[method-assign]
    with pytest.raises(Broken):
        train(broken, folder / "broken", steps)
    train(again := made(), folder / "broken", steps)
    for one, other in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)
    for name, average in whole.average.weights.items():
        assert torch.equal(average, again.average.weights[name]), name
    untouched = zip(again.model.parameters(), made().model.parameters(), strict=True)
    assert any(not torch.equal(one, begun) for one, begun in untouched)
    return again
