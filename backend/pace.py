"""How fast this device is, measured in a moment: what it multiplies, and what it is handed over."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import torch

from .device import Device
from .plan import Needs, Plan
from .protocol.blocks import BLOCK_SIZES

SECONDS = 0.1
SIDE, OWN_SIDE = 1024, 4096
"""Of the matrices that are multiplied: on a device with memory of its own smaller ones would not fill it."""
HANDED_BYTES = 64 << 20


@cache
def operations_per_second(device: Device) -> float:
    """Operations (a multiplication and an addition are two) of matrix products in the device's number format."""
    side = OWN_SIDE if device.has_own_memory else SIDE
    matrix = torch.full((side, side), 1 / side, dtype=device.dtype, device=device.torch_device)
    return 2 * side**3 * _runs_per_second(lambda: matrix @ matrix, device)


@cache
def bytes_per_second(device: Device) -> float:
    """Bytes from the host's memory to the device."""
    host = device.store(torch.zeros(HANDED_BYTES, dtype=torch.uint8))
    return HANDED_BYTES * _runs_per_second(lambda: device.bring(host), device)


def seconds_per_frame(device: Device, needs: Needs) -> float | None:
    """About how long a frame takes where that is long; None on a device with memory of its own, which is fast."""
    if device.has_own_memory:
        return None
    return needs.operations / operations_per_second(device) / BLOCK_SIZES[-1]


def slowdown(device: Device, needs: Needs, before: Plan, after: Plan) -> float:
    """The share by which a block takes about longer with another plan."""
    more = (needs.moved(after) - needs.moved(before)) / bytes_per_second(device)
    return more * operations_per_second(device) / needs.operations


def _runs_per_second(work: Callable[[], object], device: Device) -> float:
    work()
    device.wait()
    start, runs, seconds = time.perf_counter(), 0, 0.0
    while seconds < SECONDS:
        work()
        device.wait()
        runs += 1
        seconds = time.perf_counter() - start
    return runs / seconds
