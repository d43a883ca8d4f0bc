"""What is to be recovered: pictures, their cameras and their depth. From a views file, or from pictures alone.

A views file is JSON, written by the add-on or by hand (docs/stills.md):

    {"format": "inspatio-views", "version": 1, "kind": "still" | "stills" | "moving", "width": 832, "height": 480,
     "aspect": 1.7333, "network": "", "solve": false, "source": {...},
     "views": [{"frame": 1.0, "camera": "Camera", "picture": "photo.jpg", "picture_frame": 0,
                "picture_fit": "stretch" | "fit" | "crop", "pixel_aspect": 1.0,
                "intrinsics": [9 numbers], "world_to_camera": [16 numbers],
                "depth": "photo.exr" or "", "depth_of": "picture" | "view",
                "encoding": "planar" | "ray" | "inverse", "range": [] or [low, high],
                "known_pixels": [] or [u0, v0, u1, v1], "known_distance": 0.0}]}

Its paths are as they are, or beside it. aspect: width by height of the cameras' frame as it is displayed;
pixel_aspect: the same of a picture's pixels; picture_fit: how the one lies in the other. A view without a depth file
has its depth from `network`; depth_of: whether its map shows what the picture does, or what the camera's frame does.
solve: the poses of all views but the first are found, not taken from here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..protocol import MAX_SIDE
from ..protocol.cameras import CameraError, Matrix, check_intrinsics, check_pose
from ..protocol.disk import FileFormatError, read_json
from ..protocol.fields import Fields
from ..protocol.files import KINDS, MAX_STILLS, MAX_VIEWS
from ..world import MAX_WORLD_PIXELS
from .depths import ENCODINGS, ENDINGS, PLANAR, DepthForm
from .error import RecoverError
from .lens import Lens, find_lens
from .pictures import STILLS, Pictures, is_video, video_info
from .placing import FITS

LONGEST_SIDE = 1280
"""Of a view whose size nobody states: larger pictures are made smaller."""
CAMERAS = ("moving", "static")
DEPTH_OF = ("picture", "view")


@dataclass(frozen=True)
class ViewRequest:
    """A view to be made of a picture.

    picture_frame: of a video, counted from 0. fit: how the picture lies in the view, pixel_aspect: width by height of
    its pixels. intrinsics are those of the view's pixels. depth: a depth map, None for the network's; depth_of: what it
    shows. known: two pixels of the view and how far apart they are in the world, for the scale of the depth.
    """

    frame: float
    camera: str
    picture: Path
    intrinsics: Matrix
    world_to_camera: Matrix
    picture_frame: int = 0
    fit: str = "stretch"
    pixel_aspect: float = 1.0
    depth: Path | None = None
    form: DepthForm = PLANAR
    known: tuple[tuple[float, ...], float] | None = None
    depth_of: str = "picture"


@dataclass(frozen=True)
class Request:
    """A reference to be recovered.

    aspect: width by height of the views as they are displayed.
    network: name of the depth network of the views without a depth map. solve: the poses are not known yet, but the
    first, and found by following that camera. still_camera: all poses are one. upright: pictures are turned as their
    EXIF says. lens: of all views, where no camera of Blender's says it; a guess may be found from the pictures.
    source: what the reference says of where it comes from.
    """

    kind: str
    width: int
    height: int
    aspect: float
    views: tuple[ViewRequest, ...]
    network: str = ""
    solve: bool = False
    still_camera: bool = False
    upright: bool = False
    source: Mapping[str, Any] = field(default_factory=dict)
    lens: Lens | None = None

    def check(self) -> Request:
        """This request; raises RecoverError where it asks for more than a reference may hold, or lacks depth."""
        if len(self.views) * self.width * self.height > MAX_WORLD_PIXELS:
            raise RecoverError(
                f"{len(self.views)} views of {self.width}x{self.height} pixels are too many: take fewer frames "
                "(--every), or a smaller size (--size)."
            )
        without = next((view for view in self.views if view.depth is None), None)
        if without is not None and not self.network:
            raise RecoverError(f"{without.picture.name} has no depth: name a depth map, or a depth network.")
        return self


def read_views(path: Path) -> Request:
    """The request of a views file. Raises RecoverError."""
    try:
        return _request(path)
    except (FileFormatError, CameraError) as error:
        raise RecoverError(f"{error}.") from None


def _request(path: Path) -> Request:
    read = Fields(path.name, read_json(path), "inspatio-views")
    kind = read.choice("kind", KINDS)
    entries = read.objects("views", MAX_VIEWS)
    counts = {"still": (1, 1), "stills": (2, MAX_STILLS), "moving": (1, MAX_VIEWS)}[kind]
    if not counts[0] <= len(entries) <= counts[1]:
        raise read.wrong(f"{kind} has {counts[0]} to {counts[1]} views, got {len(entries)}")
    views = tuple(_view(path, number, entry) for number, entry in enumerate(entries))
    return Request(
        kind,
        read.integer("width", 16, MAX_SIDE),
        read.integer("height", 16, MAX_SIDE),
        read.number("aspect", above=0.0),
        views,
        read.text("network", 100),
        read.boolean("solve"),
        kind == "moving" and len({view.world_to_camera for view in views}) == 1,
        source=read.object("source"),
    ).check()


def _view(path: Path, number: int, entry: Mapping[str, Any]) -> ViewRequest:
    where = f"{path.name}: view {number}"
    read = Fields(where, entry)
    span, known = (read.numbers(name, 4) for name in ("range", "known_pixels"))
    if len(span) not in (0, 2):
        raise read.wrong("range must be the lowest and the highest value")
    if len(known) not in (0, 4):
        raise read.wrong("known_pixels must be two pixels")
    depth, depth_of = read.text("depth", 4000), read.choice("depth_of", DEPTH_OF)
    return ViewRequest(
        read.number("frame"),
        read.text("camera", 500),
        path.parent / read.text("picture", 4000),
        check_intrinsics(read.list("intrinsics", 9), where),
        check_pose(read.list("world_to_camera", 16), where),
        read.integer("picture_frame", 0, 10**7),
        read.choice("picture_fit", FITS),
        read.number("pixel_aspect", above=0.0),
        path.parent / depth if depth else None,
        DepthForm(read.choice("encoding", ENCODINGS), (span[0], span[1]) if span else None),
        (known, read.number("known_distance", above=0.0)) if known else None,
        depth_of,
    )


@dataclass(frozen=True)
class Asked:
    """What the command line says of pictures without cameras.

    depth: depth maps, a view each, or a folder of them; none: `network`. camera: whether a video's camera moves.
    """

    depth: tuple[Path, ...] = ()
    network: str = ""
    form: DepthForm = PLANAR
    field_of_view: float | None = None
    focal: float | None = None
    size: tuple[int, int] | None = None
    known: tuple[tuple[float, ...], float] | None = None
    every: int = 1
    first: int = 1
    frames: int | None = None
    camera: str = "moving"


def from_pictures(paths: Sequence[Path], asked: Asked) -> Request:
    """The request of one to four pictures, a video, or a sequence: the first camera is the world. Raises RecoverError.

    More than four pictures, or a folder of them, are a sequence in the order of their names.
    """
    pictures, moving = _pictures(paths, asked)
    first = Pictures(upright=True).read(*pictures[0])
    width, height = asked.size or _view_size(*first.size)
    lens = find_lens(first.size, first.focal, asked.field_of_view, asked.focal)
    k = tuple(lens.intrinsics(width, height).ravel().tolist())
    depths = _depth_files(asked, len(pictures))
    views = tuple(
        ViewRequest(
            float(asked.first + index * asked.every if moving else asked.first),
            "",
            path,
            k,
            tuple(np.eye(4).ravel().tolist()),
            frame,
            depth=depth,
            form=asked.form,
            known=asked.known if index == 0 else None,
        )
        for index, ((path, frame), depth) in enumerate(zip(pictures, depths, strict=True))
    )
    kind = "moving" if moving else "stills" if len(views) > 1 else "still"
    static = moving and asked.camera == "static"
    return Request(
        kind,
        width,
        height,
        width / height,
        views,
        asked.network,
        solve=len(views) > 1 and not static,
        still_camera=static,
        upright=True,
        source={"pictures": [path.name for path in paths]},
        lens=lens,
    ).check()


def _pictures(paths: Sequence[Path], asked: Asked) -> tuple[list[tuple[Path, int]], bool]:
    """Path and frame of every picture that is used, and whether they are moments of one world that moves."""
    if len(paths) == 1 and is_video(paths[0]):
        count = video_info(paths[0]).frames
        found, moving = [(paths[0], frame) for frame in range(count)], True
    else:
        files = list(paths)
        if len(files) == 1 and files[0].is_dir():
            files = sequence(files[0], STILLS)
        found, moving = [(path, 0) for path in files], len(files) > MAX_STILLS or files != list(paths)
    if moving:
        found = found[:: asked.every][: asked.frames]
        if len(found) > MAX_VIEWS:
            raise RecoverError(f"{len(found)} frames are too many: take fewer with --every.")
    if not found:
        raise RecoverError(f"There are no pictures in {paths[0]}.")
    return found, moving


def sequence(folder: Path, endings: Sequence[str]) -> list[Path]:
    """The files of a numbered sequence, in order. Raises RecoverError where a number is missing."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in endings)
    numbers = [re.search(r"(\d+)$", path.stem) for path in files]
    if not all(numbers):
        return files
    files.sort(key=lambda path: _number(path))
    for before, after in pairwise(files):
        if _number(after) != _number(before) + 1:
            raise RecoverError(
                f"Frames are missing in {folder} between {before.name} and {after.name}: give the whole sequence."
            )
    return files


def _number(path: Path) -> int:
    return int(re.search(r"(\d+)$", path.stem)[1])  # type: ignore[index]


def _depth_files(asked: Asked, count: int) -> list[Path | None]:
    """The depth map of every picture that is used; None where the network gives it."""
    if not asked.depth:
        return [None] * count
    files = list(asked.depth)
    if len(files) == 1 and files[0].is_dir():
        files = sequence(files[0], ENDINGS)
        files = files[:: asked.every][: asked.frames]
    if len(files) != count:
        raise RecoverError(f"There are {len(files)} depth maps for {count} pictures: give one for each.")
    return list(files)


def _view_size(width: int, height: int) -> tuple[int, int]:
    """The size of a view of a picture: its own, or smaller."""
    scale = min(1.0, LONGEST_SIDE / max(width, height))
    if min(width, height) * scale < 16:
        raise RecoverError(f"A picture of {width}x{height} pixels is too small or too narrow for a view.")
    return round(width * scale), round(height * scale)
