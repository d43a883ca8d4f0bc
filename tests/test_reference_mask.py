"""Mask latents against the released ones, made whole and made block by block."""

from __future__ import annotations

from pathlib import Path

import torch
from einops import rearrange
from reference import cases
from safetensors.torch import load_file

from backend.constraint import mask_latents


@cases("mask_*.safetensors")
def test_mask_latents_agree(path: Path) -> None:
    tensors = load_file(path)
    signed, expected = tensors["mask_signed_bcthw"], tensors["mask_latent_bfchw"]
    for known, latents in zip(rearrange(signed > 0, "b 1 t h w -> b t h w"), expected, strict=True):
        torch.testing.assert_close(mask_latents(known, first=True), latents, atol=1e-6, rtol=0)
        first, later = known[:9], known[9:]
        in_blocks = [mask_latents(first, first=True)]
        in_blocks += [mask_latents(block, first=False) for block in later.split(12)]
        torch.testing.assert_close(torch.cat(in_blocks), latents, atol=1e-6, rtol=0)
