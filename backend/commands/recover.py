"""`inspatio recover`: a reference of photographs or a video, and their depth."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import DONE, FAILED, MISSING, Commands, keep_to_own_cores, missing, tell

if TYPE_CHECKING:
    from ..recover import Asked


def add(commands: Commands) -> None:
    """Name its arguments."""
    recover = commands.add_parser(
        "recover", help="make a reference of photographs or a video, and their depth"
    )
    recover.add_argument(
        "pictures",
        type=Path,
        nargs="+",
        help="one to four pictures, a video, a folder of frames, or a views file",
    )
    recover.add_argument("out", type=Path, help="folder of the reference, new")
    depth = recover.add_argument_group("depth")
    depth.add_argument(
        "--depth",
        nargs="+",
        default=[],
        metavar="MAP",
        help="depth maps (EXR, 16-bit PNG, NPY), a folder of them, or a network: depth, depth-indoor, depth-outdoor",
    )
    depth.add_argument(
        "--encoding", default="planar", choices=("planar", "ray", "inverse"), help="what the maps hold"
    )
    depth.add_argument(
        "--range",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="what 0 and 65535 stand for; LOW 0: 0 is no depth",
    )
    depth.add_argument(
        "--known",
        type=float,
        nargs=5,
        metavar=("U0", "V0", "U1", "V1", "DISTANCE"),
        help="two pixels of the first view, and how far apart they are in the world",
    )
    camera = recover.add_argument_group("cameras of pictures without a views file")
    lens = camera.add_mutually_exclusive_group()
    lens.add_argument(
        "--fov",
        type=float,
        metavar="DEGREES",
        help="field of view across (default: EXIF, what the pictures tell, or 50 mm)",
    )
    lens.add_argument("--focal", type=float, metavar="MM", help="focal length on 35 mm film")
    camera.add_argument(
        "--camera", default="moving", choices=("moving", "static"), help="how a video was taken"
    )
    camera.add_argument("--size", help="width x height of the views (default: the picture's, at most 1280)")
    camera.add_argument("--every", type=int, default=1, help="use every so many frames of a video")
    camera.add_argument("--frames", type=int, help="use so many frames at most")
    camera.add_argument(
        "--first", type=int, default=1, help="scene frame of the first one (default: %(default)s)"
    )
    recover.add_argument(
        "--json", action="store_true", help="tell the progress in lines of JSON: line, share, or error"
    )
    recover.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Do it; returns the exit code."""
    try:
        from ..recover import RecoverError, from_pictures, read_views, recover
    except (ImportError, OSError) as error:
        tell(parsed.json, error=missing(error))
        return MISSING

    def show(line: str, share: float | None) -> None:
        if parsed.json:
            tell(True, line=line, share=share)
        else:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    keep_to_own_cores()
    try:
        pictures = parsed.pictures
        is_views = len(pictures) == 1 and pictures[0].suffix.lower() == ".json"
        request = read_views(pictures[0]) if is_views else from_pictures(pictures, _asked(parsed))
        recover(request, parsed.out.absolute(), show)
    except RecoverError as error:
        tell(parsed.json, error=str(error))
        return FAILED
    return DONE


def _asked(parsed: argparse.Namespace) -> Asked:
    from ..protocol.sources import DEPTH_NETWORKS
    from ..recover import Asked, RecoverError
    from ..recover.depths import DepthForm

    size = None
    if parsed.size is not None:
        width, _, height = parsed.size.partition("x")
        if not (
            width.isdigit() and height.isdigit() and 16 <= int(width) <= 8192 and 16 <= int(height) <= 8192
        ):
            raise RecoverError(f"--size is width x height, such as 832x480, not {parsed.size!r}.")
        size = int(width), int(height)
    if parsed.every < 1 or (parsed.frames is not None and parsed.frames < 1):
        raise RecoverError("--every and --frames are 1 or more.")
    network = parsed.depth[0] if len(parsed.depth) == 1 and parsed.depth[0] in DEPTH_NETWORKS else ""
    return Asked(
        () if network else tuple(Path(path) for path in parsed.depth),
        network,
        DepthForm(parsed.encoding, tuple(parsed.range) if parsed.range else None),
        parsed.fov,
        parsed.focal,
        size,
        (tuple(parsed.known[:4]), parsed.known[4]) if parsed.known else None,
        parsed.every,
        parsed.first,
        parsed.frames,
        parsed.camera,
    )
