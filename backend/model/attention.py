"""Attention of queries to keys and values, and which kernel does it.

This is the one place that picks:

    CUDA, bfloat16, no gradient, FlashAttention-3 installed on a Hopper GPU   flash_attn_interface
    CPU, bfloat16, few scores                                               plain products
    everything else                                                         torch's scaled_dot_product_attention
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

SMALL_ATTENTION = 1 << 24
"""Scores (heads * queries * keys) up to which plain products beat the fused kernel on a CPU in bfloat16: twice as
fast for the 432 queries and 1296 keys of 256x144, and their memory is still small."""

HOPPER = 9
"""Major compute capability that FlashAttention-3 is written for."""

Kernel = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Queries (B, N, heads, head_dim), keys and values (B, M, heads, head_dim) -> (B, N, heads, head_dim)."""


def attend(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Attention of (B, N, heads, head_dim) to (B, M, heads, head_dim), heads joined: (B, N, dim)."""
    scores = queries.shape[1] * queries.shape[2] * keys.shape[1]
    differentiable = queries.requires_grad or keys.requires_grad or values.requires_grad
    kernel = pick(queries.device.type, queries.dtype, scores, differentiable, FLASH)
    return kernel(queries, keys, values).flatten(2)


def pick(device: str, dtype: torch.dtype, scores: int, differentiable: bool, flash: Kernel | None) -> Kernel:
    """The kernel for tensors of a device type and format; `flash` is FlashAttention-3 where it can be used."""
    if flash is not None and device == "cuda" and dtype == torch.bfloat16 and not differentiable:
        return flash
    if device == "cpu" and dtype == torch.bfloat16 and scores <= SMALL_ATTENTION:
        return _plain
    return _fused


def as_operator(function: Callable[..., Tensor | tuple[Tensor, ...]]) -> Kernel:
    """A kernel that torch.compile calls as it is: FlashAttention-3's function has no trace of its own in every version.

    Some versions return more than the result.
    """

    def attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        result = function(queries, keys, values)
        return result if isinstance(result, Tensor) else result[0]

    operator = torch.library.custom_op(
        "inspatio::flash_attention",
        attention,
        mutates_args=(),
        schema="(Tensor queries, Tensor keys, Tensor values) -> Tensor",
    )
    operator.register_fake(lambda queries, keys, values: torch.empty_like(queries))
    return operator


def _flash() -> Kernel | None:
    """FlashAttention-3, where it is installed and the GPU is one that it runs on."""
    try:
        from flash_attn_interface import flash_attn_func
    except (ImportError, OSError, RuntimeError):  # Not there, or built for another CUDA or torch.
        return None
    if not torch.cuda.is_available() or torch.cuda.get_device_capability()[0] != HOPPER:
        return None
    return as_operator(flash_attn_func)


def _plain(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    queries, keys, values = queries.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2)
    scores = (queries * queries.shape[-1] ** -0.5) @ keys.transpose(-1, -2)
    return (scores.softmax(dim=-1) @ values).transpose(1, 2)


def _fused(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    queries, keys, values = queries.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2)
    return F.scaled_dot_product_attention(queries, keys, values).transpose(1, 2)


FLASH = _flash()
