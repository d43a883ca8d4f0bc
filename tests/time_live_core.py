"""How long the preview's core holds the main thread up: `python -m tests.time_live_core`.

Each call is timed while another thread carries orders out as fast as it can, with pictures of 832x480, so that locks
are contended as they are in the product. Milliseconds, median and 99th percentile.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import conftest  # noqa: F401  (makes the add-on importable)
from inspatio_addon.inspatio_blender.live.flight import Flight
from inspatio_addon.inspatio_blender.live.orders import Source
from inspatio_addon.inspatio_blender.live.plan import Plan
from inspatio_addon.inspatio_blender.live.store import Store
from references import lens, move, pose

FRAMES, WIDTH, HEIGHT = 250, 832, 480
MB = 1 << 20


def worker(source: Source, over: threading.Event) -> None:
    """What the stream does, with a backend that takes 50 ms a block."""
    block = np.zeros((12, HEIGHT, WIDTH, 3), np.uint8)
    while not over.is_set():
        since = source.changes
        order = source.next()
        if order is None:
            source.wait(since, 0.1)
            continue
        if order.rewind_to is not None and not source.rewound(order, order.rewind_to):
            continue
        time.sleep(0.05)
        pictures = [picture.copy() for picture in block[: len(order.frames)]]
        source.store.make_room(sum(picture.nbytes for picture in pictures))
        source.done(order, [1.0] * len(order.cameras), pictures)


def timed(call: Callable[[int], object], times: int, pause: float) -> dict[str, float]:
    spent = []
    for index in range(times):
        began = time.perf_counter()
        call(index)
        spent.append((time.perf_counter() - began) * 1000)
        time.sleep(pause)
    return {"p50": round(float(np.median(spent)), 4), "p99": round(float(np.percentile(spent, 99)), 4)}


def main() -> None:
    found = {}
    for title, memory in (("all in memory", 1024 * MB), ("spilled to files", 64 * MB)):
        with tempfile.TemporaryDirectory() as folder:
            store = Store(memory, Path(folder), 4096 * MB)
            cameras = move(FRAMES, WIDTH, HEIGHT)
            plan = Plan(store, cameras)
            over = threading.Event()
            thread = threading.Thread(target=worker, args=(plan, over))
            thread.start()
            edited = [
                replace(cameras, world_to_camera=tuple(tuple(pose(x=x + 0.01 * i)) for i in range(FRAMES)))
                for x in (1.0, 2.0)
            ]
            found[title] = {
                "set_playhead": timed(lambda i: plan.set_playhead(i % FRAMES, True), 600, 0.005),  # noqa: B023
                "get": timed(lambda i: store.get(i % FRAMES), 600, 0.005),  # noqa: B023
                "frames": timed(lambda i: store.frames(), 100, 0.005),  # noqa: B023
                "set_cameras, all 250 changed": timed(lambda i: plan.set_cameras(edited[i % 2]), 100, 0.02),  # noqa: B023
                "set_cameras, none changed": timed(lambda i: plan.set_cameras(edited[1]), 100, 0.005),  # noqa: B023
            }
            over.set()
            thread.join()
            store.close()
    with tempfile.TemporaryDirectory() as folder:
        flight = Flight(store := Store(64 * MB, Path(folder), 4096 * MB))
        over = threading.Event()
        thread = threading.Thread(target=worker, args=(flight, over))
        thread.start()
        k = tuple(lens(WIDTH, HEIGHT))
        found["flown"] = {
            "add": timed(lambda i: flight.add(time.monotonic(), k, tuple(pose(x=0.01 * i)), 1.0), 600, 0.005)
        }
        over.set()
        flight.wake()
        thread.join()
        store.close()
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
