"""The files of a shot on disk: reference.json, shot.json and take.json, as docs/files.md describes them.

Each is a frozen dataclass with `from_json` (strict: raises FileFormatError with a sentence that names the
file and the place), `to_json`, and a `read_*` function.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from . import MAX_PLATE_PIXELS, MAX_SIDE, blocks
from .cameras import CameraError, Cameras, Matrix, check_intrinsics, check_pose
from .disk import FileFormatError, process_alive, read_json
from .fields import Fields
from .machine import boot_id

REFERENCE_FILE = "reference.json"
SHOT_FILE = "shot.json"
TAKE_FILE = "take.json"
MOVIE_FILE = "shot.mp4"
PLATE_FOLDER = "plate"
PLATE_FILE = "plate.json"
"""Folder within a take's that holds its plates, which have the names of their frames."""
KINDS = ("still", "stills", "moving")
QUALITIES = ("draft", "final")
TAKE_STATES = ("running", "finished", "cancelled", "failed")
MAX_VIEWS = 4096
MAX_STILLS = 4
MAX_FRAMES = 100_000
MAX_TRIANGLES = 2_000_000
"""Most triangles of a reference's geometry: 36 bytes each."""


def now() -> str:
    """This moment in UTC as the files write it: 2026-01-31T12:00:00Z."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def frame_names(frames: tuple[float, ...]) -> list[str]:
    """File names of a take's frames: the scene frame where all are whole and none is below 0, else counted from 1.

    A sign in a name is not read as one: -001.png would be the first picture, wherever an image sequence is opened.
    """
    if all(frame >= 0 and frame == int(frame) for frame in frames):
        return [f"{int(frame):04d}.png" for frame in frames]
    return [f"{number:04d}.png" for number in range(1, len(frames) + 1)]


def writer_alive(writer: int, boot: str) -> bool:
    """Whether the process that writes a take is there: after a restart of the machine another may have its id."""
    return process_alive(writer) and not (boot and boot_id() and boot != boot_id())


@dataclass(frozen=True)
class View:
    """One view of a reference: its colour and depth files, and the camera that saw them."""

    frame: float
    camera: str
    colour: str
    depth: str
    intrinsics: Matrix
    world_to_camera: Matrix

    def to_json(self) -> dict[str, Any]:
        return {
            "frame": self.frame,
            "camera": self.camera,
            "colour": self.colour,
            "depth": self.depth,
            "intrinsics": list(self.intrinsics),
            "world_to_camera": list(self.world_to_camera),
        }


@dataclass(frozen=True)
class Reference:
    """reference.json: what the world is made from.

    geometry: name of the file with the scene's triangles, empty where there is none.
    """

    kind: str
    width: int
    height: int
    views: tuple[View, ...]
    source: Mapping[str, Any] = field(default_factory=dict)
    created: str = field(default_factory=now)
    geometry: str = ""

    @property
    def file_names(self) -> list[str]:
        """Every file that the views name, once, in order; the geometry's last."""
        names = [name for view in self.views for name in (view.colour, view.depth)]
        return list(dict.fromkeys([*names, self.geometry] if self.geometry else names))

    def to_json(self) -> dict[str, Any]:
        return {
            "format": "inspatio-reference",
            "version": 1,
            "kind": self.kind,
            "width": self.width,
            "height": self.height,
            "created": self.created,
            "source": dict(self.source),
            "views": [view.to_json() for view in self.views],
            **({"geometry": self.geometry} if self.geometry else {}),
        }

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> Reference:
        read = Fields(REFERENCE_FILE, content, "inspatio-reference")
        kind = read.choice("kind", KINDS)
        entries = read.list("views", MAX_VIEWS)
        if kind == "still" and len(entries) != 1:
            raise read.wrong(f"a still has one view, got {len(entries)}")
        if kind == "stills" and not 2 <= len(entries) <= MAX_STILLS:
            raise read.wrong(f"stills are 2 to {MAX_STILLS} views, got {len(entries)}")
        if kind == "moving" and not entries:
            raise read.wrong("a moving reference needs a view a frame, got none")
        views = tuple(_view(entry, number) for number, entry in enumerate(entries))
        if kind == "moving" and any(a.frame >= b.frame for a, b in pairwise(views)):
            raise read.wrong("the views of a moving reference must be in order of their frames")
        width, height = read.integer("width", 1, MAX_SIDE), read.integer("height", 1, MAX_SIDE)
        geometry = read.file_name("geometry", (".npy",)) if "geometry" in content else ""
        if any(geometry == view.depth for view in views):
            raise read.wrong(f"{geometry} cannot be both depth and geometry")
        return Reference(
            kind, width, height, views, read.object("source"), read.text("created", 100), geometry
        )


def _view(entry: object, number: int) -> View:
    where = f"{REFERENCE_FILE}: view {number}"
    if not isinstance(entry, dict):
        raise FileFormatError(f"{where} must be an object")
    read = Fields(where, entry)
    try:
        return View(
            read.number("frame"),
            read.text("camera", 500),
            read.file_name("colour", (".png",)),
            read.file_name("depth", (".exr", ".npy")),
            check_intrinsics(read.list("intrinsics", 9), where),
            check_pose(read.list("world_to_camera", 16), where),
        )
    except CameraError as error:
        raise FileFormatError(str(error)) from None


@dataclass(frozen=True)
class PlateSettings:
    """What a take's frames are developed to: plates of width x height with `strength` of the reference's detail."""

    width: int
    height: int
    strength: float = 1.0

    def to_json(self) -> dict[str, Any]:
        return {"width": self.width, "height": self.height, "strength": self.strength}

    @staticmethod
    def from_json(where: str, content: Mapping[str, Any]) -> PlateSettings:
        read = Fields(f"{where}: plate", content)
        width, height = read.integer("width", 1, MAX_SIDE), read.integer("height", 1, MAX_SIDE)
        if width * height > MAX_PLATE_PIXELS:
            raise read.wrong(f"{width}x{height} pixels are too many")
        strength = read.number("strength")
        if not 0 <= strength <= 1:
            raise read.wrong(f"strength must be 0 to 1, got {strength:g}")
        return PlateSettings(width, height, strength)


@dataclass(frozen=True)
class Shot:
    """shot.json: everything that a take is generated from."""

    name: str
    preset: str
    seed: int
    width: int
    height: int
    cameras: Cameras
    prompt: str = ""
    keep_reference_detail: bool = True
    quality: str = "final"
    fps: float = 24.0
    reference: str = "reference"
    remember: bool = False
    plate: PlateSettings | None = None
    """Whether the take's frames are developed, and to what."""

    def blocks_until(self, frame: float) -> int:
        """How many blocks it takes to have every frame up to scene frame `frame`: as many as there are, at most.

        Raises ValueError where the shot begins after it.
        """
        frames = self.cameras.frames
        count = bisect_right(frames, frame)
        if not count:
            raise ValueError(f"{self.name} begins at frame {frames[0]:g}, after frame {frame:g}")
        return blocks.block_at(count - 1) + 1

    def to_json(self) -> dict[str, Any]:
        cameras = self.cameras
        times = {} if cameras.times == cameras.frames else {"times": list(cameras.times)}
        return {
            "format": "inspatio-shot",
            "version": 1,
            "name": self.name,
            "preset": self.preset,
            "seed": self.seed,
            "prompt": self.prompt,
            "keep_reference_detail": self.keep_reference_detail,
            "quality": self.quality,
            "remember": self.remember,
            "width": self.width,
            "height": self.height,
            "fps": self.fps,
            "reference": self.reference,
            "frames": list(cameras.frames),
            "intrinsics": [list(k) for k in cameras.intrinsics],
            "world_to_camera": [list(m) for m in cameras.world_to_camera],
            **times,
            **({} if self.plate is None else {"plate": self.plate.to_json()}),
        }

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> Shot:
        read = Fields(SHOT_FILE, content, "inspatio-shot")
        frames = read.list("frames", MAX_FRAMES)
        try:
            cameras = Cameras.checked(
                frames,
                read.list("intrinsics", MAX_FRAMES),
                read.list("world_to_camera", MAX_FRAMES),
                read.list("times", MAX_FRAMES) if "times" in content else None,
            )
        except CameraError as error:
            raise read.wrong(str(error)) from None
        if not frames:
            raise read.wrong("the shot has no frames")
        if any(a >= b for a, b in pairwise(cameras.frames)):
            raise read.wrong("the frames must be in order, each once")
        reference = read.text("reference", 1000)
        if (
            reference.startswith(("/", "\\"))
            or ":" in reference
            or ".." in reference.replace("\\", "/").split("/")
        ):
            raise read.wrong("the reference must be a folder inside the shot's")
        return Shot(
            read.text("name", 500),
            read.text("preset", 100),
            read.integer("seed", 0, 2**63 - 1),
            read.integer("width", 16, MAX_SIDE),
            read.integer("height", 16, MAX_SIDE),
            cameras,
            read.text("prompt", 10_000),
            read.boolean("keep_reference_detail"),
            read.choice("quality", QUALITIES),
            read.number("fps", above=0.0),
            reference,
            "remember" in content and read.boolean("remember"),
            None
            if content.get("plate") is None
            else PlateSettings.from_json(SHOT_FILE, read.object("plate")),
        )


@dataclass(frozen=True)
class Take:
    """take.json: one generation of a shot, as far as it has come.

    state_after: the finished blocks that the newest kept state stands after. device: what it was generated on. boot:
    which start of the machine the writer's process id is of, empty where that is not known. pieces:
    the frames at which it begins anew, without what came before, where it was kept from a preview made piece by piece.
    """

    number: int
    shot: Shot
    reference_digest: str
    preset_digest: str
    backend_version: str
    protocol: int
    blocks_total: int
    state: str = "running"
    message: str = ""
    writer: int = 0
    boot: str = ""
    device: str = ""
    blocks_done: int = 0
    frames_done: int = 0
    state_after: int = 0
    created: str = field(default_factory=now)
    updated: str = field(default_factory=now)
    timings: tuple[Mapping[str, Any], ...] = ()
    coverage: tuple[float, ...] = ()
    first_frame_s: float = 0.0
    peak_mb: float = 0.0
    pieces: tuple[float, ...] = ()

    @property
    def abandoned(self) -> bool:
        """Whether the take says "running" although the process that wrote it is gone: it counts as failed."""
        return self.state == "running" and not writer_alive(self.writer, self.boot)

    def to_json(self) -> dict[str, Any]:
        names = [name for name in self.__dataclass_fields__ if name != "shot"]
        content = {name: getattr(self, name) for name in names}
        content["timings"] = [dict(timing) for timing in self.timings]
        content["coverage"] = list(self.coverage)
        content["pieces"] = list(self.pieces)
        return {"format": "inspatio-take", "version": 1, **content, "shot": self.shot.to_json()}

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> Take:
        read = Fields(TAKE_FILE, content, "inspatio-take")
        shot = Shot.from_json(read.object("shot"))
        total = read.integer("blocks_total", 1, MAX_FRAMES)
        count = len(shot.cameras)
        return Take(
            number=read.integer("number", 1, 10**6),
            shot=shot,
            reference_digest=read.text("reference_digest", 200),
            preset_digest=read.text("preset_digest", 200),
            backend_version=read.text("backend_version", 100),
            protocol=read.integer("protocol", 1, 1000),
            blocks_total=total,
            state=read.choice("state", TAKE_STATES),
            message=read.text("message", 10_000),
            writer=read.integer("writer", 0, 2**32),
            boot=read.text("boot", 100) if "boot" in content else "",
            device=read.text("device", 500),
            blocks_done=read.integer("blocks_done", 0, total),
            frames_done=read.integer("frames_done", 0, count),
            state_after=read.integer("state_after", 0, total),
            created=read.text("created", 100),
            updated=read.text("updated", 100),
            timings=read.objects("timings", total),
            coverage=read.numbers("coverage", count),
            first_frame_s=read.number("first_frame_s"),
            peak_mb=read.number("peak_mb"),
            pieces=read.numbers("pieces", count) if "pieces" in content else (),
        )


def read_reference(folder: Path) -> Reference:
    """reference.json of a reference folder; raises FileFormatError."""
    return Reference.from_json(read_json(folder / REFERENCE_FILE))


def read_shot(folder: Path) -> Shot:
    """shot.json of a shot folder; raises FileFormatError."""
    return Shot.from_json(read_json(folder / SHOT_FILE))


def read_take(folder: Path) -> Take:
    """take.json of a take's folder; raises FileFormatError."""
    return Take.from_json(read_json(folder / TAKE_FILE))
