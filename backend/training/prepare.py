"""Examples of sequences, encoded once and kept: what the stages after the autoencoder read.

An example that exists is not made again. Each is drawn by its own seed, so a second run makes the same.
"""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors.torch import save_file
from torch import Tensor

from ..codec.base import Codec
from ..constraint.completion import Completion
from .codec import sequence_files
from .examples import Sequence, draw_example, draw_still_example, encode_example


def prepare(
    folders: list[Path],
    codec: Codec,
    completion: Completion | None,
    out: Path,
    variants: int,
    still: bool = False,
    warp: str = "surface",
    text: Tensor | None = None,
) -> Iterator[str]:
    """`variants` examples of each sequence that lies in the folders, as OUT/FOLDER_NAME_VARIANT.safetensors.

    still: of cameras that stand still, of the scenes in which nothing moves; sparse ones will do. text (L, D): the
    embedding of the prompt that the generator is told. Yields names as they are made.
    """
    kind, draw = ("still", draw_still_example) if still else ("", draw_example)
    out.mkdir(parents=True, exist_ok=True)
    for path in sequence_files(folders):
        names = [f"{path.parent.name}_{path.stem}_{kind}{variant}" for variant in range(variants)]
        missing = [
            (variant, name)
            for variant, name in enumerate(names)
            if not (out / f"{name}.safetensors").exists()
        ]
        if not missing:
            continue
        sequence = Sequence.load(path)
        if still and sequence.dynamic:
            continue
        for variant, name in missing:
            rng = np.random.default_rng((zlib.crc32(path.name.encode()), variant, int(still)))
            example = encode_example(draw(sequence, rng, warp), codec, completion)
            if text is not None:
                example["text"] = text
            temporary = out / f"{name}.tmp"
            save_file(example, temporary)
            os.replace(temporary, out / f"{name}.safetensors")
            yield name
