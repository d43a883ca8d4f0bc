"""Our shot folder from a scene, and a scene from our shot folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from ..pictures import encode_png, store_png
from ..protocol import MAX_REFERENCE_BYTES
from ..protocol.cameras import Cameras
from ..protocol.disk import write_json
from ..protocol.files import REFERENCE_FILE, SHOT_FILE, Reference, Shot, View, read_reference, read_shot
from ..world import view_colour, view_depth
from .scene import RELEASE_SIZE, Picture, Scene, Show, in_order

REFERENCE_FOLDER = "reference"
PRESET = "tiny"
"""The one that every machine has; another is chosen when the shot is generated."""
BYTES_A_PIXEL = 3 + 4 + 1
"""Of a view that is not packed: colour, depth, and some to spare."""
SAME_LENS = 0.02
"""Pixels of a scene folder by which two lenses may differ and still be one."""


def write(scene: Scene, folder: Path, show: Show) -> None:
    """Write a shot folder: shot.json and reference/. Frames count from 1."""
    frames = [float(number) for number in range(1, len(scene.target_world_to_camera) + 1)]
    lens = scene.intrinsics[0].ravel().tolist()
    cameras = Cameras.checked(
        frames, [lens] * len(frames), scene.target_world_to_camera.reshape(-1, 16).tolist()
    )
    shot = Shot(
        scene.name,
        PRESET,
        0,
        scene.width,
        scene.height,
        cameras,
        scene.prompt,
        fps=scene.fps,
        reference=REFERENCE_FOLDER,
    )
    target = folder / REFERENCE_FOLDER
    target.mkdir()
    count = len(scene.intrinsics)
    # Packing colour takes most of an import, and half of the room: it is done where the backend would not take more.
    roomy = count * scene.width * scene.height * BYTES_A_PIXEL < MAX_REFERENCE_BYTES
    pack = store_png if roomy else encode_png
    jobs = (
        partial(_write_view, picture, target, index, pack) for index, picture in enumerate(scene.pictures())
    )
    with in_order(jobs) as written:
        for number, _ in enumerate(written, start=1):
            show(f"Wrote {number} of {count} views", number / count)
    views = tuple(_view(scene, index) for index in range(count))
    names = list(dict.fromkeys(view.camera for view in views))
    source = {"scene": scene.name, "cameras": names, "origin": scene.origin}
    reference = Reference(scene.kind, scene.width, scene.height, views, source)
    write_json(target / REFERENCE_FILE, Reference.from_json(reference.to_json()).to_json())
    write_json(folder / SHOT_FILE, Shot.from_json(shot.to_json()).to_json())


def _names(index: int) -> tuple[str, str]:
    return f"view_{index:04d}.png", f"view_{index:04d}.npy"


def _write_view(picture: Picture, folder: Path, index: int, pack: Callable[[np.ndarray], bytes]) -> None:
    """Depth is written as it is: packed as EXR it would take a third of the room and 25 times as long."""
    colour, depth = _names(index)
    (folder / colour).write_bytes(pack(picture.colour()))
    np.save(folder / depth, picture.depth().astype("<f4", copy=False))


def _view(scene: Scene, index: int) -> View:
    return View(
        float(index + 1) if scene.kind == "moving" else 1.0,
        f"Source {index + 1}" if scene.kind == "stills" else "Source",
        *_names(index),
        tuple(scene.intrinsics[index].ravel().tolist()),
        tuple(scene.world_to_camera[index].ravel().tolist()),
    )


def read(folder: Path) -> tuple[Scene, list[str]]:
    """The scene of a shot folder as the release would have it, and sentences about what that loses.

    The views are brought to the release's size, a moving reference to a view a frame, and the world to the first view.
    Raises FileFormatError and WorldError.
    """
    shot = read_shot(folder)
    place = folder / shot.reference
    reference = read_reference(place)
    width, height = RELEASE_SIZE
    views, lost = _views_of(shot, reference)
    fit = Fit.cover(reference.width, reference.height, width, height)
    world = np.array(reference.views[views[0]].world_to_camera).reshape(4, 4)
    from_first = np.linalg.inv(world)
    world_to_camera = np.stack(
        [np.array(reference.views[index].world_to_camera).reshape(4, 4) @ from_first for index in views]
    )
    world_to_camera[np.array(views) == views[0]] = np.eye(4)
    target = np.array(shot.cameras.world_to_camera).reshape(-1, 4, 4) @ from_first
    world_to_camera[:, 3] = target[:, 3] = 0, 0, 0, 1
    lost += _size_lost(shot, reference) + _lens_lost(shot, reference, views[0]) + _frames_lost(shot)
    scene = Scene(
        shot.name,
        shot.prompt,
        reference.kind,
        shot.fps,
        width,
        height,
        np.stack([fit.lens(np.array(reference.views[index].intrinsics).reshape(3, 3)) for index in views]),
        world_to_camera,
        target,
        partial(_pictures, reference, place, views, fit),
    )
    return scene, lost


def _views_of(shot: Shot, reference: Reference) -> tuple[list[int], list[str]]:
    """Which view is the source's at every frame of a moving reference; else all views, once."""
    if reference.kind != "moving":
        return list(range(len(reference.views))), []
    times = np.array([view.frame for view in reference.views], np.float64)
    views = [int(np.abs(times - moment).argmin()) for moment in shot.cameras.times]
    unused = len(reference.views) - len(set(views))
    if not unused:
        return views, []
    return views, [
        f"{unused} of the reference's {len(reference.views)} views are left out: none of the shot's frames is "
        "nearest to them, and a video in a scene folder has a view a frame."
    ]


def _size_lost(shot: Shot, reference: Reference) -> list[str]:
    width, height = RELEASE_SIZE
    if (shot.width, shot.height) == RELEASE_SIZE == (reference.width, reference.height):
        return []
    return [
        f"The release takes {width}x{height} only: the reference ({reference.width}x{reference.height}) is scaled "
        f"to cover that and cropped around the middle, and the shot ({shot.width}x{shot.height}) will be generated so."
    ]


def _lens_lost(shot: Shot, reference: Reference, first: int) -> list[str]:
    """What becomes of the target's lens: a scene folder has that of the first view for it, in every frame."""
    source = _covering(np.array(reference.views[first].intrinsics), reference.width, reference.height)
    target = _covering(np.array(shot.cameras.intrinsics), shot.width, shot.height)
    if np.abs(target - source).max() <= SAME_LENS:
        return []
    if np.abs(target - target[0]).max() > SAME_LENS:
        low, high = target[:, 0].min() / source[0], target[:, 0].max() / source[0]
        return [
            f"The zoom is lost: the shot's focal length goes from {low:.3g} to {high:.3g} times that of the "
            "reference's first view, and a scene folder has that view's lens for every frame."
        ]
    return [
        f"The shot's lens is lost: its focal length is {target[0, 0] / source[0]:.3g} times that of the reference's "
        f"first view, its centre {np.abs(target[0, 2:] - source[2:]).max():.3g} pixels off, and a scene folder has "
        "that view's lens."
    ]


def _covering(intrinsics: np.ndarray, width: int, height: int) -> np.ndarray:
    """fx, fy, cx, cy (..., 4) in a picture that is scaled to cover the release's size, measured from the middle."""
    k = intrinsics.reshape(*intrinsics.shape[:-1], 3, 3)
    scale = max(RELEASE_SIZE[0] / width, RELEASE_SIZE[1] / height)
    return scale * np.stack(
        [k[..., 0, 0], k[..., 1, 1], k[..., 0, 2] - (width - 1) / 2, k[..., 1, 2] - (height - 1) / 2], axis=-1
    )


def _frames_lost(shot: Shot) -> list[str]:
    frames = shot.cameras.frames
    if all(frame == number for number, frame in enumerate(frames, start=1)):
        return []
    return [
        f"The frames' numbers, {frames[0]:g} to {frames[-1]:g}, are lost: a scene folder counts its {len(frames)} "
        "frames from the first."
    ]


def _pictures(reference: Reference, folder: Path, views: list[int], fit: Fit) -> Iterator[Picture]:
    for index in views:
        yield Picture(
            partial(_colour, reference, index, folder, fit), partial(_depth, reference, index, folder, fit)
        )


def _colour(reference: Reference, index: int, folder: Path, fit: Fit) -> np.ndarray:
    return fit.colour(view_colour(reference, index, folder))


def _depth(reference: Reference, index: int, folder: Path, fit: Fit) -> np.ndarray:
    return fit.depth(view_depth(reference, index, folder))


@dataclass(frozen=True)
class Fit:
    """Pictures cropped around the middle to the shape of another size, then scaled to it."""

    left: int
    top: int
    columns: int
    rows: int
    width: int
    height: int

    @staticmethod
    def cover(width: int, height: int, to_width: int, to_height: int) -> Fit:
        """How pictures of `width` x `height` cover those of `to_width` x `to_height`."""
        scale = max(to_width / width, to_height / height)
        columns, rows = min(width, round(to_width / scale)), min(height, round(to_height / scale))
        left, top = (width - columns) // 2, (height - rows) // 2
        return Fit(left, top, max(1, columns), max(1, rows), to_width, to_height)

    def colour(self, picture: np.ndarray) -> np.ndarray:
        shrinks = self.columns > self.width or self.rows > self.height
        return self._scaled(picture, cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)

    def depth(self, depth: np.ndarray) -> np.ndarray:
        """Nothing is mixed: between a box and the wall behind it there is nothing."""
        return self._scaled(depth, cv2.INTER_NEAREST_EXACT)

    def lens(self, intrinsics: np.ndarray) -> np.ndarray:
        """The intrinsics (3, 3) of the fitted picture."""
        across, down = self.width / self.columns, self.height / self.rows
        k = intrinsics.copy()
        k[0, 0] *= across
        k[1, 1] *= down
        k[0, 2] = (k[0, 2] - self.left + 0.5) * across - 0.5
        k[1, 2] = (k[1, 2] - self.top + 0.5) * down - 0.5
        return k

    def _scaled(self, picture: np.ndarray, way: int) -> np.ndarray:
        part = picture[self.top : self.top + self.rows, self.left : self.left + self.columns]
        if part.shape[:2] == (self.height, self.width):
            return part
        return cv2.resize(np.ascontiguousarray(part), (self.width, self.height), interpolation=way)
