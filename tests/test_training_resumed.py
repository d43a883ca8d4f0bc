"""Autoencoder and causal start: a run that was broken off goes on as if it had not been. (Teachers and students:
test_jdmd_stages.py.)"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from broken_off import trained_after_a_break

from backend.codec.tiny import TinyCodec, TinyCodecConfig
from backend.training.codec import Autoencoder
from backend.training.generator import TINY, Causal, Latents

CODEC = TinyCodecConfig(latent_channels=2, widths=(8, 8, 8), blocks=(1, 1, 1))
SMALL = replace(TINY, dim=32, ffn_dim=64, num_heads=2, num_layers=2, freq_dim=16, latent_channels=2)


def sequences(folder: Path) -> Path:
    """Two of noise, as files of the training scenes have them."""
    folder.mkdir()
    for index in range(2):
        rng = np.random.default_rng(index)
        np.savez(
            folder / f"noise{index}.npz",
            colour=rng.integers(0, 256, (2, 21, 96, 128, 3), np.uint8),
            depth=np.ones((2, 21, 96, 128), np.float32),
            intrinsics=np.tile(np.eye(3, dtype=np.float32), (2, 21, 1, 1)),
            world_to_camera=np.tile(np.eye(4, dtype=np.float32), (2, 21, 1, 1)),
            dynamic=np.array(False),
        )
    return folder


def latents(count: int) -> list[Latents]:
    made = []
    for index in range(count):
        generator = torch.Generator().manual_seed(index)
        tensors = {
            name: torch.randn((6, 2, 8, 8), generator=generator) for name in ("truth", "render", "reference")
        }
        made.append({**tensors, "mask": torch.randn((6, 4, 8, 8), generator=generator).sign()})
    return made


def test_an_autoencoder_goes_on_as_an_unbroken_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Autoencoder, "every", 2)
    scenes = sequences(tmp_path / "scenes")
    trained_after_a_break(lambda: Autoencoder([scenes], [], CODEC), tmp_path, 6, 5)


@pytest.mark.parametrize("free", [False, True])
def test_a_causal_start_goes_on_as_an_unbroken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: bool
) -> None:
    monkeypatch.setattr(Causal, "every", 3)
    codec, clips = TinyCodec(CODEC), latents(4) if free else None
    trained_after_a_break(lambda: Causal(latents(6), [], codec, 4, config=SMALL, free=clips), tmp_path, 12, 7)
