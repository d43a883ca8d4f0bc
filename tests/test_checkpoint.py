"""Weight files of a generator: what loads, what is refused and in which words, and the memory that loading takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from reference import cases
from safetensors.torch import save_file
from torch import Tensor

from backend.model import RELEASED_1_3B, CausalDiT, CheckpointError, GeneratorConfig, load_generator

ROOT = Path(__file__).resolve().parent.parent
CONFIG = GeneratorConfig(dim=24, ffn_dim=32, num_heads=2, num_layers=2, freq_dim=8, text_dim=12, text_len=4)
CPU = torch.device("cpu")

MEASURE = """
import re, sys, torch
from pathlib import Path
from backend.model import GeneratorConfig, load_generator

def peak():
    # Of this program alone: what resource.getrusage tells also counts the process that started it.
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

small, large, dtype = Path(sys.argv[1]), Path(sys.argv[2]), getattr(torch, sys.argv[3])
config = {"freq_dim": 256, "num_heads": 8}
# A first load, so that what torch imports on its first use is not counted.
load_generator(small, GeneratorConfig(dim=64, ffn_dim=64, num_layers=1, **config), torch.device("cpu"), dtype)
before = peak()
dit = load_generator(large, GeneratorConfig(dim=1024, ffn_dim=4096, num_layers=5, **config), torch.device("cpu"), dtype)
weights = sum(parameter.nbytes for parameter in dit.parameters())
print((peak() - before) / weights)
"""


def weights(config: GeneratorConfig = CONFIG, prefix: str = "model.") -> dict[str, Tensor]:
    torch.manual_seed(3)
    return {f"{prefix}{name}": tensor for name, tensor in CausalDiT(config).state_dict().items()}


def saved(folder: Path, tensors: dict[str, Tensor], name: str = "generator.safetensors") -> Path:
    path = folder / name
    save_file(tensors, path)
    return path


def refusal(path: Path, config: GeneratorConfig = CONFIG) -> str:
    """The one sentence or two that a file is refused with."""
    with pytest.raises(CheckpointError) as error:
        load_generator(path, config, CPU, torch.float32)
    message = str(error.value)
    assert "\n" not in message and message.endswith(".")
    assert path.name in message
    return message


@cases("dit_*_shapes.json")
def test_the_released_size_wants_exactly_the_released_names_and_shapes(path: Path) -> None:
    shapes = json.loads(path.read_text())
    with torch.device("meta"):
        own = {f"model.{name}": list(x.shape) for name, x in CausalDiT(RELEASED_1_3B).state_dict().items()}
    assert own == shapes


@pytest.mark.parametrize("prefix", ["", "model."])
@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_file_loads_in_the_wanted_format(
    tmp_path: Path, prefix: str, stored: torch.dtype, dtype: torch.dtype
) -> None:
    expected = {name: tensor.to(stored) for name, tensor in weights(prefix=prefix).items()}
    path = saved(tmp_path, expected)
    dit = load_generator(path, CONFIG, CPU, dtype)
    os.truncate(path, 0)  # the weights depend on no file any more
    assert not dit.training
    for name, parameter in dit.named_parameters():
        assert parameter.dtype == dtype and not parameter.requires_grad
        assert torch.equal(parameter, expected[prefix + name].to(dtype)), name


def sharded(folder: Path) -> tuple[Path, dict[str, str]]:
    tensors = weights()
    weight_map = {name: f"part-{number % 3}.safetensors" for number, name in enumerate(tensors)}
    for file in set(weight_map.values()):
        saved(folder, {name: x for name, x in tensors.items() if weight_map[name] == file}, file)
    index = folder / "generator.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return index, weight_map


def test_shards_load_through_their_index(tmp_path: Path) -> None:
    index, _ = sharded(tmp_path)
    dit = load_generator(index, CONFIG, CPU, torch.float32)
    for name, parameter in dit.named_parameters():
        assert torch.equal(parameter, weights(prefix="")[name]), name


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    index, _ = sharded(tmp_path)
    (tmp_path / "part-1.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"part-1\.safetensors is missing"):
        load_generator(index, CONFIG, CPU, torch.float32)


def test_a_shard_of_another_index_is_named(tmp_path: Path) -> None:
    index, _ = sharded(tmp_path)
    os.replace(tmp_path / "part-1.safetensors", tmp_path / "part-2.safetensors")
    saved(tmp_path, {"model.other": torch.zeros(2)}, "part-1.safetensors")
    with pytest.raises(CheckpointError, match=r"part-\d\.safetensors does not hold what"):
        load_generator(index, CONFIG, CPU, torch.float32)


@pytest.mark.parametrize("file", ["../generator.safetensors", "/etc/passwd", "a\\b.safetensors", 7])
def test_an_index_reaches_nothing_but_files_beside_it(tmp_path: Path, file: object) -> None:
    index = tmp_path / "generator.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"model.head.head.bias": file}}))
    assert "not a file beside it" in refusal(index)


@pytest.mark.parametrize("text", ["{}", '{"weight_map": {}}', "not JSON"])
def test_a_broken_index_is_refused(tmp_path: Path, text: str) -> None:
    index = tmp_path / "generator.safetensors.index.json"
    index.write_text(text)
    refusal(index)


def test_a_missing_tensor_a_foreign_one_and_a_wrong_shape_are_named(tmp_path: Path) -> None:
    tensors = weights()
    del tensors["model.head.head.bias"]
    tensors["model.extra"] = torch.zeros(1)
    tensors["model.head.head.weight"] = torch.zeros(2, 3)
    message = refusal(saved(tmp_path, tensors))
    assert "lacks head.head.bias" in message
    assert "has besides extra" in message
    assert "head.head.weight (2, 3) instead of (64, 24)" in message


def test_a_message_lists_a_few_names_only(tmp_path: Path) -> None:
    tensors = {name: x for name, x in weights().items() if ".blocks.0." not in name}
    message = refusal(saved(tmp_path, tensors))
    assert "lacks blocks.0." in message and " more" in message
    assert message.count("blocks.0.") == 3


def test_one_tensor_under_two_names_is_refused(tmp_path: Path) -> None:
    tensors = weights()
    tensors["head.head.bias"] = tensors["model.head.head.bias"].clone()
    assert "twice" in refusal(saved(tmp_path, tensors))


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["encoder.0.weight", "decoder.1.weight", "decoder.7.conv.weight"], "a TAEHV autoencoder"),
        (["post_quant_conv.weight", "decoder.conv_in.weight"], "a Wan VAE"),
        (["conv1.weight", "decoder.middle.0.residual.2.weight"], "a Wan VAE"),
        (["encoder.block.0.layer.0.SelfAttention.q.weight", "shared.weight"], "a umT5 text encoder"),
        (["blocks.0.attn.q.weight", "token_embedding.weight"], "a umT5 text encoder"),
        (["condition_embedder.time_proj.weight", "patch_embedding.weight"], "a Wan generator in the naming"),
        (["diffusion_model.blocks.0.ffn.0.lora_A.weight"], "a LoRA"),
    ],
)
def test_a_file_of_another_model_is_named_as_such(tmp_path: Path, names: list[str], kind: str) -> None:
    assert f"looks like {kind}" in refusal(saved(tmp_path, {name: torch.zeros(2) for name in names}))


def test_a_generator_of_another_size_is_named_as_such(tmp_path: Path) -> None:
    path = saved(tmp_path, weights(replace(CONFIG, dim=32, num_layers=3)))
    assert "another size (3 layers of 32 channels instead of 2 of 24)" in refusal(path)


def test_the_model_that_the_generator_was_made_from_is_named_as_such(tmp_path: Path) -> None:
    tensors = weights()
    tensors["model.patch_embedding.weight"] = torch.zeros(24, 16, 1, 2, 2)
    assert "16 input channels instead of 36" in refusal(saved(tmp_path, tensors))


def test_a_file_that_cannot_be_told_is_still_refused(tmp_path: Path) -> None:
    assert "looks like" not in refusal(saved(tmp_path, {"something": torch.zeros(2)}))


@pytest.mark.parametrize("kept", [0, 5, 60, 0.5, -1])
def test_a_cut_off_file_is_named_as_such(tmp_path: Path, kept: float) -> None:
    path = saved(tmp_path, weights())
    size = path.stat().st_size
    os.truncate(path, int(size * kept) if 0 < kept < 1 else size - 1 if kept < 0 else int(kept))
    assert "is cut off" in refusal(path)


@pytest.mark.parametrize("name", ["generator.pth", "generator.bin", "generator.safetensors"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_never_opened(tmp_path: Path, name: str, zipped: bool) -> None:
    path = tmp_path / name
    torch.save(weights(), path, _use_new_zipfile_serialization=zipped)
    assert "is a pickle" in refusal(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "git-lfs"),
        (b"<!DOCTYPE html><html><body>Sign in to see this page</body></html>", "not a safetensors file"),
        (b"\x10" + bytes(7) + b'{"a":{"shape":[]}}' + bytes(40), "not a safetensors file"),
    ],
)
def test_other_files_are_refused_with_a_reason(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "generator.safetensors"
    path.write_bytes(content)
    assert words in refusal(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "is missing" in refusal(tmp_path / "generator.safetensors")


def test_numbers_of_another_format_are_refused(tmp_path: Path) -> None:
    tensors = {name: x.to(torch.float8_e4m3fn) for name, x in weights().items()}
    assert "F8_E4M3" in refusal(saved(tmp_path, tensors))


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells the peak of one program")
@pytest.mark.parametrize(
    ("stored", "dtype"),
    [(torch.float32, "bfloat16"), (torch.float32, "float32"), (torch.bfloat16, "bfloat16")],
)
def test_loading_takes_little_more_memory_than_the_weights(
    tmp_path: Path, stored: torch.dtype, dtype: str
) -> None:
    """float32 to bfloat16 is the case that would take three times the weights if the file stayed mapped."""
    paths = []
    for name, dim, ffn, layers in (("small", 64, 64, 1), ("large", 1024, 4096, 5)):
        with torch.device("meta"):
            config = GeneratorConfig(dim=dim, ffn_dim=ffn, num_heads=8, num_layers=layers, freq_dim=256)
            tensors = CausalDiT(config).state_dict()
        zeros = {key: torch.zeros(x.shape, dtype=stored) for key, x in tensors.items()}
        paths.append(saved(tmp_path, zeros, f"{name}.safetensors"))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *map(str, paths), dtype],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ratio = float(done.stdout)
    print(f"peak: {ratio:.3f} x the weights")
    assert 0.9 < ratio <= 1.2
