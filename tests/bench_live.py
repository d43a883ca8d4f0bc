"""How fast and how lean the live preview is, in a real window: `make bench-live BLENDER=/path/to/blender`.

Builds the extension, installs it into a throw-away user folder, and runs tests/blender/bench_live.py in the window with
the real backend and tiny: playback at 832 x 480, edits, and a flight whose memory is watched. Writes JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from tests.blenders import window_blender

WINDOW = ("0", "0", "864", "540")
"""Left, bottom, width and height: hardly more than the picture that is played. In software OpenGL one of 1600 x 1000
takes Blender itself 0.2 s, so nothing could be played at 24 frames a second there."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/bench_live.json"))
    parser.add_argument("--flying", type=float, default=600.0, help="seconds of flying")
    given = parser.parse_args()
    blender = os.environ.get("BLENDER")
    if not blender:
        print("Name a Blender: make bench-live BLENDER=/path/to/blender", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name:
        found = measure(Path(name), blender, given.flying)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))
    return 0


def measure(folder: Path, blender: str, flying: float) -> dict[str, object]:
    """What the window's script found."""
    result = folder / "found.json"
    process = window_blender(folder, blender, "--window-geometry", *WINDOW).start(
        "bench_live.py",
        folder,
        flying,
        INSPATIO_RESULT=str(result),
        INSPATIO_PYTHON=sys.executable,
    )
    heard = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            heard.append(line)
            if line.startswith("BENCH "):
                print(line.removeprefix("BENCH ").rstrip(), flush=True)
        process.wait(60)
    finally:
        process.kill()
    if not result.exists():
        raise SystemExit("".join(heard[-60:]))
    found: dict[str, object] = json.loads(result.read_text())
    return found


if __name__ == "__main__":
    sys.exit(main())
