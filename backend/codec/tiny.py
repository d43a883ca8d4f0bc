"""The autoencoder of the `tiny` preset: a closed-form encoder, a trained decoder.

Geometry of the release: 8x in space, 4x in time, frame 0 alone. Encoder: a group of 4 frames is cut into 8x8
patches, and each patch (4*8*8*3 = 768 numbers) is projected on the first C principal components of such patches
(measured over the training scenes, apart for each frequency in time, so that what stands still comes back still);
frame 0 counts as a group of itself four times. The projection is linear and nearly orthonormal, so an error in
latents is an error in pixels of the same size. Decoder: the same basis turned round, plus a small convolutional
network that also sees the latent before, which removes the patch grid and restores what the basis dropped.

    push(frames (B, F, 3, H, W) in [-1, 1])  F = 1 + 4k first, 4k later -> latents (B, G, C, H/8, W/8)
    push(latents (B, G, C, h, w)) -> frames (B, 1 + 4(G-1) first, 4G later, 3, 8h, 8w)
"""

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

GROUP = 4  # frames in a latent
PATCH = 8  # pixels across a latent
STILL = 0.05  # mean square of a latent's moving components below which a patch counts as still


def cosines(length: int) -> Tensor:
    """Orthonormal cosine transform over `length` frames (length, length), a row a frequency; the first is constant."""
    angles = torch.outer(torch.arange(length), torch.arange(length) + 0.5) * (math.pi / length)
    waves = angles.double().cos() * (2 / length) ** 0.5
    waves[0] *= 0.5**0.5
    return waves.float()


@dataclass(frozen=True)
class TinyCodecConfig:
    """Width of the decoder at 1/8, 1/4 and 1/2 of the picture, its residual blocks there, and latent channels."""

    latent_channels: int = 64
    widths: tuple[int, int, int] = (192, 96, 48)
    blocks: tuple[int, int, int] = (4, 3, 2)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut; the second starts at zero, so a new block does nothing."""

    def __init__(self, width: int):
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        for parameter in self.second.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.silu(self.first(F.silu(x))))


class TinyCodec(nn.Module):
    """See the module's docstring. `basis` (C, 768), `mean` (768) and `scale` (C) are measured, not trained."""

    basis: Tensor
    mean: Tensor
    scale: Tensor
    waves: Tensor

    def __init__(self, config: TinyCodecConfig):
        super().__init__()
        self.config = config
        channels, values = config.latent_channels, GROUP * 3 * PATCH * PATCH
        self.register_buffer("basis", torch.zeros(channels, values))
        self.register_buffer("mean", torch.zeros(values))
        self.register_buffer("scale", torch.ones(channels))
        self.register_buffer("waves", cosines(GROUP), persistent=False)
        deep, middle, shallow = config.widths
        self.stem = nn.Conv2d(2 * channels, deep, 3, padding=1)
        self.deep = nn.Sequential(*(ResidualBlock(deep) for _ in range(config.blocks[0])))
        self.to_middle = nn.Conv2d(deep, 4 * middle, 1)
        self.middle = nn.Sequential(*(ResidualBlock(middle) for _ in range(config.blocks[1])))
        self.to_shallow = nn.Conv2d(middle, 4 * shallow, 1)
        self.shallow = nn.Sequential(*(ResidualBlock(shallow) for _ in range(config.blocks[2])))
        self.head = nn.Conv2d(shallow, 4 * 3 * GROUP, 3, padding=1)
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    @property
    def latent_channels(self) -> int:
        return self.config.latent_channels

    def encode_groups(self, groups: Tensor) -> Tensor:
        """Groups of 4 frames (B, G, 4, 3, H, W) -> latents (B, G, C, H/8, W/8)."""
        patches = rearrange(groups, "b g t c (h p) (w q) -> b g h w (t c p q)", p=PATCH, q=PATCH)
        latent = (patches - self.mean) @ (self.basis / self.scale[:, None]).T
        return rearrange(latent, "b g h w c -> b g c h w")

    def linear_decode(self, latents: Tensor) -> Tensor:
        """The encoder turned round: (N, C, h, w) -> (N, 4*3, 8h, 8w), with the patch grid still in it."""
        values = rearrange(latents, "n c h w -> n h w c") @ (self.basis * self.scale[:, None]) + self.mean
        return rearrange(values, "n h w (k p q) -> n k (h p) (w q)", p=PATCH, q=PATCH)

    def decode_latents(self, latents: Tensor, previous: Tensor) -> Tensor:
        """Latents (N, C, h, w), each with the one before it in time -> groups of frames (N, 4, 3, 8h, 8w)."""
        network_dtype = self.stem.weight.dtype
        x = torch.cat([latents, previous], dim=1).to(network_dtype)
        x = x.contiguous(memory_format=torch.channels_last)
        x = self.deep(self.stem(x))
        x = self.middle(F.pixel_shuffle(self.to_middle(x), 2))
        x = self.shallow(F.pixel_shuffle(self.to_shallow(x), 2))
        detail = F.pixel_shuffle(self.head(F.silu(x)), 2).to(latents.dtype)
        still, moving = rearrange(detail, "n (k c) h w -> n k c h w", k=GROUP).split([1, GROUP - 1], dim=1)
        waved = torch.cat([still, moving * self.motion(latents).unsqueeze(1)], dim=1)
        linear = rearrange(self.linear_decode(latents), "n (t c) h w -> n t c h w", t=GROUP)
        return linear + torch.einsum("k t, n k c h w -> n t c h w", self.waves, waved)

    def motion(self, latents: Tensor) -> Tensor:
        """0 where a patch and its neighbours stand still, rising to 1 with what moves: (N, C, h, w) -> (N, 1, 8h, 8w).

        The network adds its detail frequency by frequency in time, and this bounds all but the constant one: a
        network alone leaves a shimmer, too small for its loss to notice, on what stands still.
        """
        constant = (
            rearrange(self.basis, "c (t v) -> c t v", t=GROUP).sum(dim=1).square().sum(dim=1) > GROUP / 2
        )
        energy = (latents.square() * ~constant[:, None, None]).mean(dim=1, keepdim=True)
        near = F.max_pool2d(energy, 3, stride=1, padding=1)
        gate = 1 - torch.exp(-near / STILL)
        return F.interpolate(gate, scale_factor=PATCH, mode="bilinear", align_corners=False)

    def encoder(self) -> "TinyEncoder":
        return TinyEncoder(self)

    def decoder(self) -> "TinyDecoder":
        return TinyDecoder(self)

    @classmethod
    def load(cls, path: Path, dtype: torch.dtype = torch.float32) -> "TinyCodec":
        """Weights written by `save`, on the CPU; the network in `dtype`, the measured basis in float32."""
        tensors = load_file(path)
        sizes = [int(n) for n in tensors.pop("config").tolist()]
        codec = cls(TinyCodecConfig(sizes[0], (sizes[1], sizes[2], sizes[3]), (sizes[4], sizes[5], sizes[6])))
        codec.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
        return codec.set_dtype(dtype)

    def save(self, path: Path) -> None:
        """Network weights in bfloat16, basis, mean and scale in float32, and the configuration."""
        measured = {"basis", "mean", "scale"}
        tensors = {
            name: tensor.detach().to(torch.float32 if name in measured else torch.bfloat16).contiguous()
            for name, tensor in self.state_dict().items()
        }
        values = asdict(self.config)
        tensors["config"] = torch.tensor([values["latent_channels"], *values["widths"], *values["blocks"]])
        save_file(tensors, path)

    def set_dtype(self, dtype: torch.dtype) -> "TinyCodec":
        """The trained network in `dtype`, channels last; the measured basis stays float32."""
        for module in self.children():
            module.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self.eval()


class TinyEncoder:
    """Streaming encoder. Groups do not depend on one another, so all it remembers is whether frame 0 has come."""

    def __init__(self, codec: TinyCodec):
        self.codec = codec
        self.started = False

    def push(self, frames: Tensor) -> Tensor:
        if not self.started:
            frames = torch.cat(
                [repeat(frames[:, :1], "b 1 c h w -> b t c h w", t=GROUP), frames[:, 1:]], dim=1
            )
            self.started = True
        return self.codec.encode_groups(rearrange(frames, "b (g t) c h w -> b g t c h w", t=GROUP))

    def state(self) -> dict[str, Tensor]:
        return {"started": torch.tensor(self.started)}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.started = bool(state["started"])


class TinyDecoder:
    """Streaming decoder: remembers the last latent. The first latent yields one frame: the last of its group."""

    def __init__(self, codec: TinyCodec):
        self.codec = codec
        self.previous: Tensor | None = None

    def push(self, latents: Tensor) -> Tensor:
        started = self.previous is not None
        before = self.previous if self.previous is not None else latents[:, :1]
        shifted = torch.cat([before, latents[:, :-1]], dim=1)
        flat = self.codec.decode_latents(
            rearrange(latents, "b g c h w -> (b g) c h w"), rearrange(shifted, "b g c h w -> (b g) c h w")
        )
        frames = rearrange(flat, "(b g) t c h w -> b (g t) c h w", b=latents.shape[0])
        self.previous = latents[:, -1:]
        return frames if started else frames[:, GROUP - 1 :]

    def state(self) -> dict[str, Tensor]:
        return {} if self.previous is None else {"previous": self.previous}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.previous = state.get("previous")
