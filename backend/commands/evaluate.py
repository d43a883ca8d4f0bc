"""`inspatio evaluate`: what a preset's frames are worth, on scenes whose truth is known."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from . import (
    BAD_ARGUMENTS,
    DONE,
    FAILED,
    MISSING,
    Commands,
    ended_like_ctrl_c,
    keep_to_own_cores,
    missing,
    tell,
)


def add(commands: Commands) -> None:
    """Name its arguments."""
    evaluate = commands.add_parser("evaluate", help="measure a preset on scenes with truth")
    evaluate.add_argument("--scenes", type=Path, required=True, help="folder of tests.scenes.evaluation")
    evaluate.add_argument("--preset", default="tiny")
    evaluate.add_argument("--generator", type=Path, help="weights in place of the preset's own")
    evaluate.add_argument("--completion", type=Path, help="weights in place of the preset's own")
    evaluate.add_argument("--steps", type=int, choices=(4, 2), default=4, help="of the sampler")
    evaluate.add_argument("--warp", choices=("splat", "surface"), help="in place of the preset's own")
    evaluate.add_argument("--holes", choices=("splat", "surface"), help="measure in the holes of this warp")
    evaluate.add_argument(
        "--real", type=Path, nargs="*", default=[], help="movies whose last fifth is real video"
    )
    evaluate.add_argument("--seed", type=int, default=0)
    evaluate.add_argument("--out", type=Path, default=Path("out/evaluation"))
    evaluate.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Do it; returns the exit code."""
    try:
        from ..constraint.completion import Completion
        from ..model import Schedule
        from ..presets import PresetError, load_preset
        from ..protocol.disk import write_whole
        from ..training.evaluate import evaluate
        from ..training.figures import draw_evaluation, plain, table
        from ..training.generator import load_dit
        from ..training.jdmd.joint import SAMPLING
    except ImportError as error:
        tell(False, error=f"{missing(error)} Measuring needs the extra [train] besides.")
        return MISSING
    scenes = sorted(parsed.scenes.glob("*.npz"))
    absent = [
        path for path in (parsed.generator, parsed.completion, *parsed.real) if path and not path.is_file()
    ]
    if not scenes or absent:
        where = f"{absent[0]} is not there" if absent else f"{parsed.scenes} has no scenes (*.npz)"
        tell(False, error=f"{where}: python -m tests.scenes.evaluation --out FOLDER renders the test scenes.")
        return BAD_ARGUMENTS
    keep_to_own_cores()
    try:
        preset = load_preset(parsed.preset)
        preset = replace(preset, warp=parsed.warp or preset.warp, schedule=Schedule(SAMPLING[parsed.steps]))
        if parsed.completion is not None:
            completion = Completion.load(parsed.completion).set_dtype(preset.device.dtype)
            preset = replace(preset, completion=completion.requires_grad_(False))
        if parsed.generator is not None:
            dit = load_dit(parsed.generator).requires_grad_(False)
            preset = replace(preset, dit=dit.to(preset.device.torch_device, preset.device.dtype))
        parsed.out.mkdir(parents=True, exist_ok=True)

        def told(scene: str) -> None:
            sys.stderr.write(f"{scene} is measured\n")

        with ended_like_ctrl_c():
            report = evaluate(scenes, preset, parsed.out, parsed.seed, parsed.holes, parsed.real, told)
        write_whole(parsed.out / "evaluation.json", (json.dumps(plain(report), indent=1) + "\n").encode())
        write_whole(parsed.out / "evaluation.md", (table(report) + "\n").encode())
        draw_evaluation(parsed.out / "evaluation.png", report)
    except (PresetError, ValueError) as error:
        tell(False, error=str(error))
        return FAILED
    except OSError as error:
        tell(False, error=f"{error.filename or parsed.out}: {error.strerror or error}.")
        return FAILED
    sys.stdout.write(table(report) + "\n")
    return DONE
