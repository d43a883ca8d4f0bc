"""Floors: what the walk counts is what the formulas say, and what a stage must cost follows from it."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from backend.codec.taehv import Taehv
from backend.floors import H100, Ceilings, Work, block_work, count, floor, measure_ceilings
from backend.model import RELEASED_1_3B, CausalDiT, GeneratorConfig

SMALL = GeneratorConfig(dim=64, ffn_dim=96, num_heads=2, num_layers=3, freq_dim=16, text_dim=24, text_len=5)


def on_meta(config: GeneratorConfig) -> tuple[CausalDiT, Taehv]:
    with torch.device("meta"):
        dit, codec = CausalDiT(config).to(torch.bfloat16), Taehv().to(torch.bfloat16)
    dit.fuse()
    return dit, codec


def tokens_of(width: int, height: int) -> int:
    return 3 * (height // 16) * (width // 16)


def pass_operations(config: GeneratorConfig, own: int, context: int, layers: int) -> tuple[int, int]:
    """Operations of `layers` layers over `own` tokens after `context` others: of linear layers, of attention."""
    linear = 2 * own * config.dim * (4 * config.dim + 2 * config.dim + 2 * config.ffn_dim)
    attention = 4 * own * config.dim * (context + own + config.text_len)
    return layers * linear, layers * attention


@pytest.mark.parametrize(
    ("config", "width", "height", "block"),
    [(SMALL, 96, 64, 0), (SMALL, 96, 64, 1), (RELEASED_1_3B, 832, 480, 1)],
    ids=["first", "later", "released"],
)
def test_the_generator_is_counted_as_the_formula_says(
    config: GeneratorConfig, width: int, height: int, block: int
) -> None:
    dit, codec = on_meta(config)
    work = block_work(dit, codec, width, height, block, reference_encoded=False)
    own = tokens_of(width, height)
    context = 2 * own if block else own
    patch = 2 * own * config.dim * 4 * config.in_dim
    time = 2 * config.dim * (config.freq_dim + config.dim + 6 * config.dim)

    linear, attention = pass_operations(config, own, context, config.num_layers)
    head = 2 * own * config.dim * 4 * config.out_dim
    assert work["denoise"].linear == 4 * (linear + patch + time + head)
    assert work["denoise"].attention == 4 * attention

    linear, attention = pass_operations(config, context, 0, config.num_layers - 1)
    last = 2 * context * config.dim * 3 * config.dim  # its keys and values; queries come with them
    assert work["prefill"].linear == linear + last + patch * context // own + time
    assert work["prefill"].attention == attention


@torch.inference_mode()
def test_the_walk_agrees_with_torch_and_weighs_operands() -> None:
    codec = on_meta(SMALL)[1]
    frames = torch.empty(1, 9, 3, 32, 48, device="meta")
    with FlopCounterMode(display=False) as counter:
        codec.encoder().push(frames)
    assert count(lambda: codec.encoder().push(frames)).convolution == counter.get_total_flops() > 0

    layer = torch.nn.Linear(10, 20, device="meta", dtype=torch.bfloat16)
    x = torch.empty(30, 10, device="meta", dtype=torch.bfloat16)
    assert count(lambda: layer(x)) == Work(
        linear=2 * 30 * 10 * 20, bytes=2 * (30 * 10 + 10 * 20 + 20 + 30 * 20)
    )
    assert count(lambda: layer(x), fp8=True).bytes == 30 * 10 + 10 * 20 + 20 + 2 * 30 * 20
    q = torch.empty(1, 2, 7, 8, device="meta")
    attention = count(lambda: torch.nn.functional.scaled_dot_product_attention(q, q, q))
    assert attention == Work(attention=4 * 2 * 7 * 7 * 8, bytes=4 * 4 * 2 * 7 * 8)


def test_stages_of_a_block() -> None:
    dit, codec = on_meta(SMALL)
    once = block_work(dit, codec, 128, 64, 1, reference_encoded=False)
    twice = block_work(dit, codec, 128, 64, 1, reference_encoded=True)
    assert list(once) == ["render", "encode", "prefill", "denoise", "decode", "finish"]
    assert twice["encode"] == once["encode"] + once["encode"]
    assert {name for name in once if once[name] != twice[name]} == {"encode"}
    assert once["finish"].sent == 12 * 128 * 64 * 3
    first = block_work(dit, codec, 128, 64, 0, reference_encoded=False)
    # Alone, the first frame is padded to a group of four; three groups either way.
    assert first["encode"].convolution == once["encode"].convolution
    assert first["prefill"].operations < once["prefill"].operations


def test_a_floor_is_the_longer_of_computing_and_moving() -> None:
    ceilings = Ceilings("a device", operations=100.0, fp8_operations=200.0, bandwidth=10.0, sending=1.0)
    assert floor(Work(linear=400, attention=100, bytes=20), ceilings) == 5
    assert floor(Work(linear=400, attention=100, bytes=20), ceilings, fp8=True) == 3
    assert floor(Work(linear=400, bytes=70), ceilings) == 7
    assert floor(Work(bytes=10, sent=3), ceilings) == 3


def test_ceilings_of_this_machine() -> None:
    ceilings = measure_ceilings(torch.device("cpu"), torch.float32, seconds=0.05)
    assert 1e8 < ceilings.operations < H100.operations
    assert 1e8 < ceilings.bandwidth < H100.bandwidth
