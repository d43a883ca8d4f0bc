"""Workers that make sequences: processes of one core each. Where all cores are busy, a library that shares a small
matrix product among threads waits for them longer than it computes.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from pathlib import Path

ONE_CORE = dict.fromkeys(("LP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")


def name(seed: int, index: int) -> str:
    """File name of a sequence."""
    return f"scene_{seed:03d}_{index:06d}.npz"


def work(out: Path, seed: int, indices: range, sparse: bool) -> None:
    """Make every sequence that is not there yet, as long as the process that asked for them lives."""
    from .moves import FRAMES
    from .raster import Rasteriser
    from .sequence import SPARSE, make_sequence, write

    asking = multiprocessing.parent_process()
    raster, begun, made = Rasteriser(), time.monotonic(), 0
    for index in indices:
        if asking is not None and not asking.is_alive():
            return
        path = out / name(seed, index)
        if path.exists():
            continue
        sequence = make_sequence(raster, seed, index, SPARSE if sparse else range(FRAMES))
        write(path, sequence)
        made += 1
        rate = 60 * made / (time.monotonic() - begun)
        sys.stdout.write(
            f"{path.name} {sequence.kind} {sequence.move} dynamic={sequence.dynamic} "
            f"seen={sequence.coverage[0].min():.2f}/{sequence.coverage[1].min():.2f} {rate:.1f} a minute\n"
        )
        sys.stdout.flush()


def make(out: Path, seed: int, indices: range, sparse: bool, workers: int) -> None:
    """Make the sequences of these indices with so many workers. Raises SystemExit when one fails."""
    os.environ.update(ONE_CORE)  # read when a library is loaded, so by the workers
    context = multiprocessing.get_context("spawn")
    jobs = [
        context.Process(target=work, args=(out, seed, indices[first::workers], sparse))
        for first in range(workers)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    if any(job.exitcode for job in jobs):
        raise SystemExit("a worker failed; run the command again to go on")
