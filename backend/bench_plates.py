"""Measures how fast plates are made: `python -m backend bench --plates --out out/bench_plates.json`.

A block of frames of the bench's room, its surfaces grained so that PNG files are as large as a picture's, developed to
1920x1080 from a reference as large: from PNG files to PNG files, and to raw arrays as the render engine asks for them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from .bench import machine, pose, room, room_cameras
from .pictures import encode_png
from .plate import develop
from .plate_files import develop_files, read_frames
from .protocol.files import PlateSettings
from .session import camera_block
from .world import World

WIDTH, HEIGHT = 1920, 1080
FRAMES = 12
SIZES = ((256, 144), (832, 480))
"""Of the generated frames."""
TIMES = 3


def measure(out: Path) -> str:
    """Measure every size, write `out`, and return the figures as text."""
    colour, depth, lens = room(WIDTH, HEIGHT)
    grain = np.random.default_rng(0).normal(0, 4, (HEIGHT, WIDTH, 1))
    colour = (colour + cv2.GaussianBlur(grain, (0, 0), 0.8)[..., None]).clip(0, 255).astype(np.uint8)
    world = World(
        "still",
        torch.from_numpy(colour).permute(2, 0, 1)[None].contiguous(),
        torch.from_numpy(depth)[None],
        torch.tensor(lens, dtype=torch.float64).view(1, 3, 3),
        torch.tensor(pose(0.0, 0.0), dtype=torch.float64).view(1, 4, 4),
        torch.ones(1, dtype=torch.float64),
    )
    settings = PlateSettings(WIDTH, HEIGHT)
    figures: dict[str, Any] = {"plates": f"{WIDTH}x{HEIGHT}", "frames": FRAMES, "machine": machine()}
    for width, height in SIZES:
        cameras = camera_block(room_cameras(room(width, height)[2], FRAMES))
        files = [encode_png(cv2.resize(colour, (width, height), interpolation=cv2.INTER_AREA))] * FRAMES
        placed, frames = read_frames(cameras, files, settings)
        name = f"{width}x{height}"
        figures |= _rates(f"png_{name}", partial(develop_files, world, cameras, files, settings))
        figures |= _rates(f"raw_{name}", partial(develop, world, placed, frames, WIDTH, HEIGHT, 1.0))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return "".join(f"{name:32} {value}\n" for name, value in figures.items())


def _rates(name: str, work: Callable[[], object]) -> dict[str, float]:
    """Frames a second of the best of some runs, and seconds of processors that a frame takes."""
    work()
    rates, costs = [], []
    for _ in range(TIMES):
        clock, processors = time.perf_counter(), time.process_time()
        work()
        rates.append(FRAMES / (time.perf_counter() - clock))
        costs.append((time.process_time() - processors) / FRAMES)
    return {f"{name}_fps": round(max(rates), 2), f"{name}_processor_s": round(min(costs), 3)}
