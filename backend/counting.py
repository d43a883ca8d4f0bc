"""What running some code takes, counted while it runs: bytes alive at once, and operations.

    with count() as counted, torch.device("meta"):
        network(torch.empty(...))            # on the meta device nothing is computed and nothing takes memory
    counted.peak, counted.operations

What was there before (weights, inputs) does not count. Attention counts as the fused kernels run it, which keep
no scores; a device without them (`scores`) keeps all of them at once. Not seen is what kernels take inside, such as
a convolution's workspace, and what an allocator loses between its blocks: `plan.MARGIN` is for that.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


@dataclass
class Counted:
    """Bytes alive now and at most, and operations (a multiplication and an addition are two)."""

    alive: int = 0
    peak: int = 0
    operations: int = 0


@contextmanager
def count(scores: bool = False) -> Iterator[Counted]:
    """Count what runs inside, without gradients."""
    counted = Counted()
    flops = FlopCounterMode(display=False)
    with torch.no_grad(), _Bytes(counted), flops, _Attention(counted, scores):
        yield counted
    counted.operations += flops.get_total_flops()


class _Bytes(TorchDispatchMode):
    """Adds up the storages that operations make, for as long as they live."""

    def __init__(self, counted: Counted) -> None:
        super().__init__()
        self._counted = counted
        self._known: set[int] = set()

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        for given in tree_leaves((args, kwargs)):
            if isinstance(given, Tensor):
                self._note(given, 0)
        if operation is torch.ops.aten._to_copy.default and _leaves_meta(args[0], kwargs):
            # The few numbers that networks take to the CPU, a timestep's, say nothing of memory.
            return torch.zeros(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype)
        made = operation(*args, **kwargs)
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._note(tensor, tensor.untyped_storage().nbytes())
        return made

    def _note(self, tensor: Tensor, size: int) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._known:
            return
        self._known.add(key)
        self._counted.alive += size
        self._counted.peak = max(self._counted.peak, self._counted.alive)
        weakref.finalize(storage, self._gone, key, size).atexit = False

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._counted.alive -= size


def _leaves_meta(tensor: Tensor, kwargs: dict[str, Any]) -> bool:
    target = kwargs.get("device")
    return tensor.is_meta and target is not None and torch.device(target).type == "cpu"


class _Attention(TorchFunctionMode):
    """Stands in for attention on the meta device, where torch would write out the scores."""

    def __init__(self, counted: Counted, scores: bool) -> None:
        super().__init__()
        self._counted = counted
        self._scores = scores

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if function is not F.scaled_dot_product_attention or not args[0].is_meta:
            return function(*args, **(kwargs or {}))
        queries, keys, values = args[:3]
        numbers = queries.shape[:-1].numel() * keys.shape[-2]
        self._counted.operations += 2 * numbers * (queries.shape[-1] + values.shape[-1])
        scores = queries.new_empty(numbers) if self._scores else None
        attended = torch.empty_like(queries)
        del scores
        return attended
