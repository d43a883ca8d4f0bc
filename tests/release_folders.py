"""Scene folders as the release writes them, made here by other means than the product's: small, with known depth."""

from __future__ import annotations

import json
from pathlib import Path

import av
import cv2
import numpy as np
from references import lens, picture

LOW, HIGH = 0.0, 12.0


def scene_codes(width: int, height: int, shift: int = 0) -> np.ndarray:
    """(H, W) uint16: a slope with a box before it; the upper left corner, of code 0, has no depth."""
    codes = np.tile(np.linspace(40000, 60000, height)[:, None], (1, width)).astype(np.uint16)
    codes[height // 3 : height * 2 // 3, width // 4 + shift : width // 2 + shift] = 20001
    codes[:4, :4] = 0
    return codes


def target_pose(number: int) -> list[float]:
    """World-to-camera of a camera that turns and goes to the right."""
    angle = 0.01 * number
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    return [cos, 0, -sin, -0.05 * number, 0, 1, 0, 0, sin, 0, cos, 0.01 * number, 0, 0, 0, 1]


def line(numbers: list[float]) -> str:
    return " ".join(f"{number:.9g}" for number in numbers) + "\n"


def write_movie(path: Path, frames: list[np.ndarray], codec: str, pixels: str, **options: str) -> None:
    with open(path, "wb") as file, av.open(file, "w", format="mp4") as container:
        stream = container.add_stream(codec, rate=24, options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixels
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode(None))


def write_scene(
    folder: Path, kind: str = "image", views: int = 1, valid: int = 14, width: int = 64, height: int = 48
) -> Path:
    """A version 1.5 folder; `views` counts for an image, a video has a view a frame."""
    frames = 9 + 12 * -(-max(0, valid - 9) // 12)
    views = frames if kind == "video" else views
    (folder / "input").mkdir(parents=True)
    (folder / "depth").mkdir()
    if kind == "video":
        shown = [picture(width, height, min(number, valid - 1)) for number in range(frames)]
        write_movie(folder / "input/video.mp4", shown, "libx264", "yuv420p", crf="12")
        measured = []
        for number in range(frames):
            codes = scene_codes(width, height, min(number, valid - 1) % 16)
            measured.append(np.stack([codes >> 8, codes & 255, codes * 0], axis=-1).astype(np.uint8))
        write_movie(folder / "depth/depth.mp4", measured, "libx264rgb", "rgb24", crf="0")
    else:
        for view in range(views):
            cv2.imwrite(str(folder / f"input/view_{view:02d}.png"), picture(width, height, view)[:, :, ::-1])
            name = "depth.png" if views == 1 else f"depth_{view:02d}.png"
            cv2.imwrite(str(folder / "depth" / name), scene_codes(width, height, view))
    (folder / "input/prompt.txt").write_text("Ein Tisch für zwei\n", encoding="utf-8")
    poses = [target_pose(min(number, valid - 1)) for number in range(frames)]
    (folder / "input/target_tcw.txt").write_text("".join(map(line, poses)))
    (folder / "depth/metadata.txt").write_text(f"{LOW:g} {HIGH:g}\n")
    (folder / "depth/source_intrinsics.txt").write_text(line(lens(width, height)) * views)
    (folder / "depth/source_tcw.txt").write_text("".join(line(target_pose(view)) for view in range(views)))
    describe(
        folder,
        output_id="two_tables",
        kind=kind,
        views=views,
        frames=frames,
        valid_frames=valid,
        fps=15.0,
        resolution=[height, width],
        target_intrinsics=f"estimated_source_{'frame_000000' if kind == 'video' else 'view_00'}_fixed",
        depth_encoding="uint16_minmax_v1",
    )
    return folder


def describe(folder: Path, **changes: object) -> None:
    """Change scene.json; None takes an entry out."""
    path = folder / "scene.json"
    content = {**(json.loads(path.read_text()) if path.exists() else {}), **changes}
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))


def write_version_1(
    folder: Path, trajectory: str | None, count: int, width: int = 32, height: int = 24, near: float = 2.0
) -> Path:
    """A version 1 folder whose nearest depth is `near`, and whose first camera is not the world."""
    for name in ("images", "depth"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        cv2.imwrite(str(folder / f"images/{number:06d}.png"), picture(width, height, number % 8)[:, :, ::-1])
        codes = np.full((height, width), 65535, np.uint16)
        codes[4:9, 4:9] = 0
        cv2.imwrite(str(folder / f"depth/{number:06d}.png"), codes)
    (folder / "metadata.txt").write_text(f"{near!r} {near + 5}\n")
    k = np.array(lens(width, height)).reshape(3, 3)
    (folder / "intrinsics.txt").write_text(np.array2string(k, separator=", ").replace("\n", "") + "\n")
    poses = [np.array(target_pose(number + 3)).reshape(4, 4)[:3] for number in range(count)]
    (folder / "extrinsics.txt").write_text(
        "".join(
            np.array2string(m, separator=", ", suppress_small=True).replace("\n", "") + "\n" for m in poses
        )
    )
    if trajectory is not None:
        (folder / "trajectory.txt").write_text(trajectory)
    return folder
