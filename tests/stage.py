"""A small world with details to follow: a painted wall at z = 6 and a painted board before it at z = 3, seen exactly.

The cameras are OpenCV's, world_to_camera 4x4; what a ray meets first is its pixel. Also photographs and videos of it as
files, and what `tiny` generates from a reference of it.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from backend.protocol.cameras import Cameras
from backend.protocol.files import Shot
from backend.shots import generate_shot

BOARD = (-1.2, 0.2, -0.8, 0.6)
"""Left, right, top and bottom of the board."""


def lens(width: int, height: int, focal: float = 0.9) -> np.ndarray:
    """Intrinsics of a camera without shift; focal in widths of the picture."""
    return np.array(
        [[focal * width, 0, (width - 1) / 2], [0, focal * width, (height - 1) / 2], [0, 0, 1]], float
    )


def pose(x: float = 0.0, y: float = 0.0, z: float = 0.0, yaw: float = 0.0) -> np.ndarray:
    """World-to-camera of a camera at (x, y, z) that looks along z, turned by `yaw` degrees."""
    turn = np.radians(yaw)
    camera = np.eye(4)
    camera[:3, :3] = [[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]]
    camera[:3, 3] = x, y, z
    return np.linalg.inv(camera)


WIDTH, HEIGHT = 128, 80
K = lens(WIDTH, HEIGHT)
FIELD_OF_VIEW = float(np.degrees(2 * np.arctan(0.5 / 0.9)))
"""Of a camera with the lens K, in degrees across."""
TURNS = [pose(x=0.05 * n, z=0.02 * n, yaw=0.5 * n) for n in range(12)]
PANS = [pose(x=0.1 * n, yaw=0.8 * n) for n in range(12)]
"""Cameras of a video, one step after the other; the second ones turn more."""


def _paint(seed: int) -> np.ndarray:
    """A texture (512, 512, 3) with detail of several sizes."""
    random = np.random.default_rng(seed)
    layers = [
        cv2.resize(random.random((n, n, 3)), (512, 512), interpolation=cv2.INTER_CUBIC) for n in (8, 32, 96)
    ]
    return (np.clip(0.5 * layers[0] + 0.3 * layers[1] + 0.3 * layers[2], 0, 1) * 255).astype(np.uint8)


WALL_PAINT, BOARD_PAINT = _paint(1), _paint(2)


def see(
    intrinsics: np.ndarray, world_to_camera: np.ndarray, width: int, height: int
) -> tuple[np.ndarray, np.ndarray]:
    """Picture (H, W, 3) uint8 and exact planar depth (H, W) float32 of a camera."""
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    rays = np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(intrinsics).T
    camera = np.linalg.inv(world_to_camera)
    rays, eye = rays @ camera[:3, :3].T, camera[:3, 3]
    wall, board = ((z - eye[2]) / rays[..., 2] for z in (6.0, 3.0))
    at_board = eye[:2] + rays[..., :2] * board[..., None]
    left, right, top, bottom = BOARD
    hit = (
        (at_board[..., 0] > left)
        & (at_board[..., 0] < right)
        & (at_board[..., 1] > top)
        & (at_board[..., 1] < bottom)
    )
    at_wall = eye[:2] + rays[..., :2] * wall[..., None]
    picture = np.where(hit[..., None], _sample(BOARD_PAINT, at_board, 256), _sample(WALL_PAINT, at_wall, 64))
    return picture, np.where(hit, board, wall).astype(np.float32)


def _sample(paint: np.ndarray, at: np.ndarray, pixels: float) -> np.ndarray:
    place = (at * pixels + 256).astype(np.float32)
    return cv2.remap(paint, place[..., 0], place[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def write_picture(path: Path, picture: np.ndarray) -> Path:
    cv2.imwrite(str(path), picture[:, :, ::-1])
    return path


def write_video(path: Path, pictures: list[np.ndarray]) -> Path:
    """An MP4 of pictures, as a telephone would make one, but sharper."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"crf": "10"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    return path


def video_of(
    folder: Path, poses: list[np.ndarray], size: tuple[int, int] = (320, 200), focal: float = 0.9
) -> tuple[Path, Path]:
    """A video of the stage and a folder with the depth of its frames; focal in widths of the picture."""
    seen = [see(lens(*size, focal), at, *size) for at in poses]
    maps = folder / "maps"
    maps.mkdir()
    for index, (_, depth) in enumerate(seen):
        np.save(maps / f"depth_{index + 1:04d}.npy", depth)
    return write_video(folder / "video.mp4", [picture for picture, _ in seen]), maps


def still(
    folder: Path,
    name: str = "photo.png",
    at: np.ndarray | None = None,
    size: tuple[int, int] = (WIDTH, HEIGHT),
):
    """A picture of the stage and its depth map as files."""
    picture, depth = see(lens(*size), pose() if at is None else at, *size)
    path = write_picture(folder / name, picture)
    np.save(path.with_suffix(".npy"), depth)
    return path, path.with_suffix(".npy")


def generated(folder: Path, cameras: Cameras) -> dict[int, np.ndarray]:
    """The first and the last frame by tiny of a shot of the reference in `folder`/reference, by their numbers."""
    shot = Shot("Shot", "tiny", 0, WIDTH, HEIGHT, cameras)
    (folder / "shot.json").write_text(json.dumps(shot.to_json()))
    take = generate_shot(folder)
    last = len(cameras)
    return {number: cv2.imread(str(take / f"{number:04d}.png"))[:, :, ::-1] for number in (1, last)}
