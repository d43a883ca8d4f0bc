"""Carries a plan out: what a stage of a step uses is on the device when it begins, and what the plan lets go is not.

    residency.stage("encode")     the generator leaves, the autoencoder arrives
    residency.codec.encoder()     its streams bring their state along for a push, and take it away again
    residency.stage("prefill")    the autoencoder leaves; the generator arrives, or its layers do one by one

Weights never change, so a network leaves by letting go of what is on the device: its copy in the host's memory (pinned
where that makes the way faster) was made when it left for the first time. Where a plan lets everything stay, nothing of
this happens.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from .codec.base import Codec, Decoder, Encoder, Pair, Stream
from .device import Device
from .model import CausalDiT
from .plan import USES, Part, Plan


class Weights:
    """Some tensors of a network, on the device or in the host's memory. One object for all sessions that use them.

    They are asked for when they are moved: until then layers may be joined or exchanged.
    """

    def __init__(self, tensors: Callable[[], list[Tensor]], device: Device) -> None:
        self._device = device
        self._tensors = tensors
        self._host: list[Tensor] | None = None
        self._here = all(tensor.device.type == device.torch_device.type for tensor in tensors())
        if not self._here:
            self._host = [device.store(tensor.data) for tensor in tensors()]
            self._point_at(self._host)

    @property
    def bytes_here(self) -> int:
        """Bytes that they take on the device now."""
        return sum(tensor.nbytes for tensor in self._tensors()) if self._here else 0

    def arrive(self) -> None:
        """Be on the device."""
        if not self._here and self._host is not None:
            with torch.inference_mode(False):
                self._point_at([self._device.bring(tensor) for tensor in self._host])
            self._here = True

    def stay(self) -> None:
        """Be on the device, and nowhere else."""
        self.arrive()
        self._host = None

    def leave(self) -> None:
        """Be in the host's memory only."""
        if self._here:
            if self._host is None:
                with torch.inference_mode(False):
                    self._host = [self._device.store(tensor.data) for tensor in self._tensors()]
            self._point_at(self._host)
            self._here = False

    def _point_at(self, places: list[Tensor]) -> None:
        for tensor, place in zip(self._tensors(), places, strict=True):
            tensor.data = place


class Networks:
    """The weights of a loaded preset's networks, shared by its sessions: of a generator layer by layer."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._weights: dict[nn.Module, list[Weights]] = {}

    def weights(self, network: nn.Module) -> list[Weights]:
        """What lies outside the generator's layers, then every layer; of another network, all in one."""
        if isinstance(network, Pair):
            both = network.encoding, network.decoding
            return [part for codec in both if isinstance(codec, nn.Module) for part in self.weights(codec)]
        if network not in self._weights:
            layers = list(network.blocks) if isinstance(network, CausalDiT) else []
            parts = [partial(_outside, network, layers), *(partial(_outside, layer, []) for layer in layers)]
            self._weights[network] = [Weights(part, self._device) for part in parts]
        return self._weights[network]

    @property
    def bytes_here(self) -> int:
        """Bytes that all of them take on the device now."""
        return sum(part.bytes_here for parts in self._weights.values() for part in parts)


def _outside(network: nn.Module, layers: list[nn.Module]) -> list[Tensor]:
    """The tensors of a network that are in none of its layers."""
    inside = {id(tensor) for layer in layers for tensor in (*layer.parameters(), *layer.buffers())}
    outside = [tensor for tensor in (*network.parameters(), *network.buffers()) if id(tensor) not in inside]
    return [plain for tensor in outside for plain in _plain(tensor)]


def _plain(tensor: Tensor) -> list[Tensor]:
    """The tensors that hold the numbers: those inside, where one only wraps others as fp8 weights do their scales."""
    if not is_traceable_wrapper_subclass(tensor):
        return [tensor]
    names, _ = tensor.__tensor_flatten__()  # type: ignore[attr-defined]
    return [plain for name in names for plain in _plain(getattr(tensor, name))]


class Residency:
    """Carries `plan` out for one session, whose networks are in `networks`.

    codec: the session's, whose streams keep their state where the plan says.
    """

    def __init__(
        self, plan: Plan, networks: Networks, generator: CausalDiT, codec: Codec, device: Device
    ) -> None:
        self._plan = plan
        self._device = device
        self._generator = generator
        self._parts: dict[Part, list[Weights]] = {
            "generator": networks.weights(generator),
            "autoencoder": networks.weights(codec) if isinstance(codec, nn.Module) else [],
        }
        self._layers = dict(zip(generator.blocks, self._parts["generator"][1:], strict=True))
        self._passing: Weights | None = None
        self.codec: Codec = Visiting(codec, device) if plan.autoencoder == "visits" else codec

    @property
    def keeps_state_on(self) -> torch.device:
        """Where a stream's state lies between two pushes."""
        return torch.device("cpu") if self._plan.autoencoder == "visits" else self._device.torch_device

    def stage(self, name: str) -> None:
        """Have everything in its place for a stage of `plan.USES`."""
        self.use(USES[name])

    def use(self, used: Part | None) -> None:
        """Have one part on the device, and of the others only what stays there."""
        for part, weights in self._parts.items():
            place = getattr(self._plan, part)
            if part != used and place != "stays":
                self._pass_on(None)
                for some in weights:
                    some.leave()
        if used is None:
            return
        if getattr(self._plan, used) == "streams":
            self._parts[used][0].arrive()
            self._generator.before_layer = self._go_to
            return
        if used == "generator":
            self._generator.before_layer = None
        for some in self._parts[used]:
            if getattr(self._plan, used) == "stays":
                some.stay()
            else:
                some.arrive()

    def _go_to(self, layer: nn.Module) -> None:
        self._pass_on(self._layers[layer])

    def _pass_on(self, coming: Weights | None) -> None:
        """One layer at a time: the one before has left when the next arrives."""
        if self._passing is not None and self._passing is not coming:
            self._passing.leave()
        if coming is not None:
            coming.arrive()
        self._passing = coming


class Visiting:
    """A codec whose streams have their state on the device only while they are pushed."""

    def __init__(self, codec: Codec, device: Device) -> None:
        self._codec = codec
        self._device = device

    @property
    def latent_channels(self) -> int:
        """Channels of the latents."""
        return self._codec.latent_channels

    def encoder(self) -> Encoder:
        """A new stream of pictures."""
        return _VisitingStream(self._codec.encoder, self._device)

    def decoder(self) -> Decoder:
        """A new stream of latents."""
        return _VisitingStream(self._codec.decoder, self._device)


class _Pushed(Stream, Protocol):
    def push(self, x: Tensor, /) -> Tensor: ...


class _VisitingStream:
    """A stream that is made anew for every push, from the state of the one before. One that fails changes nothing."""

    def __init__(self, make: Callable[[], _Pushed], device: Device) -> None:
        self._make = make
        self._device = device
        self._kept: dict[str, Tensor] = {}

    def push(self, x: Tensor) -> Tensor:
        """As the codec's own stream does."""
        stream = self._make()
        if self._kept:
            stream.restore({name: self._device.bring(tensor) for name, tensor in self._kept.items()})
        pushed = stream.push(x)
        self._kept = {name: self._device.store(tensor) for name, tensor in stream.state().items()}
        return pushed

    def state(self) -> dict[str, Tensor]:
        """Everything that later pushes depend on, in the host's memory."""
        return dict(self._kept)

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a state that `state` returned. Raises what the codec's own stream does for a foreign one."""
        if state:
            self._make().restore(state)
        self._kept = dict(state)
