"""Small references and shots that tests write to disk: a wall with a box before it, seen by a camera."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from backend.protocol.cameras import Cameras
from backend.protocol.files import Reference, Shot, View


def lens(width: int, height: int) -> list[float]:
    """Intrinsics of a camera without shift, 60 degrees or so wide."""
    return [0.9 * width, 0, (width - 1) / 2, 0, 0.9 * width, (height - 1) / 2, 0, 0, 1]


def pose(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> list[float]:
    """World-to-camera of a camera at (x, y, z) that looks along z."""
    return [1.0, 0, 0, -x, 0, 1, 0, -y, 0, 0, 1, -z, 0, 0, 0, 1]


def picture(width: int, height: int, shift: int = 0) -> np.ndarray:
    """(H, W, 3) uint8: stripes, and a box in the middle."""
    columns, rows = np.meshgrid(np.arange(width) + shift, np.arange(height))
    frame = np.stack([columns * 3 % 256, rows * 5 % 256, (columns + rows) * 2 % 256], axis=-1)
    frame[_box(width, height, shift)] = (230, 60, 40)
    return frame.astype(np.uint8)


def depth_map(width: int, height: int, shift: int = 0) -> np.ndarray:
    """(H, W) float32: the wall at 6, the box at 3, sky in the upper left corner."""
    depth = np.full((height, width), 6.0, np.float32)
    depth[: height // 6, : width // 6] = 1e10
    depth[_box(width, height, shift)] = 3.0
    return depth


def triangles(width: int, height: int) -> np.ndarray:
    """(T, 3, 3) float32: what `depth_map` shows, as triangles; the wall goes on beyond the picture, and has no sky."""
    rows, columns = _box(width, height, 0)
    wall, box = (-999.0, 999.0, -999.0, 999.0), (columns.start, columns.stop, rows.start, rows.stop)
    made = []
    for (left, right, top, bottom), z in ((wall, 6.0), (tuple(edge - 0.5 for edge in box), 3.0)):
        k = np.array(lens(width, height)).reshape(3, 3)
        corners = np.array([[left, top, 1], [right, top, 1], [right, bottom, 1], [left, bottom, 1]])
        placed = corners @ np.linalg.inv(k).T * z
        made += [placed[[0, 1, 2]], placed[[0, 2, 3]]]
    return np.array(made, np.float32)


def _box(width: int, height: int, shift: int) -> tuple[slice, slice]:
    left = (width * 2 // 5 + shift) % max(1, width // 2)
    return slice(height * 2 // 5, height * 4 // 5), slice(left, left + width // 4)


def write_reference(
    folder: Path,
    width: int = 64,
    height: int = 48,
    kind: str = "still",
    views: int = 1,
    depth: str = "npy",
    geometry: bool = False,
) -> Reference:
    """A reference folder with `views` views beside one another (still, stills) or in time (moving)."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for index in range(views):
        colour, name = f"view_{index:04d}.png", f"view_{index:04d}.{depth}"
        shift = 2 * index if kind == "moving" else 0
        cv2.imwrite(str(folder / colour), picture(width, height, shift)[:, :, ::-1])
        write_depth(folder / name, depth_map(width, height, shift))
        side = 0.0 if kind == "moving" else 0.4 * index
        frame = float(index + 1) if kind == "moving" else 1.0
        made.append(View(frame, "Camera", colour, name, tuple(lens(width, height)), tuple(pose(x=side))))
    reference = Reference(kind, width, height, tuple(made), {"scene": "Scene", "cameras": ["Camera"]})
    if geometry:
        reference = replace(reference, geometry="geometry.npy")
        np.save(folder / "geometry.npy", triangles(width, height))
    (folder / "reference.json").write_text(json.dumps(reference.to_json()))
    return reference


def write_depth(path: Path, depth: np.ndarray, channel: str = "Depth.Z") -> None:
    """Depth as .npy, or as OpenEXR by the ending."""
    if path.suffix == ".npy":
        np.save(path, depth)
        return
    import OpenEXR

    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, {channel: depth}) as file:
        file.write(str(path))


def move(frames: int, width: int, height: int, reach: float = 0.8) -> Cameras:
    """A camera that moves sideways over scene frames 1 to `frames`."""
    poses = [pose(x=reach * index / max(1, frames - 1)) for index in range(frames)]
    return Cameras.checked([float(i + 1) for i in range(frames)], [lens(width, height)] * frames, poses)


def write_shot(folder: Path, frames: int = 14, width: int = 64, height: int = 48, seed: int = 3) -> Shot:
    """A shot folder with a still reference of the same size."""
    write_reference(folder / "reference", width, height)
    shot = Shot("Shot", "tiny", seed, width, height, move(frames, width, height))
    (folder / "shot.json").write_text(json.dumps(shot.to_json()))
    return shot
