"""Presets: which sets of weights there are, what each is good for, and how it is loaded.

Presets().all()  ->  Presets().load("tiny")  ->  LoadedPreset
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..device import Device, default_device
from ..protocol.sources import weights_folder
from .base import Autoencoder, LoadedPreset, Preset, PresetError
from .released import RELEASED, Released
from .tiny import TINY, describe_tiny, load_tiny

WEIGHTS = Path(__file__).parent.parent / "weights"
"""What ships with the project."""


class Presets:
    """The presets there are: `tiny` in the folder `shipped`/tiny, the released ones in the folder `downloaded`."""

    def __init__(
        self,
        shipped: Path = WEIGHTS,
        downloaded: Path | None = None,
        released: Mapping[str, Released] = RELEASED,
        device: Device | None = None,
    ) -> None:
        self._tiny = shipped / TINY
        self._downloaded = downloaded or weights_folder()
        self._released = released
        self._device = device

    def all(self) -> list[Preset]:
        """Every preset, also those that are not available here."""
        released = [preset.describe(self._downloaded) for preset in self._released.values()]
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
        preset, device = self.find(preset_id), self._device or default_device()
        if preset_id == TINY:
            return load_tiny(preset, self._tiny, device)
        return self._released[preset_id].load(preset, self._downloaded, device)


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
