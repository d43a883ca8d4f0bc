"""What a block must cost at least on a device: operations and bytes of every stage, against the device's ceilings.

    networks on the meta device, walked once   -> Work: operations of every product, bytes of its operands and result
    products and copies timed on a device      -> Ceilings, or those of a data sheet (`H100`)
    Work, Ceilings                             -> floor(): the longer of computing and moving, in seconds

Counted are products: linear layers, attention, convolutions. All else is taken to be fused into them and free, and
attention's scores to stay on the chip. So a floor is what no implementation of these networks gets below, not a
forecast. The stages are `Session.step`'s.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, sdpa_flop_count

from .codec import Codec
from .model import BLOCK_LATENTS, MASK_CHANNELS, CausalDiT, Schedule
from .protocol.blocks import block_size

aten = torch.ops.aten

CONVOLUTIONS = (aten.convolution,)
ATTENTIONS = (aten.scaled_dot_product_attention,)

SPLAT_READ, SPLAT_SUMS, SPLAT_WRITTEN = 16, 2 * 4 * 4 * 5, 18
"""Bytes a pixel of a splat: colour and depth read; four neighbours' five sums read and written; colour, depth and two
masks written."""
CODES = 3
"""Bytes of a pixel that leaves the device."""


@dataclass(frozen=True)
class Work:
    """What a stage does: operations (two a multiply-add) by kind, bytes through memory, bytes off the device."""

    linear: int = 0
    attention: int = 0
    convolution: int = 0
    bytes: int = 0
    sent: int = 0

    @property
    def operations(self) -> int:
        return self.linear + self.attention + self.convolution

    def __add__(self, other: Work) -> Work:
        return Work(*(getattr(self, part.name) + getattr(other, part.name) for part in fields(Work)))

    def times(self, count: int) -> Work:
        """The same done `count` times."""
        return Work(*(getattr(self, part.name) * count for part in fields(Work)))


@dataclass(frozen=True)
class Ceilings:
    """What a device can do: operations a second, and those of fp8 products; bytes a second in memory, and off it."""

    name: str
    operations: float
    fp8_operations: float
    bandwidth: float
    sending: float


H100 = Ceilings("NVIDIA H100 SXM by its data sheet", 989e12, 1979e12, 3.35e12, 64e9)
"""Dense bfloat16 and fp8 tensor cores, HBM3, one direction of PCIe 5."""


def floor(work: Work, ceilings: Ceilings, fp8: bool = False) -> float:
    """Seconds that a stage takes at least. `fp8`: its linear layers compute in 8 bits."""
    linear = work.linear / (ceilings.fp8_operations if fp8 else ceilings.operations)
    other = (work.attention + work.convolution) / ceilings.operations
    return max(linear + other, work.bytes / ceilings.bandwidth, work.sent / ceilings.sending)


def block_work(
    dit: CausalDiT,
    codec: Codec,
    width: int,
    height: int,
    block: int,
    *,
    reference_encoded: bool,
    fp8: bool = False,
) -> dict[str, Work]:
    """What every stage of a block does, for networks on the meta device in the format that they compute in.

    reference_encoded: whether the reference is encoded beside the render, as that of a moving world is in every block,
    and that of a still one until its latents have settled. One view is rendered.
    """
    frames, pixels = block_size(block), width * height
    dtype = dit.patch_embedding.weight.dtype
    with torch.device("meta"):
        first, pictures = (
            torch.empty(1, block_size(0), 3, height, width),
            torch.empty(1, frames, 3, height, width),
        )
        latents = torch.empty(
            1, BLOCK_LATENTS, dit.config.latent_channels, height // 8, width // 8, dtype=dtype
        )
        mask = latents[:, :, :1].expand(-1, -1, MASK_CHANNELS, -1, -1)
        embedding = torch.empty(1, dit.config.text_len, dit.config.text_dim)
    with torch.inference_mode():
        text = dit.encode_text(embedding) if dit.config.text_dim else None
        encoder, decoder = codec.encoder(), codec.decoder()
        if block:
            encoder.push(first)
            decoder.push(latents)
        previous = latents if block else None
        cache = dit.prefill(latents, previous, text)
        encode = count(lambda: encoder.push(pictures))
        denoise = count(lambda: dit.denoise(latents, mask, latents, torch.ones(1), cache, text), fp8)
        return {
            "render": Work(bytes=frames * pixels * (SPLAT_READ + SPLAT_SUMS + SPLAT_WRITTEN)),
            "encode": encode.times(2 if reference_encoded else 1),
            "prefill": count(lambda: dit.prefill(latents, previous, text), fp8),
            "denoise": denoise.times(len(Schedule().steps)),
            "decode": count(lambda: decoder.push(latents)),
            "finish": Work(
                bytes=frames * pixels * CODES * (dtype.itemsize + 1), sent=frames * pixels * CODES
            ),
        }


def count(run: Callable[[], object], fp8: bool = False) -> Work:
    """What a run does, under `torch.inference_mode`. `fp8`: operands of linear layers are a byte each."""
    with _Counter(fp8) as counter:
        run()
    return counter.work


class _Counter(TorchDispatchMode):
    """Adds up the products that torch is asked for."""

    def __init__(self, fp8: bool) -> None:
        super().__init__()
        self.work = Work()
        self._fp8 = fp8

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        packet = func._overloadpacket
        if packet not in flop_registry and packet not in ATTENTIONS:
            with self:
                result = func.decompose(*args, **kwargs)
            return func(*args, **kwargs) if result is NotImplemented else result
        result = func(*args, **kwargs)
        operands = [argument for argument in args if isinstance(argument, Tensor)]
        if packet in ATTENTIONS:
            operations = sdpa_flop_count(*(operand.shape for operand in operands[:3]))
            self._add(operands, result, attention=operations)
        elif packet in CONVOLUTIONS:
            self._add(operands, result, convolution=flop_registry[packet](*args, **kwargs, out_val=result))
        else:
            size = 1 if self._fp8 else None
            self._add(operands, result, size, linear=flop_registry[packet](*args, **kwargs, out_val=result))
        return result

    def _add(
        self, operands: list[Tensor], result: Tensor, size: int | None = None, **operations: int
    ) -> None:
        read = sum(operand.numel() * (size or operand.element_size()) for operand in operands)
        self.work += Work(bytes=read + result.nbytes, **operations)


def measure_ceilings(
    device: torch.device, dtype: torch.dtype, fp8: bool = False, seconds: float = 0.5
) -> Ceilings:
    """The ceilings of the device at hand: its best time for one large product, one copy in memory and one off it."""
    side, copied = (8192, 1 << 30) if device.type == "cuda" else (1024, 1 << 27)
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    source = torch.zeros(copied, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    operations = 2 * side**3 / _best(lambda: left @ right, device, seconds)
    bandwidth = 2 * copied / _best(lambda: target.copy_(source), device, seconds)
    fp8_operations, sending = operations, bandwidth
    if fp8:
        one = torch.ones((), device=device)
        narrow = left.to(torch.float8_e4m3fn)
        turned = right.to(torch.float8_e4m3fn).t()
        product = lambda: torch._scaled_mm(narrow, turned, one, one, out_dtype=dtype)  # noqa: E731
        fp8_operations = 2 * side**3 / _best(product, device, seconds)
    if device.type == "cuda":
        host = torch.empty(copied, dtype=torch.uint8, pin_memory=True)
        sending = copied / _best(lambda: host.copy_(source), device, seconds)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"this machine's {device.type}"
    return Ceilings(f"{name}, measured", operations, fp8_operations, bandwidth, sending)


def _best(work: Callable[[], object], device: torch.device, seconds: float) -> float:
    """Seconds of the fastest run within `seconds`, after one that warms up."""

    def run() -> float:
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - start

    run()
    end, times = time.perf_counter() + seconds, [run()]
    while time.perf_counter() < end:
        times.append(run())
    return min(times)
