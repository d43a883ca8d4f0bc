"""`inspatio train`: the stages of a training config."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import BAD_ARGUMENTS, DONE, FAILED, INTERRUPTED, MISSING, Commands, missing, tell

NAMES = ("autoencoder", "teacher", "causal", "jdmd")
"""Those of `training.stages`, which needs more packages than a list of commands may."""


def add(commands: Commands) -> None:
    """Name its arguments."""
    train = commands.add_parser("train", help="train a preset's networks, or go on with a run")
    train.add_argument("config", type=Path, help="a TOML file, as backend/training/configs/tiny.toml")
    names = f"{', '.join(NAMES)}; all of them where none is named"
    train.add_argument("stages", nargs="*", type=_stage, metavar="STAGE", help=names)
    train.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a value in place of the config's: --set jdmd.joint=0.1",
    )
    train.set_defaults(run=run)


def _stage(name: str) -> str:
    if name not in NAMES:
        raise argparse.ArgumentTypeError(f"there is no stage {name!r}; there are {', '.join(NAMES)}")
    return name


def run(parsed: argparse.Namespace) -> int:
    """Do it; returns the exit code."""
    try:
        from ..presets import PresetError
        from ..training.config import ConfigError, read_config
        from ..training.fleet import join
        from ..training.loop import Interrupted
        from ..training.stages import one_thread_a_core
        from ..training.stages import run as run_stages
    except ImportError as error:
        tell(False, error=f"{missing(error)} Training needs the extra [train] besides.")
        return MISSING
    try:
        config = read_config(parsed.config, parsed.set)
    except ConfigError as error:
        tell(False, error=str(error))
        return BAD_ARGUMENTS
    one_thread_a_core()
    try:
        run_stages(config, parsed.stages or NAMES, join())
    except Interrupted as ended:
        sys.stderr.write(f"{ended}\n")
        return INTERRUPTED
    except (ConfigError, PresetError, ValueError) as error:
        tell(False, error=str(error))
        return FAILED
    except OSError as error:
        tell(False, error=f"{error.filename or 'A file'}: {error.strerror or error}.")
        return FAILED
    return DONE
