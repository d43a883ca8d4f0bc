"""`python -m backend.training.scenes --out DIR --count N --seed S --workers W` makes sequences; run again to go on."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from pathlib import Path


def name(seed: int, index: int) -> str:
    """File name of a sequence."""
    return f"scene_{seed:03d}_{index:06d}.npz"


def work(out: Path, seed: int, start: int, count: int, worker: int, workers: int) -> None:
    """Make every sequence of this worker that is not there yet."""
    os.environ.setdefault("LP_NUM_THREADS", "1")  # one core a worker; read when the context is made
    from .raster import Rasteriser
    from .sequence import make_sequence, write

    raster, begun, made = Rasteriser(), time.monotonic(), 0
    for index in range(start + worker, count, workers):
        path = out / name(seed, index)
        if path.exists():
            continue
        sequence = make_sequence(raster, seed, index)
        write(path, sequence)
        made += 1
        rate = 60 * made / (time.monotonic() - begun)
        sys.stdout.write(
            f"{path.name} {sequence.kind} {sequence.move} dynamic={sequence.dynamic} "
            f"seen={sequence.coverage[0].min():.2f}/{sequence.coverage[1].min():.2f} {rate:.1f} a minute\n"
        )
        sys.stdout.flush()


def main() -> None:
    """Parse the command line and run the workers."""
    parser = argparse.ArgumentParser(prog="python -m backend.training.scenes", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the sequences")
    parser.add_argument("--count", type=int, required=True, help="make indices up to this one, exclusive")
    parser.add_argument("--start", type=int, default=0, help="first index")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.workers == 1:
        work(given.out, given.seed, given.start, given.count, 0, 1)
        return
    context = multiprocessing.get_context("spawn")
    jobs = [
        context.Process(target=work, args=(given.out, given.seed, given.start, given.count, i, given.workers))
        for i in range(given.workers)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    if any(job.exitcode for job in jobs):
        raise SystemExit("a worker failed; run the command again to go on")


if __name__ == "__main__":
    main()
