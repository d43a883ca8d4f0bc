"""The one place that decides on which device and in which number format the backend computes.

A GPU runs in bfloat16. A CPU runs the generator and the decoder in bfloat16 only where its vector unit multiplies
that format (avx512_bf16, amx_bf16): there it is several times faster than float32 (docs/measurements.md), on
any other CPU it would be emulated and slower.
"""

import gc
import importlib.util
import os
import platform
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import psutil
import torch
from torch import Tensor

from .protocol import DEVICE_VARIABLE, PRECISION_VARIABLE

PRECISIONS = {"bf16": torch.bfloat16, "fp8": torch.bfloat16, "float32": torch.float32}
"""What the large presets can be asked to compute in, and the format that their weights are loaded in."""

FP8_CAPABILITY = (8, 9)
"""CUDA compute capability from which on products of 8-bit floats are in the hardware: Ada and Hopper."""


@dataclass(frozen=True)
class Device:
    """Where tensors live (`torch_device`) and the format that weights and activations take (`dtype`).

    fp8: whether the products in the layers of a large preset's generator have 8 bits instead.
    """

    torch_device: torch.device
    dtype: torch.dtype
    fp8: bool = False

    @property
    def precision(self) -> str:
        """A name of `PRECISIONS`."""
        return "fp8" if self.fp8 else "float32" if self.dtype == torch.float32 else "bf16"

    @property
    def words(self) -> str:
        """All that equal results depend on beside shot, preset and seed."""
        kind = self.torch_device.type
        name = torch.cuda.get_device_name(self.torch_device) if kind == "cuda" else platform.machine()
        numbers = str(self.dtype).removeprefix("torch.") + (" and fp8" if self.fp8 else "")
        return f"{kind} {name}, {numbers}, torch {torch.__version__}"

    def in_precision(self, precision: str) -> "Device":
        """The device in a precision of `PRECISIONS`, its own where it is empty. Raises DeviceError where it cannot."""
        if not precision:
            return self
        if precision not in PRECISIONS:
            raise DeviceError(f"There is no precision {precision!r}; there are {', '.join(PRECISIONS)}.")
        if precision == "fp8" and (lacking := why_not_fp8(self.torch_device)):
            raise DeviceError(lacking)
        return replace(self, dtype=PRECISIONS[precision], fp8=precision == "fp8")

    @property
    def has_own_memory(self) -> bool:
        """Whether its memory is not the host's: only then is there anywhere else to put what a stage does not use."""
        return self.torch_device.type == "cuda"

    def wait(self) -> None:
        """Return when everything that was begun on the device is done."""
        if self.torch_device.type == "cuda":
            torch.cuda.synchronize(self.torch_device)
        elif self.torch_device.type == "mps":
            torch.mps.synchronize()

    def bring(self, tensor: Tensor) -> Tensor:
        """A tensor of the host's memory on the device. The host does not wait where the memory is pinned."""
        return tensor.to(self.torch_device, non_blocking=True)

    def store(self, tensor: Tensor) -> Tensor:
        """A copy of a tensor in the host's memory, pinned where that makes the way back faster."""
        pinned = self.torch_device.type == "cuda"
        return torch.empty_like(tensor, device="cpu", pin_memory=pinned).copy_(tensor)

    def free_bytes(self) -> int:
        """Bytes that could be taken on the device now: what other programs leave, and what ours took for nothing."""
        available = int(psutil.virtual_memory().available)
        if self.torch_device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self.torch_device)
            unused = torch.cuda.memory_reserved(self.torch_device) - torch.cuda.memory_allocated(
                self.torch_device
            )
            return free + unused
        if self.torch_device.type == "mps":
            return min(available, torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
        return available

    def let_go(self) -> None:
        """Give back what was taken for nothing."""
        gc.collect()
        if self.torch_device.type == "cuda":
            torch.cuda.empty_cache()
        elif self.torch_device.type == "mps":
            torch.mps.empty_cache()


@cache
def cpu_multiplies_bfloat16() -> bool:
    """Whether this CPU has bfloat16 dot products (Linux tells; elsewhere the answer is no)."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


CPU = Device(torch.device("cpu"), torch.bfloat16 if cpu_multiplies_bfloat16() else torch.float32)


class DeviceError(Exception):
    """A device cannot be used, or not as it is asked for; the message says why and what to do."""


def why_not_fp8(device: torch.device) -> str:
    """Why a generator on this device cannot have fp8 products; empty where it can."""
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < FP8_CAPABILITY:
        return "fp8 needs an NVIDIA GPU of the Ada or Hopper generation or later: choose bf16."
    if importlib.util.find_spec("torchao") is None:
        return "fp8 needs the package torchao: set up the backend again, or choose bf16."
    return ""


@cache
def default_device() -> Device:
    """What INSPATIO_DEVICE names, else CUDA where there is one, then Apple's mps, then the CPU.

    In the precision that INSPATIO_PRECISION names. Raises DeviceError for one that the device does not have, and for
    a GPU of NVIDIA's that cannot be used: the CPU would take hours where minutes were expected.
    """
    return _device().in_precision(os.environ.get(PRECISION_VARIABLE, ""))


def _device() -> Device:
    asked = os.environ.get(DEVICE_VARIABLE, "")
    if asked == "cpu":
        return CPU
    if trouble := cuda_trouble():
        raise DeviceError(trouble)
    if torch.cuda.is_available():
        # The same take must give the same bytes. What has no such form only warns: the place of a median, unused here.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Nothing here reads what it has not written, and filling every new tensor first costs as much as writing it.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        return Device(torch.device("cuda"), torch.bfloat16)
    if torch.backends.mps.is_available():
        return Device(torch.device("mps"), torch.float32)
    return CPU


@cache
def cuda_trouble() -> str:
    """Why NVIDIA's GPU cannot be used with the installed torch, in a sentence; empty where it can, or there is none."""
    if torch.version.cuda is None:
        return ""
    if not torch.cuda.is_available():
        return _driver_trouble()
    capability = torch.cuda.get_device_capability()
    built = [_capability(arch) for arch in torch.cuda.get_arch_list()]
    # Code of a processor's own runs on later ones of its generation; what is to be translated runs on any later one.
    runs = any(own and needed[0] == capability[0] and needed <= capability for own, needed in built)
    if runs or not built or any(not own and needed <= capability for own, needed in built):
        return ""
    return (
        f"{torch.cuda.get_device_name()} is too old for the installed torch {torch.__version__}: "
        f"set up the backend with an older torch, or set {DEVICE_VARIABLE}=cpu to use the CPU."
    )


def _driver_trouble() -> str:
    """Why CUDA cannot be begun though a driver is installed."""
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        said = str(error).strip().partition("\n")[0]
        if "too old" in said or "insufficient" in said:
            return (
                f"The graphics driver is too old for the installed torch {torch.__version__} "
                f"(CUDA {torch.version.cuda}): update the driver, or set {DEVICE_VARIABLE}=cpu to use the CPU."
            )
    return ""


def _capability(arch: str) -> tuple[bool, tuple[int, int]]:
    """Whether code for "sm_86" or "compute_90" is a processor's own, and the capability that it needs."""
    kind, _, number = arch.partition("_")
    digits = "".join(letter for letter in number if letter.isdigit())
    return kind == "sm", (int(digits[:-1]), int(digits[-1]))
