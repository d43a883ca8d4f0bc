"""The state of a session between two blocks: all that later blocks depend on, and its form as bytes.

A state is never changed, so it may be kept by reference: a step makes a new one. `dump` and `load` are its way to disk.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .remember import Memory

Move = Callable[[Tensor], Tensor]
STREAMS = "render", "reference", "decoder"


class StateError(ValueError):
    """Bytes are no state, or that of another session; the message says which."""


@dataclass(frozen=True)
class State:
    """The state before `block`.

    previous: latents of the block before. render, reference, decoder: what the codec's streams remember. memory: what
    was generated, where the session remembers.
    """

    block: int = 0
    previous: Tensor | None = None
    render: dict[str, Tensor] = field(default_factory=dict)
    reference: dict[str, Tensor] = field(default_factory=dict)
    decoder: dict[str, Tensor] = field(default_factory=dict)
    memory: Memory | None = None

    def tensors(self) -> dict[str, Tensor]:
        """All of it by one name each."""
        parts = {name: getattr(self, name) for name in STREAMS}
        if self.memory is not None:
            parts["memory"] = self.memory.tensors
        named = {f"{part}.{name}": tensor for part, held in parts.items() for name, tensor in held.items()}
        return named if self.previous is None else {**named, "previous": self.previous}

    @property
    def bytes(self) -> int:
        """About how many bytes `dump` makes of it."""
        return sum(tensor.nbytes for tensor in self.tensors().values())

    @property
    def host_bytes(self) -> int:
        """Bytes of the host's memory that are taken for as long as what `on_host` returns is kept."""
        tensors = self.tensors().values()
        # Tensors may be parts of a larger piece of memory, which stays whole, and is counted once.
        pieces = [tensor.untyped_storage() for tensor in tensors if not tensor.is_cuda]
        here = {piece.data_ptr(): piece.nbytes() for piece in pieces}
        return sum(here.values()) + sum(tensor.nbytes for tensor in tensors if tensor.is_cuda)

    @torch.inference_mode()
    def on_host(self) -> State:
        """The same with nothing of it in a graphics card's memory. Work that is launched later sees it whole."""
        return self.moved(lambda tensor: _pinned(tensor) if tensor.is_cuda else tensor)

    def moved(self, move: Move, streams: Move | None = None) -> State:
        """The same with every tensor as `move` returns it, and where that is given, the streams' as `streams` does."""
        streams = streams or move

        def all_of(held: dict[str, Tensor], by: Move) -> dict[str, Tensor]:
            return {name: by(tensor) for name, tensor in held.items()}

        return State(
            self.block,
            None if self.previous is None else move(self.previous),
            all_of(self.render, streams),
            all_of(self.reference, streams),
            all_of(self.decoder, streams),
            None if self.memory is None else Memory(**all_of(self.memory.tensors, move)),
        )


def _pinned(tensor: Tensor) -> Tensor:
    """A copy in pinned memory, which the host does not wait for: only the card's own stream may read it."""
    return torch.empty_like(tensor, device="cpu", pin_memory=True).copy_(tensor, non_blocking=True)


def dump(state: State, identity: Mapping[str, str]) -> bytes:
    """The state as safetensors, with what a session must have in common with it."""
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.tensors().items()}
    return save(tensors, {**identity, "block": str(state.block)})


def load(data: bytes, identity: Mapping[str, str], height: int, width: int) -> State:
    """The state of `dump`'s bytes, in the host's memory. Raises StateError.

    height, width: of the frames, for a session that remembers.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load as tensors_of

    try:
        said = _metadata(data)
        tensors = tensors_of(data)
    except (SafetensorError, ValueError) as error:
        raise StateError(f"The saved state is damaged ({error}): start a new take.") from None
    for name in (*identity, "remember"):
        if said.get(name) != identity.get(name):
            raise StateError(f"The saved state belongs to another take (its {name} differs).")
    if not said.get("block", "").isdigit() or any(not _finite(tensor) for tensor in tensors.values()):
        raise StateError("The saved state is damaged: start a new take.")
    parts: dict[str, dict[str, Tensor]] = {name: {} for name in (*STREAMS, "memory")}
    for name, tensor in tensors.items():
        part, _, inner = name.partition(".")
        if part in parts:
            parts[part][inner] = tensor
    held, memory = parts.pop("memory"), None
    if "remember" in identity:
        try:
            memory = Memory.of(held, height, width, torch.device("cpu"))
        except (KeyError, ValueError) as error:
            raise StateError(f"The saved state is damaged ({error}): start a new take.") from None
    return State(int(said["block"]), tensors.get("previous"), **parts, memory=memory)


def _metadata(data: bytes) -> dict[str, str]:
    """The metadata of safetensors bytes."""
    length = int.from_bytes(data[:8], "little")
    if not 2 <= length <= min(len(data) - 8, 1 << 20):
        raise ValueError("no header")
    header = json.loads(data[8 : 8 + length])
    said = header.get("__metadata__") if isinstance(header, dict) else None
    return said if isinstance(said, dict) else {}


def _finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(tensor.isfinite().all())
