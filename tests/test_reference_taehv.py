"""TAEHV against the original network, for weights made by a rule of their names."""

from __future__ import annotations

import json
import re
import zlib
from pathlib import Path

import numpy as np
import torch
from reference import cases
from safetensors.torch import load_file
from torch import Tensor

from backend.codec.taehv import GROUP, Taehv

TOLERANCE = 1e-4


def made_weight(name: str, shape: list[int]) -> Tensor:
    x = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    if len(shape) > 1:
        x = x / np.sqrt(np.prod(shape[1:]))
    else:
        x = 1 + 0.1 * x if name.endswith("weight") else 0.02 * x
    return torch.from_numpy(x.astype(np.float32))


def codec_beside(path: Path) -> Taehv:
    """The network of the folder's shapes, of the file's own if it has some."""
    own = path.with_name(f"{path.stem}_shapes.json")
    shapes = own if own.exists() else next(path.parent.glob("taehv_*_shapes.json"))
    return Taehv.from_weights(
        {name: made_weight(name, shape) for name, shape in json.loads(shapes.read_text()).items()}
    )


@cases("taehv_*.safetensors")
@torch.no_grad()
def test_encoder_agrees(path: Path) -> None:
    codec, tensors = codec_beside(path), load_file(path)
    names = [name for name in tensors if re.fullmatch(r"frames\d*", name)]
    assert names
    for name in names:
        frames = tensors[name]
        # Plain encoding groups from frame 0 and fills up the end; a stream for the generator fills up the start.
        filling = frames[:, -1:].expand(-1, -frames.shape[1] % GROUP, -1, -1, -1)
        memory: dict[str, Tensor] = {}
        groups = torch.cat([frames, filling], dim=1).split(GROUP, dim=1)
        got = torch.cat([codec.encode_group(group, memory) for group in groups], dim=1)
        torch.testing.assert_close(got, tensors[name.replace("frames", "latent")], atol=TOLERANCE, rtol=0)


@cases("taehv_*.safetensors")
@torch.no_grad()
def test_decoder_agrees(path: Path) -> None:
    codec, tensors = codec_beside(path), load_file(path)
    got = (codec.decoder().push(tensors["latent_in"]) + 1) / 2
    torch.testing.assert_close(got, tensors["decoded"], atol=TOLERANCE, rtol=0)


@cases("taehv_*_shapes.json")
def test_weights_of_the_real_file_load(path: Path) -> None:
    shapes: dict[str, list[int]] = json.loads(path.read_text())
    # The real file's first Grow has twice the channels: the last half is the one that is used.
    real = {name: torch.zeros(shape) for name, shape in shapes.items()}
    half = torch.randn(shapes["decoder.7.conv.weight"])
    real["decoder.7.conv.weight"] = torch.cat([torch.randn_like(half), half])
    codec = Taehv.from_weights(real)
    assert torch.equal(codec.state_dict()["layers.decoder.7.conv.weight"], half)
