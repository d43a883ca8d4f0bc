"""Puts trained weights where the preset `tiny` looks for them.

python -m backend.training.export --generator FILE --codec FILE --completion FILE [--out backend/weights/tiny]
"""

import argparse
import json
import shutil
from pathlib import Path

from ..presets import CODEC_FILE, COMPLETION_FILE, GENERATOR_FILE, WEIGHTS

PRESET = {
    "format": "inspatio-preset",
    "version": 1,
    "label": "Tiny",
    "width": 256,
    "height": 144,
    "multiple": 16,
    "keep_reference_detail": True,
}


def export(generator: Path, codec: Path, completion: Path, out: Path) -> None:
    """Copy the files, and write what a user interface needs to know beside them."""
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(generator, out / GENERATOR_FILE)
    shutil.copyfile(codec, out / CODEC_FILE)
    shutil.copyfile(completion, out / COMPLETION_FILE)
    (out / "preset.json").write_text(json.dumps(PRESET, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--generator", type=Path, required=True)
    parser.add_argument("--codec", type=Path, required=True)
    parser.add_argument("--completion", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=WEIGHTS / "tiny")
    arguments = parser.parse_args()
    export(arguments.generator, arguments.codec, arguments.completion, arguments.out)


if __name__ == "__main__":
    main()
