"""Moves that leave what the reference saw and come back on the same way: `python -m tests.scenes.out_and_back DIR`.

For each set one .npz: the reference's one view as `capture.View` has it, the triangles of the set, the cameras
(FRAMES, 4, 4), world-to-camera, of which number i and FRAMES - 1 - i are the same, and the true renders of some of the
way out: number i * TRUE_EVERY.
"""

import os
import sys
from pathlib import Path

import numpy as np

from inspatio_blender import geometry

from . import capture, evaluation_sets, moves
from .moves import Move

FRAMES = 201
"""Nine frames and sixteen blocks of twelve."""
HALF = FRAMES // 2
TRUE_EVERY = 25

MOVES = {
    evaluation_sets.reading_room: Move((0.9, -2.2, 1.5), (-0.2, 1.4, 1.05), yaw=-36, shift=(-0.54, 0, 0.36), pan=-45),
    evaluation_sets.courtyard: Move((-1.0, -2.7, 1.7), (0.2, 2.8, 1.2), yaw=56, shift=(0.28, 0.14, 0), pan=14),
    evaluation_sets.workshop: Move((-0.35, -1.05, 1.4), (-0.05, 0.3, 1.05), yaw=50, shift=(1.0, 0.1, 0.2), pan=20),
    evaluation_sets.gallery: Move((-0.9, -1.3, 1.6), (0.5, 5.0, 1.45), shift=(1.44, 0, 3.6), pan=-45),
}  # fmt: skip
"""Each set's move to the far end."""


def poses(camera, move: Move) -> np.ndarray:
    """World-to-camera of the way out and back, (FRAMES, 4, 4)."""
    out = []
    for step in range(HALF + 1):
        moves.set_pose(camera, move.pose(moves.ease(step / HALF)))
        out.append(capture.camera_matrices(camera)[1])
    return np.stack([*out, *out[-2::-1]])


def render(path: Path, make: evaluation_sets.Maker, samples: int) -> None:
    """Build a set and render its reference into `path`."""
    _, reference, _ = evaluation_sets.stage(make)
    move = MOVES[make]
    moves.set_pose(reference, move.pose(0.0))
    studio = capture.Studio(samples)
    view = studio.render(reference, 1)
    found = geometry.surfaces(capture.bpy.context.view_layer, 2_000_000)
    arrays = {name: getattr(view, name) for name in capture.View.__annotations__}
    arrays["triangles"] = np.concatenate(list(found.values()))
    arrays["cameras"] = poses(reference, move)
    true = []
    for step in range(0, HALF + 1, TRUE_EVERY):
        moves.set_pose(reference, move.pose(moves.ease(step / HALF)))
        true.append(studio.render(reference, 1).colour)
    arrays["true"] = np.stack(true)
    partial = path.with_name(path.name + ".partial")
    with open(partial, "wb") as file:
        np.savez_compressed(file, **arrays)
    os.replace(partial, path)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for make in MOVES:
        path = folder / f"{make.__name__}.npz"
        if not path.exists():
            render(path, make, 10)
            print(path.name, flush=True)


if __name__ == "__main__":
    main()
