"""What weights a preset needs, where on the hub they come from, and where they lie on this machine.

    FOLDER/OWNER/REPOSITORY/PATH        e.g. FOLDER/inspatio/world-1.5/InSpatio-World-1.5-1.3B.safetensors

The layout is the hub's, so that a repository of several models is loaded from FOLDER/OWNER/REPOSITORY as it is, and
what two presets share lies there once. `tiny` is in no table: it ships.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from . import protocol


@dataclass(frozen=True)
class Source:
    """A file of a hub repository, or a folder of it (`path` ends in "/") that is taken whole.

    purpose: what it is for, licence: under which terms, each in a few words for a person.
    """

    repo: str
    path: str
    purpose: str
    licence: str

    @property
    def is_folder(self) -> bool:
        return self.path.endswith("/")

    def within(self, folder: Path) -> Path:
        """Where it lies in a folder for weights."""
        return folder / self.repo / self.path


WAN = "Wan-AI/Wan2.1-T2V-1.3B-Diffusers"
"""The repository of autoencoder, tokenizer and text encoder, in folders of its own naming."""
VAE = Source(WAN, "vae/", "autoencoder for Final", "Apache-2.0")
# A copy without a pickle around it: madebyollin/taehv itself is not on the hub.
TAEHV = Source(
    "Kijai/WanVideo_comfy", "taew2_1.safetensors", "autoencoder for Draft", "MIT (madebyollin/taehv)"
)
TOKENIZER = Source(WAN, "tokenizer/", "tokenizer of the prompt", "Apache-2.0")
TEXT_ENCODER = Source(WAN, "text_encoder/", "encoder of the prompt", "Apache-2.0")

GENERATORS = {
    "inspatio-1.3b": Source(
        "inspatio/world", "InSpatio-World-1.3B.safetensors", "generator", "see its model card"
    ),
    "inspatio-1.5-1.3b": Source(
        "inspatio/world-1.5", "InSpatio-World-1.5-1.3B.safetensors", "generator", "see its model card"
    ),
}
"""The generator of every preset whose weights are downloaded."""

SOURCES: dict[str, tuple[Source, ...]] = {
    preset: (generator, VAE, TAEHV, TOKENIZER, TEXT_ENCODER) for preset, generator in GENERATORS.items()
}
"""The sources of every preset whose weights are downloaded."""


def weights_folder() -> Path:
    """The folder for weights: what INSPATIO_WEIGHTS names, else one of this user's."""
    if chosen := os.environ.get(protocol.WEIGHTS_VARIABLE):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        data = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        data = Path.home() / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return data / "inspatio" / "weights"
