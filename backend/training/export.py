"""Puts trained weights where the preset `tiny` looks for them.

python -m backend.training.export --generator FILE --codec FILE --completion FILE [--residual 0.5]
    [--mean-with FILE] [--out DIR]
"""

import argparse
import json
import shutil
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ..presets import WEIGHTS
from ..presets.tiny import CODEC_FILE, COMPLETION_FILE, GENERATOR_FILE

PRESET = {
    "format": "inspatio-preset",
    "version": 1,
    "label": "Tiny",
    "width": 256,
    "height": 144,
    "multiple": 16,
    "keep_reference_detail": True,
}


def export(
    generator: Path,
    codec: Path,
    completion: Path,
    out: Path,
    residual: float = 1.0,
    mean_with: Path | None = None,
) -> None:
    """Copy the files, and write what a user interface needs to know beside them.

    `residual` scales what the generator adds to the render: a run on few examples is to be trusted by less than
    the whole. Choose it by held-out sequences. `mean_with`: weights that a short run began with, for the mean.
    """
    out.mkdir(parents=True, exist_ok=True)
    with safe_open(generator, "pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for name in ("head.head.weight", "head.head.bias"):
        tensors[name] = (tensors[name].float() * residual).to(tensors[name].dtype)
    if mean_with is not None:
        other = load_file(mean_with)
        tensors = {
            name: each.float().lerp(other[name].float(), 0.5).to(each) for name, each in tensors.items()
        }
    save_file(tensors, out / GENERATOR_FILE, metadata)
    for source, target in ((codec, out / CODEC_FILE), (completion, out / COMPLETION_FILE)):
        if source.resolve() != target.resolve():  # one of them may stay what it is
            shutil.copyfile(source, target)
    (out / "preset.json").write_text(json.dumps(PRESET, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--generator", type=Path, required=True)
    parser.add_argument("--codec", type=Path, required=True)
    parser.add_argument("--completion", type=Path, required=True)
    parser.add_argument(
        "--residual", type=float, default=1.0, help="share of the generator's residual to keep"
    )
    parser.add_argument("--mean-with", type=Path, help="a generator to take the mean of the weights with")
    parser.add_argument("--out", type=Path, default=WEIGHTS / "tiny")
    arguments = parser.parse_args()
    export(
        arguments.generator,
        arguments.codec,
        arguments.completion,
        arguments.out,
        arguments.residual,
        arguments.mean_with,
    )


if __name__ == "__main__":
    main()
