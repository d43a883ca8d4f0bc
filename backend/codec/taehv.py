"""TAEHV for Wan 2.1: a small autoencoder (madebyollin/taehv, MIT) with the latents of the released VAE.

Frames go through convolutions one by one; a `MemBlock` also sees what the frame before gave it, a `Pool` joins
two frames, a `Grow` splits a frame in two. One group of four frames of 480 x 832 through it:

    (B,4,3,480,832) -> Pool -> (B,2,64,240,416) -> Pool -> (B,1,64,120,208) -> (B,1,16,60,104)
    (B,1,16,60,104) -> (B,1,256,60,104) -> (B,1,128,120,208) -> Grow -> (B,2,64,240,416) -> Grow -> (B,4,3,480,832)

The generator was trained on a VAE whose latent g ends with frame 4g, so the stream is aligned to that: the first
group is frame 0 four times, group g is frames 4g-3 .. 4g. (Groups 0..3, 4..7 ... would show every camera three
frames late.) Decoded, the first latent gives four frames of which the last is frame 0.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from einops import rearrange
from safetensors.torch import load_file
from torch import Tensor, nn

LATENT_CHANNELS = 16
GROUP = 4
"""Frames in a latent."""

LATENT_RANGE = 3.0
"""Latents beyond this are squashed before they are decoded."""

Memory = dict[str, Tensor]
"""Per `MemBlock`, by name: its input of the last frame, (B, 1, C, H, W)."""


class MemBlock(nn.Module):
    """Three 3x3 convolutions over a frame and the frame before it, around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(2 * width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, x: Tensor, before: Tensor) -> Tensor:
        """Frames (N, C, H, W), and for each the one before it; same shape back."""
        return F.relu(self.conv(torch.cat([x, before], dim=1)) + x)


class Pool(nn.Module):
    """Joins every `stride` neighbouring frames into one."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(stride * width, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N/stride, C, H, W)."""
        return self.conv(rearrange(x, "(n t) c h w -> n (t c) h w", t=self.stride))


class Grow(nn.Module):
    """Splits every frame into `stride` and doubles height and width.

    The 1x1 convolution comes before the enlargement, which changes nothing but a quarter of the work.
    """

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(width, stride * width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N*stride, C, 2H, 2W)."""
        frames = rearrange(self.conv(x), "n (t c) h w -> (n t) c h w", t=self.stride)
        return F.interpolate(frames, scale_factor=2, mode="nearest")


class Squash(nn.Module):
    """Bends latents beyond `LATENT_RANGE` back into it."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x / LATENT_RANGE) * LATENT_RANGE


def _encoder_layers() -> nn.Sequential:
    width = 64
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.ReLU()]
    for stride in (2, 2, 1):
        layers += [Pool(width, stride), nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False)]
        layers += [MemBlock(width) for _ in range(3)]
    return nn.Sequential(*layers, nn.Conv2d(width, LATENT_CHANNELS, 3, padding=1))


def _decoder_layers() -> nn.Sequential:
    widths = (256, 128, 64, 64)
    layers: list[nn.Module] = [Squash(), nn.Conv2d(LATENT_CHANNELS, widths[0], 3, padding=1), nn.ReLU()]
    for width, after, stride in zip(widths[:-1], widths[1:], (1, 2, 2), strict=True):
        layers += [MemBlock(width) for _ in range(3)]
        # The identity stands where the weight file counts the enlargement as a layer of its own.
        layers += [nn.Identity(), Grow(width, stride), nn.Conv2d(width, after, 3, padding=1, bias=False)]
    return nn.Sequential(*layers, nn.ReLU(), nn.Conv2d(widths[-1], 3, 3, padding=1))


class Taehv(nn.Module):
    """The autoencoder, a `Codec`. `layers` holds "encoder" and "decoder", named inside as in the weight file."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({"encoder": _encoder_layers(), "decoder": _decoder_layers()})

    @property
    def latent_channels(self) -> int:
        """Channels of its latents."""
        return LATENT_CHANNELS

    def encoder(self) -> TaehvEncoder:
        """A new stream of pictures."""
        return TaehvEncoder(self)

    def decoder(self) -> TaehvDecoder:
        """A new stream of latents."""
        return TaehvDecoder(self)

    def encode_group(self, group: Tensor, memory: Memory) -> Tensor:
        """Four frames (B, 4, 3, H, W) in 0..1 -> their latent (B, 1, C, H/8, W/8). Updates `memory`."""
        return self._walk("encoder", group, memory)

    def decode_latent(self, latent: Tensor, memory: Memory) -> Tensor:
        """A latent (B, 1, C, h, w) -> its four frames (B, 4, 3, 8h, 8w) in 0..1. Updates `memory`."""
        return self._walk("decoder", latent, memory).clamp(0, 1)

    @classmethod
    def from_weights(cls, weights: Mapping[str, Tensor]) -> Taehv:
        """The autoencoder with the tensors of a weight file, in their dtype.

        A file made for a decoder that grows more frames than this one has the later frames' channels last: those
        are kept. Raises RuntimeError for missing, unknown or misshapen tensors.
        """
        with torch.device("meta"):
            codec = cls()
        tensors = {f"layers.{name}": tensor for name, tensor in weights.items()}
        for name, layer in codec.named_modules():
            weight = tensors.get(f"{name}.conv.weight")
            if isinstance(layer, Grow) and weight is not None:
                tensors[f"{name}.conv.weight"] = weight[-layer.conv.out_channels :]
        codec.load_state_dict(tensors, strict=True, assign=True)
        return codec.eval()

    @classmethod
    def load(cls, path: Path, dtype: torch.dtype = torch.float32) -> Taehv:
        """The autoencoder of a safetensors file, or of `taew2_1.pth` as it is published, on the CPU.

        Raises OSError for a missing file; ValueError, SafetensorError or RuntimeError for a broken or foreign one.
        """
        return cls.from_weights(_read_pth(path) if path.suffix == ".pth" else load_file(path)).to(dtype)

    def _walk(self, which: str, x: Tensor, memory: Memory) -> Tensor:
        """Frames (B, T, C, H, W) through the encoder or the decoder, updating `memory`; dtype of `x` back."""
        layers = self.layers[which]
        assert isinstance(layers, nn.Sequential)
        batch, dtype = len(x), x.dtype
        x = rearrange(x, "b t c h w -> (b t) c h w").to(next(layers.parameters()).dtype)
        for name, layer in layers.named_children():
            if isinstance(layer, MemBlock):
                frames = rearrange(x, "(b t) c h w -> b t c h w", b=batch)
                first = memory.get(name)
                before = torch.zeros_like(frames[:, :1]) if first is None else first
                before = torch.cat([before, frames[:, :-1]], dim=1)
                memory[name] = frames[:, -1:].clone()
                x = layer(x, rearrange(before, "b t c h w -> (b t) c h w"))
            else:
                x = layer(x)
        return rearrange(x, "(b t) c h w -> b t c h w", b=batch).to(dtype)


def _read_pth(path: Path) -> dict[str, Tensor]:
    """The tensors of a .pth file. Nothing that it may hold besides is run."""
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path.name} is broken or holds more than weights ({reason})") from error
    if not isinstance(weights, dict) or not all(isinstance(held, Tensor) for held in weights.values()):
        raise ValueError(f"{path.name} holds something other than weights")
    return weights


class _TaehvStream:
    """A stream remembers each `MemBlock`'s last frame; without that it has not begun."""

    def __init__(self, codec: Taehv) -> None:
        self.codec = codec
        self.memory: Memory = {}

    def state(self) -> dict[str, Tensor]:
        """Everything that later pushes depend on."""
        return dict(self.memory)

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a state that `state` returned."""
        self.memory = dict(state)


class TaehvEncoder(_TaehvStream):
    """A stream of pictures, grouped so that latent g ends with frame 4g."""

    def push(self, frames: Tensor) -> Tensor:
        """Frames (B, F, 3, H, W) in -1..1, 1 + 4k first and 4k later -> latents (B, G, C, H/8, W/8)."""
        if not self.memory:
            frames = torch.cat([frames[:, :1].expand(-1, GROUP - 1, -1, -1, -1), frames], dim=1)
        if frames.shape[1] % GROUP:
            raise ValueError(f"a stream takes 1 + {GROUP}k frames first and {GROUP}k frames later")
        groups = ((frames + 1) / 2).split(GROUP, dim=1)
        return torch.cat([self.codec.encode_group(group, self.memory) for group in groups], dim=1)


class TaehvDecoder(_TaehvStream):
    """A stream of latents."""

    def push(self, latents: Tensor) -> Tensor:
        """Latents (B, G, C, h, w) -> frames (B, F, 3, 8h, 8w) in -1..1, 1 + 4(G-1) first and 4G later."""
        started = bool(self.memory)
        frames = [self.codec.decode_latent(latent, self.memory) for latent in latents.split(1, dim=1)]
        return torch.cat(frames, dim=1)[:, 0 if started else GROUP - 1 :] * 2 - 1
