"""Single frames to train the completion on: a view of a sequence warped into another of its views.

Any camera and moment may be seen from any other, so that a few pictures of a scene make many examples; the warp
is the preset's own. Sequences may be sparse (see `scenes.sequence`).

Weights that were trained on another warp know holes from more scenes than a short run on this one sees. As a `Teacher`
they keep it from forgetting them (Li and Hoiem 2016, learning without forgetting).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..constraint import WARPS, Render
from ..constraint.completion import Completion, starts_of
from ..presets.tiny import WARP
from .examples import Sequence, pictures

HOLES = (0.02, 0.5)  # share of a frame; a pair of views with less or more is drawn again
TRIES = 6
TAUGHT = 0.5  # share of a teacher's answer in what holes are to become; the rest is the truth


@dataclass(frozen=True)
class Teacher:
    """Trained weights and the warp that they know, one of `constraint.WARPS`."""

    completion: Completion
    warp: str


@dataclass(frozen=True)
class Frames:
    """N frames, each of a view drawn into another.

    truth (N, 3, H, W): what is to be seen, -1..1. aim (N, 3, H, W): what is trained towards, the truth or between
        it and a teacher's answer.
    starts (N, 9, H, W): fills of the render. known (N, H, W): bool. depth (N, H, W).
    """

    truth: Tensor
    aim: Tensor
    starts: Tensor
    known: Tensor
    depth: Tensor

    @staticmethod
    def joined(parts: "list[Frames]") -> "Frames":
        return Frames(
            *(torch.cat([getattr(part, name) for part in parts]) for name in Frames.__annotations__)
        )

    def graded(self, rng: np.random.Generator) -> "Frames":
        """The same in another grade: gamma, contrast, tint and order of channels of each frame drawn at random."""
        count = len(self.truth)
        gamma = torch.from_numpy(np.exp(rng.normal(0, 0.25, (count, 1, 1, 1)))).float()
        tint = torch.from_numpy(np.exp(rng.normal(0, 0.12, (count, 3, 1, 1)))).float()
        contrast = torch.from_numpy(rng.uniform(0.75, 1.3, (count, 1, 1, 1))).float()
        order = [rng.permutation(3) if rng.random() < 0.5 else np.arange(3) for _ in range(count)]

        def grade(x: Tensor) -> Tensor:
            light = ((x + 1) / 2).clamp(0, 1) ** gamma * tint
            x = ((light - 0.45) * contrast + 0.45).clamp(0, 1) * 2 - 1
            return torch.stack([frame[list(channels)] for frame, channels in zip(x, order, strict=True)])

        starts = torch.cat([grade(start) for start in self.starts.split(3, dim=1)], dim=1)
        return Frames(grade(self.truth), grade(self.aim), starts, self.known, self.depth)

    def windows(self, height: int, width: int, rng: np.random.Generator) -> "Frames":
        """A window of each frame: of four places drawn, the one whose holes come nearest to a third of it."""
        rows, columns = self.known.shape[1:]
        parts = []
        for frame in range(len(self.known)):
            places = []
            for _ in range(4):
                top, left = (
                    2 * int(rng.integers((room // 2) + 1)) for room in (rows - height, columns - width)
                )
                known = self.known[frame, top : top + height, left : left + width]
                places.append((abs(float(known.float().mean()) - 2 / 3), top, left))
            _, top, left = min(places)
            cut = (slice(frame, frame + 1), ..., slice(top, top + height), slice(left, left + width))
            parts.append(Frames(*(getattr(self, name)[cut] for name in Frames.__annotations__)))
        return Frames.joined(parts)

    def mirrored(self) -> "Frames":
        return Frames(*(getattr(self, name).flip(-1) for name in Frames.__annotations__))


def draw_frame(path: Path, rng: np.random.Generator, teacher: Teacher | None = None) -> Frames | None:
    """One frame of the sequence in `path` seen from one or two others; None where no two views differ enough.

    In a scene that moves both are of the same moment four times out of five: a subject that moved on is rare.
    """

    def drawn(warp: str) -> Render:
        return WARPS[warp](
            pictures(sequence.colour[who, when]),
            torch.from_numpy(sequence.depth[who, when]),
            torch.from_numpy(sequence.intrinsics[who, when]),
            torch.from_numpy(sequence.world_to_camera[who, when]),
            torch.from_numpy(sequence.intrinsics[target][None]),
            torch.from_numpy(sequence.world_to_camera[target][None]),
        )

    sequence = Sequence.load(path)
    cameras, times = sequence.colour.shape[:2]
    for _ in range(TRIES):
        target = int(rng.integers(cameras)), int(rng.integers(times))
        if sequence.dynamic and rng.random() < 0.8:
            views = [(1 - target[0], target[1])]
        else:
            views = [
                (int(rng.integers(cameras)), int(rng.integers(times)))
                for _ in range(1 + (rng.random() < 0.2))
            ]
        who, when = (list(index) for index in zip(*views, strict=True))
        render = drawn(WARP)
        if HOLES[0] < 1 - float(render.known.float().mean()) < HOLES[1]:
            truth = pictures(sequence.colour[target][None])
            aim = truth if teacher is None else taught(truth, render, drawn(teacher.warp), teacher.completion)
            frames = Frames(truth, aim, starts_of(render), render.known, render.depth)
            return frames.mirrored() if rng.random() < 0.5 else frames
    return None


def taught(truth: Tensor, render: Render, other: Render, completion: Completion) -> Tensor:
    """The truth (1, 3, H, W), mixed with the completion's answer to the other warp where both warps have holes."""
    answer = completion.complete(other)
    hole = ~(render.known | other.known).unsqueeze(1)
    return torch.where(hole, torch.lerp(truth, answer, TAUGHT), truth)
