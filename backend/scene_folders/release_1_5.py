"""The scene folder of InSpatio-World 1.5.

    scene.json                  output_id, kind, views, frames, valid_frames, fps, resolution, depth's and lens's form
    input/view_00.png ...       the source of an image: 1 or 4 views; or
    input/video.mp4             that of a video: a view a frame
    input/prompt.txt
    input/target_tcw.txt        the target's world-to-camera, a line of 16 numbers a frame
    depth/depth.png             16-bit codes of one view; depth_00.png ... of four; depth.mp4 of a video
    depth/metadata.txt          the depth's min and max
    depth/source_intrinsics.txt 9 numbers a view
    depth/source_tcw.txt        16 numbers a view; the first view is the world

The target is seen through the lens of the first view. Frames are padded to whole blocks of the generator by repeating
the last: `valid_frames` counts the real ones.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import protocol
from ..pictures import PictureError, decode_png, encode_png, png_size
from ..protocol.blocks import block_count, block_span, padded
from ..protocol.disk import read_json
from ..protocol.fields import Fields
from ..protocol.files import MAX_FRAMES, MAX_VIEWS
from ..trajectory import TrajectoryError, read_world_to_camera
from ..world import check_size
from .depth import DepthRange, decode_depth_png
from .film import colour_picture, depth_codes, depth_picture, film, read_frames
from .folder import Folder, SceneFolderError
from .numbers import BYTES_A_NUMBER, check_source, matrices, rows
from .scene import Picture, Scene, Show, in_order

SCENE_FILE = "scene.json"
VERSION = "1.5"
ENCODING = "uint16_minmax_v1"
TARGET_LENS = {"image": "estimated_source_view_00_fixed", "video": "estimated_source_frame_000000_fixed"}
IMAGE_VIEWS = 1, 4
_OUTPUT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def read(folder: Folder) -> Scene:
    """The scene in a version 1.5 folder, its pictures still undecoded. Raises SceneFolderError and the like."""
    content = _read_description(folder)
    kind, views, frames, valid = content["kind"], content["views"], content["frames"], content["valid_frames"]
    width, height = content["width"], content["height"]
    if not folder.has("depth"):
        raise SceneFolderError(
            f"{folder.root} has no depth yet: let the release estimate it (it writes the folder depth), then try again."
        )
    check_size(views, width, height)
    intrinsics = matrices(folder, "depth/source_intrinsics.txt", views, 3)
    world_to_camera = matrices(folder, "depth/source_tcw.txt", views, 4)
    check_source(intrinsics, world_to_camera, "depth/source_intrinsics.txt", "depth/source_tcw.txt")
    if np.abs(world_to_camera[0] - np.eye(4)).max() > 1e-3:
        raise SceneFolderError(
            "depth/source_tcw.txt must begin with the identity: the first view is the world."
        )
    target = _read_target(folder, frames)
    try:
        depth_range = DepthRange.read(folder.text("depth/metadata.txt", 1000))
    except ValueError as error:
        raise SceneFolderError(f"depth/metadata.txt {error}.") from None
    pictures = (
        partial(_image_pictures, folder, depth_range, views, width, height)
        if kind == "image"
        else partial(_video_pictures, folder, depth_range, frames, valid, width, height)
    )
    real = slice(0, valid if kind == "video" else views)
    return Scene(
        content["output_id"],
        folder.prompt("input/prompt.txt"),
        "moving" if kind == "video" else "still" if views == 1 else "stills",
        content["fps"],
        width,
        height,
        intrinsics[real],
        world_to_camera[real],
        target[:valid],
        pictures,
        "scene folder of version 1.5",
    )


def _read_description(folder: Folder) -> dict[str, Any]:
    """scene.json, checked."""
    fields = Fields(SCENE_FILE, read_json(folder.file(SCENE_FILE)))
    kind = fields.choice("kind", tuple(TARGET_LENS))
    fields.choice("depth_encoding", (ENCODING,))
    fields.choice("target_intrinsics", (TARGET_LENS[kind],))
    output_id = fields.text("output_id", 200)
    if not _OUTPUT_ID.fullmatch(output_id):
        raise fields.wrong(f"output_id must be letters, digits, dots, - and _, got {output_id!r}")
    views, frames = fields.integer("views", 1, MAX_VIEWS), fields.integer("frames", 1, MAX_FRAMES)
    if kind == "image" and views not in IMAGE_VIEWS:
        raise fields.wrong(f"an image has 1 or 4 views, got {views}")
    if kind == "video" and views != frames:
        raise fields.wrong(f"a video has a view a frame, got {views} views and {frames} frames")
    fps = fields.number("fps", above=0.0)
    if fps > protocol.MAX_FPS:
        raise fields.wrong(f"fps must be at most {protocol.MAX_FPS}, got {fps:g}")
    resolution = fields.numbers("resolution", 2)
    if len(resolution) != 2 or any(
        side != int(side) or not 16 <= side <= protocol.MAX_SIDE for side in resolution
    ):
        raise fields.wrong(
            f"resolution must be height and width from 16 to {protocol.MAX_SIDE}, got {list(resolution)}"
        )
    return {
        "kind": kind,
        "output_id": output_id,
        "views": views,
        "frames": frames,
        "valid_frames": fields.integer("valid_frames", 1, frames),
        "fps": fps,
        "height": int(resolution[0]),
        "width": int(resolution[1]),
    }


def _read_target(folder: Folder, frames: int) -> np.ndarray:
    name = "input/target_tcw.txt"
    try:
        poses = read_world_to_camera(folder.text(name, 1000 + frames * 16 * BYTES_A_NUMBER))
    except TrajectoryError as error:
        raise SceneFolderError(f"{name}: {error}") from None
    if len(poses) != frames:
        raise SceneFolderError(f"{name} has {len(poses)} poses, the scene has {frames} frames.")
    poses[:, 3] = 0, 0, 0, 1
    return poses


def _image_pictures(
    folder: Folder, depth_range: DepthRange, views: int, width: int, height: int
) -> Iterator[Picture]:
    decoder = depth_range.decoder()
    for index in range(views):
        yield Picture(
            partial(read_colour, folder, f"input/view_{index:02d}.png", width, height),
            partial(read_depth, folder, f"depth/{_depth_name(index, views)}", width, height, decoder),
        )


def _video_pictures(
    folder: Folder, depth_range: DepthRange, frames: int, valid: int, width: int, height: int
) -> Iterator[Picture]:
    decoder = depth_range.decoder()
    size = frames, valid, width, height
    colour, depth = "input/video.mp4", "depth/depth.mp4"
    colours = read_frames(folder.file(colour), colour, *size)
    depths = read_frames(folder.file(depth), depth, *size, lossless=True)
    for number, (shown, measured) in enumerate(zip(colours, depths, strict=True)):
        yield Picture(
            partial(colour_picture, shown),
            partial(_video_depth, measured, decoder, f"Frame {number} of {depth}"),
        )


def _video_depth(frame: Any, decoder: np.ndarray, what: str) -> np.ndarray:
    return known_depth(decoder[depth_codes(frame)], what)


def png_file_size(folder: Folder, name: str) -> tuple[int, int]:
    """Width and height that a PNG claims, if a scene may have them. Raises SceneFolderError."""
    try:
        size = png_size(folder.bytes(name))
    except PictureError as error:
        raise SceneFolderError(f"{name} {error}.") from None
    if not 16 <= min(size) <= max(size) <= protocol.MAX_SIDE:
        raise SceneFolderError(
            f"{name} is {size[0]}x{size[1]} pixels: 16 to {protocol.MAX_SIDE} a side are allowed."
        )
    return size


def read_colour(folder: Folder, name: str, width: int, height: int) -> np.ndarray:
    """(H, W, 3) uint8 of a PNG of that size. Raises SceneFolderError."""
    data = folder.bytes(name)
    try:
        found = png_size(data)
        if found != (width, height):
            raise PictureError(f"is {found[0]}x{found[1]} pixels, the scene is {width}x{height}")
        return decode_png(data, width, height)
    except PictureError as error:
        raise SceneFolderError(f"{name} {error}.") from None


def read_depth(folder: Folder, name: str, width: int, height: int, decoder: np.ndarray) -> np.ndarray:
    """(H, W) float32 of a 16-bit PNG of that size. Raises SceneFolderError."""
    try:
        codes = decode_depth_png(folder.bytes(name), width, height)
    except PictureError as error:
        raise SceneFolderError(f"{name} {error}.") from None
    return known_depth(decoder[codes], name)


def known_depth(depth: np.ndarray, what: str) -> np.ndarray:
    """The same depth; raises SceneFolderError where there is none at all, which no reference may have."""
    if not depth.any():
        raise SceneFolderError(f"{what} holds no depth: every pixel is 0.")
    return depth


def write(scene: Scene, folder: Path, show: Show) -> list[str]:
    """Write a version 1.5 folder; returns sentences about what is lost in it."""
    lost = []
    valid = len(scene.target_world_to_camera)
    frames = block_span(block_count(valid) - 1, valid)
    count = frames.start + frames.size
    kind = "video" if scene.kind == "moving" else "image"
    views = count if kind == "video" else len(scene.intrinsics)
    if kind == "image" and views not in IMAGE_VIEWS:
        lost.append(
            f"A scene folder has 1 or 4 views, the reference has {views}: the last is repeated, which adds nothing."
        )
        views = IMAGE_VIEWS[-1]
    output_id = plain_name(scene.name)
    if output_id != scene.name:
        lost.append(
            f"The name {scene.name!r} becomes {output_id!r}: a scene folder takes plain letters only."
        )
    (folder / "input").mkdir()
    (folder / "depth").mkdir()
    with in_order(picture.depth for picture in scene.pictures()) as maps:
        depth_range = DepthRange.over(_told(maps, len(scene.intrinsics), show))
    lost += depth_range.lost()
    description = {
        "output_id": output_id,
        "kind": kind,
        "views": views,
        "frames": count,
        "valid_frames": valid,
        "fps": scene.fps,
        "resolution": [scene.height, scene.width],
        "target_intrinsics": TARGET_LENS[kind],
        "depth_encoding": ENCODING,
    }
    texts: Mapping[str, str] = {
        SCENE_FILE: json.dumps(description, indent=2) + "\n",
        "input/prompt.txt": scene.prompt + "\n",
        "input/target_tcw.txt": rows(padded(list(scene.target_world_to_camera), count)),
        "depth/metadata.txt": depth_range.written(),
        "depth/source_intrinsics.txt": rows(padded(list(scene.intrinsics), views)),
        "depth/source_tcw.txt": rows(padded(list(scene.world_to_camera), views)),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    if kind == "video":
        _write_video(scene, folder, depth_range, count, show)
    else:
        _write_images(scene, folder, depth_range, views)
    return lost


def _told(maps: Iterator[np.ndarray], count: int, show: Show) -> Iterator[np.ndarray]:
    """Depth maps that are looked through, with progress: a fifth of the work."""
    for number, depth in enumerate(maps, start=1):
        yield depth
        show(f"Measured the depth of {number} of {count} views", 0.2 * number / count)


def _write_images(scene: Scene, folder: Path, depth_range: DepthRange, views: int) -> None:
    pictures = padded(list(scene.pictures()), views)
    for index, picture in enumerate(pictures):
        (folder / f"input/view_{index:02d}.png").write_bytes(encode_png(picture.colour()))
        codes = depth_range.encoded(picture.depth())
        (folder / "depth" / _depth_name(index, views)).write_bytes(encode_png(codes))


def _write_video(scene: Scene, folder: Path, depth_range: DepthRange, count: int, show: Show) -> None:
    size = scene.fps, scene.width, scene.height
    valid = len(scene.target_world_to_camera)
    with (
        film(folder / "input/video.mp4", *size) as add_colour,
        film(folder / "depth/depth.mp4", *size) as add_depth,
        in_order(partial(_video_frame, picture, depth_range) for picture in scene.pictures()) as made,
    ):
        for number, (colour, depth) in enumerate(made, start=1):
            # The last frame fills up what is missing of the last block.
            for _ in range(1 if number < valid else 1 + count - valid):
                add_colour(colour)
                add_depth(depth)
            show(f"Wrote {number} of {valid} frames", 0.2 + 0.8 * number / valid)


def _video_frame(picture: Picture, depth_range: DepthRange) -> tuple[np.ndarray, np.ndarray]:
    return picture.colour(), depth_picture(depth_range.encoded(picture.depth()))


def _depth_name(index: int, views: int) -> str:
    return "depth.png" if views == 1 else f"depth_{index:02d}.png"


def plain_name(name: str) -> str:
    """A name as `output_id` may be: accents go, what is no letter or digit becomes _."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", letters).lstrip("_.-")[:200] or "shot"
