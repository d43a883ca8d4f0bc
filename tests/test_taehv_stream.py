"""TAEHV as a stream: blocks give what the whole gives, state can be kept, and nothing lags behind the camera."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from streams import (
    BLOCKS,
    check_a_latent_ends_with_its_frame_and_knows_nothing_later,
    check_is_a_codec,
    moving_edge,
    noise,
    there_and_back,
)

from backend.codec.taehv import Grow, Pool, Taehv


def random_codec() -> Taehv:
    torch.manual_seed(0)
    return Taehv().eval()


@torch.no_grad()
def see_through_codec() -> Taehv:
    """Weights by hand: a latent is the brightness of its last frame's every eighth pixel, shown in all its frames."""
    codec = Taehv()
    for parameter in codec.parameters():
        parameter.zero_()
    for which in ("encoder", "decoder"):
        layers = codec.layers[which]
        assert isinstance(layers, torch.nn.Sequential)
        for layer in layers:
            if isinstance(layer, Pool):
                layer.conv.weight[0, (layer.stride - 1) * layer.conv.out_channels] = 1
            elif isinstance(layer, Grow):
                layer.conv.weight[:: layer.conv.in_channels, 0] = 1
            elif isinstance(layer, torch.nn.Conv2d):
                colours = 3 if layer.out_channels == 3 else 1
                layer.weight[:colours, 0, 1, 1] = 1
    return codec


def test_it_is_a_codec() -> None:
    check_is_a_codec(random_codec())


@torch.no_grad()
def test_encoding_in_blocks_equals_the_whole() -> None:
    codec, frames = random_codec(), noise(2, sum(BLOCKS), 3, 16, 24)
    stream = codec.encoder()
    in_blocks = torch.cat([stream.push(block) for block in frames.split(BLOCKS, dim=1)], dim=1)
    assert in_blocks.shape[1] == 9
    torch.testing.assert_close(in_blocks, codec.encoder().push(frames), atol=1e-4, rtol=0)


@torch.no_grad()
def test_decoding_in_blocks_equals_the_whole() -> None:
    codec, latents = random_codec(), noise(2, 9, 16, 2, 3) * 2
    stream = codec.decoder()
    blocks = [stream.push(block) for block in latents.split(3, dim=1)]
    assert [block.shape[1] for block in blocks] == BLOCKS
    torch.testing.assert_close(torch.cat(blocks, dim=1), codec.decoder().push(latents), atol=1e-4, rtol=0)


@torch.no_grad()
def test_a_stream_goes_on_from_a_kept_state() -> None:
    codec = random_codec()
    for stream, other, first, later in (
        (codec.encoder(), codec.encoder(), noise(1, 9, 3, 16, 24), noise(1, 12, 3, 16, 24)),
        (codec.decoder(), codec.decoder(), noise(1, 3, 16, 2, 3), noise(1, 3, 16, 2, 3)),
    ):
        stream.push(first)
        kept = stream.state()
        expected = stream.push(later)
        other.restore(kept)
        assert torch.equal(other.push(later), expected)
        stream.restore(kept)
        assert torch.equal(stream.push(later), expected)
        stream.restore({})
        assert torch.equal(stream.push(first)[:, :1], type(stream)(codec).push(first)[:, :1])


def test_a_latent_ends_with_its_frame_and_knows_nothing_later() -> None:
    check_a_latent_ends_with_its_frame_and_knows_nothing_later(random_codec())


def test_a_moving_edge_does_not_lag() -> None:
    frames = moving_edge(sum(BLOCKS))
    shown = there_and_back(see_through_codec(), frames)
    assert shown.shape == frames.shape
    # A latent holds every fourth frame, which the others of its group show as well: none trails.
    assert torch.equal(shown[:, ::4] > 0, frames[:, ::4] > 0)
    for frame in range(1, frames.shape[1]):
        assert torch.equal(shown[:, frame] > 0, frames[:, (frame + 3) // 4 * 4] > 0)


def test_a_block_of_another_length_is_refused() -> None:
    encoder = random_codec().encoder()
    with pytest.raises(ValueError, match="frames"):
        encoder.push(noise(1, 8, 3, 16, 24))
    assert not encoder.state()


class Trap:
    """An object that touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


@torch.no_grad()
def test_weights_load_from_both_forms(tmp_path: Path) -> None:
    codec, frames = random_codec(), noise(1, 9, 3, 16, 24)
    weights = {name.removeprefix("layers."): weight for name, weight in codec.state_dict().items()}
    torch.save(weights, tmp_path / "taew2_1.pth")
    save_file(weights, tmp_path / "taew2_1.safetensors")
    for name in ("taew2_1.pth", "taew2_1.safetensors"):
        loaded = Taehv.load(tmp_path / name)
        assert torch.equal(loaded.encoder().push(frames), codec.encoder().push(frames))
    assert (
        Taehv.load(tmp_path / "taew2_1.pth", torch.bfloat16).state_dict().popitem()[1].dtype == torch.bfloat16
    )


def test_a_pickle_that_would_run_something_is_refused(tmp_path: Path) -> None:
    torch.save({"encoder.0.weight": Trap(tmp_path / "sprung")}, tmp_path / "taew2_1.pth")
    with pytest.raises(ValueError, match="more than weights"):
        Taehv.load(tmp_path / "taew2_1.pth")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [[torch.zeros(1)], {"step": 3}])
def test_a_pth_file_of_something_else_is_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "taew2_1.pth")
    with pytest.raises(ValueError, match="other than weights"):
        Taehv.load(tmp_path / "taew2_1.pth")


@pytest.mark.parametrize("left", [0, 1000])
def test_a_truncated_pth_file_is_refused(left: int, tmp_path: Path) -> None:
    path = tmp_path / "taew2_1.pth"
    torch.save({"encoder.0.weight": torch.zeros(64, 3, 3, 3)}, path)
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(ValueError, match="broken"):
        Taehv.load(path)
