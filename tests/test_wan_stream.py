"""Wan's autoencoder as a stream: blocks give what the model gives whole, state can be kept, and nothing lags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save
from small_released import random_wan
from streams import (
    BLOCKS,
    check_a_latent_ends_with_its_frame_and_knows_nothing_later,
    check_is_a_codec,
    moving_edge,
    noise,
    there_and_back,
)
from torch import Tensor, nn

from backend.codec.wan import WanCodec

diffusers = pytest.importorskip("diffusers", reason="pip install -e .[world]")

FRAME_SPLITS = [[33], BLOCKS, [1, 4, 28], [5, 8, 4, 16]]
LATENT_SPLITS = [[9], [3, 3, 3], [1, 1, 7], [2, 3, 1, 3]]
TOLERANCE = 1e-4


@torch.no_grad()
def see_through_codec() -> WanCodec:
    """Weights by hand: a latent's sign is that of its last frame's every eighth pixel, shown in all its frames.

    The residual blocks and attentions add nothing; what is left passes channel 0 of the newest frame on.
    """
    vae = diffusers.AutoencoderKLWan(base_dim=4, num_res_blocks=1)
    for name, parameter in vae.named_parameters():
        if not name.endswith("gamma"):
            parameter.zero_()
    for name, layer in vae.named_modules():
        last = name.rpartition(".")[2]
        if not isinstance(layer, nn.Conv2d | nn.Conv3d) or last in ("conv1", "conv2", "proj", "to_qkv"):
            continue
        outputs: Sequence[int] = range(3) if layer.out_channels == 3 else [0]
        if last == "time_conv" and layer.out_channels == 2 * layer.in_channels:
            outputs = [0, layer.in_channels]  # one frame becomes two
        # An enlarging convolution looks around its pixel, a shrinking one to the right and below of it.
        middle = 1 if layer.kernel_size[-1] == 3 and layer.stride[-1] == 1 else 0
        for output in outputs:
            weight = layer.weight[output, 0]
            (weight[-1] if weight.dim() == 3 else weight)[middle, middle] = 1
    return WanCodec(vae.eval())


def whole_latents(codec: WanCodec, frames: Tensor) -> Tensor:
    """What the model's own `encode` gives, normalised as Wan's pipeline does."""
    vae = codec.vae
    mean = vae.encode(frames.transpose(1, 2)).latent_dist.mode().transpose(1, 2)
    offset, scale = (
        torch.tensor(numbers).reshape(1, 1, -1, 1, 1)
        for numbers in (vae.config.latents_mean, vae.config.latents_std)
    )
    return (mean - offset) / scale


def whole_frames(codec: WanCodec, latents: Tensor) -> Tensor:
    """What the model's own `decode` gives of normalised latents."""
    vae = codec.vae
    offset, scale = (
        torch.tensor(numbers).reshape(1, 1, -1, 1, 1)
        for numbers in (vae.config.latents_mean, vae.config.latents_std)
    )
    return vae.decode((latents * scale + offset).transpose(1, 2)).sample.transpose(1, 2)


def test_it_is_a_codec() -> None:
    check_is_a_codec(random_wan())


@pytest.mark.parametrize("split", FRAME_SPLITS)
@torch.no_grad()
def test_encoding_in_blocks_equals_the_whole(split: list[int]) -> None:
    codec, frames = random_wan(), noise(1, 33, 3, 16, 24)
    stream = codec.encoder()
    in_blocks = torch.cat([stream.push(block) for block in frames.split(split, dim=1)], dim=1)
    torch.testing.assert_close(in_blocks, whole_latents(codec, frames), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("split", LATENT_SPLITS)
@torch.no_grad()
def test_decoding_in_blocks_equals_the_whole(split: list[int]) -> None:
    codec, latents = random_wan(), noise(1, 9, 16, 2, 3)
    stream = codec.decoder()
    in_blocks = torch.cat([stream.push(block) for block in latents.split(split, dim=1)], dim=1)
    assert in_blocks.shape[1] == 33
    whole = whole_frames(codec, latents)
    assert whole.abs().max() < 1, "clamped pictures would say nothing"
    torch.testing.assert_close(in_blocks, whole, atol=TOLERANCE, rtol=0)


@torch.no_grad()
def test_entries_of_a_batch_do_not_meet() -> None:
    codec, frames = random_wan(), noise(2, 9, 3, 16, 24)
    both, alone = codec.encoder().push(frames), codec.encoder().push(frames[1:])
    torch.testing.assert_close(both[1:], alone, atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(
        codec.decoder().push(both)[1:], codec.decoder().push(alone), atol=TOLERANCE, rtol=0
    )


@pytest.mark.parametrize("latents", [1, 3, 6])
@torch.no_grad()
def test_a_stream_goes_on_from_a_kept_state(latents: int) -> None:
    """After one latent the decoder's enlarging layers remember only that they have begun: that is kept as well."""
    codec = random_wan()
    frames = 4 * latents - 3
    for stream, other, first, later in (
        (codec.encoder(), codec.encoder(), noise(1, frames, 3, 16, 24), noise(1, 12, 3, 16, 24)),
        (codec.decoder(), codec.decoder(), noise(1, latents, 16, 2, 3), noise(1, 3, 16, 2, 3)),
    ):
        stream.push(first)
        kept = stream.state()
        on_disk = save({name: tensor.contiguous().clone() for name, tensor in kept.items()})
        expected = stream.push(later)
        assert save({name: tensor.contiguous() for name, tensor in kept.items()}) == on_disk
        other.restore(load(on_disk))
        assert torch.equal(other.push(later), expected)
        assert other.state().keys() == stream.state().keys()
        stream.restore({})
        assert torch.equal(stream.push(first), type(stream)(codec).push(first))


@torch.no_grad()
def test_streams_of_one_model_do_not_disturb_each_other() -> None:
    codec = random_wan()
    one, other = noise(1, 21, 3, 16, 24), -noise(1, 21, 3, 16, 24)
    expected = codec.encoder().push(one)
    streams = codec.encoder(), codec.encoder()
    decoders = codec.decoder(), codec.decoder()
    got, shown = [], []
    for ours, theirs in zip(one.split([9, 12], dim=1), other.split([9, 12], dim=1), strict=True):
        got.append(streams[0].push(ours))
        strange = streams[1].push(theirs)
        shown.append(decoders[0].push(got[-1]))
        decoders[1].push(strange)
        whole_latents(codec, theirs[:, :5])  # the model's own cache is another one, too
    torch.testing.assert_close(torch.cat(got, dim=1), expected, atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(torch.cat(shown, dim=1), whole_frames(codec, expected), atol=TOLERANCE, rtol=0)


def test_a_latent_ends_with_its_frame_and_knows_nothing_later() -> None:
    check_a_latent_ends_with_its_frame_and_knows_nothing_later(random_wan())


@torch.no_grad()
def test_a_latent_is_shown_from_its_first_frame_on() -> None:
    codec, latents = random_wan(), noise(1, 3, 16, 2, 3)
    before = codec.decoder().push(latents)
    for latent, first_frame in enumerate([0, 1, 5]):
        changed = latents.clone()
        changed[:, latent] *= -1
        moved = (codec.decoder().push(changed) - before).abs().amax(dim=(0, 2, 3, 4)) > 0
        assert moved.nonzero()[0].item() == first_frame


def test_a_moving_edge_does_not_lag() -> None:
    frames = moving_edge(sum(BLOCKS))
    shown = there_and_back(see_through_codec(), frames)
    assert shown.shape == frames.shape
    columns = slice(0, 80, 8)  # a latent sees every eighth pixel
    for frame in range(frames.shape[1]):
        assert torch.equal(
            shown[:, frame, ..., columns] > 0, frames[:, (frame + 3) // 4 * 4, ..., columns] > 0
        )


@pytest.mark.parametrize("frames", [0, 8, 12])
@torch.no_grad()
def test_a_block_of_another_length_is_refused(frames: int) -> None:
    encoder = random_wan().encoder()
    with pytest.raises(ValueError, match="frames"):
        encoder.push(noise(1, frames, 3, 16, 24))
    assert not encoder.state()
    encoder.push(noise(1, 9, 3, 16, 24))
    with pytest.raises(ValueError, match="frames"):
        encoder.push(noise(1, 9, 3, 16, 24))


def test_the_state_of_another_network_is_refused() -> None:
    with pytest.raises(ValueError, match="another autoencoder"):
        random_wan().encoder().restore({"99": torch.zeros(1)})


def test_another_member_of_the_family_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Wan 2\.1"):
        random_wan(patch_size=2, in_channels=12, out_channels=12)


@torch.no_grad()
def test_a_folder_is_loaded_with_all_of_its_weights_or_not_at_all(tmp_path: Path) -> None:
    codec, frames = random_wan(), noise(1, 5, 3, 16, 24)
    codec.vae.save_pretrained(tmp_path)
    loaded = WanCodec.load(tmp_path)
    assert torch.equal(loaded.encoder().push(frames), codec.encoder().push(frames))
    small = WanCodec.load(tmp_path, torch.bfloat16)
    assert small.vae.dtype == torch.bfloat16
    latents = small.encoder().push(frames)
    assert latents.dtype == torch.float32
    torch.testing.assert_close(latents, codec.encoder().push(frames), atol=0.05, rtol=0)

    (weights,) = tmp_path.glob("*.safetensors")
    tensors = load(weights.read_bytes())
    del tensors["quant_conv.bias"]
    weights.write_bytes(save(tensors, {"format": "pt"}))
    with pytest.raises(RuntimeError, match=r"quant_conv\.bias"):
        WanCodec.load(tmp_path)
    weights.unlink()
    with pytest.raises(OSError):
        WanCodec.load(tmp_path)
