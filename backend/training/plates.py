"""Measures plates on test scenes with truth at their size, and draws what it measured.

    python -m tests.scenes.evaluation --out out/scenes_1080 --height 1080 --only gallery --samples 4 --targets 2
    python -m backend.training.plates --scenes out/scenes_1080 --out out/plates

A preset generates the scene's move from its reference at the preset's size; its frames are developed to the size of the
truth, and held against it beside the same frames merely enlarged (a plate of strength 0). Covered is what the warp at
the plate's size knows. Writes plates.json, a Markdown table, and two pictures a scene: true | enlarged | plate |
share of the reference, whole and, of the last one, pieces at full size where holes are; and a strip of one such piece
over consecutive frames.
"""

import argparse
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from ..plate import Plates, at_plate_size, develop
from ..presets import LoadedPreset, load_preset
from ..protocol.blocks import blocks_of
from ..session import CameraBlock, Session
from ..world import World
from .evaluate import mean_of
from .measures import psnr

PIECE = 320, 480
"""Height and width of what is shown at full size."""
MOVING = 4
"""Consecutive frames that are shown."""


@dataclass(frozen=True)
class Scene:
    """A scene as `tests.scenes.evaluation --height` stores it: truth (S, H, W, 3) at frames `shown` of a move of T.

    seen: the reference that the generator is given. world: what plates are made of. They are the same but for one that
    moves, of which there are a few moments at the plates' size, and all of them at a smaller one.
    """

    seen: World
    world: World
    cameras: CameraBlock
    shown: list[int]
    truth: np.ndarray

    @classmethod
    def load(cls, path: Path) -> "Scene":
        with np.load(path, allow_pickle=False) as file:
            frames = torch.from_numpy(file["frames"])
            seen, world = (
                World(
                    "moving" if bool(file["dynamic"]) else "still",
                    torch.from_numpy(file[f"{track}_colour"]).permute(0, 3, 1, 2).contiguous(),
                    torch.from_numpy(file[f"{track}_depth"]),
                    torch.from_numpy(file[f"{track}_intrinsics"]).double(),
                    torch.from_numpy(file[f"{track}_world_to_camera"]).double(),
                    torch.from_numpy(file[f"{track}_frames"]),
                )
                for track in ("seen" if "seen_frames" in file else "reference", "reference")
            )
            placed = (torch.from_numpy(file[name]).double() for name in ("intrinsics", "world_to_camera"))
            return cls(seen, world, CameraBlock(frames, *placed), file["shown"].tolist(), file["truth"])


@dataclass(frozen=True)
class PlateResult:
    """Figures of one scene: PSNR in dB against the truth at the plates' size."""

    scene: str
    hole_share: float
    reference_share: float
    psnr_covered_enlarged: float
    psnr_covered_plate: float
    gain_covered: float
    psnr_whole_enlarged: float
    psnr_whole_plate: float


def generate(scene: Scene, preset: LoadedPreset, width: int, height: int, seed: int) -> np.ndarray:
    """The scene's move through a Session at the preset's size: uint8 (T, h, w, 3)."""
    rows, columns = scene.truth.shape[1:3]
    cameras = at_plate_size(scene.cameras, columns, rows, width, height)
    session = Session(preset, scene.seen, width, height, seed)
    total, frames = len(cameras.times), []
    for block in blocks_of(total):
        frames.append(
            session.step(part(cameras, range(block.start, block.start + block.size))).frames[: block.count]
        )
    return np.concatenate(frames)


def part(cameras: CameraBlock, which: Iterable[int]) -> CameraBlock:
    """Some cameras, the last one where there are no more."""
    index = torch.tensor(list(which)).clamp(max=len(cameras.times) - 1)
    return CameraBlock(cameras.times[index], cameras.intrinsics[index], cameras.world_to_camera[index])


def plates(scene: Scene, frames: np.ndarray, which: list[int], strength: float) -> Plates:
    """Plates of some frames."""
    rows, columns = scene.truth.shape[1:3]
    return develop(scene.world, part(scene.cameras, which), frames[which], columns, rows, strength)


def evaluate_scene(
    path: Path, preset: LoadedPreset, size: tuple[int, int], seed: int, out: Path
) -> PlateResult:
    """Figures and pictures of one scene; size: width and height that are generated."""
    scene = Scene.load(path)
    frames = generate(scene, preset, *size, seed)
    made, plain = (plates(scene, frames, scene.shown, strength) for strength in (1.0, 0.0))
    draw(out / f"{path.stem}.png", scene.truth, plain.colour, made)
    draw_motion(out / f"{path.stem}_motion.png", scene, frames)
    covered = made.mask == 0
    truth, enlarged, plate = (x.astype(np.float32) / 255 for x in (scene.truth, plain.colour, made.colour))
    before, after = psnr(enlarged, truth, covered), psnr(plate, truth, covered)
    return PlateResult(
        path.stem,
        float(1 - covered.mean()),
        float(made.coverage.mean() / 255),
        before,
        after,
        after - before,
        psnr(enlarged, truth),
        psnr(plate, truth),
    )


def draw(path: Path, truth: np.ndarray, plain: np.ndarray, made: Plates) -> None:
    """True, enlarged, plate and share of the reference: a row a frame at a quarter, and two pieces of the last one."""
    share = np.repeat(made.coverage[..., None], 3, axis=-1)
    columns = truth, plain, made.colour, share
    rows = [
        np.concatenate([cv2.resize(x[index], PIECE[::-1], interpolation=cv2.INTER_AREA) for x in columns], 1)
        for index in range(len(truth))
    ]
    for top, left in pieces(made.mask[-1]):
        cut = slice(top, top + PIECE[0]), slice(left, left + PIECE[1])
        rows.append(np.concatenate([x[-1][cut] for x in columns], axis=1))
    cv2.imwrite(str(path), np.concatenate(rows)[..., ::-1])


def draw_motion(path: Path, scene: Scene, frames: np.ndarray) -> None:
    """A piece where holes are, over consecutive frames from the middle of the move on: plates, and their shares."""
    start = len(frames) // 2
    made = plates(scene, frames, list(range(start, start + MOVING)), 1.0)
    top, left = pieces(made.mask[0])[0]
    cut = slice(top, top + PIECE[0]), slice(left, left + PIECE[1])
    share = np.repeat(made.coverage[..., None], 3, axis=-1)
    rows = [np.concatenate([frame[cut] for frame in x], axis=1) for x in (made.colour, share)]
    cv2.imwrite(str(path), np.concatenate(rows)[..., ::-1])


def pieces(mask: np.ndarray, count: int = 2) -> list[tuple[int, int]]:
    """Upper left corners of the pieces with most edges of holes, where mask (H, W) is 255; they do not overlap."""
    edges = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).astype(np.float32)
    edges[:20], edges[-20:], edges[:, :20], edges[:, -20:] = 0, 0, 0, 0
    found = []
    for _ in range(count):
        sums = cv2.boxFilter(edges, -1, PIECE[::-1], normalize=False, borderType=cv2.BORDER_CONSTANT)
        middle = np.unravel_index(sums.argmax(), sums.shape)
        top, left = (
            int(np.clip(m - p // 2, 0, whole - p))
            for m, p, whole in zip(middle, PIECE, mask.shape, strict=True)
        )
        edges[
            max(0, top - PIECE[0] // 2) : top + PIECE[0], max(0, left - PIECE[1] // 2) : left + PIECE[1]
        ] = 0
        found.append((top, left))
    return found


def table(results: list[PlateResult]) -> str:
    """The figures as Markdown, a row a scene and their mean."""
    head = (
        "| scene | holes | the reference's own | PSNR covered: enlarged | plate | gain | whole: enlarged | plate |\n"
        + "|---" * 8
        + "|"
    )
    rows = [head]
    for name, r in [(result.scene, asdict(result)) for result in results] + [("**mean**", mean_of(results))]:
        rows.append(
            f"| {name} | {100 * r['hole_share']:.1f} % | {100 * r['reference_share']:.1f} % "
            f"| {r['psnr_covered_enlarged']:.2f} | {r['psnr_covered_plate']:.2f} | {r['gain_covered']:+.2f} "
            f"| {r['psnr_whole_enlarged']:.2f} | {r['psnr_whole_plate']:.2f} |"
        )
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--size", type=int, nargs=2, default=(256, 144), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/plates"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    preset = load_preset(arguments.preset)
    results = [
        evaluate_scene(path, preset, tuple(arguments.size), arguments.seed, arguments.out)
        for path in sorted(arguments.scenes.glob("*.npz"))
    ]
    report = {"mean": mean_of(results), "scenes": [asdict(result) for result in results]}
    (arguments.out / "plates.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (arguments.out / "plates.md").write_text(table(results) + "\n", encoding="utf-8")
    print(table(results))


if __name__ == "__main__":
    main()
