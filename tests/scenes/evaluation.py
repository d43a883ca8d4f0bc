"""Renders the test scenes: `python -m tests.scenes.evaluation --out DIR [--only NAME]`.

One .npz a set as `capture.store` says, T = 33 (blocks of 9, 12 and 12 frames): camera 0 is the shot, camera 1 its
reference: the same moments for sets that move, one view repeated for still ones. A file that is there already is
kept, so a run can be taken up again. `contact.png` shows first, middle and last frame of every set.

With `--height 1080` the same sets as plates are measured on (`backend.training.plates`): a few true frames at that
size, the cameras of the whole move, and the reference. Pictures of that size take long, so of a reference that moves
there are those moments that plates are made of, and for the generator all of them at twice the size of its frames.
"""

import argparse
import time
from pathlib import Path

import bpy
import cv2
import numpy as np

from backend.training.plates import MOVING

from . import capture
from .evaluation_sets import FRAMES, SETS, Maker, stage


def render(path: Path, make: Maker, samples: int) -> None:
    """Build a set and render its shot and its reference into `path`."""
    camera, reference, shot = stage(make)
    studio = capture.Studio(samples)
    first = [studio.render(camera, frame) for frame in FRAMES]
    if shot.dynamic:
        second = [studio.render(reference, frame) for frame in FRAMES]
    else:
        second = [studio.render(reference, FRAMES[0])] * len(FRAMES)
    capture.store(path, [first, second], shot.dynamic)


def render_large(path: Path, make: Maker, samples: int, height: int, length: int, targets: int) -> None:
    """Build a set, and render the views of its reference and `targets` of the first `length` frames of its move."""
    camera, reference, shot = stage(make)
    scene = bpy.context.scene
    studio = capture.Studio(samples)
    frames = FRAMES[:length]
    shown = np.linspace(0, length - 1, targets + 1).round().astype(int)[1:]
    pieces = length // 2 + np.arange(MOVING)
    moments = np.union1d(shown, pieces[pieces < length]) if shot.dynamic else np.array([0])
    tracks, views = {"reference": moments}, {}
    if shot.dynamic:
        tracks["seen"] = np.arange(length)
        scene.render.resolution_x, scene.render.resolution_y = 2 * capture.WIDTH, 2 * capture.HEIGHT
        views["seen"] = [studio.render(reference, frame) for frame in frames]
    width = round(height * capture.WIDTH / capture.HEIGHT)
    scene.render.resolution_x, scene.render.resolution_y = width, height
    views["reference"] = [studio.render(reference, frames[index]) for index in moments]
    truth = np.stack([studio.colour(camera, frames[index]) for index in shown])
    cameras = []
    for frame in frames:
        scene.frame_set(int(frame))
        cameras.append(capture.camera_matrices(camera, width, height))
    capture.save(
        path,
        dynamic=np.array(shot.dynamic),
        frames=frames.astype(np.float64),
        intrinsics=np.stack([k for k, _ in cameras]),
        world_to_camera=np.stack([pose for _, pose in cameras]),
        shown=shown,
        truth=truth,
        **{f"{track}_frames": frames[indices].astype(np.float64) for track, indices in tracks.items()},
        **{
            f"{track}_{name}": np.stack([getattr(view, name) for view in seen])
            for track, seen in views.items()
            for name in capture.View.__annotations__
        },
    )


def contact_sheet(folder: Path) -> np.ndarray:
    """First, middle and last frame of every stored set, and its last reference: a row a set, RGB."""
    rows = []
    for path in sorted(folder.glob("*.npz")):
        colour = np.load(path)["colour"]
        rows.append(np.concatenate([colour[0, 0], colour[0, 16], colour[0, 32], colour[1, 32]], axis=1))
    return np.concatenate(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", choices=[make.__name__ for make in SETS])
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument(
        "--height", type=int, help="for plates: pixels of a picture's height, 1080 for example"
    )
    parser.add_argument("--frames", type=int, default=len(FRAMES), help="with --height: how much of the move")
    parser.add_argument("--targets", type=int, default=5, help="with --height: true frames")
    arguments = parser.parse_args()
    for make in SETS:
        path = arguments.out / f"{make.__name__}.npz"
        if path.exists() or arguments.only not in (None, make.__name__):
            continue
        start = time.perf_counter()
        if arguments.height:
            large = arguments.height, arguments.frames, arguments.targets
            render_large(path, make, arguments.samples, *large)
        else:
            render(path, make, arguments.samples)
        print(f"{path.name}: {time.perf_counter() - start:.0f} s", flush=True)
    if arguments.height is None:
        cv2.imwrite(str(arguments.out / "contact.png"), contact_sheet(arguments.out)[..., ::-1])


if __name__ == "__main__":
    main()
