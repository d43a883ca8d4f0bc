"""`inspatio serve`: serve the add-on until it ends, or until asked to end."""

from __future__ import annotations

import argparse
import json
import os
import sys

from .. import protocol
from . import BAD_ARGUMENTS, MISSING, Commands, keep_to_own_cores, missing

SHORTEST_TOKEN = 16


def add(commands: Commands) -> None:
    """Name its arguments."""
    serve = commands.add_parser("serve", help="serve the add-on; the token is read from INSPATIO_TOKEN")
    serve.add_argument(
        "--host", default="127.0.0.1", help="address to listen at (default: this machine only)"
    )
    serve.add_argument("--port", type=int, default=0, help="port (default: one that is free)")
    serve.add_argument("--parent", type=int, metavar="PID", help="end when this process is gone")
    serve.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Do it; returns the exit code."""
    try:
        from ..life import say, serve
        from ..presets import PresetError
        from ..service import Service
    except (ImportError, OSError) as error:
        _say_missing(error)
        return MISSING
    token = os.environ.pop(protocol.TOKEN_VARIABLE, "")
    if len(token) < SHORTEST_TOKEN:
        sys.stderr.write(
            f"Set {protocol.TOKEN_VARIABLE} to a secret of at least {SHORTEST_TOKEN} characters: "
            "clients have to send it.\n"
        )
        return BAD_ARGUMENTS
    keep_to_own_cores()
    service = Service()
    try:
        service.warm("tiny")
    except PresetError as error:
        say({"inspatio": "error", "error": "weights_missing", "message": str(error)})
        return MISSING
    try:
        serve(service, token, parsed.host, parsed.port, parsed.parent)
    except OSError as error:
        message = f"Cannot listen at {parsed.host}: {error}."
        say({"inspatio": "error", "error": "cannot_listen", "message": message})
        return BAD_ARGUMENTS


def _say_missing(error: Exception) -> None:
    """Tell the parent which package is missing; without `life`, which may be what cannot be imported."""
    said = {"inspatio": "error", "error": "package_missing", "message": missing(error)}
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
