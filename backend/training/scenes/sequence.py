"""Sequences: what a file holds, how one is made, how it is written and read.

A sequence is a .npz without pickles, of K = 2 cameras over T = 21 frames at 144 x 256 (T = 5 moments of the
same move where only SPARSE ones are asked for: more scenes in the same time, for what is trained on single frames):

    colour           uint8 (K,T,H,W,3)   sRGB
    depth            float32 (K,T,H,W)   planar z in metres at pixel centres, inf is sky
    intrinsics       float32 (K,T,3,3)   pixels, pixel centres at integers
    world_to_camera  float32 (K,T,4,4)   OpenCV axes
    dynamic          bool                something in the scene moves
    coverage         float32 (2,T)       share of camera 0's frame t that camera 0's frame 0 has seen (row 0), and
                                         that camera 1's frame t has seen (row 1)
    kind, move       str                 the layout and camera 0's move

Camera 0 makes the target's move. Camera 1 sees the same times from a place of its own and stands still or moves
little; often it starts where camera 0 starts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from .layout import make_scene
from .moves import FRAMES, STILL_SHARE, Move, covered, draw_move
from .raster import Rasteriser
from .scene import Scene

SPARSE = (0, 8, 13, 17, 20)
"""Moments of a move that show about equally large steps of what it uncovers."""


@dataclass
class Sequence:
    """One file's contents; shapes in the module's docstring."""

    colour: np.ndarray
    depth: np.ndarray
    intrinsics: np.ndarray
    world_to_camera: np.ndarray
    dynamic: bool
    coverage: np.ndarray
    kind: str
    move: str


def write(path: Path, sequence: Sequence) -> None:
    """Write atomically: a reader sees the whole file or none."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with partial.open("wb") as file:
        np.savez(file, **{f.name: np.asarray(getattr(sequence, f.name)) for f in fields(sequence)})
    os.replace(partial, path)


def read(path: Path) -> Sequence:
    """Read a file written by `write`; raises KeyError if a part is missing."""
    with np.load(path, allow_pickle=False) as parts:
        values = {f.name: parts[f.name] for f in fields(Sequence)}
    values |= {"dynamic": bool(values["dynamic"]), "kind": str(values["kind"]), "move": str(values["move"])}
    return Sequence(**values)


def good_view(depth: np.ndarray) -> bool:
    """Whether a frame is worth looking at: not all sky, not against a wall, of some depth."""
    solid = np.isfinite(depth)
    if solid.mean() < 0.35:
        return False
    z = depth[solid]
    near = np.percentile(z, [2, 50, 95])
    inverse = 1 / depth  # 0 for the sky
    jump = np.abs(np.diff(inverse, axis=1))[1:] > 0.06 * np.maximum(inverse[1:, 1:], inverse[1:, :-1])
    edges = jump.mean()  # share of pixels at an occluding edge
    return bool(
        near[0] > 0.22
        and (z < 0.45).mean() < 0.2
        and near[1] > 0.6
        and near[2] > 1.6 * near[0]
        and edges > 0.02
    )


def share_seen(raster: Rasteriser, cameras: np.ndarray, lenses: np.ndarray, first: np.ndarray) -> float:
    """Smallest share of a few late frames that frame 0, of depth `first`, has seen."""
    shares = []
    for t in (len(cameras) - 1, len(cameras) // 2):
        depth = raster.depth(lenses[t], cameras[t], 0.0)
        shares.append(covered(first, cameras[0], lenses[0], depth, cameras[t], lenses[t]).mean())
    return float(min(shares))


def fit(raster: Rasteriser, scene: Scene, move: Move, wanted: float) -> tuple[float, float]:
    """Amount of `move`, and the share seen with it, closest to `wanted` among those that stay in free space."""
    cameras, lenses = move.path(0.0)
    raster.prepare(cameras[:1], lenses[:1])
    first = raster.depth(lenses[0], cameras[0], 0.0)
    if not good_view(first):
        return 0.0, 1.0
    low, high, best = 0.0, 4.0, (0.0, 1.0)
    amount = 1.0
    for _ in range(7):
        cameras, lenses = move.path(amount)
        eyes = -np.einsum("tji,tj->ti", cameras[:, :3, :3], cameras[:, :3, 3])
        if not scene.free(eyes, 0.22):
            high = amount
        else:
            raster.prepare(cameras, lenses)
            share = share_seen(raster, cameras, lenses, first)
            if abs(share - wanted) < abs(best[1] - wanted):
                best = (amount, share)
            if share > wanted:
                low = amount
            else:
                high = amount
        amount = (low + high) / 2 if high < 4.0 else amount * 1.7
    return best


def choose_moves(rng, raster: Rasteriser, scene: Scene) -> tuple[Move, float]:
    """Camera 0's move and its amount: a few views and moves are tried until one uncovers about enough."""
    eye, target = scene.first_view
    still = rng.random() < STILL_SHARE
    wanted = float(np.clip(rng.normal(0.8, 0.09), 0.52, 0.96))
    best = None
    for attempt in range(10):
        if attempt >= 2:
            eye, target = scene.view(rng)
            if not scene.free(eye[None], 0.3):
                continue
        focal = float(np.exp(rng.uniform(np.log(18), np.log(55 if scene.closed else 70))))
        move = draw_move(rng, eye, target, focal)
        cameras, lenses = move.path(0.0)
        raster.prepare(cameras[:1], lenses[:1])
        if not good_view(raster.depth(lenses[0], cameras[0], 0.0)):
            continue
        if still:
            move.name = "still"
            return move, 0.0
        amount, share = fit(raster, scene, move, wanted)
        if best is None or abs(share - wanted) < best[0]:
            best = abs(share - wanted), move, amount
        if abs(share - wanted) < 0.06:
            break
    if best is None:
        raise ValueError("no usable view")
    return best[1], best[2]


def second_camera(
    rng, raster: Rasteriser, scene: Scene, move: Move, cameras, lenses
) -> tuple[np.ndarray, np.ndarray]:
    """Camera 1's path: usually camera 0's first view, still or moving a little; sometimes a place beside it."""
    start = float(rng.random())
    beside = start > (0.7 if scene.dynamic else 0.5)
    times = (0, len(cameras) // 2, len(cameras) - 1)
    seen_by = [raster.depth(lenses[t], cameras[t], 0.0) for t in times]
    for _ in range(10):
        eye, target, focal = move.eye, move.target, move.focal
        if beside:
            reach = np.linalg.norm(target - eye)
            eye = eye + rng.normal(size=3) * [0.22, 0.22, 0.1] * reach
            target = target + rng.normal(size=3) * [0.08, 0.08, 0.04] * reach
            focal = float(np.clip(focal * np.exp(rng.normal() * 0.15 - 0.1), 18, 70))
        other = draw_move(rng, eye, target, focal)
        other.roll = 0.0 if beside else move.roll
        slow = 0.0 if start < 0.35 or rng.random() < 0.3 else rng.uniform(0.15, 0.6)
        path, lens_path = other.path(slow)
        eyes = -np.einsum("tji,tj->ti", path[:, :3, :3], path[:, :3, 3])
        if not scene.free(eyes, 0.2):
            continue
        raster.prepare(np.concatenate([path, cameras]), np.concatenate([lens_path, lenses]))
        shares = [
            covered(
                raster.depth(lens_path[t], path[t], 0.0), path[t], lens_path[t], seen, cameras[t], lenses[t]
            ).mean()
            for t, seen in zip(times, seen_by, strict=True)
        ]
        if min(shares) > 0.5:
            return path, lens_path
    return np.repeat(cameras[:1], len(cameras), 0), np.repeat(lenses[:1], len(lenses), 0)


def make_sequence(
    raster: Rasteriser, seed: int, index: int, times: Iterable[int] = range(FRAMES)
) -> Sequence:
    """Sequence `index` of `seed`; the same whenever and wherever it is made with the same renderer."""
    for attempt in range(20):
        rng = np.random.default_rng((seed, index, attempt))
        scene = make_scene(rng)
        raster.load(scene)
        try:
            move, amount = choose_moves(rng, raster, scene)
        except ValueError:
            continue
        sequence = record(rng, raster, scene, move, amount, list(times))
        if (sequence.depth[:1] < 0.4).mean((2, 3)).max() < 0.2:  # else something walked into the camera
            return sequence
    raise RuntimeError(f"no usable view in 20 scenes (seed {seed}, index {index})")


def expose(rng, raster: Rasteriser, scene: Scene, intrinsics: np.ndarray, camera: np.ndarray) -> None:
    """Pull the exposure of the first view most of the way to a usual brightness, as an artist would."""
    wanted = rng.uniform(0.3, 0.55)
    for _ in range(2):
        mean = raster.frame(intrinsics, camera, 0.0)[0].mean() / 255
        raster.expose(float(scene.light.exposure * np.clip(wanted / max(mean, 0.02), 0.3, 3.0) ** 1.1))


def record(rng, raster: Rasteriser, scene: Scene, move: Move, amount: float, times: list[int]) -> Sequence:
    """Draw both cameras at `times`."""
    cameras, lenses = move.path(amount)
    raster.prepare(cameras, lenses)
    other = second_camera(rng, raster, scene, move, cameras, lenses)
    cameras, lenses = np.stack([cameras, other[0]])[:, times], np.stack([lenses, other[1]])[:, times]
    cameras, lenses = cameras.astype(np.float32).astype(float), lenses.astype(np.float32).astype(float)
    raster.prepare(cameras.reshape(-1, 4, 4), lenses.reshape(-1, 3, 3))
    expose(rng, raster, scene, lenses[0, 0], cameras[0, 0])
    frames: list[list] = [[], []]
    for t, time in enumerate(times):
        for k in range(2):
            same = (
                t > 0
                and np.array_equal(cameras[k, t], cameras[k, t - 1])
                and np.array_equal(lenses[k, t], lenses[k, t - 1])
            )
            if same and not scene.dynamic:
                frames[k].append(frames[k][-1])
            else:
                frames[k].append(raster.frame(lenses[k, t], cameras[k, t], float(time)))
    colour = np.stack([[f[0] for f in row] for row in frames])
    depth = np.stack([[f[1] for f in row] for row in frames]).astype(np.float32)
    coverage = np.zeros((2, len(times)), np.float32)
    for t in range(len(times)):
        for row, (k, s) in enumerate(((0, 0), (1, t))):
            coverage[row, t] = covered(
                depth[k, s], cameras[k, s], lenses[k, s], depth[0, t], cameras[0, t], lenses[0, t]
            ).mean()
    return Sequence(
        colour,
        depth,
        lenses.astype(np.float32),
        cameras.astype(np.float32),
        scene.dynamic,
        coverage,
        scene.kind,
        move.name,
    )
