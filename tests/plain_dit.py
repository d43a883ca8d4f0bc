"""The generator written down plainly: one pass over context and noisy tokens together, under a mask.

What `CausalDiT.prefill` and `denoise` compute in two passes with a cache between them must equal this. It takes
a generator's state dict and walks it tensor by tensor, in float64; the rotation is a complex product.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from backend.model import GeneratorConfig


def plain_denoise(
    config: GeneratorConfig,
    weights: dict[str, Tensor],
    context: Tensor,
    noisy: Tensor,
    condition: Tensor,
    timestep: float,
    text: Tensor | None,
) -> Tensor:
    """The generator's output (B, 3, C, h, w).

    context (B, 3 or 6, C, h, w), noisy (B, 3, C, h, w), condition (B, 3, 4+C, h, w), text (B, text_len, text_dim).
    """
    w = {name: tensor.double() for name, tensor in weights.items()}

    def linear(name: str, x: Tensor) -> Tensor:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def rms(name: str, x: Tensor) -> Tensor:
        return x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt() * w[f"{name}.weight"]

    def layer_norm(x: Tensor) -> Tensor:
        return (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, unbiased=False) + 1e-6).sqrt()

    def attend(name: str, x: Tensor, to: Tensor, turn: Tensor | None, mask: Tensor | None) -> Tensor:
        q, k, v = (
            rearrange(vector, "b n (heads c) -> b heads n c", heads=config.num_heads)
            for vector in (
                rms(f"{name}.norm_q", linear(f"{name}.q", x)),
                rms(f"{name}.norm_k", linear(f"{name}.k", to)),
                linear(f"{name}.v", to),
            )
        )
        if turn is not None:
            q, k = (
                torch.view_as_real(torch.view_as_complex(y.unflatten(-1, (-1, 2))) * turn).flatten(-2)
                for y in (q, k)
            )
        scores = q @ k.transpose(-1, -2) / config.head_dim**0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        return linear(f"{name}.o", rearrange(scores.softmax(-1) @ v, "b heads n c -> b n (heads c)"))

    # Tokens: 2x2 pixels of a latent with its condition, which is zero for the context.
    height, width = noisy.shape[-2] // 2, noisy.shape[-1] // 2
    zeros = torch.zeros(*context.shape[:2], *condition.shape[2:])
    whole = torch.cat(
        [torch.cat([context, zeros], dim=2), torch.cat([noisy, condition], dim=2)], dim=1
    ).double()
    patches = rearrange(whole, "b g c (h p) (w q) -> b (g h w) (c p q)", p=2, q=2)
    x = patches @ w["patch_embedding.weight"].flatten(1).T + w["patch_embedding.bias"]
    of_context = torch.arange(x.shape[1]) < context.shape[1] * height * width
    may_see = of_context[None, :] | ~of_context[:, None]

    # Positions: the context's latents count from 0, the noisy ones from 6.
    times = [*range(context.shape[1]), 6, 7, 8]
    places = torch.tensor([(t, i, j) for t in times for i in range(height) for j in range(width)])
    axes = [config.head_dim - 4 * (config.head_dim // 6), *[2 * (config.head_dim // 6)] * 2]
    angles = [
        places[:, axis, None].double() * 10000.0 ** (-torch.arange(0, size, 2).double() / size)
        for axis, size in enumerate(axes)
    ]
    turn = torch.exp(1j * torch.cat(angles, dim=-1))

    def time(at: float) -> Tensor:
        half = config.freq_dim // 2
        waves = at * 10000.0 ** (-torch.arange(half).double() / half)
        hidden = F.silu(linear("time_embedding.0", torch.cat([waves.cos(), waves.sin()])))
        return linear("time_embedding.2", hidden)

    embeddings = torch.stack([time(0.0) if old else time(timestep) for old in of_context])
    projections = linear("time_projection.1", F.silu(embeddings)).unflatten(-1, (6, -1))

    embedded = None
    if text is not None:
        hidden = F.gelu(linear("text_embedding.0", text.double()), approximate="tanh")
        embedded = linear("text_embedding.2", hidden)
    for layer in range(config.num_layers):
        name = f"blocks.{layer}"
        shift, scale, gate, ffn_shift, ffn_scale, ffn_gate = (w[f"{name}.modulation"] + projections).unbind(1)
        y = layer_norm(x) * (1 + scale) + shift
        x = x + gate * attend(f"{name}.self_attn", y, y, turn, may_see)
        if embedded is not None:
            y = layer_norm(x) * w[f"{name}.norm3.weight"] + w[f"{name}.norm3.bias"]
            x = x + attend(f"{name}.cross_attn", y, embedded, None, None)
        y = layer_norm(x) * (1 + ffn_scale) + ffn_shift
        x = x + ffn_gate * linear(f"{name}.ffn.2", F.gelu(linear(f"{name}.ffn.0", y), approximate="tanh"))
    shift, scale = (w["head.modulation"] + embeddings[:, None]).unbind(1)
    out = linear("head.head", layer_norm(x) * (1 + scale) + shift)[:, ~of_context]
    return rearrange(out, "b (g h w) (p q c) -> b g c (h p) (w q)", g=3, h=height, w=width, p=2, q=2)
