"""What a preset is, described and loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..codec.base import Codec
from ..constraint.completion import Completion
from ..device import Device
from ..model import CausalDiT, Schedule
from ..model.accelerate import Accelerator
from ..model.dit import TextKeyValues
from ..plan import STAYS, Plan
from ..residency import Networks


class PresetError(Exception):
    """A preset is unknown, not available, or its weights are missing or broken; the message says what to do."""


@dataclass(frozen=True)
class Preset:
    """A set of weights with its resolution.

    width, height: the size it was made for. multiple: sizes must be a multiple of this.
    text: whether it reads the prompt. draft: whether Draft and Final differ. precision: what it computes in here.
    why_not: why it cannot be used here; empty when it can.
    """

    id: str
    label: str
    width: int
    height: int
    multiple: int
    text: bool
    draft: bool
    keep_reference_detail: bool
    precision: str = ""
    why_not: str = ""

    @property
    def available(self) -> bool:
        return not self.why_not

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "available": self.available}


@dataclass(frozen=True)
class Autoencoder:
    """The codec of a quality. `digest` changes with the weights of generator and codec."""

    codec: Codec
    digest: str


@dataclass(frozen=True)
class LoadedPreset:
    """A preset whose generator is in memory.

    autoencoder: the codec of "draft" or "final", loaded when it is first asked for. Raises PresetError.
    completion: what completes a render's holes before the generator gets it; None where it gets them as they are.
    text: keys and values of a prompt in every layer of the generator, an empty prompt's too. None where the
        generator reads no text. Raises PresetError.
    warp: how the reference is brought into the target cameras, one of `constraint.WARPS`: what the networks were
        trained on.
    schedule: the sampler's steps; the released ones where there is none.
    networks: where the weights of generator and autoencoders are. plan: where a session has them.
    accelerator: what made the generator fast, and has to be warmed up for it; None where nothing did.
    """

    preset: Preset
    dit: CausalDiT
    autoencoder: Callable[[str], Autoencoder]
    completion: Completion | None
    text: Callable[[str], TextKeyValues | None]
    device: Device
    networks: Networks
    plan: Plan = STAYS
    accelerator: Accelerator | None = None
    warp: str = "splat"
    schedule: Schedule | None = None

    def under(self, plan: Plan) -> LoadedPreset:
        """The same preset, for a session that follows `plan`."""
        return replace(self, plan=plan)
