"""What a run says of itself: lines of JSON, TensorBoard's events, and two pictures that open anywhere.

RUN/NAME.jsonl     a line a report; kept over resumed runs
RUN/tensorboard/   the same for `tensorboard --logdir RUN`
RUN/curves.png     every figure over the steps
RUN/samples.png    what the trained network makes, at the last report
"""

import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

Line = dict[str, float]

COLUMNS = 3
"""Panels beside one another in curves.png."""


class Log:
    """The log of a run that has taken `seconds_before` seconds already, and made `step` steps."""

    def __init__(self, folder: Path, name: str, step: int = 0, seconds_before: float = 0.0) -> None:
        # It takes a second to import, which nobody who doesn't train should wait for.
        from torch.utils.tensorboard import SummaryWriter

        self.folder, self.name = folder, name
        self.lines = [line for line in read_lines(folder / f"{name}.jsonl") if line["step"] <= step]
        self._events = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)  # type: ignore[no-untyped-call]
        self._started, self._from = time.monotonic() - seconds_before, (time.monotonic(), step)

    @property
    def seconds(self) -> float:
        """Of training, counted on over resumed runs."""
        return time.monotonic() - self._started

    def report(self, step: int, steps: int, figures: Line, samples: np.ndarray | None = None) -> None:
        """Step `step` of `steps`: figures by name, and a picture (H, W, 3) uint8."""
        line = {"step": step, "seconds": round(self.seconds, 1)}
        line |= {name: round(value, 6) for name, value in figures.items()}
        self.lines.append(line)
        with (self.folder / f"{self.name}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        for name, value in figures.items():
            self._events.add_scalar(name, value, step)  # type: ignore[no-untyped-call]
        draw_curves(self.folder / "curves.png", self.lines)
        if samples is not None:
            self._events.add_image("samples", samples, step, dataformats="HWC")  # type: ignore[no-untyped-call]
            cv2.imwrite(str(self.folder / "samples.png"), samples[..., ::-1])
        self._events.flush()  # type: ignore[no-untyped-call]
        self._tell(step, steps, figures)

    def _tell(self, step: int, steps: int, figures: Line) -> None:
        begun, first = self._from
        left = (time.monotonic() - begun) / max(1, step - first) * (steps - step)
        words = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
        sys.stdout.write(f"{self.name}: step {step} of {steps}, {left / 60:.0f} min left  {words}\n")
        sys.stdout.flush()

    def close(self) -> None:
        """Let go of the event file."""
        self._events.close()  # type: ignore[no-untyped-call]


def read_lines(path: Path) -> list[Line]:
    """Lines of a log, the last of each step; none where there is no log."""
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return sorted({line["step"]: line for line in lines}.values(), key=lambda line: line["step"])


def draw_curves(path: Path, lines: list[Line]) -> None:
    """A panel for each figure of a log over its steps."""
    names = [name for name in lines[-1] if name not in ("step", "seconds")]
    rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(4 * COLUMNS, 2.6 * rows), layout="constrained")
    for place, name in enumerate(names):
        panel = figure.add_subplot(rows, COLUMNS, place + 1)
        points = [(line["step"], line[name]) for line in lines if name in line]
        panel.plot(*zip(*points, strict=True), color="#2a6f97", marker="." if len(points) < 30 else None)
        panel.set_title(name.replace("_", " "), fontsize=10)
        panel.set_xlabel("step", fontsize=8)
        panel.tick_params(labelsize=8)
        panel.grid(alpha=0.25)
    FigureCanvasAgg(figure).print_png(str(path))
