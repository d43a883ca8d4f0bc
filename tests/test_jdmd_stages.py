"""Clips of real video, and the stages that train teachers and the student: on a movie and latents made here."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from broken_off import trained_after_a_break

from backend.training.generator import Latents, load_dit, save_generator
from backend.training.jdmd import distil
from backend.training.jdmd import teacher as stage
from backend.training.jdmd.clips import (
    HEIGHT,
    LENGTH,
    STILLS,
    WIDTH,
    clips,
    movie_clip,
    read_still,
    still_clip,
)
from backend.training.jdmd.flow import noised
from backend.training.jdmd.joint import SAMPLING, Settings
from backend.training.loop import train
from backend.training.runs import Average

FRAMES = 200


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FRAMES frames of 400x300, each as grey as its number says."""
    path = tmp_path_factory.mktemp("movie") / "greys.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (400, 300))
    for number in range(FRAMES):
        writer.write(np.full((300, 400, 3), 20 + number, np.uint8))
    writer.release()
    return path


def test_clips_are_of_their_part_of_the_movie(movie: Path) -> None:
    for seed in range(6):
        for held_out in (False, True):
            clip = movie_clip(movie, np.random.default_rng(seed), held_out=held_out)
            assert clip.shape == (LENGTH, HEIGHT, WIDTH, 3)
            numbers = clip.reshape(LENGTH, -1).mean(axis=1) - 20
            steps = np.diff(numbers)
            assert abs(abs(numbers[-1] - numbers[0]) - (LENGTH - 1)) < 3, "one frame after the other"
            assert (steps > -0.5).all() or (steps < 0.5).all(), "forward or back"
            assert numbers.min() > 0.8 * FRAMES - 3 if held_out else numbers.max() < 0.8 * FRAMES + 3
    again = [name for name, _ in clips([movie], [], 3, False)]
    assert again == ["greys_0000", "greys_0001", "greys_0002"]


def test_a_movie_that_is_too_short_is_refused(movie: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.mp4"
    writer = cv2.VideoWriter(str(short), cv2.VideoWriter.fourcc(*"mp4v"), 25, (64, 64))
    for _ in range(40):
        writer.write(np.zeros((64, 64, 3), np.uint8))
    writer.release()
    with pytest.raises(ValueError, match="too short"):
        movie_clip(short, np.random.default_rng(0), held_out=True)
    with pytest.raises(ValueError, match="no real video"):
        list(clips([], [], 1, False))


def test_a_frame_moves_over_a_still() -> None:
    """A ramp across, its colour the column it is of: columns move and spread evenly, and never leave the picture."""
    ramp = np.broadcast_to(np.linspace(0, 255, 640).astype(np.uint8)[None, :, None], (427, 640, 3)).copy()
    moved = 0
    for seed in range(8):
        clip = still_clip(ramp, np.random.default_rng(seed)).astype(float)
        assert clip.shape == (LENGTH, HEIGHT, WIDTH, 3)
        spread = clip[:, 70, -1, 0] - clip[:, 70, 0, 0]
        assert (spread > 0.45 * 255).all() and (spread < 1.01 * 255).all(), "half of the picture at least"
        steps = np.diff(clip[:, 70, 128, 0])
        assert np.abs(steps - steps.mean()).max() < 1.5, "evenly"
        moved += abs(steps.sum()) > 2
    assert moved > 4


def test_the_packages_stills_are_there_and_one_part_is_held_out() -> None:
    for still in STILLS:
        picture = read_still(still.file())
        assert picture.ndim == 3 and picture.shape[0] >= HEIGHT and picture.shape[1] >= WIDTH, still
    trained = {name.rsplit("_", 1)[0] for name, _ in clips([], STILLS, 8, False)}
    held_out = {name.rsplit("_", 1)[0] for name, _ in clips([], STILLS, 8, True)}
    assert trained and held_out and not trained & held_out


def examples(count: int, seed: int = 0) -> list[Latents]:
    """Latents of two kinds: 8x8, two channels, each clip all of one value."""
    made = []
    for index in range(count):
        generator = torch.Generator().manual_seed(seed + index)
        value = 1.0 if index % 2 else -1.0
        truth = torch.full((6, 2, 8, 8), value) + 0.05 * torch.randn((6, 2, 8, 8), generator=generator)
        tensors = {
            "truth": truth,
            "reference": torch.full((6, 2, 8, 8), value),
            "render": torch.full((6, 2, 8, 8), 0.01),  # not 0, which is a clip without a render
            "mask": -torch.ones(6, 4, 8, 8),
        }
        made.append({name: tensor.half() for name, tensor in tensors.items()})
    return made


SMALL = replace(stage.CONFIG, dim=32, ffn_dim=64, num_heads=2, num_layers=2, freq_dim=16, latent_channels=2)


def teacher(free: bool, every: int = 20) -> stage.Teacher:
    return stage.Teacher(examples(6), examples(2), None, free, 4, config=SMALL, every=every)


def apart(trained: stage.Teacher, free: bool) -> float:
    """How far from true clips those are that a teacher takes nearly pure noise for."""
    generator, level, errors = torch.Generator().manual_seed(0), torch.tensor([0.98]), []
    for example in examples(6):
        clip = stage.whole_clip(example, torch.device("cpu"))
        noisy = noised(clip["truth"], level, torch.randn(clip["truth"].shape, generator=generator))
        with torch.no_grad():
            answer = trained.flow.x0(noisy, level, stage.condition_of(clip, free))
        errors.append(float((answer - clip["truth"]).square().mean()))
    return sum(errors) / len(errors)


@pytest.mark.parametrize("free", [False, True])
def test_a_teacher_learns_and_a_resumed_run_equals_an_unbroken_one(tmp_path: Path, free: bool) -> None:
    begun = apart(teacher(free), free)
    trained = trained_after_a_break(lambda: teacher(free), tmp_path, 100, 48)
    if free:
        # Nothing tells what a clip is, and the spread is the whole distribution's from the first step on.
        untrained = stage.evaluate(teacher(free).flow, examples(2), free)
        assert stage.evaluate(trained.flow, examples(2), free) < untrained
    else:
        assert apart(trained, free) < 0.5 * begun
    assert load_dit(tmp_path / "broken" / "teacher.safetensors").config == SMALL


def test_a_teachers_clips_are_of_the_kind_it_has_seen(tmp_path: Path) -> None:
    """Told a reference of one value it makes clips of that value; told nothing, of either."""
    train(trained := teacher(False), tmp_path, 250)
    batch = [stage.whole_clip(example, torch.device("cpu")) for example in examples(2)]
    for value, clip in zip((-1.0, 1.0), batch, strict=True):
        made = trained.flow.sample(stage.condition_of(clip, False), torch.Generator().manual_seed(0))
        assert float(made.mean()) == pytest.approx(value, abs=0.35)


def test_text_reaches_teachers_and_students() -> None:
    """A generator that reads a prompt gets it in both streams, and answers otherwise for another."""
    from backend.training.jdmd.condition import Condition
    from backend.training.jdmd.flow import Flow
    from backend.training.jdmd.rollout import roll_out

    torch.manual_seed(0)
    dit = stage.CausalDiT(replace(SMALL, text_dim=6, text_len=5))
    for parameter in dit.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    x0, sigma = torch.randn(1, 6, 2, 8, 8), torch.tensor([0.7])
    answers, clips_made = [], []
    for seed in (1, 2):
        text = torch.randn((1, 5, 6), generator=torch.Generator().manual_seed(seed))
        condition = Condition.nothing(x0, text)
        answers.append(Flow(dit).x0(x0, sigma, condition))
        made = roll_out(dit, condition, torch.Generator().manual_seed(0), last_step=1)
        clips_made.append(made)
    assert not torch.allclose(*answers) and not torch.allclose(*clips_made)
    gradient = torch.autograd.grad(clips_made[1].sum(), list(dit.text_embedding.parameters()))
    assert any(part.abs().sum() > 0 for part in gradient)


def test_distilling_goes_on_where_it_was_and_says_how_it_goes(tmp_path: Path) -> None:
    for name, free in (("rerender", False), ("free", True)):
        train(teacher(free), tmp_path / name, 20)
    torch.manual_seed(1)
    student = stage.CausalDiT(replace(SMALL, prediction="render_residual"))
    save_generator(student, Average(student, 0.9), tmp_path / "student.safetensors")

    def made() -> distil.Distil:
        files = [tmp_path / name / "teacher.safetensors" for name in ("rerender", "free")]
        streams = [
            distil.stream("rerender", files[0], examples(6), 2, 1.0, 1.5),
            distil.stream("free", files[1], examples(6), 2, 0.5),
        ]
        begun = load_dit(tmp_path / "student.safetensors")
        return distil.Distil(begun, streams, Settings(critic_steps=1, sampling=2), examples(2), None, every=2)

    again = trained_after_a_break(made, tmp_path, 5, 3)
    lines = [json.loads(line) for line in (tmp_path / "broken" / "jdmd.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 5]
    assert {"student_rerender", "student_free", "critic_rerender", "critic_free", "test_db"} < set(lines[0])
    assert len(again.joint.schedule.steps) == len(SAMPLING[2]) == 2
    distilled = load_dit(tmp_path / "broken" / "generator.safetensors")
    assert distilled.config.prediction == "render_residual"
    assert any(
        not torch.equal(one, other)
        for one, other in zip(distilled.parameters(), student.parameters(), strict=True)
    )
