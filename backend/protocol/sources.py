"""What weights a preset needs, where on the hub they come from, and where they lie on this machine.

    FOLDER/OWNER/REPOSITORY/PATH        e.g. FOLDER/inspatio/world-1.5/InSpatio-World-1.5-1.3B.safetensors

The layout is the hub's, so that a repository of several models is loaded from FOLDER/OWNER/REPOSITORY as it is, and
what two presets share lies there once. `tiny` is in no table: it ships. What the hub said of a repository's files when
it was last asked lies beside them (`LISTING`).
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from . import WEIGHTS_VARIABLE
from .disk import FileFormatError, read_json

LISTING = ".hub.json"
"""In every repository's folder: which of its files there are, as the hub said when it was last asked."""

WANTED_IN_FOLDERS = (".safetensors", ".json", ".model", ".txt")
"""Of a folder, files of these kinds: no pickles, no pictures."""


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

    def owns(self, path: str) -> bool:
        """Whether a file of the repository belongs to it."""
        if not self.is_folder:
            return path == self.path
        plain = ".." not in path.split("/") and "\\" not in path
        return plain and path.startswith(self.path) and path.endswith(WANTED_IN_FOLDERS)

    def listed(self, folder: Path) -> list[HubFile]:
        """Its files by the listing in a folder for weights; none where there is no listing."""
        try:
            files = [HubFile(**entry) for entry in read_json(folder / self.repo / LISTING)["files"]]
            return [file for file in files if self.owns(file.path)]
        except (FileFormatError, KeyError, TypeError, AttributeError):
            return []

    def is_there(self, folder: Path) -> bool:
        """Whether all of it seems to be in a folder for weights: by names and sizes, since checksums take minutes."""
        listed = self.listed(folder)
        if not listed:
            return self.within(folder).exists()
        return all(file.has_its_size(folder) for file in listed)


@dataclass(frozen=True)
class HubFile:
    """A file as the hub describes it. checksum: `sha256:HEX`, or `git:HEX` (git's blob id) for small files."""

    repo: str
    commit: str
    path: str
    size: int
    checksum: str

    def within(self, folder: Path) -> Path:
        return folder / self.repo / self.path

    def partial(self, folder: Path) -> Path:
        """Where its bytes gather: a file of another content never goes on from these."""
        target = self.within(folder)
        return target.with_name(f".{target.name}.{self.checksum.partition(':')[2][:12]}.part")

    def has_its_size(self, folder: Path) -> bool:
        try:
            return self.within(folder).stat().st_size == self.size
        except OSError:
            return False


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


@dataclass(frozen=True)
class DepthSource:
    """A network that gives pictures depth. label: its name; licence: under which terms, for a person."""

    repo: str
    label: str
    licence: str

    @property
    def files(self) -> tuple[Source, ...]:
        """What is downloaded of its repository."""
        return tuple(
            Source(self.repo, path, purpose, self.licence)
            for path, purpose in (
                ("config.json", "shape of the network"),
                ("model.safetensors", "depth network"),
            )
        )


# The authors state Apache-2.0 for the Small size as a whole and CC-BY-NC-4.0 for the larger ones; the cards of the
# metric ones carry no licence of their own (github.com/DepthAnything/Depth-Anything-V2, README and issue 245).
_SMALL = "Apache-2.0 by its authors' README, its card says none"
DEPTH_NETWORKS = {
    "depth": DepthSource(
        "depth-anything/Depth-Anything-V2-Small-hf", "Depth Anything V2 Small", "Apache-2.0"
    ),
    "depth-indoor": DepthSource(
        "depth-anything/Depth-Anything-V2-Metric-Indoor-Small-hf", "Depth Anything V2 Small, Indoor", _SMALL
    ),
    "depth-outdoor": DepthSource(
        "depth-anything/Depth-Anything-V2-Metric-Outdoor-Small-hf", "Depth Anything V2 Small, Outdoor", _SMALL
    ),
}
"""The depth networks: relative depth under the clearest licence, and metres for rooms and for streets."""

DEPTH_SOURCES = {name: network.files for name, network in DEPTH_NETWORKS.items()}


def weights_folder() -> Path:
    """The folder for weights: what INSPATIO_WEIGHTS names, else one of this user's."""
    if chosen := os.environ.get(WEIGHTS_VARIABLE):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        data = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        data = Path.home() / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return data / "inspatio" / "weights"
