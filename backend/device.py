"""The one place that decides on which device and in which number format the backend computes.

A GPU runs in bfloat16. A CPU runs the generator and the decoder in bfloat16 only where its vector unit multiplies
that format (avx512_bf16, amx_bf16): there it is several times faster than float32 (docs/measurements.md), on
any other CPU it would be emulated and slower.
"""

import os
import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch


@dataclass(frozen=True)
class Device:
    """Where tensors live (`torch_device`) and the format that weights and activations take (`dtype`)."""

    torch_device: torch.device
    dtype: torch.dtype

    @property
    def words(self) -> str:
        """All that equal results depend on beside shot, preset and seed."""
        kind = self.torch_device.type
        name = torch.cuda.get_device_name(self.torch_device) if kind == "cuda" else platform.machine()
        return f"{kind} {name}, {str(self.dtype).removeprefix('torch.')}, torch {torch.__version__}"


@cache
def cpu_multiplies_bfloat16() -> bool:
    """Whether this CPU has bfloat16 dot products (Linux tells; elsewhere the answer is no)."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


@cache
def default_device() -> Device:
    """CUDA where there is one, then Apple's mps, else the CPU."""
    if torch.cuda.is_available():
        # The same take must give the same bytes. What has no such form only warns: the place of a median, unused here.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        return Device(torch.device("cuda"), torch.bfloat16)
    if torch.backends.mps.is_available():
        return Device(torch.device("mps"), torch.float32)
    return Device(torch.device("cpu"), torch.bfloat16 if cpu_multiplies_bfloat16() else torch.float32)
