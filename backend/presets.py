"""Presets: which sets of weights there are, what each is good for, and how it is loaded.

    Presets().all()  ->  Presets().load("tiny")  ->  LoadedPreset(preset, dit, codec, completion, digest)

`tiny` ships in backend/weights/tiny: generator.safetensors (its configuration in the metadata),
codec.safetensors, completion.safetensors, and preset.json with what a user interface needs to know of it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from .codec.base import Codec
from .constraint.completion import Completion
from .device import Device, default_device
from .model import CausalDiT, GeneratorConfig
from .protocol.disk import FileFormatError, read_json
from .protocol.fields import Fields

WEIGHTS = Path(__file__).parent / "weights"
GENERATOR_FILE, CODEC_FILE = "generator.safetensors", "codec.safetensors"
COMPLETION_FILE = "completion.safetensors"


class PresetError(Exception):
    """A preset is unknown, not available, or its weights are missing or broken; the message says what to do."""


@dataclass(frozen=True)
class Preset:
    """A set of weights with its resolution.

    width, height: the size it was made for. multiple: sizes must be a multiple of this.
    text: whether it reads the prompt.
    why_not: why it cannot be used here; empty when it can.
    """

    id: str
    label: str
    width: int
    height: int
    multiple: int
    text: bool
    keep_reference_detail: bool
    why_not: str = ""

    @property
    def available(self) -> bool:
        return not self.why_not

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "available": self.available}


@dataclass(frozen=True)
class LoadedPreset:
    """A preset whose weights are in memory. `digest` changes with the weights.

    completion: what completes a render's holes before the generator gets it; None where it gets them as they are.
    """

    preset: Preset
    dit: CausalDiT
    codec: Codec
    completion: Completion | None
    digest: str
    device: Device


class Presets:
    """The presets there are, with the weights of `tiny` in the folder `weights`/tiny."""

    def __init__(self, weights: Path = WEIGHTS) -> None:
        self._tiny = weights / "tiny"

    def all(self) -> list[Preset]:
        """Every preset, also those that are not available here."""
        return [
            _describe_tiny(self._tiny),
            _not_yet("inspatio-1.3b", "InSpatio-World 1.3B"),
            _not_yet("inspatio-1.5-1.3b", "InSpatio-World 1.5 1.3B"),
        ]

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
        return _load_tiny(self.find(preset_id), self._tiny, default_device())


def load_preset(preset_id: str) -> LoadedPreset:
    """Load the weights of a preset that ships with the project. Raises PresetError."""
    return Presets().load(preset_id)


def _describe_tiny(folder: Path) -> Preset:
    """The preset that ships with the project, as its preset.json describes it."""
    try:
        read = Fields("preset.json", read_json(folder / "preset.json"), "inspatio-preset")
        label, multiple = read.text("label", 100), read.integer("multiple", 16, 256)
        width, height = read.integer("width", 16, 4096), read.integer("height", 16, 4096)
        detail = read.boolean("keep_reference_detail")
        for name in (GENERATOR_FILE, CODEC_FILE, COMPLETION_FILE):
            if not (folder / name).is_file():
                raise FileFormatError(f"{name} is missing in {folder}")
    except FileFormatError as error:
        why_not = f"The weights of tiny are missing or broken ({error}): install the extension again."
        return Preset("tiny", "Tiny", 256, 144, 16, False, True, why_not)
    return Preset("tiny", label, width, height, multiple, False, detail)


def _not_yet(preset_id: str, label: str) -> Preset:
    why_not = f"{label} cannot be loaded by this version yet: use Tiny."
    return Preset(preset_id, label, 832, 480, 16, True, False, why_not)


def _load_tiny(preset: Preset, folder: Path, device: Device) -> LoadedPreset:
    """Generator, autoencoder and completion of `tiny` from a folder. Raises PresetError."""
    from safetensors import SafetensorError, safe_open

    from .codec.tiny import TinyCodec

    files = generator, codec_file, completion_file = [
        folder / name for name in (GENERATOR_FILE, CODEC_FILE, COMPLETION_FILE)
    ]
    try:
        with safe_open(generator, "pt") as file:
            config = GeneratorConfig(**json.loads((file.metadata() or {})["config"]))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        with torch.device("meta"):
            dit = CausalDiT(config)
        dit.load_state_dict(tensors, strict=True, assign=True)
        codec = TinyCodec.load(codec_file, device.dtype)
        completion = Completion.load(completion_file)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise PresetError(
            f"The weights of tiny in {folder} are missing or broken ({error}): install again."
        ) from error
    dit = dit.to(device.torch_device, device.dtype).eval().requires_grad_(False)
    codec = codec.to(device.torch_device).requires_grad_(False)
    completion = completion.to(device.torch_device).set_dtype(device.dtype).requires_grad_(False)
    return LoadedPreset(preset, dit, codec, completion, digest_files(*files), device)


def digest_files(*files: Path) -> str:
    """sha256 over the bytes of some files."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()
