"""The command line over small random weights, in the place of a worker's: python small_inspatio.py WEIGHTS shot ..."""

from __future__ import annotations

import sys
from pathlib import Path

import fakes  # noqa: F401  sets the threads of torch

from backend import cli, shots
from backend.presets import Presets

if __name__ == "__main__":
    weights = Path(sys.argv[1])
    shots.Presets = lambda: Presets(weights, weights / "downloaded")  # type: ignore[assignment, misc]
    sys.exit(cli.main(sys.argv[2:]))
