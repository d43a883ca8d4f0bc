"""`python -m backend.training.scenes --out DIR --count N --seed S --workers W` makes sequences; run again to go on."""

from __future__ import annotations

import argparse
from pathlib import Path

from .workers import make


def main() -> None:
    """Parse the command line and run the workers."""
    parser = argparse.ArgumentParser(prog="python -m backend.training.scenes", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the sequences")
    parser.add_argument("--count", type=int, required=True, help="make indices up to this one, exclusive")
    parser.add_argument("--start", type=int, default=0, help="first index")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sparse", action="store_true", help="only a few moments of each move")
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    make(given.out, given.seed, range(given.start, given.count), given.sparse, given.workers)


if __name__ == "__main__":
    main()
