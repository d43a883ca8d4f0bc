"""What a codec is: pictures to latents and back, as streams that remember only what came before.

Eight pixels across a latent, four frames in time, the first frame alone: 1 + 4k frames are 1 + k latents from the
start of a stream, 4k frames are k latents later on. A stream pushed in blocks gives what it gives pushed whole.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn


class Stream(Protocol):
    """Causal state that can be kept and put back."""

    def state(self) -> dict[str, Tensor]:
        """Everything that later pushes depend on; tensors are not changed by them."""
        ...

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a state that `state` returned."""
        ...


class Encoder(Stream, Protocol):
    """One stream of pictures being encoded."""

    def push(self, frames: Tensor) -> Tensor:
        """Frames (B, F, 3, H, W) in -1..1, 1 + 4k first and 4k later -> latents (B, G, C, H/8, W/8)."""
        ...


class Decoder(Stream, Protocol):
    """One stream of latents being decoded."""

    def push(self, latents: Tensor) -> Tensor:
        """Latents (B, G, C, h, w) -> frames (B, F, 3, 8h, 8w) in -1..1, 1 + 4(G-1) first and 4G later."""
        ...


class Codec(Protocol):
    """An autoencoder; every stream of it starts anew."""

    @property
    def latent_channels(self) -> int:
        """Channels C of its latents."""
        ...

    def encoder(self) -> Encoder:
        """A new stream of pictures."""
        ...

    def decoder(self) -> Decoder:
        """A new stream of latents."""
        ...


class Pair(nn.Module):
    """A codec that encodes as one does and decodes as another: both must speak of the same latents."""

    def __init__(self, encoding: Codec, decoding: Codec) -> None:
        super().__init__()
        if encoding.latent_channels != decoding.latent_channels:
            raise ValueError("these autoencoders have different latents")
        self.encoding, self.decoding = encoding, decoding

    @property
    def latent_channels(self) -> int:
        """Channels of the latents."""
        return self.encoding.latent_channels

    def encoder(self) -> Encoder:
        """A new stream of pictures."""
        return self.encoding.encoder()

    def decoder(self) -> Decoder:
        """A new stream of latents."""
        return self.decoding.decoder()
