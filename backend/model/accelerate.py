"""A loaded generator made fast on its device, and warmed up before a take.

    Accelerator(dit)   queries, keys and values in one product; fp8 layers if asked for; a compiled layer
      .warm_up(...)    prefill and denoise of the first block and of a later one, at the take's size
                       -> each of these four shapes compiled once for all layers, and kept on disk for the next process

Layers are compiled one by one (regional compilation): 30 layers share four small graphs. A size that was not warmed up
runs as it is, so a take never stands still to compile without saying so.

Not here: CUDA graphs. They spare launches, and a layer of the released size works longer on a GPU than its few
launches take (docs/measurements.md).
"""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
from collections.abc import Callable, Hashable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .config import BLOCK_LATENTS, MASK_CHANNELS, PATCH
from .dit import Block, CausalDiT, KeyValue
from .rope import Rotation
from .sampler import Cancelled

log = logging.getLogger(__name__)

COMPILERS = ("g++", "clang++", "c++", "cl")

Show = Callable[[str, float], None]
"""Told what is being done, and the share of it that is done, 0..1."""


class AccelerationError(Exception):
    """The device cannot do what was asked for; the message says what is missing and what to ask for instead."""


def why_not_compiled(device: torch.device) -> str:
    """Why a generator on this device cannot be compiled; empty where it can."""
    if device.type == "cuda" and importlib.util.find_spec("triton") is None:
        return "Compiling for a GPU needs the package triton, which this torch came without."
    if device.type == "cpu" and not any(map(shutil.which, (os.environ.get("CXX", ""), *COMPILERS))):
        return "Compiling for a CPU needs a C++ compiler, and none is installed."
    if device.type not in ("cuda", "cpu"):
        return f"Compiling for {device.type} is not supported."
    return ""


class Accelerator:
    """What makes one generator fast. It changes the generator, which is for inference from then on.

    device: where the generator computes, also where its weights are still elsewhere. fp8: whether the products of its
    layers have 8 bits, which the device must have. compiling: whether layers are compiled; None where that pays, on a
    GPU that can. cache: folder for what was compiled. Raises AccelerationError where compiling is asked for and cannot
    be.

    warm: the takes that need no warm-up any more; a session's to fill.
    """

    def __init__(
        self,
        dit: CausalDiT,
        device: torch.device,
        fp8: bool = False,
        compiling: bool | None = None,
        cache: Path | None = None,
        backend: str | Callable[..., Any] = "inductor",
    ) -> None:
        self._dit = dit
        self._device = device
        self.warm: set[Hashable] = set()
        why_not = why_not_compiled(self._device)
        if compiling and why_not:
            raise AccelerationError(f"{why_not} Go on without compiling.")
        dit.fuse()
        if fp8:
            _quantise(dit.blocks)
        self._layer: _CompiledLayer | None = None
        if compiling or (compiling is None and self._device.type == "cuda"):
            if why_not:
                log.warning("%s The generator runs without, and slower.", why_not)
                return
            if cache is not None:
                os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache))
            self._layer = _CompiledLayer(backend)
            for block in dit.blocks:
                assert isinstance(block, Block)
                block.forward = partial(self._layer, block)  # type: ignore[method-assign]

    @property
    def compiled(self) -> bool:
        """Whether layers are compiled in a warm-up."""
        return self._layer is not None

    @property
    def warms_up(self) -> bool:
        """Whether the first pass takes longer than later ones, by compiling or by choosing kernels."""
        return self.compiled or self._device.type == "cuda"

    @torch.inference_mode()
    def warm_up(
        self,
        height: int,
        width: int,
        show: Show = lambda text, share: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Run every shape that a take with latents of (height, width) has. Raises Cancelled between two of them."""
        dit, config = self._dit, self._dit.config
        if self._layer is not None:
            self._layer.expect(BLOCK_LATENTS * (height // PATCH) * (width // PATCH))
        zeros = partial(torch.zeros, dtype=dit.patch_embedding.weight.dtype, device=self._device)
        latents = zeros(1, BLOCK_LATENTS, config.latent_channels, height, width)
        mask = zeros(1, BLOCK_LATENTS, MASK_CHANNELS, height, width)
        text = dit.encode_text(zeros(1, config.text_len, config.text_dim)) if config.text_dim else None
        for index, previous in enumerate((None, latents)):
            which = "a later block" if index else "the first block"
            _next_step(f"Preparing the context of {which}", 2 * index, show, cancelled)
            cache = dit.prefill(latents, previous, text)
            _next_step(f"Preparing the steps of {which}", 2 * index + 1, show, cancelled)
            dit.denoise(latents, mask, latents, torch.full((1,), 1000.0), cache, text)
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        show("Ready", 1.0)


def _next_step(doing: str, done: int, show: Show, cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise Cancelled
    show(doing, done / 4)


class _CompiledLayer:
    """Stands for `Block.forward`: compiled for the numbers of tokens that are expected, else as it is."""

    def __init__(self, backend: str | Callable[..., Any]) -> None:
        self._backend = backend
        self._compiled: dict[tuple[int, int], Callable[..., tuple[Tensor, KeyValue]]] = {}

    def expect(self, tokens: int) -> None:
        """Compile for blocks of this many tokens, when they come."""
        for shape in ((tokens, 0), (tokens, tokens), (2 * tokens, 0), (tokens, 2 * tokens)):
            if shape not in self._compiled:
                self._compiled[shape] = torch.compile(  # type: ignore[call-overload]
                    Block.forward,
                    fullgraph=True,
                    dynamic=False,
                    backend=self._backend,
                    isolate_recompiles=True,
                )

    def __call__(
        self,
        block: Block,
        x: Tensor,
        time: Tensor,
        turn: Rotation,
        text: KeyValue | None,
        context: KeyValue | None,
    ) -> tuple[Tensor, KeyValue]:
        shape = x.shape[1], 0 if context is None else context[0].shape[1]
        try:
            return self._compiled.get(shape, Block.forward)(block, x, time, turn, text, context)
        except Exception as error:
            if not _is_the_compiler(error):
                raise
            log.warning("A layer could not be compiled, it runs without, and slower: %s", error)
            self._compiled[shape] = Block.forward
        return Block.forward(block, x, time, turn, text, context)


def _is_the_compiler(error: Exception) -> bool:
    """Whether this came of compiling (also of a full disk there), rather than of what was compiled."""
    from torch._dynamo.exc import TorchDynamoException

    return isinstance(error, TorchDynamoException | OSError)


def _quantise(blocks: nn.Module) -> None:
    """fp8 weights in every product of the layers, scaled row by row; activations are scaled as they come."""
    from torchao.quantization import Float8DynamicActivationFloat8WeightConfig, PerRow, quantize_

    config = Float8DynamicActivationFloat8WeightConfig(granularity=PerRow())
    quantize_(blocks, config, filter_fn=lambda module, name: isinstance(module, nn.Linear))
