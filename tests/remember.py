"""What Remember is worth: `python -m tests.remember --out out/remember [--only SET]`.

A camera leaves what the reference saw and comes back on the same way (`tests/scenes/out_and_back.py`); both visits of
each camera are compared, where the reference does not reach and where it does, with Remember and without. Visits that
the same block or the next one makes are left out. Writes SET.json and SET.png (true where it was rendered, first visit,
second visit without, first and second visit with), and remember.json of all sets that are there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from backend.constraint.geometry import depth_of_triangles
from backend.constraint.splat import Render
from backend.context import render_world, scaled
from backend.presets import LoadedPreset, load_preset
from backend.protocol.blocks import blocks_of
from backend.remember import Memory, recall, remember, visible
from backend.session import CameraBlock, Session
from backend.training.measures import psnr
from backend.world import World

CPU = torch.device("cpu")
SIZES = (256, 144), (832, 480)
"""What a block's render costs is measured at these, (width, height)."""
APART = 24
"""Frames that lie between two visits at least."""


class Track:
    """A set's world, rendered by a preset's warp, and the cameras of the way out and back.

    size: (height, width) of the reference, and of the frames that are made.
    """

    def __init__(self, path: Path, warp: str) -> None:
        held = np.load(path)
        self.warp = warp
        self.size = held["depth"].shape
        self.intrinsics = torch.from_numpy(held["intrinsics"]).double()
        self.poses = torch.from_numpy(held["cameras"]).double()
        self.true = held["true"]
        self.world = World(
            "still",
            torch.from_numpy(held["colour"]).permute(2, 0, 1)[None],
            torch.from_numpy(held["depth"])[None],
            self.intrinsics[None],
            torch.from_numpy(held["world_to_camera"]).double()[None],
            torch.ones(1, dtype=torch.float64),
            torch.from_numpy(held["triangles"]),
        )

    def cameras(self, part: slice, width: int | None = None) -> CameraBlock:
        poses = self.poses[part]
        scale = 1.0 if width is None else width / self.size[1]
        lens = scaled(self.intrinsics[None], scale, scale).expand(len(poses), 3, 3)
        return CameraBlock(torch.ones(len(poses), dtype=torch.float64), lens, poses)

    def render(self, cameras: CameraBlock, height: int, width: int) -> Render:
        """The reference in these cameras, as a session of the preset renders it."""
        placed = cameras.intrinsics, cameras.world_to_camera
        return render_world(self.world, cameras.times, *placed, height, width, warp=self.warp)

    def known(self) -> np.ndarray:
        """What the reference reaches and no surface hides, (FRAMES, H, W)."""
        found = []
        for start in range(0, len(self.poses), 20):
            cameras = self.cameras(slice(start, start + 20))
            placed = cameras.intrinsics, cameras.world_to_camera
            depth = depth_of_triangles(self.world.geometry, *placed, self.size)
            found.append(visible(self.render(cameras, *self.size), depth).known)
        return torch.cat(found).numpy()


def generate(track: Track, preset: LoadedPreset, remembers: bool) -> tuple[np.ndarray, dict[str, float]]:
    """Frames of the whole move, and milliseconds of a block's stages that Remember adds to."""
    height, width = track.size
    session = Session(preset, track.world, width, height, seed=0, remember=remembers)
    frames, spent = [], []
    for block in blocks_of(len(track.poses)):
        made = session.step(track.cameras(slice(block.start, block.start + block.size)))
        frames.append(made.frames[: block.count])
        spent.append({name: made.milliseconds[name] for name in ("render", "finish")})
    mean = {name: round(float(np.mean([one[name] for one in spent])), 1) for name in spent[0]}
    return np.concatenate(frames), mean


def compare(track: Track, frames: np.ndarray, known: np.ndarray) -> dict[str, float]:
    """PSNR between visits and against the true renders, in holes and where the reference reaches; steadiness."""
    first = np.arange((len(frames) - APART) // 2 + 1)
    second = len(frames) - 1 - first
    unit = frames.astype(np.float32) / 255
    true = track.true.astype(np.float32) / 255
    steady = steadiness(track, frames, known)
    at = np.arange(len(true)) * ((len(frames) // 2) // (len(true) - 1))
    return {
        "visits_holes": psnr(unit[first], unit[second], ~known[first]),
        "visits_covered": psnr(unit[first], unit[second], known[first]),
        "true_holes": psnr(unit[at], true, ~known[at]),
        "true_covered": psnr(unit[at], true, known[at]),
        "steadiness_holes": steady,
    }


def steadiness(track: Track, frames: np.ndarray, known: np.ndarray) -> float:
    """PSNR between each frame and the one before brought into its camera by the geometry, in holes of both."""
    error, count = 0.0, 0
    for start in range(0, len(frames) - 1, 20):
        part = slice(start, start + 21)
        cameras = track.cameras(part)
        placed = cameras.intrinsics, cameras.world_to_camera
        depth = depth_of_triangles(track.world.geometry, *placed, track.size)
        holes = torch.from_numpy(~known[part])
        codes = torch.from_numpy(frames[part]).permute(0, 3, 1, 2)
        for at in range(len(depth) - 1):
            one, other = slice(at, at + 1), slice(at + 1, at + 2)
            if not holes[one].any():
                continue
            before = Memory(
                codes[one], holes[one], depth[one].reciprocal().bfloat16(), placed[0][one], placed[1][one]
            )
            unknown = torch.zeros(1, *track.size, dtype=torch.bool)
            nothing = Render(torch.zeros(1, 3, *track.size), unknown, depth[other], unknown[:, None])
            moved = recall(before, nothing, depth[other], placed[0][other], placed[1][other])
            there = (moved.known & holes[other])[:, None].expand_as(moved.colour)
            difference = (moved.colour - (codes[other] / 127.5 - 1))[there] / 2
            error, count = error + float(difference.square().sum()), count + difference.numel()
    return 10 * float(np.log10(count / error))


def cost(track: Track, width: int, height: int) -> dict[str, float]:
    """Milliseconds, wall and of all cores together, that a block's render takes at the far end, and what is added."""
    memory = Memory.empty(height, width, CPU)
    far = len(track.poses) // 2
    parts: dict[str, float] = {}
    for start in range(far % 12, far, 12):
        cameras = track.cameras(slice(start, start + 12), width)
        placed = cameras.intrinsics, cameras.world_to_camera
        marks = [(time.perf_counter(), time.process_time())]

        def mark(marks: list[tuple[float, float]] = marks) -> None:
            marks.append((time.perf_counter(), time.process_time()))

        render = track.render(cameras, height, width)
        mark()
        depth = depth_of_triangles(track.world.geometry, *placed, (height, width))
        mark()
        render = recall(memory, visible(render, depth), depth, *placed)
        mark()
        codes = torch.zeros(12, 3, height, width, dtype=torch.uint8)
        memory, _ = remember(memory, codes, render, depth, *placed)
        mark()
        for (wall, all_cores), (ended, all_ended), name in zip(
            marks, marks[1:], ("render", "geometry", "recall", "remember"), strict=False
        ):
            parts[f"{name}_ms"] = round((ended - wall) * 1000, 1)
            parts[f"{name}_cpu_ms"] = round((all_ended - all_cores) * 1000, 1)
    return {"keyframes": len(memory), **parts}


def picture(track: Track, runs: dict[bool, np.ndarray], known: np.ndarray) -> np.ndarray:
    """A row a camera: what the reference reaches, first and second visit without Remember, the same with, RGB."""
    rows = []
    for first in (len(known) // 8 * part for part in (1, 2, 3)):
        second = len(known) - 1 - first
        reached = np.where(known[first][..., None], runs[False][first], np.uint8(24))
        shown = [reached, *(runs[on][visit] for on in (False, True) for visit in (first, second))]
        rows.append(np.concatenate(shown, axis=1))
    return np.concatenate(rows)


def measure(path: Path, out: Path, preset: LoadedPreset) -> None:
    """Write what Remember gives on the set in `path` to NAME.json and NAME.png in `out`."""
    track = Track(path, preset.warp)
    known = track.known()
    runs, figures = {}, {}
    for remembers in (False, True):
        runs[remembers], milliseconds = generate(track, preset, remembers)
        name = "with" if remembers else "without"
        compared = {key: round(value, 2) for key, value in compare(track, runs[remembers], known).items()}
        figures[name] = {**compared, **{f"{key}_ms": value for key, value in milliseconds.items()}}
    written = {
        "holes": round(float((~known).mean()), 3),
        "gain_holes": round(figures["with"]["visits_holes"] - figures["without"]["visits_holes"], 2),
        **figures,
        "cost": {f"{w}x{h}": cost(track, w, h) for w, h in SIZES},
    }
    (out / f"{path.stem}.json").write_text(json.dumps(written, indent=1) + "\n")
    cv2.imwrite(str(out / f"{path.stem}.png"), picture(track, runs, known)[..., ::-1])
    print(path.stem, json.dumps(written), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/remember"))
    parser.add_argument("--only")
    arguments = parser.parse_args()
    sets = arguments.out / "sets"
    subprocess.run([sys.executable, "-m", "tests.scenes.out_and_back", str(sets)], check=True)
    preset = load_preset("tiny")
    for path in sorted(sets.glob("*.npz")):
        if arguments.only in (None, path.stem):
            measure(path, arguments.out, preset)
    found = {path.stem: json.loads(path.read_text()) for path in sorted(arguments.out.glob("*.json"))}
    found.pop("remember", None)
    (arguments.out / "remember.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
