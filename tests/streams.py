"""What every codec's stream is tried with: blocks, noise, a moving edge, and who knows of a frame first."""

from __future__ import annotations

import torch
from torch import Tensor

from backend.codec.base import Codec, Decoder, Encoder

BLOCKS = [9, 12, 12]


def noise(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def moving_edge(frames: int) -> Tensor:
    """White from the left up to column 8 + 2f in frame f, (1, F, 3, 16, 80) in -1..1."""
    white = torch.arange(80)[None] < 8 + 2 * torch.arange(frames)[:, None]
    return (white.float() * 2 - 1)[None, :, None, None].expand(1, frames, 3, 16, 80)


@torch.no_grad()
def check_is_a_codec(codec: Codec) -> None:
    encoder: Encoder = codec.encoder()
    decoder: Decoder = codec.decoder()
    latents = encoder.push(noise(1, 9, 3, 16, 24))
    assert latents.shape == (1, 3, codec.latent_channels, 2, 3)
    assert decoder.push(latents).shape == (1, 9, 3, 16, 24)


@torch.no_grad()
def check_a_latent_ends_with_its_frame_and_knows_nothing_later(codec: Codec) -> None:
    frames = noise(1, 9, 3, 16, 24)
    before = codec.encoder().push(frames)
    for frame in range(9):
        changed = frames.clone()
        changed[:, frame] *= -1
        moved = (codec.encoder().push(changed) - before).abs().amax(dim=(0, 2, 3, 4)) > 0
        first_to_know = (frame + 3) // 4
        assert moved.nonzero()[0].item() == first_to_know


@torch.no_grad()
def there_and_back(codec: Codec, frames: Tensor) -> Tensor:
    """Frames encoded and decoded block by block."""
    encoder, decoder = codec.encoder(), codec.decoder()
    return torch.cat([decoder.push(encoder.push(block)) for block in frames.split(BLOCKS, dim=1)], dim=1)
