"""The generator against the released one: weights of its form load, and every tensor it passes on agrees."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from reference import cases
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from backend.model import Cache, CausalDiT, GeneratorConfig, Schedule, TextKeyValues, predict_x0, sample_block

TOLERANCE = 2e-4
RELEASED_HEAD_DIM = 128


class Recorder(CausalDiT):
    """A generator that keeps what its denoising passes were given and what they returned."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        self.passes: list[tuple[Tensor, Tensor]] = []

    def denoise(
        self,
        noisy: Tensor,
        mask: Tensor,
        render: Tensor,
        timestep: Tensor,
        cache: Cache,
        text: TextKeyValues | None,
    ) -> Tensor:
        output = super().denoise(noisy, mask, render, timestep, cache, text)
        self.passes.append((noisy, output))
        return output


def load(path: Path) -> tuple[Recorder, dict[str, Tensor]]:
    with safe_open(path, "pt") as file:
        config = json.loads(file.metadata()["config"])
    generator = Recorder(
        GeneratorConfig(
            dim=config["dim"],
            ffn_dim=config["ffn_dim"],
            num_heads=config["num_heads"],
            num_layers=config["num_layers"],
            freq_dim=config["freq_dim"],
            latent_channels=config["out_dim"],
            text_dim=config["text_dim"],
            text_len=config["text_len"],
        )
    )
    assert generator.config.in_dim == config["in_dim"]
    weights = load_file(path.with_name(f"{path.stem}_weights.safetensors"))
    generator.load_state_dict({name.removeprefix("model."): x for name, x in weights.items()}, strict=True)
    return generator, load_file(path)


@cases("dit_*.safetensors", without="_weights")
@torch.no_grad()
def test_every_tensor_of_a_generation_agrees(path: Path) -> None:
    generator, expected = load(path)
    schedule = Schedule()
    text = generator.encode_text(expected["text_embeds"])
    got: dict[str, Tensor] = {
        "timesteps": schedule.timesteps,
        "sigmas": schedule.sigmas,
        "warped_timesteps": schedule.steps,
    }
    blocks: list[Tensor] = []
    for block, latents in enumerate(torch.arange(expected["noise"].shape[1]).split(3)):
        cut = slice(int(latents[0]), int(latents[-1]) + 1)
        mask, render = expected["mask_latent"][:, cut], expected["render_latent"][:, cut]
        cache = generator.prefill(expected["ref_latent"][:, cut], blocks[-1] if blocks else None, text)
        for layer, (keys, values) in enumerate(cache.layers):
            got[f"block{block}.cache.layer{layer}.k"] = keys
            got[f"block{block}.cache.layer{layer}.v"] = values
        renoise = expected["renoise"][block]
        generator.passes.clear()
        blocks.append(
            sample_block(generator, cache, mask, render, expected["noise"][:, cut], renoise.__getitem__, text)
        )
        for step, (noisy, flow) in enumerate(generator.passes):
            sigma = schedule.sigma(schedule.steps[step])
            got[f"block{block}.step{step}.flow"] = flow
            got[f"block{block}.step{step}.x0"] = predict_x0("flow", flow, noisy, render, sigma)
    got["output"] = torch.cat(blocks, dim=1)

    inputs = {"noise", "ref_latent", "render_latent", "mask_latent", "text_embeds", "renoise"}
    assert expected.keys() - inputs <= got.keys()
    for name in expected.keys() - inputs:
        torch.testing.assert_close(
            got[name], expected[name], atol=TOLERANCE, rtol=0, msg=lambda m, n=name: f"{n}: {m}"
        )


@cases("dit_*_shapes.json")
def test_a_checkpoint_of_the_released_form_loads_strictly(path: Path) -> None:
    shapes: dict[str, list[int]] = json.loads(path.read_text())
    shapes = {name.removeprefix("model."): shape for name, shape in shapes.items()}
    dim, in_dim = shapes["patch_embedding.weight"][:2]
    layers = {int(found[1]) for name in shapes if (found := re.match(r"blocks\.(\d+)\.", name))}
    config = GeneratorConfig(
        dim=dim,
        ffn_dim=shapes["blocks.0.ffn.0.weight"][0],
        num_heads=dim // RELEASED_HEAD_DIM,
        num_layers=len(layers),
        freq_dim=shapes["time_embedding.0.weight"][1],
        text_dim=shapes["text_embedding.0.weight"][1],
    )
    assert config.in_dim == in_dim
    with torch.device("meta"):
        generator = CausalDiT(config)
        weights = {name: torch.empty(shape) for name, shape in shapes.items()}
    generator.load_state_dict(weights, strict=True)
    del weights["head.head.bias"]
    with pytest.raises(RuntimeError, match=r"head\.head\.bias"):
        generator.load_state_dict(weights, strict=True)
