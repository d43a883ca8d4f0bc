"""Clips of real video, and the stage that trains teachers: on a movie and latents made here."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from backend.training.generator import Pool, save_generator
from backend.training.jdmd import distil
from backend.training.jdmd import teacher as stage
from backend.training.jdmd.clips import HEIGHT, LENGTH, WIDTH, clips, draw_clip
from backend.training.runs import Average, cosine

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
            clip = draw_clip(movie, np.random.default_rng(seed), held_out)
            assert clip.shape == (LENGTH, HEIGHT, WIDTH, 3)
            numbers = clip.reshape(LENGTH, -1).mean(axis=1) - 20
            steps = np.diff(numbers)
            assert abs(abs(numbers[-1] - numbers[0]) - (LENGTH - 1)) < 3, "one frame after the other"
            assert (steps > -0.5).all() or (steps < 0.5).all(), "forward or back"
            assert numbers.min() > 0.8 * FRAMES - 3 if held_out else numbers.max() < 0.8 * FRAMES + 3
    again = [name for name, _ in clips([movie], 3, False)]
    assert again == ["greys_0000", "greys_0001", "greys_0002"]


def test_a_movie_that_is_too_short_is_refused(movie: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.mp4"
    writer = cv2.VideoWriter(str(short), cv2.VideoWriter.fourcc(*"mp4v"), 25, (64, 64))
    for _ in range(40):
        writer.write(np.zeros((64, 64, 3), np.uint8))
    writer.release()
    with pytest.raises(ValueError, match="too short"):
        draw_clip(short, np.random.default_rng(0), held_out=True)


@pytest.fixture
def pools(tmp_path: Path) -> tuple[Pool, Pool]:
    """Latents of two kinds: 8x8, two channels, each clip all of one value."""
    for folder, count in (("train", 6), ("test", 2)):
        (tmp_path / folder).mkdir()
        for index in range(count):
            generator = torch.Generator().manual_seed(index)
            value = 1.0 if index % 2 else -1.0
            truth = torch.full((6, 2, 8, 8), value) + 0.05 * torch.randn((6, 2, 8, 8), generator=generator)
            tensors = {
                "truth": truth,
                "reference": torch.full((6, 2, 8, 8), value),
                "render": torch.zeros(6, 2, 8, 8),
                "mask": -torch.ones(6, 4, 8, 8),
            }
            save_file(
                {name: tensor.half() for name, tensor in tensors.items()},
                tmp_path / folder / f"{index}.safetensors",
            )
    return Pool(tmp_path / "train"), Pool(tmp_path / "test")


SMALL = replace(stage.CONFIG, dim=32, ffn_dim=64, num_heads=2, num_layers=2, freq_dim=16, latent_channels=2)


@pytest.mark.parametrize("free", [False, True])
def test_a_teacher_learns_and_a_resumed_run_equals_an_unbroken_one(
    pools: tuple[Pool, Pool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: bool
) -> None:
    monkeypatch.setattr(stage, "REPORT", 20)
    begun = stage.evaluate(stage.Flow(stage.CausalDiT(SMALL)), pools[1].examples, free)
    unbroken = stage.train(*pools, tmp_path / "whole", 100, 4, free, config=SMALL)
    assert stage.evaluate(unbroken, pools[1].examples, free) < 0.6 * begun

    class Interrupted(Exception):
        pass

    loss, seen = stage.flow_loss, []

    def breaking(*arguments):
        seen.append(1)
        if len(seen) == 48:
            raise Interrupted
        return loss(*arguments)

    with monkeypatch.context() as broken:
        broken.setattr(stage, "flow_loss", breaking)
        with pytest.raises(Interrupted):
            stage.train(*pools, tmp_path / "broken", 100, 4, free, config=SMALL)
    again = stage.train(*pools, tmp_path / "broken", 100, 4, free, config=SMALL)
    for one, other in zip(unbroken.dit.parameters(), again.dit.parameters(), strict=True):
        assert torch.equal(one, other)
    assert (tmp_path / "broken" / "teacher.safetensors").is_file()


def test_distilling_goes_on_where_it_was_and_says_how_it_goes(
    pools: tuple[Pool, Pool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "REPORT", 20)
    monkeypatch.setattr(distil, "REPORT", 2)
    for name, free in (("rerender", False), ("free", True)):
        stage.train(*pools, tmp_path / name, 20, 4, free, config=SMALL)
    torch.manual_seed(1)
    student = stage.CausalDiT(replace(SMALL, prediction="render_residual"))
    save_generator(student, Average(student, 0.9), tmp_path / "student.safetensors")

    def run(name: str, steps: int) -> distil.Joint:
        streams = [
            distil.stream("rerender", tmp_path / "rerender" / "teacher.safetensors", pools[0], 2, 1.0, 1.5),
            distil.stream("free", tmp_path / "free" / "teacher.safetensors", pools[0], 2, 0.5),
        ]
        begun = distil.load_dit(tmp_path / "student.safetensors")
        return distil.train(begun, streams, distil.Settings(critic_steps=1), tmp_path / name, steps)

    whole = run("whole", 4)
    monkeypatch.setattr(distil, "cosine", lambda share: cosine(share * 2 / 4) if seen else cosine(share))
    seen = [1]
    run("broken", 2)
    seen.clear()
    again = run("broken", 4)
    for one, other in zip(whole.student.parameters(), again.student.parameters(), strict=True):
        assert torch.equal(one, other)
    lines = [json.loads(line) for line in (tmp_path / "broken" / "jdmd.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4]
    assert {"student_rerender", "student_free", "critic_rerender", "critic_free"} < set(lines[0])
    made = distil.load_dit(tmp_path / "broken" / "generator.safetensors")
    assert made.config.prediction == "render_residual"
    assert any(
        not torch.equal(one, other)
        for one, other in zip(made.parameters(), student.parameters(), strict=True)
    )


def test_a_joint_weight_without_a_teacher_is_refused(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    words = ["distil", "--student", "a", "--teacher", "b", "--latents", "c", "--run", "d", "--joint", "0.3"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit):
        distil.main()
    assert "--free-teacher" in capsys.readouterr().err
