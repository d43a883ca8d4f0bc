"""The STAR generator: a causal video transformer (Wan 2.1's, arXiv 2503.20314, made causal as in arXiv 2604.07209).

One block through it, for latents of 60x104 in the released size:

    context   reference (B,3,16,60,104) and previous prediction (B,3,16,60,104), their condition channels zero
      prefill, once, at timestep 0   -> Cache: per layer rotated keys and plain values (B, 2*3*1560, 12, 128)
    noisy     (B,3,16,60,104) with mask (B,3,4,60,104) and render (B,3,16,60,104) beside it: 36 channels
      denoise, once a step           -> output (B,3,16,60,104), read by `sampler.predict_x0`

Context tokens attend to each other; noisy tokens attend to the cached context and to themselves. Positions in time are
0..2 for the reference, 3..5 for the previous block, 6..8 for the noisy one, in every block: the context slides along.
Prefill and denoise are two walks over the same layers, both differentiable.

Queries, keys and values are three layers in a weight file and while training; `fuse` makes one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from .attention import attend
from .config import BLOCK_LATENTS, PATCH, GeneratorConfig
from .rope import Rotation, rotation

NORM_EPS = 1e-6

KeyValue = tuple[Tensor, Tensor]
"""Keys and values of one layer, (B, tokens, heads, head_dim) each."""

TextKeyValues = Sequence[KeyValue]
"""What `CausalDiT.encode_text` returns: a key and value per layer, tokens = text_len."""


@dataclass(frozen=True)
class Cache:
    """What the context left behind in every layer: rotated keys and plain values, (B, tokens, heads, head_dim)."""

    layers: tuple[KeyValue, ...]

    def map(self, change: Callable[[Tensor], Tensor]) -> Cache:
        """A cache with every tensor changed: moved, cut along the batch, detached ..."""
        return Cache(tuple((change(keys), change(values)) for keys, values in self.layers))


class SelfAttention(nn.Module):
    """Attention of tokens (B, N, dim) to a context and to themselves."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim, dim)
        self.v = nn.Linear(dim, dim)
        self.o = nn.Linear(dim, dim)
        self.norm_q = nn.RMSNorm(dim, eps=NORM_EPS)
        self.norm_k = nn.RMSNorm(dim, eps=NORM_EPS)
        self.qkv: nn.Linear | None = None

    def fuse(self) -> None:
        """Put one layer `qkv` in the place of `q`, `k` and `v`."""
        layers = self.q, self.k, self.v
        with torch.device("meta"):
            self.qkv = nn.Linear(self.q.in_features, sum(layer.out_features for layer in layers))
        for name in ("weight", "bias"):
            joined = torch.cat([getattr(layer, name).detach() for layer in layers])
            setattr(self.qkv, name, nn.Parameter(joined, requires_grad=False))
        del self.q, self.k, self.v

    def key_value(self, x: Tensor, turn: Rotation) -> KeyValue:
        """Rotated keys and plain values of tokens (B, N, dim), (B, N, heads, head_dim) each."""
        keys, values = (self.k(x), self.v(x)) if self.qkv is None else self.qkv(x).chunk(3, dim=-1)[1:]
        return self._keys(keys, turn), self._heads(values)

    def query_key_value(self, x: Tensor, turn: Rotation) -> tuple[Tensor, Tensor, Tensor]:
        """Rotated queries and keys and plain values of tokens (B, N, dim), (B, N, heads, head_dim) each."""
        queries, keys, values = (
            (self.q(x), self.k(x), self.v(x)) if self.qkv is None else self.qkv(x).chunk(3, dim=-1)
        )
        return turn(self._heads(self.norm_q(queries))), self._keys(keys, turn), self._heads(values)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Queries (B, N, heads, head_dim) attend to keys and values (B, M, heads, head_dim); (B, N, dim) back."""
        return self.o(attend(queries, keys, values))

    def _keys(self, keys: Tensor, turn: Rotation) -> Tensor:
        return turn(self._heads(self.norm_k(keys)))

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.num_heads, -1))


class CrossAttention(nn.Module):
    """Attention of tokens (B, N, dim) to the text (B, text_len, dim)."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim, dim)
        self.v = nn.Linear(dim, dim)
        self.o = nn.Linear(dim, dim)
        self.norm_q = nn.RMSNorm(dim, eps=NORM_EPS)
        self.norm_k = nn.RMSNorm(dim, eps=NORM_EPS)

    def key_value(self, text: Tensor) -> KeyValue:
        """Keys and values of embedded text (B, text_len, dim), (B, text_len, heads, head_dim) each."""
        heads = (self.num_heads, -1)
        return self.norm_k(self.k(text)).unflatten(-1, heads), self.v(text).unflatten(-1, heads)

    def forward(self, x: Tensor, text: KeyValue) -> Tensor:
        """Tokens (B, N, dim) attend to the text's keys and values; (B, N, dim) back."""
        queries = self.norm_q(self.q(x)).unflatten(-1, (self.num_heads, -1))
        return self.o(attend(queries, *text))


class Block(nn.Module):
    """One layer: self-attention, cross-attention to the text if there is text, feed-forward.

    `modulation` + the projected timestep are six vectors: shift, scale and gate of attention and of feed-forward.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        dim = config.dim
        self.norm1 = nn.LayerNorm(dim, eps=NORM_EPS, elementwise_affine=False)
        self.self_attn = SelfAttention(dim, config.num_heads)
        if config.text_dim:
            self.norm3 = nn.LayerNorm(dim, eps=NORM_EPS)
            self.cross_attn = CrossAttention(dim, config.num_heads)
        self.norm2 = nn.LayerNorm(dim, eps=NORM_EPS, elementwise_affine=False)
        self.ffn = nn.Sequential(
            nn.Linear(dim, config.ffn_dim), nn.GELU("tanh"), nn.Linear(config.ffn_dim, dim)
        )
        # uniform_: other draws, on the meta device, import torch._dynamo with 100 MB and a second.
        self.modulation = nn.Parameter(torch.empty(1, 6, dim).uniform_(-(dim**-0.5), dim**-0.5))

    def key_value(self, x: Tensor, time: Tensor, turn: Rotation) -> KeyValue:
        """What tokens (B, N, dim) leave in the cache at modulation `time` (B, 6, dim), without going further."""
        shift, scale = (self.modulation + time)[:, :2].split(1, dim=1)
        return self.self_attn.key_value(_modulate(self.norm1(x), shift, scale), turn)

    def forward(
        self, x: Tensor, time: Tensor, turn: Rotation, text: KeyValue | None, context: KeyValue | None
    ) -> tuple[Tensor, KeyValue]:
        """Tokens (B, N, dim) through the layer, after `context` if given; also their own keys and values."""
        shift, scale, gate, ffn_shift, ffn_scale, ffn_gate = (self.modulation + time).split(1, dim=1)
        y = _modulate(self.norm1(x), shift, scale)
        queries, *own = self.self_attn.query_key_value(y, turn)
        keys, values = own if context is None else map(_after, context, own)
        x = torch.addcmul(x, self.self_attn(queries, keys, values), gate)
        if text is not None:
            x = x + self.cross_attn(self.norm3(x), text)
        x = torch.addcmul(x, self.ffn(_modulate(self.norm2(x), ffn_shift, ffn_scale)), ffn_gate)
        return x, (own[0], own[1])


class Head(nn.Module):
    """Tokens (B, N, dim) to the pixels of their patches (B, N, PATCH*PATCH*channels)."""

    def __init__(self, dim: int, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim, eps=NORM_EPS, elementwise_affine=False)
        self.head = nn.Linear(dim, PATCH * PATCH * channels)
        self.modulation = nn.Parameter(torch.empty(1, 2, dim).uniform_(-(dim**-0.5), dim**-0.5))

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """`time` is the timestep's embedding (B, dim), not its projection."""
        shift, scale = (self.modulation + time.unsqueeze(1)).split(1, dim=1)
        return self.head(_modulate(self.norm(x), shift, scale))


class CausalDiT(nn.Module):
    """The generator. Parameter names are the release's without the prefix `model.`.

    Latents are (B, 3, C, h, w) with h and w even. `text` is what `encode_text` returned, or None where
    `config.text_dim` is 0. Output and cache have the dtype of the weights.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        dim = config.dim
        self.config = config
        self.patch_embedding = nn.Conv3d(
            config.in_dim, dim, kernel_size=(1, PATCH, PATCH), stride=(1, PATCH, PATCH)
        )
        if config.text_dim:
            self.text_embedding = nn.Sequential(
                nn.Linear(config.text_dim, dim), nn.GELU("tanh"), nn.Linear(dim, dim)
            )
        self.time_embedding = nn.Sequential(nn.Linear(config.freq_dim, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(dim, 6 * dim))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.before_layer: Callable[[nn.Module], None] | None = None
        """Called with every layer before it is used: its weights may have to be brought first."""
        self.head = Head(dim, config.out_dim)

    def fuse(self) -> None:
        """Queries, keys and values of every layer in one product: for inference, with the weights where they stay.

        `state_dict` has other names than a weight file from here on. No more memory is taken than one layer's.
        """
        for block in self.blocks:
            block.self_attn.fuse()  # type: ignore[operator,union-attr]

    def encode_text(self, text: Tensor) -> list[KeyValue]:
        """Keys and values of a prompt's embedding (B, text_len, text_dim) in every layer; once a prompt."""
        embedded = self.text_embedding(text.to(self.patch_embedding.weight))
        return [block.cross_attn.key_value(embedded) for block in self._layers()]

    def prefill(self, reference: Tensor, previous: Tensor | None, text: TextKeyValues | None) -> Cache:
        """The cache of a block's context: reference latents and, but in the first block, the previous prediction."""
        context = reference if previous is None else torch.cat([reference, previous], dim=1)
        batch, latents, _, height, width = context.shape
        condition = context.new_zeros(
            batch, latents, self.config.in_dim - self.config.latent_channels, height, width
        )
        x, turn = self._tokens(torch.cat([context, condition], dim=2), range(latents))
        _, time = self._time(torch.zeros(batch))  # on the CPU: asking the device would wait for it

        layers = []
        for index, block in enumerate(self._layers()):
            if index == self.config.num_layers - 1:
                own = block.key_value(x, time, turn)
            else:
                x, own = block(x, time, turn, _layer(text, index), None)
            layers.append(_kept(own))
        return Cache(tuple(layers))

    def denoise(
        self,
        noisy: Tensor,
        mask: Tensor,
        render: Tensor,
        timestep: Tensor,
        cache: Cache,
        text: TextKeyValues | None,
    ) -> Tensor:
        """One pass over the noisy block (B, 3, C, h, w) at `timestep` (B,) of 0..1000; its output, same shape.

        `mask` (B, 3, 4, h, w) and `render` (B, 3, C, h, w) are the block's condition.
        """
        _, latents, _, height, width = noisy.shape
        times = range(2 * BLOCK_LATENTS, 2 * BLOCK_LATENTS + latents)
        x, turn = self._tokens(torch.cat([noisy, mask, render], dim=2), times)
        embedding, time = self._time(timestep)
        for index, block in enumerate(self._layers()):
            x, _ = block(x, time, turn, _layer(text, index), cache.layers[index])
        return rearrange(
            self.head(x, embedding),
            "b (g h w) (ph pw c) -> b g c (h ph) (w pw)",
            g=latents,
            h=height // PATCH,
            w=width // PATCH,
            ph=PATCH,
            pw=PATCH,
        )

    def _layers(self) -> Iterator[Block]:
        for block in self.blocks:
            if self.before_layer is not None:
                self.before_layer(block)
            yield block  # type: ignore[misc]

    def _tokens(self, x: Tensor, times: range) -> tuple[Tensor, Rotation]:
        """Latents with condition (B, G, in_dim, h, w) as tokens (B, G*h/2*w/2, dim), and the tokens' rotation."""
        weight = self.patch_embedding.weight
        patches = rearrange(
            x.to(weight.dtype), "b g c (h ph) (w pw) -> b (g h w) (c ph pw)", ph=PATCH, pw=PATCH
        )
        tokens = F.linear(patches, weight.flatten(1), self.patch_embedding.bias)
        height, width = x.shape[-2] // PATCH, x.shape[-1] // PATCH
        turn = rotation(times, height, width, self.config.head_dim, device=x.device)
        return tokens, turn

    def _time(self, timestep: Tensor) -> tuple[Tensor, Tensor]:
        """Embedding (B, dim) of timesteps (B,), and its projection (B, 6, dim) that modulates the layers."""
        half = self.config.freq_dim // 2
        rates = 10000.0 ** -(torch.arange(half, dtype=torch.float64) / half)
        angles = torch.outer(timestep.cpu().double(), rates)
        waves = torch.cat([angles.cos(), angles.sin()], dim=-1)
        embedding = self.time_embedding(waves.to(self.patch_embedding.weight))
        return embedding, self.time_projection(embedding).unflatten(-1, (6, -1))


def _layer(text: TextKeyValues | None, index: int) -> KeyValue | None:
    return None if text is None else text[index]


def _modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return torch.addcmul(shift, x, 1 + scale)


def _kept(own: KeyValue) -> KeyValue:
    """Keys and values for the cache: values may be a third of one product's result, which would stay with them."""
    keys, values = own
    return keys, values.contiguous()


def _after(context: Tensor, own: Tensor) -> Tensor:
    return torch.cat([context, own], dim=1)
