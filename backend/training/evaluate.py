"""Measures a preset on test scenes with truth, and draws what it measured.

    python -m backend.training.evaluate --scenes DIR --preset tiny --out out/evaluation

Scenes are sequence files that training never saw. Each is generated through the product's own Session, as generated
and finished, and held against the true render, the warp, and cv2.inpaint (Telea) on the same warp. Writes
evaluation.json, a Markdown table, and a strip per scene: true | warp | Telea | generated | finished.
"""

import argparse
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from ..constraint import WARPS
from ..constraint.completion import Completion
from ..constraint.fill import fill_holes
from ..constraint.splat import Render
from ..context import render_world
from ..presets import LoadedPreset, load_preset
from ..protocol.blocks import blocks_of
from ..session import CameraBlock, Session
from ..world import World
from .examples import Sequence, pictures
from .measures import flicker, grid_ratio, psnr, ssim, telea

HOLE_COLOUR = (96, 0, 96)
BLUR = (
    8  # pixels, sigma: the truth blurred by as much is a bound that only sharper knowledge of a hole can pass
)


@dataclass(frozen=True)
class SceneResult:
    """Figures of one scene: PSNR in dB and SSIM in holes and in covered pixels, and how the whole frame looks."""

    scene: str
    hole_share: float
    psnr_hole: float
    psnr_hole_finished: float
    psnr_hole_telea: float
    psnr_hole_fill: float
    psnr_hole_completed: float
    psnr_hole_blurred_truth: float
    ssim_hole: float
    ssim_hole_telea: float
    psnr_covered: float
    psnr_covered_warp: float
    psnr_covered_finished: float
    psnr_whole: float
    psnr_whole_finished: float
    grid: float
    grid_true: float
    flicker: float
    flicker_finished: float
    flicker_true: float
    still_camera: bool


def world_of(sequence: Sequence) -> World:
    """What the backend would have decoded of this sequence's reference: one still, or camera 1 over time."""
    index = (slice(None),) if sequence.dynamic else (slice(0, 1),)
    camera = 1 if sequence.dynamic else 0
    return World(
        kind="moving" if sequence.dynamic else "still",
        colour=pictures(sequence.colour[camera][index]),
        depth=torch.from_numpy(sequence.depth[camera][index].copy()),
        intrinsics=torch.from_numpy(sequence.intrinsics[camera][index].copy()),
        world_to_camera=torch.from_numpy(sequence.world_to_camera[camera][index].copy()),
        frames=torch.arange(len(sequence.colour[camera][index]), dtype=torch.float64),
    )


def warp_of(sequence: Sequence, warp: str) -> Render:
    """The render that the Session makes of the whole move with a preset that has this warp."""
    height, width = sequence.colour.shape[2:4]
    return render_world(
        world_of(sequence),
        torch.arange(sequence.colour.shape[1], dtype=torch.float64),
        torch.from_numpy(sequence.intrinsics[0]),
        torch.from_numpy(sequence.world_to_camera[0]),
        height,
        width,
        warp=warp,
    )


def generate(sequence: Sequence, preset: LoadedPreset, keep_reference_detail: bool, seed: int) -> np.ndarray:
    """The sequence's camera 0 move through a Session: uint8 (T, H, W, 3)."""
    height, width = sequence.colour.shape[2:4]
    session = Session(
        preset,
        world_of(sequence),
        width,
        height,
        seed,
        keep_reference_detail=keep_reference_detail,
    )
    total, frames = sequence.colour.shape[1], []
    for block in blocks_of(total):
        times = [min(time, total - 1) for time in range(block.start, block.start + block.size)]
        cameras = CameraBlock(
            times=torch.tensor(times, dtype=torch.float64),
            intrinsics=torch.from_numpy(sequence.intrinsics[0, times]),
            world_to_camera=torch.from_numpy(sequence.world_to_camera[0, times]),
        )
        frames.append(session.step(cameras).frames[: block.count])
    return np.concatenate(frames)


def to_codes(colour: torch.Tensor) -> np.ndarray:
    """(F, 3, H, W) in [-1, 1] -> uint8 (F, H, W, 3)."""
    return ((colour.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


def evaluate_scene(
    path: Path, preset: LoadedPreset, seed: int, out: Path, holes: str | None = None
) -> SceneResult:
    """Figures of one scene. holes: the warp whose holes are measured; the preset's own if left out."""
    sequence = Sequence.load(path)
    render = warp_of(sequence, preset.warp)
    known = (render if holes is None else warp_of(sequence, holes)).known.numpy()
    truth, warp = sequence.colour[0], to_codes(render.colour)
    inpainted = np.stack([telea(frame, mask) for frame, mask in zip(warp, render.known.numpy(), strict=True)])
    filled = to_codes(fill_holes(render))
    completed = filled if preset.completion is None else to_codes(preset.completion.complete(render))
    generated = generate(sequence, preset, False, seed)
    finished = generate(sequence, preset, True, seed)
    draw_strip(out / f"{path.stem}.png", known, truth, warp, inpainted, generated, finished)
    unit = {
        name: frames.astype(np.float32) / 255
        for name, frames in {
            "truth": truth,
            "warp": warp,
            "telea": inpainted,
            "fill": filled,
            "completed": completed,
            "blurred": np.stack([cv2.GaussianBlur(frame, (0, 0), BLUR) for frame in truth]),
            "generated": generated,
            "finished": finished,
        }.items()
    }
    poses = sequence.world_to_camera[0]
    return SceneResult(
        scene=path.stem,
        hole_share=float((~known).mean()),
        psnr_hole=psnr(unit["generated"], unit["truth"], ~known),
        psnr_hole_finished=psnr(unit["finished"], unit["truth"], ~known),
        psnr_hole_telea=psnr(unit["telea"], unit["truth"], ~known),
        psnr_hole_fill=psnr(unit["fill"], unit["truth"], ~known),
        psnr_hole_completed=psnr(unit["completed"], unit["truth"], ~known),
        psnr_hole_blurred_truth=psnr(unit["blurred"], unit["truth"], ~known),
        ssim_hole=ssim(unit["generated"], unit["truth"], ~known),
        ssim_hole_telea=ssim(unit["telea"], unit["truth"], ~known),
        psnr_covered=psnr(unit["generated"], unit["truth"], known),
        psnr_covered_warp=psnr(unit["warp"], unit["truth"], known),
        psnr_covered_finished=psnr(unit["finished"], unit["truth"], known),
        psnr_whole=psnr(unit["generated"], unit["truth"]),
        psnr_whole_finished=psnr(unit["finished"], unit["truth"]),
        grid=grid_ratio(unit["generated"]),
        grid_true=grid_ratio(unit["truth"]),
        flicker=flicker(unit["generated"]),
        flicker_finished=flicker(unit["finished"]),
        flicker_true=flicker(unit["truth"]),
        still_camera=bool(np.allclose(poses, poses[:1], atol=1e-6)),
    )


def draw_strip(path: Path, known: np.ndarray, *columns: np.ndarray) -> None:
    """True, warp with holes, Telea, generated and finished, a third into the move and at its end."""
    total, rows = len(known), []
    holes_shown = np.where(known[..., None], columns[1], np.array(HOLE_COLOUR, np.uint8))
    shown = [columns[0], holes_shown, *columns[2:]]
    for frame in (total // 3, 2 * total // 3, total - 1):
        rows.append(np.concatenate([column[frame] for column in shown], axis=1))
    cv2.imwrite(str(path), np.concatenate(rows)[..., ::-1])


def mean_of(results: list[Any]) -> dict[str, float]:
    names = [name for name, value in asdict(results[0]).items() if isinstance(value, float)]
    return {name: float(np.nanmean([getattr(result, name) for result in results])) for name in names}


def table(results: list[SceneResult]) -> str:
    """The figures that matter as Markdown, a row a scene and their mean."""
    head = (
        "| scene | holes | PSNR in holes: Telea | fill | completed | generated | finished | blurred truth "
        "| SSIM in holes: Telea | generated "
        "| PSNR covered: warp | generated | finished | whole: generated | finished "
        "| grid / true | flicker / true |\n" + "|---" * 17 + "|"
    )
    rows = [head]
    for name, r in [(result.scene, asdict(result)) for result in results] + [("**mean**", mean_of(results))]:
        rows.append(
            f"| {name} | {100 * r['hole_share']:.0f} % | {r['psnr_hole_telea']:.2f} | {r['psnr_hole_fill']:.2f} "
            f"| {r['psnr_hole_completed']:.2f} | {r['psnr_hole']:.2f} | {r['psnr_hole_finished']:.2f} "
            f"| {r['psnr_hole_blurred_truth']:.2f} "
            f"| {r['ssim_hole_telea']:.3f} | {r['ssim_hole']:.3f} "
            f"| {r['psnr_covered_warp']:.2f} | {r['psnr_covered']:.2f} | {r['psnr_covered_finished']:.2f} "
            f"| {r['psnr_whole']:.2f} | {r['psnr_whole_finished']:.2f} "
            f"| {r['grid'] / r['grid_true']:.3f} | {r['flicker'] / max(r['flicker_true'], 1e-9):.2f} |"
        )
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--warp", choices=WARPS, help="in place of the preset's own")
    parser.add_argument("--holes", choices=WARPS, help="measure in the holes of this warp, to compare two")
    parser.add_argument("--completion", type=Path, help="weights in place of the preset's own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/evaluation"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    preset = load_preset(arguments.preset)
    preset = replace(preset, warp=arguments.warp or preset.warp)
    if arguments.completion is not None:
        completion = Completion.load(arguments.completion).set_dtype(preset.device.dtype)
        preset = replace(preset, completion=completion.requires_grad_(False))
    results = [
        evaluate_scene(path, preset, arguments.seed, arguments.out, arguments.holes)
        for path in sorted(arguments.scenes.glob("*.npz"))
    ]
    report = {
        "warp": preset.warp,
        "holes": arguments.holes or preset.warp,
        "mean": mean_of(results),
        "scenes": [asdict(result) for result in results],
    }
    (arguments.out / "evaluation.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (arguments.out / "evaluation.md").write_text(table(results) + "\n", encoding="utf-8")
    print(table(results))


if __name__ == "__main__":
    main()
