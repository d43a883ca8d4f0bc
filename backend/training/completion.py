"""Training of tiny's completion of holes: single frames, drawn anew every time.

    python -m backend.training.completion --data DIR [DIR ...] --test DIR --run DIR --steps 5000

Resumes from RUN/completion.pt. Writes RUN/completion.safetensors (the averaged weights) at every checkpoint.
With --start a run begins with trained weights, which want a smaller --rate. If those know another warp (--taught-on),
what they make of holes is kept in mind: see `frames.Teacher`.
"""

import argparse
import threading
from pathlib import Path
from queue import Queue

import numpy as np
import torch
from torch import Tensor

from ..constraint import WARPS
from ..constraint.completion import Completion, CompletionConfig
from ..device import default_device
from .codec import sequence_files
from .frames import Frames, Teacher, draw_frame
from .loop import train
from .muon import Muon
from .runs import Average, Masters, cosine
from .samples import sheet

BATCH = 16
WINDOW = (96, 176)  # pixels
WHOLE_FROM = 0.65  # share of the run after which half as many whole frames are trained on
LEARNING_RATE = 2e-3
REPORT = 100  # steps
ECHOES = (
    2  # how often a drawn batch is shown, in windows and grades of their own: drawing costs as much as a step
)
COVERED_WEIGHT = 0.3
FLOOR = 0.01  # of a range of 2, squared error: about 20 dB; below it a frame's holes count as done


def frame_errors(answer: Tensor, truth: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Mean squared error of each frame (N,) in holes and elsewhere, over the mean of three channels."""
    square = (answer - truth).square().mean(dim=1)
    hole = (~known).float()

    def mean(x: Tensor, mask: Tensor) -> Tensor:
        return (x * mask).sum(dim=(1, 2)) / mask.sum(dim=(1, 2)).clamp(min=1)

    return mean(square, hole), mean(square, 1 - hole)


def completion_loss(answer: Tensor, frames: Frames) -> Tensor:
    """Error of each frame in holes and elsewhere, as shares of what the filled render leaves there.

    As shares, since the figure of merit is decibels: a night scene's small errors count like a bright one's.
    """
    hole, covered = frame_errors(answer, frames.aim, frames.known)
    with torch.no_grad():
        hole_before, covered_before = frame_errors(frames.starts[:, :3], frames.truth, frames.known)
    share = hole / (hole_before + FLOOR) + COVERED_WEIGHT * covered / (covered_before + FLOOR / 4)
    step = (answer - frames.truth).diff(dim=-1).abs().mean() + (answer - frames.truth).diff(
        dim=-2
    ).abs().mean()
    return share.mean() + 0.2 * step


class Drawer:
    """Draws the batches of steps `step` to `steps` in a thread of its own while the network is trained.

    A step's batch depends on its number alone: ECHOES steps after one another are shown the same frames.
    """

    def __init__(self, files: list[Path], seed: int, step: int, steps: int, teacher: Teacher | None):
        self._files, self._seed, self._teacher = files, seed, teacher
        self.batches: Queue[Frames] = Queue(maxsize=3)
        threading.Thread(target=self._draw, args=(step, steps), daemon=True).start()

    def _draw(self, step: int, steps: int) -> None:
        frames, drawn = None, None
        for number in range(step, steps):
            whole, group = number / steps >= WHOLE_FROM, number // ECHOES
            if frames is None or drawn != (group, whole):
                rng = np.random.default_rng((self._seed, group))
                frames, drawn = self._frames(BATCH // 2 if whole else BATCH, rng), (group, whole)
            rng = np.random.default_rng((self._seed, group, number))
            shown = frames if whole else frames.windows(*WINDOW, rng)
            self.batches.put(shown.graded(rng) if rng.random() < 0.8 else shown)

    def _frames(self, count: int, rng: np.random.Generator) -> Frames:
        parts: list[Frames] = []
        while len(parts) < count:
            frame = draw_frame(self._files[rng.integers(len(self._files))], rng, self._teacher)
            if frame is not None:
                parts.append(frame)
        return Frames.joined(parts)


class Stepper:
    """Muon for the convolutions inside, each as a matrix of its outputs; AdamW for the rest."""

    def __init__(self, completion: Completion):
        ends = {id(p) for module in (completion.stem, completion.head) for p in module.parameters()}
        inside = [p for p in completion.parameters() if p.ndim == 4 and id(p) not in ends]
        self.matrices = [
            (p, torch.nn.Parameter(p.detach().flatten(1))) for p in inside
        ]  # share their storage
        chosen = {id(p) for p in inside}
        rest = [p for p in completion.parameters() if id(p) not in chosen]
        self.optimizers: list[torch.optim.Optimizer] = [
            Muon([matrix for _, matrix in self.matrices], lr=0.0, weight_decay=0.02),
            torch.optim.AdamW(rest, lr=0.0, weight_decay=0.0, betas=(0.9, 0.98)),
        ]

    def step(self, learning_rate: float) -> None:
        for parameter, matrix in self.matrices:
            matrix.grad = None if parameter.grad is None else parameter.grad.flatten(1)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate
            optimizer.step()


@torch.inference_mode()
def gains(completion: Completion, tests: list[Frames]) -> tuple[float, float]:
    """Decibels gained over the filled render on frames never trained on: in holes, and elsewhere."""
    found = []
    for frames in tests:
        answer = completion(frames.starts, frames.known, frames.depth).clamp(-1, 1)
        before_and_after = (
            frame_errors(picture, frames.truth, frames.known) for picture in (frames.starts[:, :3], answer)
        )
        pairs = zip(*before_and_after, strict=True)
        found.append([float((10 * (before / after).log10()).mean()) for before, after in pairs])
    mean = np.mean(found, axis=0)
    return float(mean[0]), float(mean[1])


def test_frames(folder: Path, count: int) -> list[Frames]:
    """The same frames at every call, `count` of each sequence in the folder."""
    rng = np.random.default_rng(0)
    drawn = [draw_frame(path, rng) for path in sequence_files([folder]) for _ in range(count)]
    return [frame for frame in drawn if frame is not None]


class Holes:
    """The stage: trained on the sequences of `folders` to step `steps`, its figures those of `tests`.

    start: weights that a new run begins with, which want a smaller rate. taught_on: the warp that these were trained
    on, for a run that is to keep what they make of holes.
    """

    name, every = "completion", REPORT

    def __init__(
        self,
        folders: list[Path],
        tests: list[Frames],
        steps: int,
        config: CompletionConfig,
        seed: int = 0,
        start: Path | None = None,
        rate: float = LEARNING_RATE,
        taught_on: str | None = None,
    ) -> None:
        torch.manual_seed(seed)
        self._dtype = default_device().dtype
        self._tests, self._steps, self._seed, self._rate = tests, steps, seed, rate
        self._files = sequence_files(folders)
        if not self._files:
            raise ValueError(f"There are no sequences in {', '.join(map(str, folders))}.")
        self.model = Completion(config)  # float32; `working` computes
        self._teacher = None
        if start is not None:
            self.model.load_state_dict(Completion.load(start).state_dict())
            if taught_on is not None:
                self._teacher = Teacher(Completion.load(start).set_dtype(self._dtype), taught_on)
        self._working = Completion(config).set_dtype(self._dtype)
        self._stepper = Stepper(self.model)
        self.average = Average(self.model, 0.998)
        self._drawer: Drawer | None = None

    @property
    def optimizers(self) -> list[torch.optim.Optimizer]:
        return self._stepper.optimizers

    def step(self, number: int, progress: float) -> dict[str, float]:
        """See `loop.Stage`."""
        if self._drawer is None:
            self._drawer = Drawer(self._files, self._seed, number, self._steps, self._teacher)
        masters = Masters(self._working, self.model)
        frames = self._drawer.batches.get()
        loss = completion_loss(self._working(frames.starts, frames.known, frames.depth), frames)
        loss.backward()
        masters.push_gradients()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._stepper.step(self._rate * cosine(progress))
        self.average.update(self.model, number + 1)
        return {"loss": loss.item()}

    def _averaged(self) -> Completion:
        averaged = Completion(self.model.config)
        self.average.copy_to(averaged)
        return averaged

    @torch.inference_mode()
    def look(self) -> tuple[dict[str, float], np.ndarray | None]:
        """Decibels gained over the filled render on frames never trained on; truth, filled render and answer."""
        if not self._tests:
            return {}, None
        completion, rows = self._averaged().set_dtype(self._dtype), []
        in_holes, elsewhere = gains(completion, self._tests)
        for frames in self._tests[:4]:
            answer = completion(frames.starts, frames.known, frames.depth)
            rows.append([frames.truth[0], frames.starts[0, :3], answer[0]])
        return {"test_hole_db": in_holes, "test_covered_db": elsewhere}, sheet(rows)

    def save(self, folder: Path) -> None:
        """completion.safetensors."""
        self._averaged().save(folder / "completion.safetensors")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of sequences")
    parser.add_argument(
        "--test", type=Path, required=True, help="folder of sequences for the log's figures only"
    )
    parser.add_argument("--run", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--start", type=Path, help="weights that a new run begins with")
    parser.add_argument("--taught-on", choices=WARPS, help="warp that the weights of --start know")
    parser.add_argument("--rate", type=float, default=LEARNING_RATE, help="peak learning rate")
    arguments = parser.parse_args()
    stage = Holes(
        arguments.data,
        test_frames(arguments.test, 3),
        arguments.steps,
        CompletionConfig(),
        start=arguments.start,
        rate=arguments.rate,
        taught_on=arguments.taught_on,
    )
    train(stage, arguments.run, arguments.steps)


if __name__ == "__main__":
    main()
