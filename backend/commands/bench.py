"""`inspatio bench`: speed and memory of the whole pipeline."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import DONE, FAILED, Commands, keep_to_own_cores


def add(commands: Commands) -> None:
    """Name its arguments."""
    bench = commands.add_parser("bench", help="measure speed and memory of the whole pipeline")
    bench.add_argument("--out", type=Path, default=Path("out/bench.json"), help="file to write")
    bench.add_argument(
        "--merge", type=Path, action="append", default=[], help="JSON with keys measured elsewhere"
    )
    bench.add_argument("--frames", type=int, default=97, help="frames to generate (default: %(default)s)")
    bench.add_argument("--preset", default="tiny", help="preset to measure (default: %(default)s, over HTTP)")
    bench.add_argument("--coverage", action="store_true", help="how long coverage takes, and nothing else")
    bench.add_argument("--plates", action="store_true", help="how fast plates are made, and nothing else")
    released = bench.add_argument_group("presets of released weights: every stage, and its floor")
    released.add_argument("--random-weights", action="store_true", help="needs no weights: they are made up")
    released.add_argument("--size", default="832x480", help="width and height (default: %(default)s)")
    released.add_argument(
        "--scale", type=int, default=1, help="divide channels and layers by this, for a CPU"
    )
    released.add_argument("--quality", choices=("draft", "final"), default="draft")
    released.add_argument("--precision", choices=("bf16", "fp8", "float32"), help="default: the device's")
    released.add_argument(
        "--compile", action=argparse.BooleanOptionalAction, help="compile layers (default: on a GPU)"
    )
    released.add_argument(
        "--ahead",
        action=argparse.BooleanOptionalAction,
        help="prepare the next block beside this one (default: on a GPU)",
    )
    released.add_argument("--compiled", type=Path, help="folder where compiled layers are kept")
    released.add_argument(
        "--count", action="store_true", help="only count, and say what that takes on an H100 at least"
    )
    bench.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Do it; returns the exit code."""
    from ..bench import BenchError, measure

    try:
        if parsed.coverage:
            from ..bench_coverage import measure as measure_coverage

            said = measure_coverage(parsed.out)
        elif parsed.plates:
            from ..bench_plates import measure as measure_plates

            keep_to_own_cores()
            said = measure_plates(parsed.out)
        elif parsed.preset == "tiny":
            said = measure(parsed.out, parsed.merge, parsed.frames)
        else:
            said = _stages(parsed)
    except BenchError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    sys.stdout.write(said)
    return DONE


def _stages(parsed: argparse.Namespace) -> str:
    from ..bench import BenchError
    from ..bench_released import Setting, count, measure

    keep_to_own_cores()
    width, _, height = parsed.size.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise BenchError(f"--size is width x height, such as 832x480, not {parsed.size!r}.")
    setting = Setting(
        parsed.preset,
        int(width),
        int(height),
        parsed.scale,
        parsed.quality,
        parsed.precision,
        parsed.compile,
        parsed.random_weights,
        parsed.ahead,
    )
    if parsed.count:
        return count(setting)
    return measure(setting, parsed.out, parsed.compiled, _say)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
