"""What an error says of the device: that its memory ran out, or that it is lost to this process."""

from __future__ import annotations

import torch

_OUT_OF_MEMORY = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "alloc_failed",
    "bad allocation",
)
_LOST = (
    "cuda error",
    "cudnn_status",
    "cublas_status",
    "device-side assert",
    "unspecified launch failure",
    "driver shutting down",
    "device lost",
)
"""After these a context of CUDA answers every call with the same error."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, the device's or the host's. A fault of addressing memory is something else."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in said for words in _OUT_OF_MEMORY)


def is_device_lost(error: BaseException) -> bool:
    """Whether the driver failed, so that only a new process can use the device again."""
    if is_out_of_memory(error):
        return False
    if isinstance(error, getattr(torch, "AcceleratorError", ())):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in said for words in _LOST)


def first_line(error: BaseException) -> str:
    """What an error says, without the advice for programmers below it."""
    return str(error).strip().partition("\n")[0].rstrip(".")
