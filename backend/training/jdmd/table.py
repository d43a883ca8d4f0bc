"""The table of docs/training.md: what joint distillation does to a student, at several joint weights and seeds.

    python -m backend.training.jdmd.table CONFIG --scenes DIR --real FILE [FILE ...] --out out/jdmd --seeds 0 1

Each student is trained by stage `jdmd` from the config's teachers, for four steps of the sampler or for two, and
measured in as many as `inspatio evaluate` does. What is there already is kept, so that a run can be taken up again, and
two processes may each take a seed. Rows of several seeds show their mean and how far they lie apart.
"""

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha1
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from ...constraint import Render
from ...constraint.completion import Completion
from ...model import Schedule
from ...presets import LoadedPreset, load_preset
from ..config import Config, read_config
from ..evaluate import evaluate
from ..figures import plain
from ..fleet import join
from ..generator import load_dit
from ..stages import jdmd
from .joint import SAMPLING

JOINT = (0.0, 0.1, 0.3, 1.0)
"""Weights of the free stream; at 0 there is re-rendering alone."""
SHOWN = 3
"""Scenes in the picture of samples."""
COLUMNS = (
    ("distance of frames", lambda r: r["distance"]["generated"], "{:.3f}"),
    ("of clips of nothing", lambda r: r["distance"]["free"], "{:.3f}"),
    ("rotation, °", lambda r: r["mean"]["rotation"], "{:.3f}"),
    ("translation, %", lambda r: 100 * r["mean"]["translation"], "{:.2f}"),
    ("reprojection, px", lambda r: r["mean"]["reprojection"], "{:.2f}"),
    ("photometric, dB", lambda r: r["mean"]["photometric"], "{:.1f}"),
    ("revisit in holes, dB", lambda r: r["mean"]["revisit_hole"], "{:.1f}"),
    ("holes, dB", lambda r: r["mean"]["psnr_hole"], "{:.2f}"),
    ("SSIM", lambda r: r["mean"]["ssim_hole"], "{:.3f}"),
    ("covered, dB", lambda r: r["mean"]["psnr_covered"], "{:.2f}"),
    ("flicker", lambda r: r["mean"]["flicker"] / r["mean"]["flicker_true"], "{:.2f}"),
    ("sharpness", lambda r: r["mean"]["sharpness"], "{:.3f}"),
    ("in holes", lambda r: r["mean"]["sharpness_hole"], "{:.3f}"),
)


@dataclass
class Kept:
    """A completion that remembers frames: however many students are measured, the renders they get are the same."""

    completion: Completion
    frames: dict[bytes, Tensor]

    def complete(self, render: Render) -> Tensor:
        """See `Completion.complete`."""
        parts = [Render(*(tensor[n : n + 1] for tensor in render.tensors)) for n in range(len(render.colour))]
        keys = [sha1(b"".join(t.cpu().numpy().tobytes() for t in part.tensors)).digest() for part in parts]
        if new := [n for n, key in enumerate(keys) if key not in self.frames]:
            made = self.completion.complete(Render.joined([parts[n] for n in new]))
            self.frames |= {keys[n]: frame for n, frame in zip(new, made, strict=True)}
        return torch.stack([self.frames[key] for key in keys])


@dataclass(frozen=True)
class Student:
    """A row of the table, before it is measured.

    steps: of the sampler, which it is trained for and measured in. seed: None for one that is not trained here.
    """

    label: str
    generator: Path
    steps: int
    joint: float | None = None
    seed: int | None = None

    @property
    def name(self) -> str:
        return self.generator.parent.name if self.seed is not None else f"start_{self.steps}"


def students(config: Config, seeds: Iterable[int]) -> list[Student]:
    """For each number of steps every joint weight with every seed, then the causal start."""
    rows = []
    for steps in SAMPLING:
        for joint in JOINT:
            label = "V2V alone" if joint == 0 else f"JDMD {joint:g}"
            for seed in seeds:
                folder = config.run / f"jdmd_{joint:g}_{steps}_{seed}"
                rows.append(Student(label, folder / "generator.safetensors", steps, joint, seed))
        rows.append(Student("causal start", config.student_file, steps))
    return rows


def train(student: Student, config: Config) -> None:
    """Distil a student, unless it is there."""
    if student.seed is None or student.joint is None:
        return
    asked = replace(config.jdmd, name=student.name, joint=student.joint, sampling=student.steps)
    jdmd(replace(config, seed=student.seed, jdmd=asked), join())


def measure(
    student: Student, preset: LoadedPreset, scenes: list[Path], movies: list[Path], out: Path
) -> dict[str, Any]:
    """Its figures, as they were measured once."""
    path = out / f"{student.name}.json"
    if path.exists():
        return dict(json.loads(path.read_text(encoding="utf-8")))
    dit = (
        load_dit(student.generator).requires_grad_(False).to(preset.device.torch_device, preset.device.dtype)
    )
    pictures = out / student.name
    pictures.mkdir(parents=True, exist_ok=True)
    asked = replace(preset, dit=dit, schedule=Schedule(SAMPLING[student.steps]))
    report = plain(evaluate(scenes, asked, pictures, 0, None, movies))
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return dict(report)


def table(rows: list[tuple[Student, dict[str, Any]]]) -> str:
    """Markdown: a row for each kind of student."""
    lines = ["| student | steps | " + " | ".join(name for name, _, _ in COLUMNS) + " |"]
    lines.append("|---" * (2 + len(COLUMNS)) + "|")
    for label, steps in dict.fromkeys((student.label, student.steps) for student, _ in rows):
        reports = [report for student, report in rows if (student.label, student.steps) == (label, steps)]
        cells = []
        for _, read, form in COLUMNS:
            values = [read(report) for report in reports]
            apart = f" ± {form.format((max(values) - min(values)) / 2)}" if len(values) > 1 else ""
            cells.append(form.format(float(np.mean(values))) + apart)
        lines.append(f"| {label} | {steps} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw_samples(rows: list[Student], scenes: list[Path], out: Path) -> None:
    """samples.png: of each kind of student the last frames of some scenes, and two moments of a clip of nothing."""
    first: dict[tuple[str, int], Student] = {}
    for row in rows:
        first.setdefault((row.label, row.steps), row)
    lines = []
    for (label, steps), row in first.items():
        pictures = [cv2.imread(str(out / row.name / f"{scene.stem}.png")) for scene in scenes[:SHOWN]]
        height, width = pictures[0].shape[0] // 3, pictures[0].shape[1] // 5
        # The last row of a strip; of its columns the fourth is what was generated.
        cells = [picture[2 * height :, 3 * width : 4 * width] for picture in pictures]
        nothing = cv2.imread(str(out / row.name / "free.png"))
        cells += [nothing[:height, :width], nothing[:height, -width:]]
        line = np.ascontiguousarray(np.concatenate(cells, axis=1))
        words = f"{label}, {steps} steps"
        for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.putText(line, words, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, thickness, cv2.LINE_AA)
        lines.append(line)
    cv2.imwrite(str(out / "samples.png"), np.concatenate(lines))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument(
        "--real", type=Path, nargs="+", required=True, help="movies; their ends are measured against"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--out", type=Path, default=Path("out/jdmd"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    config = read_config(arguments.config, arguments.set)
    arguments.out.mkdir(parents=True, exist_ok=True)
    scenes = sorted(arguments.scenes.glob("*.npz"))
    rows = students(config, arguments.seeds)
    preset = load_preset("tiny")
    if preset.completion is not None:
        preset = replace(preset, completion=Kept(preset.completion, {}))  # type: ignore[arg-type]
    measured = []
    for student in rows:
        train(student, config)
        measured.append((student, measure(student, preset, scenes, arguments.real, arguments.out)))
        (arguments.out / "table.md").write_text(table(measured) + "\n", encoding="utf-8")
    draw_samples(rows, scenes, arguments.out)
    print(table(measured))


if __name__ == "__main__":
    main()
