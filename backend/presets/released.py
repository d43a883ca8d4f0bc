"""The presets whose weights are downloaded: a released generator, Wan's autoencoder and TAEHV, umT5 for the prompt.

FOLDER, as `inspatio download` fills it
  generator's file             -> CausalDiT, once
  taew2_1 (draft), vae (final) -> the codec that a take's quality asks for, when it first does
  prompt -> prompts/*.safetensors, or else text_encoder -> keys and values in every layer, of the last prompt
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from ..codec import Codec, Pair
from ..codec.taehv import Taehv
from ..codec.wan import WanCodec
from ..device import Device, DeviceError, default_device
from ..digest import digest_files
from ..model import RELEASED_1_3B, CausalDiT, GeneratorConfig
from ..model.accelerate import AccelerationError, Accelerator
from ..model.checkpoint import CheckpointError, load_generator
from ..model.dit import TextKeyValues
from ..plan import Asked, Needs
from ..protocol.sources import GENERATORS, TAEHV, VAE, WAN, Source
from ..residency import Networks
from ..text import PromptEmbeddings, TextError, encoder_digest
from .base import Autoencoder, LoadedPreset, Preset, PresetError

log = logging.getLogger(__name__)

NEUTRAL_PROMPT = "A realistic video of a scene, filmed by a camera that moves steadily."
"""What the generator is told where the artist says nothing: it was trained with a caption for every video."""

PROMPTS_FOLDER = "prompts"
"""Where embeddings of prompts are kept, in the folder for weights."""

COMPILED_FOLDER = "compiled"
"""Where compiled layers are kept, in the folder for weights."""

AUTOENCODERS = {"draft": ("taehv", "taehv"), "final": ("wan", "wan")}
"""Which autoencoder encodes and which decodes, by quality."""


@dataclass(frozen=True)
class Released:
    """A preset of released weights."""

    id: str
    label: str
    generator: Source
    config: GeneratorConfig = RELEASED_1_3B
    width: int = 832
    height: int = 480

    def describe(self, folder: Path, precision: str = "") -> Preset:
        """The preset as far as its files are in `folder`."""
        size = self.width, self.height
        return Preset(self.id, self.label, *size, 16, True, True, False, precision, self._why_not(folder))

    def load(
        self, preset: Preset, folder: Path, device: Device, compiling: bool | None = None
    ) -> LoadedPreset:
        """Load the generator; autoencoders and prompts follow when they are asked for.

        compiling: whether its layers are compiled, by itself where that pays. Raises PresetError.
        """
        files, networks = _Files(self, folder), Networks(device)
        try:
            dit = _load_where_it_fits(files.generator, self.config, device)
            compiled = folder / COMPILED_FOLDER
            accelerator = Accelerator(dit, device.torch_device, device.fp8, compiling, compiled)
        except (CheckpointError, AccelerationError) as error:
            raise PresetError(str(error)) from error
        networks.weights(dit)
        return LoadedPreset(
            preset,
            dit,
            cache(partial(_load_autoencoder, files, cache(partial(_load_codec, files, device, networks)))),
            None,
            lru_cache(maxsize=1)(partial(_encode_prompt, files, dit, device)),
            device,
            networks,
            accelerator=accelerator,
        )

    def trainable(self, folder: Path) -> CausalDiT:
        """The generator to be trained on: float32, on the CPU, each weight by itself. Raises PresetError."""
        try:
            path = _Files(self, folder).generator
            return load_generator(path, self.config, torch.device("cpu"), torch.float32).requires_grad_(True)
        except CheckpointError as error:
            raise PresetError(str(error)) from error

    def embedding(self, folder: Path, device: Device, prompt: str) -> Tensor:
        """A prompt (1, L, D) on the CPU, a neutral one where it is empty. Raises PresetError."""
        return _embedding(_Files(self, folder), device, self.config, prompt or NEUTRAL_PROMPT)

    def needs(self, folder: Path, device: Device, asked: Asked) -> Needs:
        """What a take needs on the device, from shapes alone. Raises PresetError where diffusers is missing."""
        # What two presets of one shape need is the same.
        return _needs(self.config, _Files(self, folder).wan, device, replace(asked, preset=""))

    def _why_not(self, folder: Path) -> str:
        files = _Files(self, folder)
        if not files.generator.is_file():
            return f"{self.label} is not on this machine yet: download its weights in the preferences."
        if missing := [
            name for name in ("diffusers", "transformers") if importlib.util.find_spec(name) is None
        ]:
            return f"{self.label} needs the package {missing[0]}: set up the backend again."
        return ""


RELEASED = {
    preset.id: preset
    for preset in (
        Released("inspatio-1.3b", "InSpatio World 1.3B", GENERATORS["inspatio-1.3b"]),
        Released("inspatio-1.5-1.3b", "InSpatio World 1.5 1.3B", GENERATORS["inspatio-1.5-1.3b"]),
    )
}


def keep_neutral_prompt(preset_id: str, folder: Path) -> None:
    """Encode what is said where no prompt is, so that who never types one never waits for it. Raises PresetError."""
    released = RELEASED[preset_id]
    try:
        device = default_device()
    except DeviceError as error:
        raise PresetError(str(error)) from error
    _embedding(_Files(released, folder), device, released.config, NEUTRAL_PROMPT)


class _Files:
    """Where the files of a preset lie."""

    def __init__(self, released: Released, folder: Path) -> None:
        self.generator = released.generator.within(folder)
        self.taehv, self.wan = TAEHV.within(folder), VAE.within(folder)
        self.text = folder / WAN
        self.prompts = folder / PROMPTS_FOLDER

    def of_codec(self, name: str) -> list[Path]:
        """The files of an autoencoder, of which its digest is made."""
        return (
            [self.taehv]
            if name == "taehv"
            else sorted(self.wan.glob("*.json")) + sorted(self.wan.glob("*.safetensors"))
        )


def _load_autoencoder(files: _Files, codec: Callable[[str], Codec], quality: str) -> Autoencoder:
    encoding, decoding = AUTOENCODERS[quality]
    both = codec(encoding) if encoding == decoding else Pair(codec(encoding), codec(decoding))
    made_of = [path for name in dict.fromkeys((encoding, decoding)) for path in files.of_codec(name)]
    return Autoencoder(both, digest_files(files.generator, *made_of))


def _load_where_it_fits(path: Path, config: GeneratorConfig, device: Device) -> CausalDiT:
    """The generator on the device, or in the host's memory where the device has no room: a plan will bring it."""
    try:
        return load_generator(path, config, device.torch_device, device.dtype)
    except torch.OutOfMemoryError:
        log.warning("the generator does not fit on the device beside what is there")
    return load_generator(path, config, torch.device("cpu"), device.dtype)


@lru_cache(maxsize=64)
def _needs(config: GeneratorConfig, wan: Path, device: Device, asked: Asked) -> Needs:
    from ..needs import measure

    with torch.device("meta"):
        dit = CausalDiT(config).to(device.dtype)
        dit.fuse()
    names = AUTOENCODERS[asked.quality]
    try:
        codecs = [_codec_without_weights(name, wan, device.dtype) for name in names]
    except (ImportError, OSError, ValueError) as error:
        raise PresetError(f"What the autoencoder needs cannot be computed ({error}).") from error
    codec = codecs[0] if names[0] == names[1] else Pair(*codecs)
    scores = device.torch_device.type == "mps"
    return measure(dit, codec, asked.width, asked.height, asked.views, asked.moving, scores, device.fp8)


def _codec_without_weights(name: str, wan: Path, dtype: torch.dtype) -> Codec:
    meta = torch.device("meta")
    if name == "wan":
        return WanCodec.without_weights(wan if wan.is_dir() else None, dtype).to(meta)
    with meta:
        return Taehv().to(dtype)


def _load_codec(files: _Files, device: Device, networks: Networks, name: str) -> Codec:
    path, load = {"taehv": (files.taehv, Taehv.load), "wan": (files.wan, WanCodec.load)}[name]
    try:
        codec: nn.Module = load(path, device.dtype)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise PresetError(
            f"The autoencoder in {path} is missing or broken ({error}): download the preset again."
        ) from error
    codec = codec.to(device.torch_device).requires_grad_(False)
    networks.weights(codec)
    return codec  # type: ignore[return-value]


def _encode_prompt(files: _Files, dit: CausalDiT, device: Device, prompt: str) -> TextKeyValues:
    embedding = _embedding(files, device, dit.config, prompt or NEUTRAL_PROMPT)
    with torch.inference_mode():
        return dit.encode_text(embedding.to(device.torch_device))


def _embedding(files: _Files, device: Device, config: GeneratorConfig, prompt: str) -> Tensor:
    """The embedding of a prompt (1, text_len, text_dim). Raises PresetError."""
    try:
        digest = encoder_digest(files.text)
        return PromptEmbeddings(files.text, digest, files.prompts, device, config.text_len).embedding(prompt)
    except TextError as error:
        raise PresetError(str(error)) from error
