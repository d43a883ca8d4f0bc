"""The folder that version 1 of InSpatio-World keeps of a video, and its three-line trajectory.

    images/000000.png ...   colour, a picture a frame
    depth/000000.png ...    16-bit codes of depth
    metadata.txt            the depth's min and max
    extrinsics.txt          world-to-camera, a line a frame: [[4 numbers], [4], [4]]
    intrinsics.txt          those of the first frame: [[3 numbers], [3], [3]]
    trajectory.txt          pitch, yaw, displacement; the release is given it by its path, so it may lie elsewhere
    prompt.txt              ours: the release keeps prompts in a list of all videos

That is what the release's `convert_da3_to_pi3.py` writes and `render_point_cloud.py` calls a trajectory. One picture
alone is a still, seen for as many frames as the release makes at least. The trajectory's world is the first camera.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from ..pictures import encode_png
from ..protocol.files import MAX_VIEWS
from ..trajectory import TrajectoryError, read_orbit, write_orbit
from ..world import check_size
from .depth import DepthRange
from .folder import Folder, SceneFolderError
from .numbers import BYTES_A_NUMBER, check_source, numbers, row
from .release_1_5 import png_file_size, read_colour, read_depth
from .scene import Picture, Scene, Show, in_order

VERSION = "1"
INTRINSICS_FILE, EXTRINSICS_FILE = "intrinsics.txt", "extrinsics.txt"
METADATA_FILE, TRAJECTORY_FILE, PROMPT_FILE = "metadata.txt", "trajectory.txt", "prompt.txt"
STILL_FRAMES = 121
FPS = 24.0
MAX_TRAJECTORY_BYTES = 1_000_000
CENTRED = 0.15
"""Share of the width by which the lens's centre may be off the picture's: more, and it is of another picture size."""


def read(folder: Folder, trajectory: Path | None = None) -> Scene:
    """The scene in a version 1 folder, its pictures still undecoded. Raises SceneFolderError and the like."""
    colours, depths = folder.numbered("images"), folder.numbered("depth")
    count = len(colours)
    if not count:
        raise SceneFolderError(f"images holds no PNG whose name is a number in {folder.root}.")
    if len(depths) != count:
        raise SceneFolderError(
            f"images holds {count} pictures, depth {len(depths)}: a frame has one of each."
        )
    if count > MAX_VIEWS:
        raise SceneFolderError(f"images holds {count} pictures: at most {MAX_VIEWS} can be imported.")
    width, height = png_file_size(folder, colours[0])
    check_size(count, width, height)
    intrinsics = np.repeat(_lens(folder, width, height), count, axis=0)
    poses = _poses(folder, count)
    check_source(intrinsics, poses, INTRINSICS_FILE, EXTRINSICS_FILE)
    try:
        depth_range = DepthRange.read(folder.text(METADATA_FILE, 1000))
    except ValueError as error:
        raise SceneFolderError(f"{METADATA_FILE} {error}.") from None
    decoder = depth_range.decoder()
    first = read_depth(folder, depths[0], width, height, decoder)
    world_to_camera = poses @ np.linalg.inv(poses[0])
    world_to_camera[0], world_to_camera[:, 3] = np.eye(4), (0, 0, 0, 1)
    text = _trajectory(folder, trajectory)
    target = read_orbit(text, STILL_FRAMES if count == 1 else count, float(first[first > 0].min()))
    return Scene(
        folder.root.name,
        folder.prompt(PROMPT_FILE),
        "still" if count == 1 else "moving",
        FPS,
        width,
        height,
        intrinsics,
        world_to_camera,
        target,
        partial(_pictures, folder, colours, depths, width, height, decoder),
        "folder of version 1",
    )


def _lens(folder: Folder, width: int, height: int) -> np.ndarray:
    """Intrinsics (1, 3, 3) of every frame: the release takes those of the first."""
    values = numbers(folder.text(INTRINSICS_FILE, 1000), INTRINSICS_FILE)
    if len(values) != 9:
        raise SceneFolderError(f"{INTRINSICS_FILE} has {len(values)} numbers instead of 9.")
    off = abs(values[2] / width - 0.5), abs(values[5] / height - 0.5)
    if not max(off) <= CENTRED:  # NaN is not
        raise SceneFolderError(
            f"{INTRINSICS_FILE} is of another picture size: its centre, {values[2]:g} {values[5]:g}, is far from the "
            f"middle of the {width}x{height} pixels in images."
        )
    return values.reshape(1, 3, 3)


def _poses(folder: Folder, count: int) -> np.ndarray:
    values = numbers(folder.text(EXTRINSICS_FILE, 1000 + count * 12 * BYTES_A_NUMBER), EXTRINSICS_FILE)
    if len(values) != count * 12:
        raise SceneFolderError(
            f"{EXTRINSICS_FILE} has {len(values)} numbers; {count} pictures need 12 each, {count * 12}."
        )
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, :3] = values.reshape(count, 3, 4)
    return poses


def _trajectory(folder: Folder, elsewhere: Path | None) -> str:
    if elsewhere is not None:
        folder = Folder(elsewhere.parent)
    elif not folder.has(TRAJECTORY_FILE):
        raise SceneFolderError(
            f"{folder.root} has no {TRAJECTORY_FILE}: put the trajectory's three lines there, or name their file "
            "as the trajectory."
        )
    name = TRAJECTORY_FILE if elsewhere is None else elsewhere.name
    text = folder.text(name, MAX_TRAJECTORY_BYTES)
    try:
        read_orbit(text, 2, 1.0)
    except TrajectoryError as error:
        raise SceneFolderError(f"{name}: {error}") from None
    return text


def _pictures(
    folder: Folder, colours: list[str], depths: list[str], width: int, height: int, decoder: np.ndarray
) -> Iterator[Picture]:
    for colour, depth in zip(colours, depths, strict=True):
        yield Picture(
            partial(read_colour, folder, colour, width, height),
            partial(read_depth, folder, depth, width, height, decoder),
        )


def write(scene: Scene, folder: Path, show: Show) -> list[str]:
    """Write a version 1 folder with the shot's path as trajectory.txt; returns sentences about what is lost in it.

    Raises TrajectoryError where the path cannot be told in its three lines.
    """
    lost = _lens_lost(scene)
    frames = len(scene.target_world_to_camera)
    pictures = list(scene.pictures())
    poses = scene.world_to_camera
    if scene.kind != "moving":
        if len(pictures) > 1:
            lost.append(f"Version 1 has one view at a time: of {len(pictures)} stills, the first is kept.")
        pictures, poses = pictures[:1] * frames, np.repeat(poses[:1], frames, axis=0)
    first = pictures[0].depth()
    near = first[(first > 0) & np.isfinite(first)]
    if not near.size:
        raise SceneFolderError(
            "The first view shows only sky: version 1 measures the camera's path by its depth."
        )
    with in_order(item.depth for item in (pictures if scene.kind == "moving" else pictures[:1])) as maps:
        depth_range = DepthRange.over(maps)
    # What the trajectory is measured by is the depth as it will be read.
    foreground = float(depth_range.decoder()[depth_range.encoded(near.min(keepdims=True))].min())
    text = write_orbit(scene.target_world_to_camera, foreground)
    lost += depth_range.lost()
    if not first.all():
        lost.append(
            "The first view has pixels without depth: the release takes them for the nearest, at 0, and will only "
            "turn the camera, not move it."
        )
    texts = {
        TRAJECTORY_FILE: text,
        INTRINSICS_FILE: _brackets(scene.intrinsics[0]),
        EXTRINSICS_FILE: "".join(_brackets(pose[:3]) for pose in poses),
        METADATA_FILE: depth_range.written(),
        PROMPT_FILE: scene.prompt + "\n",
    }
    for name, content in texts.items():
        (folder / name).write_text(content, encoding="utf-8", newline="\n")
    (folder / "images").mkdir()
    (folder / "depth").mkdir()
    jobs = (partial(_write_view, item, depth_range, folder, index) for index, item in enumerate(pictures))
    with in_order(jobs) as written:
        for number, _ in enumerate(written, start=1):
            show(f"Wrote {number} of {frames} frames", number / frames)
    return lost


def _write_view(picture: Picture, depth_range: DepthRange, folder: Path, index: int) -> None:
    (folder / f"images/{index:06d}.png").write_bytes(encode_png(picture.colour()))
    codes = depth_range.encoded(picture.depth())
    (folder / f"depth/{index:06d}.png").write_bytes(encode_png(codes))


def _lens_lost(scene: Scene) -> list[str]:
    lost = []
    if np.abs(scene.intrinsics - scene.intrinsics[0]).max() > 0.02:
        lost.append("The reference's lens changes: version 1 has one for all frames, that of the first.")
    if scene.fps != FPS:
        lost.append(f"The frame rate, {scene.fps:g} a second, is lost: version 1 makes {FPS:g}.")
    middle = np.array([scene.width - 1, scene.height - 1]) / 2
    if np.abs(scene.intrinsics[0, :2, 2] - middle).max() > 1:
        lost.append("The lens is shifted: version 1 takes it as centred, so its frames will be shifted.")
    return lost


def _brackets(matrix: np.ndarray) -> str:
    """A matrix on a line, as nested lists."""
    return "[" + ", ".join(f"[{row(line.tolist()).replace(' ', ', ')}]" for line in matrix) + "]\n"
