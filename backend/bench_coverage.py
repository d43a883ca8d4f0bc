"""Measures how long the coverage of a shot takes: `python -m backend bench --coverage --out out/coverage.json`.

250 frames of a move through the bench's room, its reference a still, four stills side by side, and a video.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from .bench import best, machine, pose, room, room_cameras
from .coverage import coverage_of
from .session import camera_block
from .world import World

FRAMES = 250
SIZES = ((832, 480), (256, 144))
REFERENCES = (("still", 1), ("stills", 4), ("moving", 97))


def measure(out: Path) -> str:
    """Measure every size and reference, write `out`, and return the figures as text."""
    figures: dict[str, Any] = {"frames": FRAMES, "machine": machine()}
    for width, height in SIZES:
        for kind, views in REFERENCES:
            figures[f"coverage_{width}x{height}_{views}_views_s"] = _seconds(kind, views, width, height)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return "".join(f"{name:32} {value}\n" for name, value in figures.items())


def _seconds(kind: str, views: int, width: int, height: int) -> float:
    colour, depth, lens = room(width, height)
    sideways = 0.0 if kind == "moving" else 0.2
    world = World(
        kind,
        torch.from_numpy(colour).permute(2, 0, 1).expand(views, -1, -1, -1),
        torch.from_numpy(depth).expand(views, -1, -1),
        torch.tensor(lens, dtype=torch.float64).view(1, 3, 3).expand(views, -1, -1),
        torch.tensor([pose(sideways * view, 0.0) for view in range(views)], dtype=torch.float64).view(
            -1, 4, 4
        ),
        torch.arange(1, views + 1, dtype=torch.float64),
    )
    cameras = camera_block(room_cameras(lens, FRAMES))
    return round(best(lambda: coverage_of(world, cameras, width, height), 3), 3)
