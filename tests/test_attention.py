"""Which attention is picked where, and that each gives what attention is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from backend.model import attention
from backend.model.attention import SMALL_ATTENTION, as_operator, attend, pick

MANY = SMALL_ATTENTION + 1


def fake_flash(queries: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Stands in for FlashAttention-3's function: some versions also return the sums of the scores' exponentials."""
    x = attention._fused(queries, keys, values).contiguous()
    return x, torch.zeros(1)


@pytest.fixture(scope="module")
def flash() -> attention.Kernel:
    return as_operator(fake_flash)


def tensors(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    return tuple(torch.randn(2, tokens, 3, 8).to(dtype) for tokens in (5, 7, 7))  # type: ignore[return-value]


def plainly(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    scores = torch.einsum("bnhc,bmhc->bhnm", queries.double(), keys.double()) / queries.shape[-1] ** 0.5
    return torch.einsum("bhnm,bmhc->bnhc", scores.softmax(-1), values.double()).flatten(2)


@pytest.mark.parametrize(
    ("device", "dtype", "scores", "differentiable", "installed", "expected"),
    [
        ("cuda", torch.bfloat16, MANY, False, True, "flash"),
        ("cuda", torch.bfloat16, 1, False, True, "flash"),
        ("cuda", torch.bfloat16, MANY, True, True, "_fused"),
        ("cuda", torch.bfloat16, MANY, False, False, "_fused"),
        ("cuda", torch.float32, MANY, False, True, "_fused"),
        ("cpu", torch.bfloat16, SMALL_ATTENTION, False, True, "_plain"),
        ("cpu", torch.bfloat16, MANY, False, True, "_fused"),
        ("cpu", torch.float32, 1, False, True, "_fused"),
        ("mps", torch.bfloat16, 1, False, True, "_fused"),
    ],
)
def test_the_kernel_for_a_device(
    flash: attention.Kernel,
    device: str,
    dtype: torch.dtype,
    scores: int,
    differentiable: bool,
    installed: bool,
    expected: str,
) -> None:
    wanted = flash if expected == "flash" else getattr(attention, expected)
    assert pick(device, dtype, scores, differentiable, flash if installed else None) is wanted


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_kernel_is_attention(flash: attention.Kernel, dtype: torch.dtype) -> None:
    queries, keys, values = tensors(dtype)
    expected = plainly(queries, keys, values)
    tolerance = 1e-5 if dtype == torch.float32 else 0.03
    for kernel in (attention._plain, attention._fused, flash):
        got = kernel(queries, keys, values).flatten(2).double()
        torch.testing.assert_close(got, expected, atol=tolerance, rtol=0)
    torch.testing.assert_close(attend(queries, keys, values).double(), expected, atol=tolerance, rtol=0)


def test_an_installed_kernel_does_not_break_a_compiled_graph(flash: attention.Kernel) -> None:
    queries, keys, values = tensors(torch.float32)
    compiled = torch.compile(lambda *parts: flash(*parts) * 2, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(queries, keys, values), flash(queries, keys, values) * 2)
