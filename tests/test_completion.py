"""The learned completion of holes: where it starts, what it may depend on, how it is kept, and that it learns."""

import numpy as np
import pytest
import torch

from backend.constraint.completion import Completion, CompletionConfig, relative_disparity, starts_of
from backend.constraint.fill import fill_holes
from backend.constraint.splat import Render
from backend.device import Device
from backend.training import completion as training
from backend.training.frames import TAUGHT, Teacher, draw_frame
from backend.training.loop import train

SMALL = CompletionConfig((8, 8, 16, 16), (1, 1, 1, 1))


def random_render(frames: int = 3, height: int = 32, width: int = 48) -> Render:
    generator = torch.Generator().manual_seed(5)
    colour = torch.rand(frames, 3, height, width, generator=generator) * 2 - 1
    known = torch.rand(frames, 1, height // 8, width // 8, generator=generator) > 0.3
    known = torch.nn.functional.interpolate(known.float(), size=(height, width))[:, 0] > 0
    depth = torch.where(known, torch.rand(frames, height, width, generator=generator) * 9 + 1, torch.inf)
    return Render(torch.where(known[:, None], colour, -1.0), known, depth, known[:, None])


def random_completion() -> Completion:
    """Weights that change the picture: a new one's don't."""
    torch.manual_seed(3)
    completion = Completion(SMALL)
    for parameter in completion.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return completion.eval()


def test_a_new_one_changes_nothing():
    render = random_render()
    torch.testing.assert_close(Completion(SMALL).complete(render), fill_holes(render), atol=1e-6, rtol=0)


def test_frames_do_not_depend_on_one_another():
    render, completion = random_render(6), random_completion()
    whole = completion.complete(render)
    assert (whole - fill_holes(render)).abs().max() > 0.01
    for frame, alone in enumerate(render.split(1)):
        torch.testing.assert_close(completion.complete(alone)[0], whole[frame], atol=1e-5, rtol=0)


def test_the_unit_of_depth_does_not_matter():
    render = random_render()
    inches = Render(render.colour, render.known, render.depth * 39.37, render.per_view_known)
    torch.testing.assert_close(starts_of(inches), starts_of(render), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        relative_disparity(inches.known, inches.depth),
        relative_disparity(render.known, render.depth),
        atol=1e-5,
        rtol=0,
    )
    assert (relative_disparity(render.known, render.depth)[:, 0][~render.known] == 0).all()


def test_a_frame_of_sky_and_a_frame_of_nothing_come_back_finite():
    colour, nothing = torch.zeros(1, 3, 32, 32), torch.zeros(1, 32, 32, dtype=torch.bool)
    endless = torch.full((1, 32, 32), torch.inf)
    for known in (nothing, ~nothing):
        completed = random_completion().complete(Render(colour, known, endless, known[:, None]))
        assert completed.isfinite().all()
        assert completed.abs().max() <= 1


def test_weights_are_kept_as_bfloat16(tmp_path):
    completion, render = random_completion(), random_render()
    completion.save(tmp_path / "completion.safetensors")
    loaded = Completion.load(tmp_path / "completion.safetensors")
    assert loaded.config == SMALL
    expected = completion.bfloat16().float()
    assert torch.equal(loaded.complete(render), expected.complete(render))


@pytest.fixture
def sequences(tmp_path):
    """A folder of one still scene: a striped wall behind a box, seen from five places in a row."""
    height, width = 96, 176
    colour = np.zeros((2, 5, height, width, 3), np.uint8)
    colour[...] = np.where(np.arange(width) % 16 < 8, 230, 30)[:, None]
    depth = np.full((2, 5, height, width), 6.0, np.float32)
    lens = np.array([[150.0, 0, 87.5], [0, 150, 47.5], [0, 0, 1]], np.float32)
    poses = np.tile(np.eye(4, dtype=np.float32), (2, 5, 1, 1))
    for place in range(5):
        shift = 12 * place
        poses[:, place, 0, 3] = -0.32 * place  # the wall moves by 8 pixels, the box by 24
        colour[:, place] = np.roll(colour[:, 0], -8 * place, axis=2)
        left = max(0, 100 - 24 * place)
        depth[:, place, 30:70, left : left + 30] = 2.0
        colour[:, place, 30:70, left : left + 30] = (200, 40 + shift, 40)
    folder = tmp_path / "sequences"
    folder.mkdir()
    np.savez(
        folder / "wall.npz",
        colour=colour,
        depth=depth,
        intrinsics=np.tile(lens, (2, 5, 1, 1)),
        world_to_camera=poses,
        dynamic=np.array(False),
    )
    return folder


def test_drawn_frames_have_holes_and_their_truth(sequences):
    rng = np.random.default_rng(0)
    drawn = [draw_frame(sequences / "wall.npz", rng) for _ in range(8)]
    frames = [frame for frame in drawn if frame is not None]
    assert len(frames) > 4
    for frame in frames:
        assert 0.02 < 1 - frame.known.float().mean() < 0.5
        known = frame.known[:, None].expand_as(frame.truth)
        assert (frame.truth - frame.starts[:, :3])[known].square().mean() < 0.1


def test_a_teacher_moves_the_aim_in_holes_alone(sequences):
    teacher = Teacher(random_completion(), "splat")
    seen = 0
    for seed in range(8):
        plain = draw_frame(sequences / "wall.npz", np.random.default_rng(seed))
        frame = draw_frame(sequences / "wall.npz", np.random.default_rng(seed), teacher)
        if frame is None:
            continue
        assert torch.equal(plain.aim, plain.truth)
        assert torch.equal(frame.truth, plain.truth) and torch.equal(frame.starts, plain.starts)
        known = frame.known[:, None].expand_as(frame.truth)
        assert torch.equal(frame.aim[known], frame.truth[known])
        # Halfway to an answer that lies in -1..1.
        answer = frame.truth + (frame.aim - frame.truth) / TAUGHT
        assert answer.abs().max() < 1 + 1e-5
        assert (frame.aim - frame.truth)[~known].abs().max() > 0.05
        seen += 1
    assert seen > 4


class Broken(Exception):
    pass


def test_training_lowers_the_error_and_resumes(sequences, tmp_path, monkeypatch):
    monkeypatch.setattr(training.Holes, "every", 5)
    monkeypatch.setattr(training, "BATCH", 2)
    monkeypatch.setattr(training, "WINDOW", (64, 64))
    monkeypatch.setattr(training, "default_device", lambda: Device(torch.device("cpu"), torch.float32))
    run = tmp_path / "run"
    frames = training.test_frames(sequences, 4)

    def stage() -> training.Holes:
        return training.Holes([sequences], frames, 24, SMALL)

    train(unbroken := stage(), tmp_path / "unbroken", 24)
    broken = stage()

    def breaking(number: int, progress: float) -> dict[str, float]:
        if number == 15:
            raise Broken
        return training.Holes.step(broken, number, progress)

    monkeypatch.setattr(broken, "step", breaking)
    with pytest.raises(Broken):
        train(broken, run, 24)
    train(again := stage(), run, 24)
    for one, other in zip(unbroken.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)
    trained = Completion.load(run / "completion.safetensors")
    assert training.gains(trained, frames)[0] > 0.05
