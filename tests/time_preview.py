"""What previews cost beside their blocks: `python -m tests.time_preview OUT.json --width 832 --height 480`.

A real backend process with `tiny` and a made-up room, over HTTP with the add-on's client: a take and a preview in
turns, block by block; then rewinds; then interruptions spread evenly over a block, each followed by a rewind to that
block. "load" tells how busy the machine was with other things.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from backend.bench import pose, room, room_cameras, started_backend
from backend.pictures import encode_png
from backend.presets import Presets
from backend.protocol.files import Reference, View
from backend.protocol.references import reference_digest
from backend.session import Session
from backend.world import load_world
from tests import conftest  # noqa: F401  (makes the add-on importable)

from inspatio_addon.inspatio_blender.client import Client, Interrupted  # isort: skip


def _timed(work: Any, *arguments: Any) -> tuple[Any, float]:
    """What `work` returns, and its milliseconds."""
    start = time.perf_counter()
    result = work(*arguments)
    return result, (time.perf_counter() - start) * 1000


def measure(client: Client, folder: Path, width: int, height: int, blocks: int, times: int) -> dict[str, Any]:
    """The figures of a backend that has just been started."""
    colour, depth, lens = room(width, height)
    (folder / "view_0000.png").write_bytes(encode_png(colour))
    np.save(folder / "view_0000.npy", depth)
    view = View(1.0, "Camera", "view_0000.png", "view_0000.npy", tuple(lens), tuple(pose(0, 0)))
    described = Reference("still", width, height, (view,))
    (folder / "reference.json").write_text(json.dumps(described.to_json()))
    digest = reference_digest(folder)
    client.put_reference(digest, folder)
    cameras = room_cameras(lens, 9 + 12 * (blocks - 1))
    take, preview = (
        client.open_take(digest, "tiny", width, height, 1, preview=preview).id for preview in (False, True)
    )
    png: list[float] = []
    beside: dict[str, list[float]] = {"take": [], "preview": []}
    seconds, peaks = [], []
    for block in range(blocks):
        kept, whole = _timed(client.generate, take, block, cameras.block(block))
        png.append(kept.milliseconds.pop("png"))
        beside["take"].append(whole - sum(kept.milliseconds.values()))
        seen, whole = _timed(client.preview_block, preview, block, cameras.block(block))
        beside["preview"].append(whole - sum(seen.milliseconds.values()))
        seconds.append(whole / 1000)
        peaks.append(seen.peak_mb)
    state = client.snapshot(preview)
    rewinds = [_timed(client.rewind, preview, block)[1] for block in range(blocks - 1, -1, -1)]
    asked = [_timed(client.status)[1] for _ in range(20)]
    client.preview_block(preview, 0, cameras.block(0))
    waits = [
        _interrupted(client, preview, cameras.block(1), seconds[-1] * (n + 0.5) / times) for n in range(times)
    ]
    loads = _loads(folder, width, height, state or b"")
    return {
        "frames_mb": round(12 * width * height * 3 / 1e6, 1),
        "block_s": round(min(seconds[1:] or seconds), 2),
        "beside_a_takes_block_ms": round(min(beside["take"]), 1),
        "of_which_png_ms": round(min(png), 1),
        "beside_a_previews_block_ms": round(min(beside["preview"]), 1),
        "rewind_ms": [round(found, 1) for found in sorted(rewinds)],
        "status_ms": round(median(asked), 1),
        "load_ms": round(median(loads), 3),
        "ready_after_interrupt_ms": [round(found) for found in sorted(waits)],
        "snapshot_mb": round(len(state or b"") / 1e6, 2),
        "peak_mb": max(peaks),
    }


def _loads(folder: Path, width: int, height: int, snapshot: bytes) -> list[float]:
    """Milliseconds that a session takes to go to a state, without HTTP."""
    session = Session(Presets().load("tiny"), load_world(folder)[0], width, height, 1)
    first = session.state
    session.restore(snapshot)
    states = [session.state, first]  # Only going to the later one is work.
    return [_timed(session.go_to, states[number % 2])[1] for number in range(100)][::2]


def _interrupted(client: Client, preview: str, cameras: Any, after: float) -> float:
    """Milliseconds from an interruption of block 1, `after` seconds from its start, until the next could begin."""
    began: list[float] = []

    def interrupt() -> None:
        began.append(time.perf_counter())
        client.interrupt()

    timer = threading.Timer(after, interrupt)
    timer.start()
    try:
        client.preview_block(preview, 1, cameras)
    except Interrupted:
        pass
    timer.join()
    client.rearm()
    client.rewind(preview, 1)
    return (time.perf_counter() - began[0]) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description="Time what previews cost beside their blocks.")
    parser.add_argument("out", type=Path, help="JSON file to write")
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--height", type=int, default=144)
    parser.add_argument("--blocks", type=int, default=6)
    parser.add_argument("--interruptions", type=int, default=20)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, started_backend(Path(place) / "log") as (backend, _):
        found: dict[str, Any] = {
            "size": [asked.width, asked.height],
            "load_before": round(os.getloadavg()[0], 1),
            "threads": os.environ.get("OMP_NUM_THREADS", "as many as cores"),
        }
        client = Client(backend.port, backend.token)
        (Path(place) / "reference").mkdir()
        size = asked.width, asked.height, asked.blocks, asked.interruptions
        found |= measure(client, Path(place) / "reference", *size)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
