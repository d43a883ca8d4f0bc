"""Examples of sequences, encoded once and kept: what `backend.training.generator` reads.

    python -m backend.training.prepare --data DIR [DIR ...] --codec FILE --completion FILE --out DIR --variants 3

Resumes: an example that exists is not made again. Each is drawn by its own seed, so a second run makes the same.
With --still the examples are of cameras that stand still, of the scenes in which nothing moves; sparse ones will do.
"""

import argparse
import os
import zlib
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from ..codec.tiny import TinyCodec
from ..constraint.completion import Completion
from ..device import default_device
from .codec import sequence_files
from .examples import Sequence, draw_example, draw_still_example, encode_example


def prepare(
    files: list[Path], codec: TinyCodec, completion: Completion, out: Path, variants: int, still: bool = False
) -> None:
    """`variants` examples a sequence, as OUT/NAME_VARIANT.safetensors; `still` ones as OUT/NAME_stillVARIANT."""
    kind, draw = ("still", draw_still_example) if still else ("", draw_example)
    out.mkdir(parents=True, exist_ok=True)
    for path in files:
        missing = [
            (variant, target)
            for variant in range(variants)
            if not (target := out / f"{path.parent.name}_{path.stem}_{kind}{variant}.safetensors").exists()
        ]
        if not missing:
            continue
        sequence = Sequence.load(path)
        if still and sequence.dynamic:
            continue
        for variant, target in missing:
            rng = np.random.default_rng((zlib.crc32(path.name.encode()), variant, int(still)))
            temporary = target.with_suffix(".tmp")
            save_file(encode_example(draw(sequence, rng), codec, completion), temporary)
            os.replace(temporary, target)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of sequences")
    parser.add_argument("--codec", type=Path, required=True, help="codec.safetensors: its basis encodes")
    parser.add_argument("--completion", type=Path, required=True, help="completion.safetensors")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--variants", type=int, default=3)
    parser.add_argument("--still", action="store_true", help="cameras that stand still")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    prepare(
        sequence_files(arguments.data),
        TinyCodec.load(arguments.codec),
        Completion.load(arguments.completion).set_dtype(default_device().dtype),
        arguments.out,
        arguments.variants,
        arguments.still,
    )


if __name__ == "__main__":
    main()
