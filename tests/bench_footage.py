"""How fast a reference is made of footage: `python -m tests.bench_footage --out out/bench_footage.json`.

120 views of 832 x 480 of a clip as large as that, and of an HD one, through a lens with distortion; ground, two walls,
six boxes and a barrel stand in. Then 12 views with a sphere of 131,072 triangles among them. The clips are noise over a
moving pattern: harder to decode and to pack than most.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

import av
import numpy as np

from tests.build import ROOT, build_extension
from tests.demo import blender, say

VIEWS = 120
CASES = ((832, 480, VIEWS, 0), (1920, 1080, VIEWS, 0), (832, 480, 12, 256))
"""Width and height of the clip, views, and segments of the sphere."""


def make_clip(path: Path, width: int, height: int) -> None:
    """VIEWS frames at 24 a second: waves that move, and grain."""
    rng = np.random.default_rng(1)
    x, y = np.meshgrid(np.arange(width) / height * 20, np.arange(height) / height * 20)
    grain = rng.normal(0, 5, (2 * height, 2 * width, 3)).astype(np.float32)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=24, options={"crf": "18", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(VIEWS):
            wave = 128 + 80 * np.sin(x + 0.1 * number) * np.cos(y - 0.07 * number)
            down, right = rng.integers(0, height), rng.integers(0, width)
            picture = wave[..., None] + grain[down : down + height, right : right + width]
            frame = av.VideoFrame.from_ndarray(np.clip(picture, 0, 255).astype(np.uint8), format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench_footage.json")
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="inspatio-bench-") as scratch:
        folder = Path(scratch)
        resources = folder / "user"
        resources.mkdir()
        extension = build_extension(folder / "inspatio_blender.zip")
        found = []
        for width, height, views, segments in CASES:
            clip, result = folder / f"{width}.mp4", folder / "result.json"
            if not clip.exists():
                say(f"making a clip of {width} x {height}")
                make_clip(clip, width, height)
            place = folder / f"{width}_{segments}"
            place.mkdir()
            load = os.getloadavg()[0]
            blender(
                *("tests.scenes.footage_speed", extension, place, clip, views, segments, result),
                resources=resources,
            )
            found.append(
                {
                    "clip": [width, height],
                    "sphere": 2 * segments**2,
                    **json.loads(result.read_text()),
                    "load_before": round(load, 1),
                }
            )
    arguments.out.write_text(json.dumps({"cores": os.cpu_count(), "clips": found}, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
