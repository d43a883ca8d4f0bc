"""Wan 2.1's autoencoder (arXiv 2503.20314), diffusers' AutoencoderKLWan, as streams.

The network is causal: every convolution over time keeps the last frames of its input for the next call. Those
features are the stream's, not the model's, so streams of one model don't meet. They are large: 1.0 GiB an encoder
and 1.8 GiB a decoder at 480x832 in bfloat16. One latent of that size:

    (B,3,4,480,832), the first time (B,3,1,480,832)  -> encoder, quant_conv -> mean of the posterior (B,16,1,60,104)
    (B,16,1,60,104)  -> post_quant_conv, decoder     -> (B,3,4,480,832), the first time (B,3,1,480,832)

Latent g ends with frame 4g. Outside, latents are normalised with the mean and deviation that the model's
configuration states, as the generator was trained on.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from einops import rearrange
from safetensors.torch import load_file
from torch import Tensor, nn

if TYPE_CHECKING:
    from diffusers import AutoencoderKLWan

GROUP = 4
"""Frames in a latent, but the first, which is one frame."""

WEIGHTS_FILE = "diffusion_pytorch_model.safetensors"

REPEAT = "Rep"
"""What an upsampling convolution of the model keeps after a stream's first latent, instead of features."""


class WanCodec(nn.Module):
    """The autoencoder, a `Codec`. Its network computes in the dtype of its weights; latents and frames keep theirs.

    Move it between devices, but let `load` choose the dtype: the latents' mean and deviation stay float32.
    Raises ValueError for another member of the family, such as Wan 2.2's, which has other latents.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, vae: AutoencoderKLWan) -> None:
        super().__init__()
        config = vae.config
        if config.patch_size is not None or list(config.temperal_downsample) != [False, True, True]:
            raise ValueError("this is not the autoencoder of Wan 2.1: its latents have another shape")
        self.vae = vae
        for name, values in (("mean", config.latents_mean), ("deviation", config.latents_std)):
            self.register_buffer(name, torch.tensor(values).reshape(1, -1, 1, 1, 1), persistent=False)

    @property
    def latent_channels(self) -> int:
        """Channels of its latents."""
        return self.vae.config.z_dim

    def encoder(self) -> WanEncoder:
        """A new stream of pictures."""
        return WanEncoder(self)

    def decoder(self) -> WanDecoder:
        """A new stream of latents."""
        return WanDecoder(self)

    @classmethod
    def load(cls, folder: Path, dtype: torch.dtype = torch.float32) -> WanCodec:
        """The autoencoder of a local folder with config.json and safetensors, on the CPU.

        Raises OSError for a missing file; ValueError, SafetensorError or RuntimeError for a broken or foreign one.
        """
        # Not `from_pretrained`: that fills what a file lacks with random numbers and a warning.
        vae = _without_weights(folder)
        weights = {name: weight.to(dtype) for name, weight in load_file(folder / WEIGHTS_FILE).items()}
        vae.load_state_dict(weights, strict=True, assign=True)
        return cls(vae.eval().requires_grad_(False))

    @classmethod
    def without_weights(cls, folder: Path | None, dtype: torch.dtype) -> WanCodec:
        """The autoencoder of a local folder on the meta device; of None, Wan 2.1's."""
        vae = _without_weights(folder)
        for parameter in vae.parameters():
            parameter.data = parameter.data.to(dtype)
        return cls(vae.eval().requires_grad_(False))


def _without_weights(folder: Path | None) -> AutoencoderKLWan:
    from diffusers import AutoencoderKLWan

    # What the class says where no file does is Wan 2.1.
    config = {} if folder is None else AutoencoderKLWan.load_config(folder, local_files_only=True)
    with torch.device("meta"):
        return AutoencoderKLWan.from_config(config)


class _WanStream:
    """What one network's convolutions over time remember, a slot each in the order in which they are called."""

    def __init__(self, codec: WanCodec, network: nn.Module) -> None:
        self.codec = codec
        self._network = network
        # Convolutions without extent in time have no slot: some at the end stay empty.
        self._slots = sum(isinstance(module, nn.Conv3d) for module in network.modules())
        self._features: list[Tensor | str | None] = [None] * self._slots

    @property
    def _started(self) -> bool:
        return any(feature is not None for feature in self._features)

    def state(self) -> dict[str, Tensor]:
        """Everything that later pushes depend on: features by slot, and which slots hold `REPEAT`."""
        kept = {str(slot): held for slot, held in enumerate(self._features) if isinstance(held, Tensor)}
        repeating = [slot for slot, held in enumerate(self._features) if held == REPEAT]
        return {**kept, "repeating": torch.tensor(repeating)} if repeating else kept

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a state that `state` returned. Raises ValueError for that of another network."""
        features: dict[int, Tensor | str] = {
            int(name): held for name, held in state.items() if name != "repeating"
        }
        if "repeating" in state:
            features.update((slot, REPEAT) for slot in state["repeating"].tolist())
        if not features.keys() <= set(range(self._slots)):
            raise ValueError("this is the state of another autoencoder")
        self._features = [features.get(slot) for slot in range(self._slots)]

    def _dtype(self) -> torch.dtype:
        return next(self._network.parameters()).dtype


class WanEncoder(_WanStream):
    """A stream of pictures."""

    def __init__(self, codec: WanCodec) -> None:
        super().__init__(codec, codec.vae.encoder)

    def push(self, frames: Tensor) -> Tensor:
        """Frames (B, F, 3, H, W) in -1..1, 1 + 4k first and 4k later -> latents (B, G, C, H/8, W/8).

        Raises ValueError for another number of frames.
        """
        first = [] if self._started else [1]
        groups, left_over = divmod(frames.shape[1] - len(first), GROUP)
        if left_over or groups + len(first) < 1:
            raise ValueError(f"a stream takes 1 + {GROUP}k frames first and {GROUP}k frames later")
        x = rearrange(frames, "b f c h w -> b c f h w").to(self._dtype())
        latents = torch.cat(
            [self._encode(group) for group in x.split(first + [GROUP] * groups, dim=2)], dim=2
        )
        normalised = (latents.float() - self.codec.mean) / self.codec.deviation
        return rearrange(normalised, "b c g h w -> b g c h w").to(frames.dtype)

    def _encode(self, group: Tensor) -> Tensor:
        """Frames (B, 3, 1 or 4, H, W) of one latent -> the mean of its posterior (B, C, 1, h, w)."""
        moments = self._network(group, feat_cache=self._features, feat_idx=[0])
        mean, _ = self.codec.vae.quant_conv(moments).chunk(2, dim=1)
        return mean


class WanDecoder(_WanStream):
    """A stream of latents."""

    def __init__(self, codec: WanCodec) -> None:
        super().__init__(codec, codec.vae.decoder)

    def push(self, latents: Tensor) -> Tensor:
        """Latents (B, G, C, h, w) -> frames (B, F, 3, 8h, 8w) in -1..1, 1 + 4(G-1) first and 4G later."""
        x = rearrange(latents, "b g c h w -> b c g h w").float() * self.codec.deviation + self.codec.mean
        frames = torch.cat([self._decode(latent) for latent in x.to(self._dtype()).split(1, dim=2)], dim=2)
        return rearrange(frames, "b c f h w -> b f c h w").to(latents.dtype)

    def _decode(self, latent: Tensor) -> Tensor:
        """A latent (B, C, 1, h, w) -> its frames (B, 3, 1 or 4, 8h, 8w)."""
        x = self.codec.vae.post_quant_conv(latent)
        frames = self._network(x, feat_cache=self._features, feat_idx=[0], first_chunk=not self._started)
        return frames.clamp(-1, 1)
