"""Examples for the generator: what a still camera gives, what is made again, and which errors count as flicker."""

import numpy as np
import pytest
import torch

from backend.presets import load_preset
from backend.training.examples import Sequence, draw_example, draw_still_example, encode_example
from backend.training.generator import block_loss, error_changes
from backend.training.prepare import prepare


@pytest.fixture(scope="module")
def preset():
    return load_preset("tiny")


def sequence(dynamic: bool = False, length: int = 21) -> Sequence:
    """A wall of noise three metres away, seen by two cameras that move sideways."""
    rng = np.random.default_rng(3)
    height, width = 32, 48
    world_to_camera = np.tile(np.eye(4, dtype=np.float32), (2, length, 1, 1))
    world_to_camera[..., 0, 3] = np.linspace(0, 0.6, 2 * length).reshape(2, length)
    intrinsics = np.array([[50, 0, (width - 1) / 2], [0, 50, (height - 1) / 2], [0, 0, 1]], np.float32)
    return Sequence(
        rng.integers(0, 256, (2, length, height, width, 3), dtype=np.uint8),
        np.full((2, length, height, width), 3, np.float32),
        np.tile(intrinsics, (2, length, 1, 1)),
        world_to_camera,
        dynamic,
    )


def test_a_still_camera_gives_latents_that_stand_still(preset):
    example = draw_still_example(sequence(length=5), np.random.default_rng(1))
    assert len(example.truth) == 1
    latents = encode_example(example, preset.autoencoder("final").codec, preset.completion)
    moving = encode_example(
        draw_example(sequence(), np.random.default_rng(1)),
        preset.autoencoder("final").codec,
        preset.completion,
    )
    for name, tensor in latents.items():
        assert tensor.shape == moving[name].shape
        assert (tensor[1:] == tensor[1]).all(), name
    assert (moving["truth"][1] != moving["truth"][2]).any()


def test_still_examples_are_made_of_still_scenes_only(preset, tmp_path):
    for name, dynamic in (("quiet", False), ("busy", True)):
        kept = sequence(dynamic, 5)
        np.savez(
            tmp_path / f"{name}.npz",
            colour=kept.colour,
            depth=kept.depth,
            intrinsics=kept.intrinsics,
            world_to_camera=kept.world_to_camera,
            dynamic=np.array(dynamic),
        )

    def make() -> list[str]:
        codec = preset.autoencoder("final").codec
        return list(prepare([tmp_path], codec, preset.completion, tmp_path / "out", 2, still=True))

    assert len(make()) == 2
    made = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in made] == [f"{tmp_path.name}_quiet_still{n}.safetensors" for n in range(2)]
    first = made[0].read_bytes()
    made[0].unlink()
    assert make() == [made[0].stem]
    assert made[0].read_bytes() == first


def test_an_error_that_comes_and_goes_costs_more_than_one_that_stays():
    torch.manual_seed(0)
    truth, weight = torch.randn(2, 6, 64, 4, 4), torch.rand(64, 1, 1)
    batch = {"truth": truth, "render": truth + torch.randn_like(truth), "mask": torch.ones(2, 6, 4, 4, 4)}
    part = slice(3, 6)
    stays = truth[:, part] + 0.3
    comes_and_goes = truth[:, part] + 0.3 * torch.tensor([1.0, -1.0, 1.0])[:, None, None, None]
    assert (error_changes(stays, batch, part, weight) < 1e-6).all()
    assert (error_changes(comes_and_goes, batch, part, weight) > 0.1).all()
    steady, shimmering = (block_loss(x0, batch, part, weight)[0] for x0 in (stays, comes_and_goes))
    assert shimmering > steady + 0.1
