"""Random dressed scenes to train on: `python -m tests.scenes.training_rooms --out DIR --count N --seed S`.

Each scene is a layout (room, hall, street, garden, table top) filled with random parts, light, and a camera
move whose end is covered to 55..92 % by its start. Two fifths of them have something that moves, and a second
camera that sees the same moments. Stored as `capture.store` says, T = 21; in still scenes camera 1 holds
three views, each repeated seven times. With --sparse only five moments of the move are rendered, which is enough
to train single frames on. A file that is there already is kept: a run can be taken up again.
"""

import argparse
import math
import time
from pathlib import Path

import bpy
import numpy as np

from . import capture, moves
from .dressing import FRAMES
from .layouts import LAYOUTS
from .props import Rng, pick


def random_move(rng: Rng, at: tuple, look: tuple) -> moves.Move:
    """An orbit, a truck, a crane, a pan, a push in, or a mixture."""
    way = math.dist(at, look)
    sign = float(pick(rng, (-1.0, 1.0)))
    sway = 0.0 if rng.random() < 0.5 else 0.008 * way
    kind = rng.integers(6)
    if kind == 0:
        return moves.Move(at, look, yaw=sign * 24, pitch=rng.uniform(-6, 6), sway=sway)
    if kind == 1:
        return moves.Move(at, look, shift=(sign * 0.3 * way, rng.normal(0, 0.04) * way, 0.0), sway=sway)
    if kind == 2:
        return moves.Move(at, look, shift=(0.05 * sign * way, 0.12 * way, 0.1 * way), pitch=6, sway=sway)
    if kind == 3:
        return moves.Move(
            at, look, pan=sign * 14, shift=(sign * 0.12 * way, 0.0, rng.uniform(0, 0.2) * way), sway=sway
        )
    if kind == 4:
        return moves.Move(at, look, ahead=0.16, yaw=sign * 16, sway=sway)
    return moves.Move(
        at, look, ahead=-0.12, yaw=sign * 18, shift=(0, rng.uniform(0, 0.08) * way, 0), sway=sway
    )


def build(seed: int, index: int) -> tuple[bpy.types.Object, bpy.types.Object, bool, str]:
    """Scene `index` of a run: shot and reference camera, keyed over FRAMES, whether it moves, its layout."""
    for attempt in range(30):
        rng = np.random.default_rng((seed, index, attempt))
        layout, moving = LAYOUTS[index % len(LAYOUTS)], rng.random() < 0.4
        capture.empty_file()
        at, look = layout(rng, moving)
        lens = rng.uniform(22, 38)
        bpy.context.scene.frame_set(1)
        move = random_move(rng, at, look)
        amount = moves.fit(move, lens, rng.uniform(0.55, 0.92))
        if amount is None:
            continue
        shot, reference = moves.camera("Shot", at, look, lens), moves.camera("Reference", at, look, lens)
        moves.animate(shot, move, amount, FRAMES)
        if moving:
            gentle = 0.0 if rng.random() < 0.4 else rng.uniform(-0.25, 0.35)
            moves.animate(reference, move, amount * gentle, FRAMES)
        else:
            stops = (0.0, rng.uniform(0.4, 1.0), -rng.uniform(0.2, 0.6))
            for frame, stop in zip(FRAMES, np.repeat(stops, 7), strict=True):
                moves.set_pose(reference, move.pose(1.0, amount * stop))
                reference.keyframe_insert("location", frame=float(frame))
                reference.keyframe_insert("rotation_quaternion", frame=float(frame))
        return shot, reference, moving, layout.__name__
    raise RuntimeError(f"scene {index} of seed {seed} found no move in 30 tries")


SPARSE = FRAMES[[0, 8, 13, 17, 20]]


def render(path: Path, seed: int, index: int, samples: int, frames: np.ndarray) -> str:
    """Build and render one scene into `path`; returns what it was."""
    shot, reference, moving, layout = build(seed, index)
    studio = capture.Studio(samples)
    first = [studio.render(shot, frame) for frame in frames]
    if moving:
        second = [studio.render(reference, frame) for frame in frames]
    else:
        three = [studio.render(reference, frame) for frame in FRAMES[::7]]
        second = [three[3 * place // len(frames)] for place in range(len(frames))]
    capture.store(path, [first, second], moving)
    return f"{layout}{' moving' if moving else ''}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=80)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--sparse", action="store_true", help="only a few moments of each move")
    parser.add_argument("--samples", type=int, default=6)
    arguments = parser.parse_args()
    for index in range(arguments.count):
        path = arguments.out / f"room_{arguments.seed:03d}_{index:04d}.npz"
        if path.exists():
            continue
        start = time.perf_counter()
        what = render(path, arguments.seed, index, arguments.samples, SPARSE if arguments.sparse else FRAMES)
        print(f"{path.name}: {what}, {time.perf_counter() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
