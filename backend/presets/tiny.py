"""`tiny`, the preset that ships: generator, autoencoder and completion in backend/weights/tiny.

generator.safetensors (its configuration in the metadata), codec.safetensors, completion.safetensors, and
preset.json with what a user interface needs to know of it
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

from ..constraint.completion import Completion
from ..device import Device
from ..digest import digest_files
from ..model import CausalDiT, GeneratorConfig
from ..protocol.disk import FileFormatError, read_json
from ..protocol.fields import Fields
from ..residency import Networks
from .base import Autoencoder, LoadedPreset, Preset, PresetError

TINY = "tiny"
WARP = "surface"
"""How its references are rendered, one of `constraint.WARPS`: what its completion was last trained on.

The generator was trained on the splat. It is given what the completion makes of a render, and which pixels were known.
"""
GENERATOR_FILE, CODEC_FILE = "generator.safetensors", "codec.safetensors"
COMPLETION_FILE = "completion.safetensors"


def describe_tiny(folder: Path) -> Preset:
    """The preset as preset.json in its folder describes it."""
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
        return Preset(TINY, "Tiny", 256, 144, 16, False, False, True, why_not=why_not)
    return Preset(TINY, label, width, height, multiple, False, False, detail)


def load_tiny(preset: Preset, folder: Path, device: Device) -> LoadedPreset:
    """Generator, autoencoder and completion from the preset's folder. Raises PresetError."""
    from safetensors import SafetensorError, safe_open

    from ..codec.tiny import TinyCodec

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
        digest = digest_files(*files)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise PresetError(
            f"The weights of tiny in {folder} are missing or broken ({error}): install again."
        ) from error
    dit = dit.to(device.torch_device, device.dtype).eval().requires_grad_(False)
    codec = codec.to(device.torch_device).requires_grad_(False)
    completion = completion.to(device.torch_device).set_dtype(device.dtype).requires_grad_(False)
    autoencoder = Autoencoder(codec, digest)
    return LoadedPreset(
        preset,
        dit,
        lambda quality: autoencoder,
        completion,
        lambda prompt: None,
        device,
        Networks(device),
        warp=WARP,
    )
