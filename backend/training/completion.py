"""Training of tiny's completion of holes: single frames, drawn anew every time.

    python -m backend.training.completion --data DIR [DIR ...] --test DIR --run DIR --minutes 60

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
from .muon import Muon
from .runs import Average, Checkpoint, Clock, Masters, cosine

BATCH = 16
WINDOW = (96, 176)  # pixels
WHOLE_FROM = 0.65  # share of the run after which half as many whole frames are trained on
LEARNING_RATE = 2e-3
REPORT = 100  # steps
ECHOES = (
    2  # how often a drawn batch is shown, in windows and grades of their own: drawing costs as much as a step
)
NEW_FILES = 200  # batches after which the folders are looked through again
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
    """Draws batches in a thread of its own while the network is trained, from folders that may still be growing."""

    def __init__(self, folders: list[Path], seed: int, step: int, teacher: Teacher | None):
        self.folders, self.teacher = folders, teacher
        self.rng = np.random.default_rng((seed, step))
        self.whole = False
        self.batches: Queue[Frames] = Queue(maxsize=3)
        threading.Thread(target=self._draw, daemon=True).start()

    def _draw(self) -> None:
        drawn, files = 0, sequence_files(self.folders)
        while True:
            parts: list[Frames] = []
            while len(parts) < (BATCH // 2 if self.whole else BATCH):
                frame = draw_frame(files[self.rng.integers(len(files))], self.rng, self.teacher)
                if frame is not None:
                    parts.append(frame)
            frames = Frames.joined(parts)
            for _ in range(ECHOES):
                shown = frames if self.whole else frames.windows(*WINDOW, self.rng)
                self.batches.put(shown.graded(self.rng) if self.rng.random() < 0.8 else shown)
            drawn += 1
            if drawn % NEW_FILES == 0:
                files = sequence_files(self.folders)


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


def train(
    folders: list[Path],
    test: Path,
    run: Path,
    minutes: float,
    config: CompletionConfig,
    seed: int = 0,
    start: Path | None = None,
    learning_rate: float = LEARNING_RATE,
    taught_on: str | None = None,
) -> None:
    """Train on the sequences of `folders`, which may grow meanwhile; those in `test` give the log's figures.

    taught_on: the warp that the weights in `start` were trained on, for a run that is to keep what they make of holes.
    """
    run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    dtype = default_device().dtype
    master = Completion(config)  # float32; `working` computes
    teacher = None
    if start is not None:
        master.load_state_dict(Completion.load(start).state_dict())
        if taught_on is not None:
            teacher = Teacher(Completion.load(start).set_dtype(dtype), taught_on)
    working = Completion(config).set_dtype(dtype)
    stepper = Stepper(master)
    average = Average(master, 0.998)
    checkpoint = Checkpoint(run / "completion.pt", master, stepper.optimizers, average)
    step = checkpoint.step
    masters = Masters(working, master)
    drawer, tests = Drawer(folders, seed, step, teacher), test_frames(test, 3)
    clock, losses = Clock(run / "completion.jsonl", checkpoint.seconds), []
    while clock.seconds < minutes * 60:
        progress = clock.seconds / (minutes * 60)
        drawer.whole = progress >= WHOLE_FROM
        frames = drawer.batches.get()
        loss = completion_loss(working(frames.starts, frames.known, frames.depth), frames)
        loss.backward()
        masters.push_gradients()
        torch.nn.utils.clip_grad_norm_(master.parameters(), 1.0)
        stepper.step(learning_rate * cosine(progress))
        masters.pull()
        step += 1
        average.update(master, step)
        losses.append(loss.item())
        if step % REPORT == 0 or clock.seconds >= minutes * 60:
            averaged = Completion(config)
            average.copy_to(averaged)
            in_holes, elsewhere = gains(averaged.set_dtype(dtype), tests)
            clock.report(
                step=step, loss=float(np.mean(losses)), test_hole_db=in_holes, test_covered_db=elsewhere
            )
            losses.clear()
            averaged.float().save(run / "completion.safetensors")
            checkpoint.save(step, clock.seconds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of sequences")
    parser.add_argument(
        "--test", type=Path, required=True, help="folder of sequences for the log's figures only"
    )
    parser.add_argument("--run", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--start", type=Path, help="weights that a new run begins with")
    parser.add_argument("--taught-on", choices=WARPS, help="warp that the weights of --start know")
    parser.add_argument("--rate", type=float, default=LEARNING_RATE, help="peak learning rate")
    arguments = parser.parse_args()
    train(
        arguments.data,
        arguments.test,
        arguments.run,
        arguments.minutes,
        CompletionConfig(),
        start=arguments.start,
        learning_rate=arguments.rate,
        taught_on=arguments.taught_on,
    )


if __name__ == "__main__":
    main()
