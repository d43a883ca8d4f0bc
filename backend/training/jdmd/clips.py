"""Real video for the free stream: clips of movies and of stills, encoded once and kept.

A clip is 21 frames. Of a movie they follow one another, cut to 16:9 at a place and a size drawn; of a still a frame
moves over it. Mirrored or backwards half of the time. Of each movie the last fifth is held out, to measure against;
a still is trained on or held out as a whole.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from ...codec.base import Codec
from ..examples import pictures
from ..samples import encoded

LENGTH = 21
"""Frames: two blocks."""
WIDTH, HEIGHT = 256, 144
HELD_OUT = 0.2
"""Share of a movie, its end, that is not trained on."""
SMALLEST = 0.5
"""Of the largest cut that fits."""
DRIFT = 0.12
"""Of a still's cut: how far a frame moves over it at most, and how much smaller or larger it may become."""


@dataclass(frozen=True)
class Still:
    """A picture that a package brings along. held_out: measured against, not trained on."""

    package: str
    path: str
    licence: str
    by: str
    held_out: bool = False

    @property
    def name(self) -> str:
        return Path(self.path).stem

    def file(self) -> Path:
        """Where it lies. Raises ValueError where the package is not installed."""
        found = find_spec(self.package)
        if found is None or found.origin is None:
            raise ValueError(f"{self.path} is of the package {self.package}: install inspatio[train]")
        return Path(found.origin).parent / self.path


STILLS = (
    Still("skimage", "data/astronaut.png", "public domain", "NASA"),
    Still("skimage", "data/chelsea.png", "CC0", "Stéfan van der Walt"),
    Still("skimage", "data/rocket.jpg", "public domain", "SpaceX"),
    Still("skimage", "data/coffee.png", "CC0", "Rachel Michetti", held_out=True),
    Still("sklearn", "datasets/images/china.jpg", "CC BY 2.0", "danielbuechele"),
    Still("sklearn", "datasets/images/flower.jpg", "CC BY 2.0", "vultilion", held_out=True),
)
"""Photographs in colour that scikit-image (BSD-3-Clause) and scikit-learn (BSD-3-Clause) contain."""


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


def movie_clip(path: Path, rng: np.random.Generator, *, held_out: bool) -> np.ndarray:
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
    return np.stack([cv2.resize(frame, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA) for frame in cut])


def still_clip(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A clip of a still (H, W, 3) uint8: a frame that moves over it, and nearer or away."""
    height, width = picture.shape[:2]
    largest = min(height / HEIGHT, width / WIDTH)
    first = rng.uniform(SMALLEST, 1.0)
    scales = largest * np.linspace(first, np.clip(first + rng.uniform(-DRIFT, DRIFT), SMALLEST, 1.0), LENGTH)
    room = np.stack([width - scales * WIDTH, height - scales * HEIGHT], axis=-1)
    begin = rng.uniform(0, 1, 2)
    places = np.linspace(begin, np.clip(begin + rng.uniform(-DRIFT, DRIFT, 2), 0, 1), LENGTH) * room
    # Drawn twice as large and then made smaller: a picture cut between its pixels must not flicker.
    return np.stack(
        [
            cv2.resize(
                cv2.warpAffine(
                    picture,
                    np.array([[scale / 2, 0, place[0]], [0, scale / 2, place[1]]]),
                    (2 * WIDTH, 2 * HEIGHT),
                    flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                    borderMode=cv2.BORDER_REPLICATE,
                ),
                (WIDTH, HEIGHT),
                interpolation=cv2.INTER_AREA,
            )
            for scale, place in zip(scales, places, strict=True)
        ]
    )


def read_still(path: Path) -> np.ndarray:
    """(H, W, 3) uint8, red first. Raises ValueError where it cannot be read."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"{path} cannot be read as a picture")
    return np.ascontiguousarray(picture[..., ::-1])


def turned(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The clip, its mirror image, or either backwards."""
    if rng.random() < 0.5:
        clip = clip[:, :, ::-1]
    return clip[::-1] if rng.random() < 0.5 else clip


def clips(
    movies: Sequence[Path], stills: Sequence[Still], count: int, held_out: bool
) -> Iterator[tuple[str, np.ndarray]]:
    """`count` clips in all, of each movie and still in turn, with a name; the same ones every time.

    Movies give two clips to a still's one: they move by themselves.
    """
    sources: list[tuple[str, Callable[[np.random.Generator], np.ndarray]]] = []
    for movie in movies:
        sources += [(movie.stem, partial(movie_clip, movie, held_out=held_out))] * 2
    for still in stills:
        if still.held_out == held_out:
            sources.append((still.name, partial(still_clip, read_still(still.file()))))
    if not sources:
        raise ValueError("There is no real video: name movies, or allow stills.")
    for index in range(count):
        name, draw = sources[index % len(sources)]
        rng = np.random.default_rng((index, int(held_out)))
        yield f"{name}_{index:04d}", turned(draw(rng), rng)


def encode_clips(
    movies: Sequence[Path],
    stills: Sequence[Still],
    count: int,
    held_out: bool,
    codec: Codec,
    out: Path,
    text: Tensor | None = None,
) -> Iterator[str]:
    """Write the clips' latents to OUT/NAME.safetensors, those that are not there yet; yields their names.

    text (L, D): the embedding of the prompt that the generator is told.
    """
    out.mkdir(parents=True, exist_ok=True)
    if len(list(out.glob("*.safetensors"))) >= count:
        return
    for name, clip in clips(movies, stills, count, held_out):
        target = out / f"{name}.safetensors"
        if target.exists():
            continue
        with torch.inference_mode():
            latents = encoded(codec, pictures(clip))
        temporary = target.with_suffix(".tmp")
        told = {} if text is None else {"text": text}
        save_file({"truth": latents.half().contiguous(), **told}, temporary)
        os.replace(temporary, target)
        yield name
