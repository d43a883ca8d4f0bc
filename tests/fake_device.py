"""A stand-in for a graphics card, and named so: memory of its own is only imagined, all tensors lie in the CPU's."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves

from backend.device import CPU, Device

_stored: set[int] = set()
"""Storages that lie in the host's memory, as `FakeCard.store` made them."""


@dataclass(frozen=True)
class FakeCard(Device):
    """Copies where a real one would move; `free` bytes are free."""

    torch_device: torch.device = CPU.torch_device
    dtype: torch.dtype = torch.float32
    free: int = 10**12

    @property
    def has_own_memory(self) -> bool:
        return True

    def bring(self, tensor: Tensor) -> Tensor:
        made = torch.empty(tensor.shape, dtype=tensor.dtype)
        with _disable_current_modes():
            made.copy_(tensor)
        return made

    def store(self, tensor: Tensor) -> Tensor:
        with _disable_current_modes():  # What the host holds is nobody's business who watches the device.
            copy = tensor.detach().clone()
        key = copy.untyped_storage()._cdata
        _stored.add(key)
        weakref.finalize(copy.untyped_storage(), _stored.discard, key)
        return copy

    def free_bytes(self) -> int:
        return self.free


def _is_stored(tensor: Tensor) -> bool:
    return tensor.untyped_storage()._cdata in _stored


_LOOKING_ONLY = (torch.ops.aten._has_compatible_shallow_copy_type.default, torch.ops.aten.detach.default)


class NothingOfTheHosts(TorchDispatchMode):
    """Fails when something is computed with a tensor that lies in the host's memory."""

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if operation in _LOOKING_ONLY:
            return operation(*args, **(kwargs or {}))
        for given in tree_leaves((args, kwargs)):
            assert not (isinstance(given, Tensor) and _is_stored(given)), f"{operation} on the host"
        return operation(*args, **(kwargs or {}))
