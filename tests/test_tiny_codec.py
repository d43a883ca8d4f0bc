"""tiny's autoencoder: geometry, streaming, saving, and a basis that is what it says."""

import numpy as np
import pytest
import torch

from backend.codec.tiny import GROUP, PATCH, TinyCodec, TinyCodecConfig, cosines
from backend.training.codec import principal_components, step_error
from backend.training.examples import pictures

SMALL = TinyCodecConfig(latent_channels=12, widths=(16, 12, 8), blocks=(1, 1, 1))


@pytest.fixture
def codec():
    torch.manual_seed(0)
    codec = TinyCodec(SMALL)
    basis = torch.linalg.qr(torch.randn(768, 12)).Q.T
    codec.load_state_dict({"basis": basis, "mean": torch.full((768,), 0.1)}, strict=False)
    torch.nn.init.normal_(codec.head.weight, std=0.05)
    return codec.eval()


@torch.no_grad()
def test_a_stream_in_blocks_equals_the_whole(codec):
    frames = torch.rand(1, 33, 3, 32, 48) * 2 - 1
    whole = codec.encoder().push(frames)
    assert whole.shape == (1, 9, 12, 4, 6)
    encoder, decoder = codec.encoder(), codec.decoder()
    parts = [encoder.push(part) for part in frames.split([9, 12, 12], dim=1)]
    assert (torch.cat(parts, dim=1) - whole).abs().max() < 1e-5
    decoded = codec.decoder().push(whole)
    assert decoded.shape == frames.shape
    streamed = torch.cat([decoder.push(part) for part in parts], dim=1)
    assert (streamed - decoded).abs().max() < 1e-4


@torch.no_grad()
def test_state_goes_on_where_it_was_taken(codec):
    latents = torch.randn(1, 6, 12, 4, 6)
    decoder = codec.decoder()
    decoder.push(latents[:, :3])
    state = {name: tensor.clone() for name, tensor in decoder.state().items()}
    expected = decoder.push(latents[:, 3:])
    again = codec.decoder()
    again.restore(state)
    assert torch.equal(again.push(latents[:, 3:]), expected)


@torch.no_grad()
def test_saved_and_loaded_it_decodes_alike(codec, tmp_path):
    codec.save(tmp_path / "codec.safetensors")
    loaded = TinyCodec.load(tmp_path / "codec.safetensors")
    latents = torch.randn(1, 3, 12, 4, 6)
    assert loaded.config == codec.config
    assert (loaded.decoder().push(latents) - codec.decoder().push(latents)).abs().max() < 0.05
    assert torch.equal(loaded.basis, codec.basis)


@torch.no_grad()
def test_what_stands_still_comes_back_still_and_what_moves_moves():
    """With components apart for each frequency in time, and whatever weights the network has."""
    torch.manual_seed(1)
    codec = TinyCodec(SMALL)
    patterns = torch.linalg.qr(torch.randn(192, 12)).Q.T
    frequency = torch.tensor([0] * 8 + [1, 1, 2, 3])
    basis = torch.einsum("n t, n v -> n t v", cosines(GROUP)[frequency], patterns).flatten(1)
    codec.load_state_dict({"basis": basis, "scale": torch.ones(12)}, strict=False)
    for parameter in codec.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    codec.eval()
    still = torch.rand(1, 1, 3, 32, 64).expand(1, 21, 3, 32, 64) * 2 - 1
    frames = codec.decoder().push(codec.encoder().push(still))
    assert frames.diff(dim=1).abs().max() < 1e-5
    moving = still.clone()
    moving[:, 9:, :, :8, :8] += torch.rand(1, 12, 3, 8, 8)
    frames = codec.decoder().push(codec.encoder().push(moving))
    assert frames[:, 9:, :, :8, :8].diff(dim=1).abs().max() > 0.05
    assert frames[:, 9:13, ..., 32:].diff(dim=1).abs().max() < 1e-5  # far from what moves


def test_a_step_across_a_border_counts_more():
    error = torch.zeros(1, 8, 3, 16, 32)
    error[..., 8:] = 1  # from patch to patch
    inside = error.roll(3, dims=-1)
    inside[..., :3] = 0
    assert step_error(error, -1, PATCH) > 3 * step_error(inside, -1, PATCH)


def test_principal_components_are_orthonormal_and_keep_what_varies(tmp_path):
    """Pictures that are made of three patterns are kept whole by three components."""
    rng = np.random.default_rng(0)
    patterns = rng.normal(0, 30, (3, 8, 8, 3))
    weights = rng.normal(0, 1, (2, 9, 4, 6, 3))
    colour = 128 + np.einsum("ktyxn,npqc->ktypxqc", weights, patterns).reshape(2, 9, 32, 48, 3)
    colour = np.repeat(colour[:, :3], 3, axis=1)[:, [0, 3, 3, 3, 3, 6, 6, 6, 6]]  # still within each group
    fields = {
        "colour": colour.clip(0, 255).astype(np.uint8),
        "depth": np.ones((2, 9, 32, 48), np.float32),
        "intrinsics": np.tile(np.eye(3, dtype=np.float32), (2, 9, 1, 1)),
        "world_to_camera": np.tile(np.eye(4, dtype=np.float32), (2, 9, 1, 1)),
        "dynamic": False,
    }
    np.savez(tmp_path / "scene.npz", **fields)

    class NoGrade:
        def random(self):
            return 1.0

    measured = principal_components([tmp_path / "scene.npz"], 12, NoGrade())
    basis = measured["basis"]
    assert (basis @ basis.T - torch.eye(12)).abs().max() < 1e-4
    codec = TinyCodec(SMALL)
    codec.load_state_dict(measured, strict=False)
    frames = pictures(fields["colour"][0])[None]
    with torch.no_grad():
        error = (codec.decoder().push(codec.encoder().push(frames)) - frames).square().mean()
    assert error < 1e-3
