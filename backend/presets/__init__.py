"""Presets: which sets of weights there are, what each is good for, and how it is loaded.

Presets().all()  ->  Presets().load("tiny")  ->  LoadedPreset
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from ..device import CPU, Device, DeviceError, default_device
from ..model import CausalDiT
from ..plan import Asked, Needs, Plan, Planned, choose
from ..protocol.sources import weights_folder
from .base import Autoencoder, LoadedPreset, Preset, PresetError
from .released import RELEASED, Released
from .tiny import TINY, describe_tiny, load_tiny

WEIGHTS = Path(__file__).parent.parent / "weights"
"""What ships with the project."""


class Presets:
    """The presets there are: `tiny` in the folder `shipped`/tiny, the released ones in the folder `downloaded`.

    compiling: whether a generator's layers are compiled, by itself where that pays.
    """

    def __init__(
        self,
        shipped: Path = WEIGHTS,
        downloaded: Path | None = None,
        released: Mapping[str, Released] = RELEASED,
        device: Device | None = None,
        compiling: bool | None = None,
    ) -> None:
        self._tiny = shipped / TINY
        self._downloaded = downloaded or weights_folder()
        self._released = released
        self._device = device
        self._compiling = compiling

    @property
    def device(self) -> Device:
        """Where presets are loaded to. Raises DeviceError."""
        return self._device or default_device()

    @property
    def trouble(self) -> str:
        """Why the GPU of this machine cannot be used, in a sentence; empty where nothing is wrong."""
        try:
            _ = self.device
        except DeviceError as error:
            return str(error)
        return ""

    def all(self) -> list[Preset]:
        """Every preset, also those that are not available here."""
        trouble = self.trouble
        precision = "" if trouble else self.device.precision
        released = [preset.describe(self._downloaded, precision) for preset in self._released.values()]
        if trouble:
            released = [replace(preset, why_not=preset.why_not or trouble) for preset in released]
        return [describe_tiny(self._tiny), *released]

    def find(self, preset_id: str) -> Preset:
        """The preset with this id; raises PresetError when there is none or it is not available."""
        known = self.all()
        for preset in known:
            if preset.id == preset_id:
                if not preset.available:
                    raise PresetError(preset.why_not)
                return preset
        names = ", ".join(preset.id for preset in known)
        raise PresetError(f"There is no preset {preset_id!r}; there are {names}.")

    def load(self, preset_id: str) -> LoadedPreset:
        """Load a preset's weights. Raises PresetError."""
        preset = self.find(preset_id)
        if preset_id == TINY:
            # It is made for any CPU, also beside a GPU that cannot be used.
            return load_tiny(preset, self._tiny, CPU if self.trouble else replace(self.device, fp8=False))
        return self._released[preset_id].load(preset, self._downloaded, self.device, self._compiling)

    def trainable(self, preset_id: str) -> CausalDiT:
        """A released generator as it was trained: float32, on the CPU, each weight by itself. Raises PresetError."""
        self.find(preset_id)
        return self._released[preset_id].trainable(self._downloaded)

    def embedding(self, preset_id: str, prompt: str) -> Tensor | None:
        """A prompt as a preset's generator is told it (1, L, D), a neutral one where it is empty.

        None where the generator reads no text. Raises PresetError, DeviceError.
        """
        released = self._released.get(preset_id)
        return None if released is None else released.embedding(self._downloaded, self.device, prompt)

    def needs(self, asked: Asked, device: Device) -> Needs | None:
        """What a take needs on a device, weights downloaded or not; None where that is too little to plan.

        Raises PresetError.
        """
        released = self._released.get(asked.preset)
        return None if released is None else released.needs(self._downloaded, device, asked)

    def plan(self, asked: Asked, here: int = 0, failed: Plan | None = None) -> Planned | None:
        """The plan for a take on the device; None where it needs too little to plan.

        here: bytes on the device that are the take's already. failed: a plan that turned out to need too much.
        Raises PresetError, DeviceError.
        """
        needs = self.needs(asked, device := self.device)
        if needs is None:
            return None
        return Planned(asked, needs, choose(needs, device.free_bytes() + here, needs.plans(device, failed)))


def load_preset(preset_id: str) -> LoadedPreset:
    """Load a preset's weights from where they lie by default. Raises PresetError."""
    return Presets().load(preset_id)


__all__ = [
    "WEIGHTS",
    "Autoencoder",
    "LoadedPreset",
    "Preset",
    "PresetError",
    "Presets",
    "Released",
    "load_preset",
]
