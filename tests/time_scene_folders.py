"""How long the import of a long scene folder takes: `python -m tests.time_scene_folders OUT.json [--window]`.

The folder is a video of version 1.5 as the release would have it: colour in H.264 4:2:0 with grain, depth of 16 bits
with noise in its last bits, lossless. Everything but the import itself is left out of the figures; "load" tells how
busy the machine was with other things. The backend's part alone, or with --window all of Import Scene Folder, in the
window of the Blender that the environment variable BLENDER names (tests/blender/time_import.py).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import av
import cv2
import numpy as np

from backend.scene_folders import import_scene
from backend.scene_folders.depth import DepthRange
from backend.scene_folders.film import depth_picture, film
from tests.blenders import window_blender


def write_long_scene(folder: Path, frames: int, width: int, height: int) -> None:
    """A video scene folder in which a camera passes a box before a textured wall."""
    for name in ("input", "depth"):
        (folder / name).mkdir(parents=True)
    random = np.random.default_rng(5)
    wall = cv2.GaussianBlur(random.integers(0, 256, (height, width + 2 * frames, 3), np.uint8), (0, 0), 3)
    wall = cv2.normalize(wall, None, 0, 255, cv2.NORM_MINMAX)
    depth_range = DepthRange(1.0, 12.0)
    with (
        open(folder / "input/video.mp4", "wb") as file,
        av.open(file, "w", format="mp4") as container,
        film(folder / "depth/depth.mp4", 24, width, height) as add_depth,
    ):
        stream = container.add_stream("libx264", rate=24, options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(frames):
            grain = random.integers(-6, 7, (height, width, 1), np.int16)
            picture = (wall[:, 2 * number : 2 * number + width] + grain).clip(0, 255).astype(np.uint8)
            box = slice(height // 3, height * 2 // 3), slice(number, number + width // 4)
            picture[box] = picture[box] // 2 + 60
            depth = np.linspace(11, 5, height, dtype=np.float32)[:, None] + np.zeros(
                (height, width), np.float32
            )
            depth[box] = 3.0
            codes = depth_range.encoded(depth) + random.integers(0, 8, depth.shape, np.uint16)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            add_depth(depth_picture(codes.astype(np.uint16)))
        container.mux(stream.encode(None))
    lens = f"{0.8 * width} 0 {width / 2} 0 {0.8 * width} {height / 2} 0 0 1\n"
    pose = "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1\n"
    (folder / "depth/source_intrinsics.txt").write_text(lens * frames)
    (folder / "depth/source_tcw.txt").write_text(pose * frames)
    (folder / "depth/metadata.txt").write_text(depth_range.written())
    (folder / "input/target_tcw.txt").write_text(pose * frames)
    description = {
        "output_id": "long",
        "kind": "video",
        "views": frames,
        "frames": frames,
        "valid_frames": frames,
        "fps": 24,
        "resolution": [height, width],
        "target_intrinsics": "estimated_source_frame_000000_fixed",
        "depth_encoding": "uint16_minmax_v1",
    }
    (folder / "scene.json").write_text(json.dumps(description))


def of_backend(folder: Path) -> dict[str, float]:
    """Import folder/scene to folder/shot."""
    load, wall, cpu = os.getloadavg()[0], time.perf_counter(), time.process_time()
    import_scene(folder / "scene", folder / "shot")
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    sizes = {
        name: sum(path.stat().st_size for path in (folder / name).rglob("*") if path.is_file()) / 1e6
        for name in ("scene", "shot")
    }
    return {
        "frames": len(list((folder / "shot" / "reference").glob("*.png"))),
        "seconds": round(wall, 2),
        "cpu_seconds": round(cpu, 2),
        "load_before": round(load, 1),
        "scene_mb": round(sizes["scene"], 1),
        "shot_mb": round(sizes["shot"], 1),
    }


def in_window(folder: Path) -> dict[str, float]:
    """Import folder/scene by the operator in a real window, and the real backend."""
    result = folder / "found.json"
    blender = window_blender(folder, os.environ["BLENDER"])
    process = blender.start(
        "time_import.py",
        folder,
        folder / "scene",
        INSPATIO_RESULT=str(result),
        INSPATIO_PYTHON=sys.executable,
    )
    said, _ = process.communicate(timeout=400)
    if not result.exists():
        raise SystemExit(said[-6000:])
    found: dict[str, float] = json.loads(result.read_text())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the import of a long scene folder.")
    parser.add_argument("out", type=Path, help="JSON file to write")
    parser.add_argument("--frames", type=int, default=250)
    parser.add_argument("--window", action="store_true", help="all of it, in Blender's window")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_long_scene(folder / "scene", asked.frames, 832, 480)
        found = in_window(folder) if asked.window else of_backend(folder)
    found = {"size": [832, 480], "cores": len(os.sched_getaffinity(0)), **found}
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
