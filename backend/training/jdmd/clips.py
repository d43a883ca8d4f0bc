"""Real video for the free stream: clips of movies and stills, encoded once and kept.

    python -m backend.training.jdmd.clips --movies FILE [FILE ...] --codec FILE --out DIR --clips 200

A clip is 21 frames one after the other, cut to 16:9 at a place and a size drawn, mirrored or backwards half of the
time. Of each movie the last fifth is left out: `--held-out` makes clips of that part alone, to measure against.
"""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import save_file

from ...codec.tiny import TinyCodec
from ..examples import pictures

LENGTH = 21
"""Frames: two blocks."""
WIDTH, HEIGHT = 256, 144
HELD_OUT = 0.2
"""Share of a movie, its end, that is not trained on."""
SMALLEST = 0.5
"""Of the largest cut that fits."""


def read_frames(path: Path, first: int, count: int) -> np.ndarray:
    """Frames (count, H, W, 3) uint8, red first. Raises ValueError where the movie does not have them."""
    movie = cv2.VideoCapture(str(path))
    try:
        movie.set(cv2.CAP_PROP_POS_FRAMES, first)
        found: list[np.ndarray] = []
        for _ in range(count):
            there, frame = movie.read()
            if not there:
                raise ValueError(f"{path} has no frame {first + len(found)}")
            found.append(frame[..., ::-1])
        return np.stack(found)
    finally:
        movie.release()


def draw_clip(path: Path, rng: np.random.Generator, held_out: bool) -> np.ndarray:
    """A clip (LENGTH, HEIGHT, WIDTH, 3) uint8 of a movie, from its end or from what comes before that."""
    movie = cv2.VideoCapture(str(path))
    total = int(movie.get(cv2.CAP_PROP_FRAME_COUNT))
    movie.release()
    border = int(total * (1 - HELD_OUT))
    low, high = (border, total - LENGTH) if held_out else (0, border - LENGTH)
    if high < low:
        raise ValueError(f"{path} is too short: {total} frames, of which a clip takes {LENGTH}")
    frames = read_frames(path, int(rng.integers(low, high + 1)), LENGTH)
    height, width = frames.shape[1:3]
    scale = rng.uniform(SMALLEST, 1.0) * min(height / HEIGHT, width / WIDTH)
    rows, columns = int(HEIGHT * scale), int(WIDTH * scale)
    top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
    cut = frames[:, top : top + rows, left : left + columns]
    if rng.random() < 0.5:
        cut = cut[:, :, ::-1]
    if rng.random() < 0.5:
        cut = cut[::-1]
    return np.stack([cv2.resize(frame, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA) for frame in cut])


def clips(movies: list[Path], count: int, held_out: bool) -> Iterator[tuple[str, np.ndarray]]:
    """`count` clips in all, each of a movie in turn, with a name; the same ones every time."""
    for index in range(count):
        path = movies[index % len(movies)]
        rng = np.random.default_rng((index, int(held_out)))
        yield f"{path.stem}_{'held_' if held_out else ''}{index:04d}", draw_clip(path, rng, held_out)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--movies", type=Path, nargs="+", required=True)
    parser.add_argument("--codec", type=Path, required=True, help="codec.safetensors: its basis encodes")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--held-out", action="store_true", help="of the part that is not trained on")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    codec = TinyCodec.load(arguments.codec)
    for name, clip in clips(arguments.movies, arguments.clips, arguments.held_out):
        target = arguments.out / f"{name}.safetensors"
        if target.exists():
            continue
        with torch.inference_mode():
            latents = codec.encoder().push(pictures(clip)[None])[0]
        temporary = target.with_suffix(".tmp")
        save_file({"truth": latents.half().contiguous()}, temporary)
        os.replace(temporary, target)
        print(name, flush=True)


if __name__ == "__main__":
    main()
