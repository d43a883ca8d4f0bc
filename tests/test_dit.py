"""The generator against the plain one, with and without text and a previous block; and that it can be trained."""

from __future__ import annotations

import pytest
import torch
from plain_dit import plain_denoise
from torch import Tensor

from backend.model import Cache, CausalDiT, GeneratorConfig, sample_block

SIZE = (4, 6)


def generator(text_dim: int = 0, channels: int = 5) -> CausalDiT:
    torch.manual_seed(0)
    dit = CausalDiT(
        GeneratorConfig(
            dim=40,
            ffn_dim=56,
            num_heads=2,
            num_layers=3,
            freq_dim=16,
            latent_channels=channels,
            text_dim=text_dim,
            text_len=7,
        )
    )
    with torch.no_grad():
        for parameter in dit.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return dit


def latents(seed: int, channels: int = 5, batch: int = 2) -> Tensor:
    return torch.randn(batch, 3, channels, *SIZE, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("text_dim", [0, 9])
@pytest.mark.parametrize("with_previous", [False, True])
@torch.no_grad()
def test_two_passes_equal_one_under_a_mask(text_dim: int, with_previous: bool) -> None:
    dit = generator(text_dim)
    reference, previous = latents(1), latents(2) if with_previous else None
    noisy, mask, render = latents(3), latents(4, 4), latents(5)
    text = torch.randn(2, 7, text_dim) if text_dim else None
    encoded = dit.encode_text(text) if text is not None else None

    cache = dit.prefill(reference, previous, encoded)
    got = dit.denoise(noisy, mask, render, torch.full((2,), 833.3), cache, encoded)

    context = reference if previous is None else torch.cat([reference, previous], dim=1)
    condition = torch.cat([mask, render], dim=2)
    expected = plain_denoise(dit.config, dit.state_dict(), context, noisy, condition, 833.3, text)
    torch.testing.assert_close(got.double(), expected, atol=2e-5, rtol=1e-5)


@torch.no_grad()
def test_fused_queries_keys_and_values_are_the_same_numbers_in_no_more_memory() -> None:
    dit = generator(text_dim=9)
    stored, count = dit.state_dict(), sum(parameter.numel() for parameter in dit.parameters())
    dit.fuse()
    assert sum(parameter.numel() for parameter in dit.parameters()) == count
    products: list[str] = []
    for name, layer in dit.blocks[0].self_attn.named_modules():
        if isinstance(layer, torch.nn.Linear):
            layer.register_forward_hook(lambda *_, name=name: products.append(name))
    text = torch.randn(2, 7, 9)
    encoded = dit.encode_text(text)
    cache = dit.prefill(latents(1), latents(2), encoded)
    assert products == ["qkv", "o"]
    for keys, values in cache.layers:
        assert keys.untyped_storage().nbytes() == keys.nbytes
        assert values.untyped_storage().nbytes() == values.nbytes
    got = dit.denoise(latents(3), latents(4, 4), latents(5), torch.full((2,), 625.0), cache, encoded)

    context = torch.cat([latents(1), latents(2)], dim=1)
    condition = torch.cat([latents(4, 4), latents(5)], dim=2)
    expected = plain_denoise(dit.config, stored, context, latents(3), condition, 625.0, text)
    torch.testing.assert_close(got.double(), expected, atol=2e-5, rtol=1e-5)


def test_what_inference_kept_of_positions_can_be_trained_with() -> None:
    dit = generator(channels=3)
    with torch.inference_mode():
        dit.prefill(latents(1, 3), None, None)
    cache = dit.prefill(latents(1, 3), None, None)
    sum(keys.sum() for keys, _ in cache.layers).backward()


@torch.no_grad()
def test_keys_and_values_of_the_text_are_computed_once_a_prompt() -> None:
    dit, runs = generator(text_dim=9), []
    for name, layer in dit.named_modules():
        if name.endswith(("cross_attn.k", "cross_attn.v")) or name == "text_embedding":
            layer.register_forward_hook(lambda *_, name=name: runs.append(name))
    text = dit.encode_text(torch.randn(2, 7, 9))
    previous = None
    for _ in range(2):
        cache = dit.prefill(latents(1), previous, text)
        previous = sample_block(dit, cache, latents(4, 4), latents(5), latents(3), lambda _: latents(6), text)
    assert len(runs) == 1 + 2 * dit.config.num_layers
    assert len(set(runs)) == len(runs)


def test_without_text_there_are_no_weights_for_it() -> None:
    names = generator().state_dict().keys()
    assert not any("cross_attn" in name or "text" in name or "norm3" in name for name in names)


def test_gradients_reach_every_weight_that_counts() -> None:
    dit = generator(text_dim=9)
    text = dit.encode_text(torch.randn(2, 7, 9))
    previous = latents(2).requires_grad_()
    cache = dit.prefill(latents(1), previous, text)
    output = dit.denoise(latents(3), latents(4, 4), latents(5), torch.tensor([1000.0, 625.0]), cache, text)
    output.square().mean().backward()
    assert previous.grad is not None
    assert previous.grad.abs().sum() > 0
    without = [name for name, parameter in dit.named_parameters() if parameter.grad is None]
    assert without == []


@torch.no_grad()
def test_batch_entries_do_not_meet() -> None:
    dit = generator()
    cache = dit.prefill(latents(1), None, None)
    both = dit.denoise(latents(3), latents(4, 4), latents(5), torch.tensor([1000.0, 625.0]), cache, None)
    second = cache.map(lambda tensor: tensor[1:])
    assert isinstance(second, Cache)
    alone = dit.denoise(
        latents(3)[1:], latents(4, 4)[1:], latents(5)[1:], torch.tensor([625.0]), second, None
    )
    torch.testing.assert_close(both[1:], alone, atol=1e-5, rtol=0)


@torch.no_grad()
def test_bfloat16_stays_near_float32() -> None:
    dit = generator(text_dim=9)
    results = []
    for dtype in (torch.float32, torch.bfloat16):
        dit = dit.to(dtype)
        text = dit.encode_text(torch.ones(2, 7, 9))
        cache = dit.prefill(latents(1), latents(2), text)
        timestep = torch.full((2,), 937.5)
        results.append(dit.denoise(latents(3), latents(4, 4), latents(5), timestep, cache, text).float())
    error = (results[0] - results[1]).square().mean().sqrt() / results[0].std()
    assert error < 0.05


@pytest.mark.parametrize(("dim", "heads", "freq_dim"), [(10, 3, 8), (6, 2, 8), (8, 2, 5)])
def test_impossible_shapes_are_refused(dim: int, heads: int, freq_dim: int) -> None:
    with pytest.raises(ValueError, match="dim"):
        GeneratorConfig(dim=dim, ffn_dim=8, num_heads=heads, num_layers=1, freq_dim=freq_dim)
