"""docs/pictures/stills.png: a room from one photograph and from two, each with a depth map beside it.

`python -m tests.scenes.stills_pictures --out out/stills`. The photographs are rendered of the reading room and written
as JPEG and 16-bit ray distance, as a camera and a scanner would leave them; then nothing of Blender is needed any more:
`backend.recover` makes the references, tiny generates the shot.
"""

import argparse
import json
from pathlib import Path

import bpy
import cv2
import numpy as np
from mathutils import Vector

from backend.protocol.cameras import Cameras
from backend.protocol.files import Shot
from backend.recover import read_views, recover
from backend.shots import generate_shot

from ..demo_pictures import caption
from . import capture, moves
from .evaluation_sets import FRAMES, reading_room, stage

LARGE = 2
"""Pixels of a photograph to one of a generated frame, across."""
FAR = 12.0
PANEL = (384, 216)


def photograph(studio: capture.Studio, camera: bpy.types.Object, frame: int, path: Path) -> dict:
    """Write picture and depth of a camera; returns its view for a views file."""
    view = studio.render(camera, frame)
    height, width = view.depth.shape
    rays = np.stack([*np.meshgrid(np.arange(width), np.arange(height)), np.ones_like(view.depth)], -1)
    distance = view.depth * np.linalg.norm(rays @ np.linalg.inv(view.intrinsics.astype(float)).T, axis=-1)
    codes = np.where(np.isfinite(distance), np.round(distance / FAR * 65535), 0)
    cv2.imwrite(str(path.with_suffix(".jpg")), view.colour[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    cv2.imwrite(str(path.with_suffix(".png")), np.clip(codes, 0, 65535).astype(np.uint16))
    return {
        "frame": 1.0,
        "camera": camera.name,
        "picture": path.with_suffix(".jpg").name,
        "picture_frame": 0,
        "picture_fit": "stretch",
        "depth_of": "picture",
        "pixel_aspect": 1.0,
        "intrinsics": view.intrinsics.astype(float).ravel().tolist(),
        "world_to_camera": view.world_to_camera.astype(float).ravel().tolist(),
        "depth": path.with_suffix(".png").name,
        "encoding": "ray",
        "range": [0.0, FAR],
        "known_pixels": [],
        "known_distance": 0.0,
    }


def take_of(folder: Path, views: list[dict], cameras: Cameras, out: Path) -> np.ndarray:
    """The last frame of the shot, generated from a reference of these views."""
    size = {"width": LARGE * capture.WIDTH, "height": LARGE * capture.HEIGHT}
    kind = "stills" if len(views) > 1 else "still"
    content = {"format": "inspatio-views", "version": 1, "kind": kind, **size, "aspect": 16 / 9}
    content |= {"network": "", "solve": False, "source": {"scene": "Reading Room"}, "views": views}
    (folder / f"{out.name}.json").write_text(json.dumps(content))
    recover(read_views(folder / f"{out.name}.json"), out / "reference", lambda line, share: print(line))
    shot = Shot("Stills", "tiny", 0, capture.WIDTH, capture.HEIGHT, cameras)
    (out / "shot.json").write_text(json.dumps(shot.to_json()))
    take = generate_shot(out, show=print)
    return cv2.imread(str(take / f"{FRAMES[-1]:04d}.png"))[..., ::-1]


def panel(picture: np.ndarray) -> np.ndarray:
    smaller = picture.shape[1] > PANEL[0]
    return cv2.resize(picture, PANEL, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=24)
    arguments = parser.parse_args()
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)

    camera, reference, shot = stage(reading_room)
    scene = bpy.context.scene
    studio = capture.Studio(arguments.samples)
    poses, lenses = [], []
    for frame in FRAMES:
        scene.frame_set(int(frame))
        k, pose = capture.camera_matrices(camera)
        lenses.append(k.astype(float).ravel().tolist())
        poses.append(pose.astype(float).ravel().tolist())
    cameras = Cameras.checked([float(frame) for frame in FRAMES], lenses, poses)
    truth = studio.render(camera, FRAMES[-1]).colour

    scene.render.resolution_x, scene.render.resolution_y = LARGE * capture.WIDTH, LARGE * capture.HEIGHT
    first = photograph(studio, reference, 1, out / "first")
    scene.frame_set(int(FRAMES[-1]))
    # The second photographer stood further along, and to the other side of what the move passes.
    at = camera.matrix_world @ Vector((0.5, 0.1, 0.3))
    second_camera = moves.camera("Second", at, shot.move.look, shot.lens)
    bpy.context.view_layer.update()
    second = photograph(studio, second_camera, FRAMES[-1], out / "second")

    rows = []
    for name, views in (("one", [first]), ("two", [first, second])):
        generated = take_of(out, views, cameras, out / name)
        photo = cv2.imread(str(out / views[-1]["picture"]))[..., ::-1]
        codes = cv2.imread(str(out / views[-1]["depth"]), cv2.IMREAD_UNCHANGED)
        depth = cv2.applyColorMap(255 - (codes // 257).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
        rows.append(np.concatenate([panel(photo), panel(depth), panel(generated), panel(truth)], axis=1))
        print(f"{name}: {cv2.PSNR(generated, truth):.2f} dB against the render")
    titles = ("photograph", "its distance map", "last frame, generated", "what is there")
    picture = np.concatenate([caption(titles, PANEL[0], 40), *rows])
    cv2.imwrite(str(out / "stills.png"), picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
