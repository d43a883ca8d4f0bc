"""Renders the test scenes: `python -m tests.scenes.evaluation --out DIR [--only NAME]`.

One .npz a set as `capture.store` says, T = 33 (blocks of 9, 12 and 12 frames): camera 0 is the shot, camera 1 its
reference: the same moments for sets that move, one view repeated for still ones. A file that is there already is
kept, so a run can be taken up again. `contact.png` shows first, middle and last frame of every set.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

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
    arguments = parser.parse_args()
    for make in SETS:
        path = arguments.out / f"{make.__name__}.npz"
        if path.exists() or arguments.only not in (None, make.__name__):
            continue
        start = time.perf_counter()
        render(path, make, arguments.samples)
        print(f"{path.name}: {time.perf_counter() - start:.0f} s", flush=True)
    cv2.imwrite(str(arguments.out / "contact.png"), contact_sheet(arguments.out)[..., ::-1])


if __name__ == "__main__":
    main()
