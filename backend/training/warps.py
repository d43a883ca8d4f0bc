"""Holds the two warps against true renders, before any network has seen them.

    python -m backend.training.warps --scenes DIR --out out/warps
    python -m backend.training.warps --speed

Scenes are sequence files with true colour and depth of the shot, as `evaluate` takes them. What a view sees is told by
the true depth: a target pixel's point is moved into the view and held against the four depths around it there. Writes
warps.json, a Markdown table, and a strip per scene: view | splat | surface | true, holes in purple.

covered    PSNR where both warps know the pixel. edges: of those, within 2 pixels of a jump of the true depth.
flying     share of the pixels that no view sees which the warp claims to know.
cracks     share of the pixels that a view sees plainly which the warp does not know.

`--speed` times both instead, in turns, one view of the bench's room into 12 frames.
"""

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..bench import pose, room
from ..constraint import WARPS
from ..constraint.splat import SKY
from .evaluate import HOLE_COLOUR, mean_of, warp_of, world_of
from .examples import Sequence, pictures
from .measures import psnr
from .samples import to_codes

AGREES = 0.02
"""Relative difference of depth up to which a point is on the surface that the view shows there."""
JUMP = 0.04
"""Bend of disparity, relative to itself, from which on the true depth has an edge."""
EDGE = 2
"""Pixels on either side that belong to an edge."""


@dataclass(frozen=True)
class WarpResult:
    """Figures of a warp on a scene; PSNR in dB, the rest shares of 0 to 1."""

    scene: str
    warp: str
    known: float
    psnr_known: float
    psnr_covered: float
    psnr_edges: float
    flying: float
    cracks: float


def seen_by_views(sequence: Sequence) -> tuple[Tensor, Tensor]:
    """What is seen of the shot's true surfaces (T, H, W): plainly, by some view's four pixels around; not at all."""
    world = world_of(sequence)
    depth = torch.from_numpy(sequence.depth[0]).double()
    frames, height, width = depth.shape
    row, column = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    pixel = torch.stack([column, row, torch.ones_like(row)])
    plainly, never = torch.zeros(depth.shape, dtype=torch.bool), torch.ones(depth.shape, dtype=torch.bool)
    moments = torch.arange(frames, dtype=torch.float64)
    views = world.views_at(moments) if world.kind == "moving" else [0] * frames
    for frame, view in enumerate(views):
        sky = depth[frame] >= SKY
        ray = torch.einsum(
            "ij,jhw->ihw", torch.linalg.inv(torch.from_numpy(sequence.intrinsics[0, frame]).double()), pixel
        )
        point = torch.cat([ray * torch.where(sky, 1.0, depth[frame]), (~sky).double()[None]])
        motion = world.world_to_camera[view].double() @ torch.linalg.inv(
            torch.from_numpy(sequence.world_to_camera[0, frame]).double()
        )
        moved = torch.einsum("ij,jhw->ihw", motion, point)[:3]
        x, y, z = torch.einsum("ij,jhw->ihw", world.intrinsics[view].double(), moved)
        u, v = x / z, y / z
        rows, columns = world.size
        inside = (z > 0) & (u >= 0) & (u <= columns - 1) & (v >= 0) & (v <= rows - 1)
        left, top = (
            p.nan_to_num().floor().clamp(0, size - 2).long() for p, size in ((u, columns), (v, rows))
        )
        around = torch.stack(
            [world.depth[view].double()[top + down, left + right] for down in (0, 1) for right in (0, 1)]
        )
        agrees = torch.where(sky, around >= SKY, (around / z - 1).abs() <= AGREES)
        plainly[frame] = inside & agrees.all(dim=0)
        outside = (z <= 0) | (u < -0.5) | (u > columns - 0.5) | (v < -0.5) | (v > rows - 0.5)
        never[frame] = outside | (inside & ~agrees.any(dim=0))
    return plainly, never


def near_edges(depth: Tensor) -> Tensor:
    """Pixels (T, H, W) within `EDGE` of a jump of depth. Disparity is linear over a plane, at any angle."""
    w = torch.where(depth >= SKY, 0.0, 1 / depth.clamp(min=1e-6))[:, None]
    across = F.pad(w, [1, 1, 0, 0], mode="replicate")
    down = F.pad(w, [0, 0, 1, 1], mode="replicate")
    bend = torch.maximum(
        (across[..., 2:] - 2 * w + across[..., :-2]).abs(),
        (down[..., 2:, :] - 2 * w + down[..., :-2, :]).abs(),
    )
    jump = bend > JUMP * w.clamp(min=1e-6)
    return F.max_pool2d(jump.float(), 2 * EDGE - 1, stride=1, padding=EDGE - 1)[:, 0] > 0


def compare(path: Path, out: Path) -> list[WarpResult]:
    """Both warps on one scene."""
    sequence = Sequence.load(path)
    truth = sequence.colour[0].astype(np.float32) / 255
    plainly, never = seen_by_views(sequence)
    edges = near_edges(torch.from_numpy(sequence.depth[0]))
    renders = {warp: warp_of(sequence, warp) for warp in WARPS}
    both = torch.stack([render.known for render in renders.values()]).all(dim=0)
    results = []
    for warp, render in renders.items():
        picture = to_codes(render.colour).astype(np.float32) / 255
        results.append(
            WarpResult(
                scene=path.stem,
                warp=warp,
                known=float(render.known.float().mean()),
                psnr_known=psnr(picture, truth, render.known.numpy()),
                psnr_covered=psnr(picture, truth, both.numpy()),
                psnr_edges=psnr(picture, truth, (both & edges).numpy()),
                flying=float(render.known[never].float().mean()),
                cracks=1 - float(render.known[plainly].float().mean()),
            )
        )
    draw(out / f"{path.stem}.png", sequence, [(r.colour, r.known) for r in renders.values()])
    return results


def draw(path: Path, sequence: Sequence, warps: list[tuple[Tensor, Tensor]]) -> None:
    """View, every warp with its holes, and truth: a third and two thirds into the move, and at its end."""
    world, total, rows = world_of(sequence), sequence.colour.shape[1], []
    pictures = [(to_codes(colour), known.numpy()) for colour, known in warps]
    for frame in (total // 3, 2 * total // 3, total - 1):
        view = world.views_at(torch.tensor([float(frame)]))[0] if world.kind == "moving" else 0
        shown = [
            np.where(known[frame, ..., None], codes[frame], np.array(HOLE_COLOUR, np.uint8))
            for codes, known in pictures
        ]
        rows.append(
            np.concatenate([to_codes(world.pictures([view]))[0], *shown, sequence.colour[0, frame]], axis=1)
        )
    cv2.imwrite(str(path), np.concatenate(rows)[..., ::-1])


def table(results: list[WarpResult]) -> str:
    """Both warps side by side as Markdown, a row a scene and their mean."""
    rows = [
        "| scene | known | PSNR covered | edges | flying pixels | cracks |",
        "|---|---|---|---|---|---|",
    ]
    scenes = list(dict.fromkeys(result.scene for result in results))
    for scene in [*scenes, None]:
        pair = [
            mean_of([r for r in results if r.warp == warp and scene in (None, r.scene)]) for warp in WARPS
        ]

        def both(name: str, form: str, pair: list[dict[str, float]] = pair) -> str:
            return " / ".join(form.format(figures[name]) for figures in pair)

        rows.append(
            f"| {scene or '**mean**'} | {both('known', '{:.1%}')} | {both('psnr_covered', '{:.2f}')} "
            f"| {both('psnr_edges', '{:.2f}')} | {both('flying', '{:.1%}')} | {both('cracks', '{:.2%}')} |"
        )
    return "\n".join(rows)


def timed(width: int, height: int, threads: int, turns: int = 12) -> dict[str, tuple[float, float]]:
    """Seconds of each warp for 12 frames, the best of some turns: by the clock, and of processors together."""
    colour, depth, lens = room(width, height)
    intrinsics = torch.tensor(lens).view(1, 3, 3)
    targets = torch.tensor([pose(0.05 * step, 0.04 * step) for step in range(12)]).view(-1, 4, 4)
    views = pictures(colour[None]), torch.from_numpy(depth)[None], intrinsics, torch.eye(4)[None]
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in WARPS}
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for turn in range(turns + 1):  # In turns, so that what else the machine does slows both alike.
            for name, warp in WARPS.items():
                clock, processors = time.perf_counter(), time.process_time()
                warp(*views, intrinsics.expand(12, 3, 3), targets)
                spent = time.perf_counter() - clock, time.process_time() - processors
                taken[name] += [spent] if turn else []  # The first compiles.
    finally:
        torch.set_num_threads(before)
    return {name: (min(s for s, _ in spent), min(s for _, s in spent)) for name, spent in taken.items()}


def speed_table(sizes: tuple[tuple[int, int], ...] = ((256, 144), (832, 480))) -> str:
    """Both warps' seconds on one thread and on two, as Markdown."""
    rows = ["| size | threads | by the clock | of processors |", "|---|---|---|---|"]
    for width, height in sizes:
        for threads in (1, 2):
            spent = timed(width, height, threads).values()
            clock, processors = (
                " / ".join(f"{seconds:.3f}" for seconds in kind) for kind in zip(*spent, strict=True)
            )
            rows.append(f"| {width}x{height} | {threads} | {clock} | {processors} |")
    return "\n".join(rows)


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--scenes", type=Path)
    what.add_argument("--speed", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("out/warps"))
    arguments = parser.parse_args()
    if arguments.speed:
        print(speed_table())
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    results = [
        result for path in sorted(arguments.scenes.glob("*.npz")) for result in compare(path, arguments.out)
    ]
    report = {
        "mean": {warp: mean_of([r for r in results if r.warp == warp]) for warp in WARPS},
        "scenes": [asdict(result) for result in results],
    }
    (arguments.out / "warps.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (arguments.out / "warps.md").write_text(table(results) + "\n", encoding="utf-8")
    print(table(results))


if __name__ == "__main__":
    main()
