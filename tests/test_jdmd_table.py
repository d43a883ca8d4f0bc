"""The table of distillation: whom it trains and how, what it remembers, and what it shows."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from backend.constraint.splat import Render
from backend.presets import load_preset
from backend.training.config import Config
from backend.training.jdmd import table as made
from backend.training.jdmd.table import COLUMNS, Kept, Student, draw_samples, table


def test_a_completion_that_remembers_answers_the_same() -> None:
    """Frames that come again, in other blocks and orders, are not made again, and are what they were."""
    preset = load_preset("tiny")
    completion = preset.completion
    assert completion is not None
    torch.manual_seed(0)
    known = torch.rand(3, 16, 32) > 0.3
    depth = torch.where(known, 2.0, 0.0)
    colour = torch.where(known[:, None], torch.rand(3, 3, 16, 32) * 2 - 1, -1.0)
    render = Render(colour, known, depth, depth)
    kept = Kept(completion, {})
    torch.testing.assert_close(kept.complete(render), completion.complete(render))
    turned = Render(*(tensor.flip(0) for tensor in render.tensors))
    asked: list[Render] = []
    kept = Kept(Noting(completion, asked), kept.frames)
    torch.testing.assert_close(kept.complete(turned), completion.complete(turned))
    assert not asked


class Noting:
    """A completion that notes what it is asked."""

    def __init__(self, completion: object, asked: list[Render]) -> None:
        self.completion, self.asked = completion, asked

    def complete(self, render: Render) -> torch.Tensor:
        self.asked.append(render)
        return self.completion.complete(render)  # type: ignore[attr-defined]


def test_the_table_shows_means_and_how_far_seeds_lie_apart(tmp_path: Path) -> None:
    def report(distance: float) -> dict[str, object]:
        names = {name for _, read, _ in COLUMNS for name in read.__code__.co_consts if isinstance(name, str)}
        return {"distance": {"generated": distance, "free": 1.0}, "mean": dict.fromkeys(names, 0.5)}

    rows = [
        (Student("causal start", tmp_path / "g", 4), report(0.5)),
        (Student("JDMD 0.3", tmp_path / "a" / "g", 4, 0.3, 0), report(0.2)),
        (Student("JDMD 0.3", tmp_path / "b" / "g", 4, 0.3, 1), report(0.3)),
        (Student("causal start", tmp_path / "g", 2), report(0.6)),
    ]
    lines = table(rows).splitlines()
    assert len(lines) == 5
    assert lines[2].startswith("| causal start | 4 | 0.500 |") and lines[4].startswith(
        "| causal start | 2 | 0.600"
    )
    assert lines[3].startswith("| JDMD 0.3 | 4 | 0.250 ± 0.050 |")


def test_every_student_of_the_table_is_trained_for_its_own_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, trained = Config(tmp_path), []
    monkeypatch.setattr(made, "jdmd", lambda config, fleet: trained.append((config.seed, config.jdmd)))
    rows = made.students(config, [0, 1])
    for student in rows:
        made.train(student, config)
    assert len({student.name for student in rows}) == len(rows) == 2 * (4 * 2 + 1)
    asked = {(seed, jdmd.joint, jdmd.sampling) for seed, jdmd in trained}
    assert asked == {(seed, joint, steps) for seed in (0, 1) for joint in made.JOINT for steps in (4, 2)}
    assert all(jdmd.name == f"jdmd_{jdmd.joint:g}_{jdmd.sampling}_{seed}" for seed, jdmd in trained)


def test_the_samples_of_every_kind_of_student_are_shown(tmp_path: Path) -> None:
    """A strip is three moments by five pictures, the fourth of which was generated."""
    rows = [
        Student("JDMD 0.3", tmp_path / name / "generator.safetensors", 4, 0.3, seed)
        for seed, name in enumerate(("a", "b"))
    ]
    for number, row in enumerate(rows):
        (tmp_path / row.name).mkdir()
        strip = np.zeros((3 * 40, 5 * 60, 3), np.uint8)
        strip[80:, 180:240] = 100 + number
        cv2.imwrite(str(tmp_path / row.name / "hall.png"), strip)
        nothing = np.repeat(np.repeat(np.uint8([[10, 20, 30, 40]]), 40, 0), 60, 1)
        cv2.imwrite(str(tmp_path / row.name / "free.png"), cv2.merge([nothing] * 3))
    draw_samples(rows, [tmp_path / "hall.npz"], tmp_path)
    shown = cv2.imread(str(tmp_path / "samples.png"))
    assert shown.shape == (40, 3 * 60, 3), "one row for both seeds"
    assert [int(shown[30, column, 0]) for column in (50, 70, 130)] == [100, 10, 40]
