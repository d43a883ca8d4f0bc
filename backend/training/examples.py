"""From rendered sequences to what the generator is trained on: the truth, and the constraint as it gets it in use.

A sequence (see `scenes.sequence`) holds K=2 cameras, T frames each, with colour, depth and cameras. An example
takes camera 0 as the target move and draws what the reference is: one still view, two to four stills of one moment, or
the second camera's frames at the same times. The reference goes through the preset's very warp, so that
flying pixels, cracks and large holes are what the generator will meet; subjects that move while the reference
stands still are among them.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from ..codec.base import Codec
from ..constraint import WARPS, Render
from ..constraint.completion import Completion
from ..constraint.mask import mask_latents
from ..presets.tiny import WARP
from .samples import encoded


@dataclass(frozen=True)
class Sequence:
    """One rendered sequence: colour uint8 (K, T, H, W, 3), depth float32 (K, T, H, W), cameras (K, T, 3|4, 3|4)."""

    colour: np.ndarray
    depth: np.ndarray
    intrinsics: np.ndarray
    world_to_camera: np.ndarray
    dynamic: bool

    @classmethod
    def load(cls, path: Path) -> "Sequence":
        with np.load(path, allow_pickle=False) as file:
            return cls(
                file["colour"],
                file["depth"],
                file["intrinsics"],
                file["world_to_camera"],
                bool(file["dynamic"]),
            )


STILL_LENGTH = 21  # frames that an example of a single frame stands for


@dataclass(frozen=True)
class Example:
    """Pictures (F, 3, H, W) in [-1, 1]: the truth, the reference at each time; and the reference's render.

    F = 1 is a camera that stands still for STILL_LENGTH frames.
    """

    truth: Tensor
    render: Render
    reference: Tensor


def pictures(colour: np.ndarray) -> Tensor:
    """uint8 (F, H, W, 3) -> float32 (F, 3, H, W) in [-1, 1]."""
    return rearrange(torch.from_numpy(np.ascontiguousarray(colour)), "f h w c -> f c h w").float() / 127.5 - 1


def render_views(
    sequence: Sequence,
    views: list[tuple[int, int]],
    times: list[int],
    colour: np.ndarray,
    camera: int = 0,
    warp: str = WARP,
) -> Render:
    """Views (camera, time) of the sequence warped into `camera` at `times`. `colour` may be a graded copy."""
    cameras, moments = (list(index) for index in zip(*views, strict=True))
    return WARPS[warp](
        pictures(colour[cameras, moments]),
        torch.from_numpy(sequence.depth[cameras, moments]),
        torch.from_numpy(sequence.intrinsics[cameras, moments]),
        torch.from_numpy(sequence.world_to_camera[cameras, moments]),
        torch.from_numpy(sequence.intrinsics[camera, times]),
        torch.from_numpy(sequence.world_to_camera[camera, times]),
    )


def moving_render(sequence: Sequence, times: list[int], colour: np.ndarray, warp: str = WARP) -> Render:
    """Camera 1 at each time warped into camera 0 at the same time."""
    return Render.joined([render_views(sequence, [(1, time)], [time], colour, warp=warp) for time in times])


def graded(colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another grade of the same pictures: exposure, contrast, gamma, tint and order of channels drawn at random."""
    codes = np.arange(256, dtype=np.float32) / 255
    gamma = np.exp(rng.normal(0, 0.25))
    tint = np.exp(rng.normal(0, 0.12, 3))
    contrast, pivot = rng.uniform(0.75, 1.3), rng.uniform(0.3, 0.6)
    channels = []
    for channel in range(3):
        curve = np.clip((codes**gamma * tint[channel] - pivot) * contrast + pivot, 0, 1)
        channels.append(
            cv2.LUT(np.ascontiguousarray(colour[..., channel]), (curve * 255).round().astype(np.uint8))
        )
    order = rng.permutation(3) if rng.random() < 0.5 else np.arange(3)
    return np.stack([channels[channel].reshape(colour.shape[:-1]) for channel in order], axis=-1)


def draw_example(sequence: Sequence, rng: np.random.Generator, warp: str = WARP) -> Example:
    """One example of a sequence: a reference drawn by `rng`, time and sides turned round at random."""
    length = sequence.colour.shape[1]
    colour = graded(sequence.colour, rng) if rng.random() < 0.8 else sequence.colour
    times = list(range(length))
    if rng.random() < 0.4:
        times = times[::-1]
    if sequence.dynamic and rng.random() < 0.85:
        render = moving_render(sequence, times, colour, warp)
        reference = pictures(colour[1, times])
    else:
        count = 1 if rng.random() < 0.7 else int(rng.integers(2, 5))
        first = (
            (0, times[0]) if rng.random() < 0.7 else (int(rng.integers(0, 2)), int(rng.integers(0, length)))
        )
        others = [(int(rng.integers(0, 2)), int(rng.integers(0, length))) for _ in range(count - 1)]
        views = [first, *others]
        render = render_views(sequence, views, times, colour, warp=warp)
        # like the backend's choice for stills: each latent of a block is given one of the views
        shown = [
            views[(latent % 3) % len(views)]
            for latent in (0, *(1 + frame // 4 for frame in range(length - 1)))
        ]
        reference = pictures(np.stack([colour[view] for view in shown]))
    return turned(Example(pictures(colour[0, times]), render, reference), rng)


def turned(example: Example, rng: np.random.Generator) -> Example:
    """The example, or its mirror image."""
    if rng.random() < 0.5:
        return example
    render = Render(*(x.flip(-1) for x in example.render.tensors))
    return Example(example.truth.flip(-1), render, example.reference.flip(-1))


def draw_still_example(sequence: Sequence, rng: np.random.Generator, warp: str = WARP) -> Example:
    """One view of a scene in which nothing moves, seen from another: a camera that stands still."""
    colour = graded(sequence.colour, rng) if rng.random() < 0.8 else sequence.colour
    cameras, length = colour.shape[:2]
    view, target = (
        (int(camera), int(time))
        for camera, time in zip(rng.integers(cameras, size=2), rng.integers(length, size=2), strict=True)
    )
    render = render_views(sequence, [view], [target[1]], colour, target[0], warp)
    return turned(Example(pictures(colour[target][None]), render, pictures(colour[view][None])), rng)


def encode_example(example: Example, codec: Codec, completion: Completion | None) -> dict[str, Tensor]:
    """Latents of an example, float16: truth, render and reference (G, C, h, w), mask (G, 4, h, w).

    completion: what completes the render's holes; without one they are encoded as they are.
    """

    def all_frames(x: Tensor) -> Tensor:
        return x.expand(STILL_LENGTH, *x.shape[1:]) if len(x) == 1 else x

    with torch.inference_mode():
        render = example.render.colour if completion is None else completion.complete(example.render)
        latents = {
            "truth": encoded(codec, all_frames(example.truth)),
            "render": encoded(codec, all_frames(render)),
            "reference": encoded(codec, all_frames(example.reference)),
            "mask": mask_latents(all_frames(example.render.known), first=True),
        }
    return {name: tensor.half().contiguous() for name, tensor in latents.items()}
