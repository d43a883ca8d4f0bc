"""The weights of a generator from disk: one safetensors file, or several with their index.

    file or index -> names and shapes, compared with what the configuration wants -> tensor by tensor to the device

Nothing is read before every name and shape is right. The file is mapped into memory, a few megabytes at a time, and
every tensor becomes one of its own on the device: beside the weights there is never more than `WINDOW` bytes of the
file and one tensor. Names may carry the release's prefix `model.`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..protocol.disk import FileFormatError, read_json
from .config import GeneratorConfig
from .dit import CausalDiT

PREFIX = "model."
INDEX_ENDING = ".safetensors.index.json"
FORMATS = ("F32", "BF16")
PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl")

WINDOW = 8 << 20
"""Bytes of a file that may stay mapped: pages that were read count as the process's until they are let go."""

NAMED = 3
"""Names that a message lists at most."""

Shape = tuple[int, ...]


class CheckpointError(Exception):
    """A weight file cannot be used; the message names it, what is wrong with it, and what to do."""


def load_generator(
    path: Path, config: GeneratorConfig, device: torch.device, dtype: torch.dtype
) -> CausalDiT:
    """The generator of a float32 or bfloat16 safetensors file, or of an index (`*.safetensors.index.json`).

    Its weights lie on `device` in `dtype`, without gradients, and depend on no file any more. Raises CheckpointError
    for a file that is missing, cut off, a pickle, or of another model than `config`.
    """
    with torch.device("meta"):
        dit = CausalDiT(config)
    wanted = {name: tuple(tensor.shape) for name, tensor in dit.state_dict().items()}
    files = _shards(path) if path.name.endswith(INDEX_ENDING) else {path: None}
    stored: dict[str, Shape] = {}
    for file, promised in files.items():
        shapes = _shapes(file)
        if promised is not None and promised != shapes.keys():
            raise CheckpointError(f"{file.name} does not hold what {path.name} says: download both again.")
        stored |= shapes
    _check(path, {_plain(name): shape for name, shape in stored.items()}, len(stored), wanted, config)
    weights = {
        _plain(name): tensor.to(device, dtype, copy=True)
        for file in files
        for name, tensor in _mapped_tensors(file)
    }
    dit.load_state_dict(weights, strict=True, assign=True)
    return dit.eval().requires_grad_(False)


def _plain(name: str) -> str:
    return name.removeprefix(PREFIX)


def _shards(index: Path) -> dict[Path, set[str] | None]:
    """The files that an index names, and the tensors that it says are in each."""
    try:
        weight_map = read_json(index).get("weight_map")
    except FileFormatError as error:
        raise CheckpointError(f"{error}: download it again.") from None
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{index.name} is no index of safetensors files: it has no weight_map.")
    shards: dict[Path, set[str] | None] = {}
    names: dict[str, set[str]] = {}
    for tensor, file in weight_map.items():
        if not isinstance(file, str) or Path(file).name != file or "\\" in file:
            raise CheckpointError(f"{index.name} names {file!r}, which is not a file beside it.")
        names.setdefault(file, set()).add(tensor)
    for file, tensors in names.items():
        shards[index.with_name(file)] = tensors
    return shards


def _shapes(path: Path) -> dict[str, Shape]:
    """Every tensor's shape, from the header alone; the tensors are known to be there whole."""
    if path.suffix.lower() in PICKLES:
        raise CheckpointError(_refusal(path))
    if not path.is_file():
        raise CheckpointError(f"{path.name} is missing in {path.parent}: download the weights first.")
    try:
        with safe_open(path, "pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            formats = {part.get_dtype() for part in slices.values()}
            shapes = {name: tuple(part.get_shape()) for name, part in slices.items()}
    except SafetensorError as error:
        raise CheckpointError(_diagnosis(path, error)) from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from None
    if strange := sorted(formats - set(FORMATS)):
        raise CheckpointError(
            f"{path.name} holds numbers of format {', '.join(strange)}; float32 and bfloat16 can be read."
        )
    return shapes


def _refusal(path: Path) -> str:
    return (
        f"{path.name} is a pickle, which could run any program: it is not opened. Take the .safetensors file."
    )


def _diagnosis(path: Path, error: SafetensorError) -> str:
    """What a file is that safetensors could not open."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        start = file.read(64)
        length = int.from_bytes(start[:8], "little")
        header = start[8:] + file.read(min(length, size)) if len(start) > 8 else b""
    if start.startswith(b"PK\x03\x04") or (start[:1] == b"\x80" and start[2:8] != bytes(6)):
        return _refusal(path)
    if start.startswith(b"version https://git-lfs"):
        return f"{path.name} only points to a file that git-lfs keeps elsewhere: download the file itself."
    try:
        tensors = json.loads(header[:length])
        whole = (
            8 + length + max(entry["data_offsets"][1] for name, entry in tensors.items() if name[0] != "_")
        )
        cut = size < whole
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        cut, whole = size < 8 or (header[:1] == b"{" and size < 8 + length), 0
    if cut:
        of = f" of {whole:,}" if whole else ""
        return f"{path.name} is cut off: {size:,}{of} bytes are there. Download it again."
    return f"{path.name} is not a safetensors file ({error}): download it again."


def _check(
    path: Path,
    found: Mapping[str, Shape],
    count: int,
    wanted: Mapping[str, Shape],
    config: GeneratorConfig,
) -> None:
    """Raise CheckpointError unless exactly the wanted names are there, once each and in their shapes."""
    if count != len(found):
        raise CheckpointError(f"{path.name} holds tensors twice, with and without the prefix {PREFIX!r}.")
    missing = [name for name in wanted if name not in found]
    unexpected = [name for name in found if name not in wanted]
    misshapen = [name for name in wanted if name in found and found[name] != wanted[name]]
    if not (missing or unexpected or misshapen):
        return
    kind = _looks_like(found, config)
    parts = [
        f"{what} {_few(names)}" for what, names in (("lacks", missing), ("has besides", unexpected)) if names
    ]
    if misshapen:
        shapes = [f"{name} {found[name]} instead of {wanted[name]}" for name in misshapen]
        parts.append(f"has other shapes: {_few(shapes)}")
    raise CheckpointError(
        f"{path.name} is not this generator's weights: "
        + (f"it looks like {kind}. " if kind else "")
        + f"It {'; it '.join(parts)}. Download the preset's file."
    )


def _few(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _looks_like(found: Mapping[str, Shape], config: GeneratorConfig) -> str:
    """What model tensors of these names and shapes belong to; empty where that cannot be told."""
    ends = {
        "lora_A.weight": "a LoRA",
        "lora_down.weight": "a LoRA",
        "layer.0.SelfAttention.q.weight": "a umT5 text encoder",
        "condition_embedder.time_proj.weight": "a Wan generator in the naming of diffusers",
        "post_quant_conv.weight": "a Wan VAE",
        "decoder.middle.0.residual.2.weight": "a Wan VAE",
    }
    for name in found:
        for end, kind in ends.items():
            if name.endswith(end):
                return kind
    if "token_embedding.weight" in found and "blocks.0.attn.q.weight" in found:
        return "a umT5 text encoder"
    if {"encoder.0.weight", "decoder.1.weight"} <= found.keys():
        return "a TAEHV autoencoder"
    patch = found.get("patch_embedding.weight", ())
    if len(patch) != 5 or "blocks.0.self_attn.q.weight" not in found:
        return ""
    layers = Counter(name.split(".")[1] for name in found if name.startswith("blocks."))
    dim, in_dim = patch[:2]
    if (dim, len(layers)) != (config.dim, config.num_layers):
        return (
            f"a generator of another size ({len(layers)} layers of {dim} channels "
            f"instead of {config.num_layers} of {config.dim})"
        )
    if in_dim != config.in_dim:
        return f"a Wan generator of another kind ({in_dim} input channels instead of {config.in_dim})"
    return ""


def _mapped_tensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a file, as views into it that are good until the next one is asked for.

    The mapping is renewed after every `WINDOW` bytes: only closing it lets go of the pages that were read.
    """
    with safe_open(path, "pt") as file:
        names = list(file.offset_keys())
    while names:
        with safe_open(path, "pt") as file:
            read = 0
            while names and read < WINDOW:
                tensor = file.get_tensor(names[0])
                yield names.pop(0), tensor
                read += tensor.nbytes
                del tensor
