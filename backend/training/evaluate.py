"""Measures a preset on test scenes with truth, and draws what it measured.

Scenes are sequence files that training never saw. Each is generated through the product's own Session: there and back
again as generated, and once as finished. What is measured of it, beside the truth, the warp and cv2.inpaint (Telea):

holes, covered     PSNR, SSIM
camera control     how far off the camera is that really sees what a frame shows
3D consistency     where features of one generated frame are in another
photometric        colours of one generated frame in another
revisit            the way back beside the way out
flicker, grid, sharpness
distance           of all frames to real ones that no training saw, and of clips made of nothing
"""

from collections.abc import Callable
from collections.abc import Sequence as Many
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from ..constraint import Render
from ..constraint.fill import fill_holes
from ..context import render_world
from ..model import Schedule
from ..presets import LoadedPreset
from ..protocol.blocks import blocks_of
from ..session import CameraBlock, Session
from ..world import World
from .control import Seen, control, photometric, reprojection
from .distance import sharpness, sliced_wasserstein
from .examples import Sequence, pictures
from .jdmd.clips import STILLS, clips
from .jdmd.condition import Condition
from .jdmd.rollout import roll_out
from .measures import flicker, grid_ratio, psnr, ssim, telea
from .samples import to_codes

HOLE_COLOUR = (96, 0, 96)
BLUR = (
    8  # pixels, sigma: the truth blurred by as much is a bound that only sharper knowledge of a hole can pass
)
EVERY = 4
"""Frames from one that is measured for its camera or its distance to the next."""
APART = 8
"""Frames between the two whose consistency is measured."""
REAL_CLIPS, FREE_CLIPS = 32, 8
"""Clips of real video that frames are held against, and clips made of nothing."""


@dataclass(frozen=True)
class SceneResult:
    """Figures of one scene. PSNR in dB; NaN where a scene has nothing to measure.

    rotation: degrees. translation: share of the depth. controlled: of the measured frames, in how many a camera was
    found at all. reprojection, photometric: see `control`; only of scenes in which nothing moves. `_true`: the same of
    the true frames. revisit: PSNR of the way back beside the way out. sharpness: detail as a share of the truth's.
    """

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
    rotation: float
    translation: float
    controlled: float
    reprojection: float
    reprojection_true: float
    photometric: float
    photometric_true: float
    revisit: float
    revisit_hole: float
    sharpness: float
    sharpness_hole: float
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


def generate(
    sequence: Sequence,
    preset: LoadedPreset,
    keep_reference_detail: bool,
    seed: int,
    shown: Many[int] | None = None,
) -> np.ndarray:
    """The sequence's camera 0 move through a Session: uint8 (F, H, W, 3). shown: frames in place of all in order."""
    height, width = sequence.colour.shape[2:4]
    session = Session(
        preset,
        world_of(sequence),
        width,
        height,
        seed,
        keep_reference_detail=keep_reference_detail,
    )
    order = list(range(sequence.colour.shape[1])) if shown is None else list(shown)
    frames = []
    for block in blocks_of(len(order)):
        places = range(block.start, block.start + block.size)
        times = [order[min(place, len(order) - 1)] for place in places]
        cameras = CameraBlock(
            times=torch.tensor(times, dtype=torch.float64),
            intrinsics=torch.from_numpy(sequence.intrinsics[0, times]),
            world_to_camera=torch.from_numpy(sequence.world_to_camera[0, times]),
        )
        frames.append(session.step(cameras).frames[: block.count])
    return np.concatenate(frames)


@dataclass(frozen=True)
class Measured:
    """A scene's figures, and the frames that a distance is taken of: generated and true, (F, H, W, 3) uint8."""

    result: SceneResult
    generated: np.ndarray
    truth: np.ndarray


def evaluate_scene(
    path: Path, preset: LoadedPreset, seed: int, out: Path | None = None, holes: str | None = None
) -> Measured:
    """Figures of one scene. holes: the warp whose holes are measured; the preset's own if left out.

    out: folder of the strip true | warp | Telea | generated | finished.
    """
    sequence = Sequence.load(path)
    render = warp_of(sequence, preset.warp)
    known = (render if holes is None else warp_of(sequence, holes)).known.numpy()
    truth, warp = sequence.colour[0], to_codes(render.colour)
    inpainted = np.stack([telea(frame, mask) for frame, mask in zip(warp, render.known.numpy(), strict=True)])
    filled = to_codes(fill_holes(render))
    completed = filled if preset.completion is None else to_codes(preset.completion.complete(render))
    count = len(truth)
    both_ways = generate(sequence, preset, False, seed, [*range(count), *reversed(range(count - 1))])
    generated, back = both_ways[:count], both_ways[count - 1 :][::-1]
    finished = generate(sequence, preset, True, seed)
    if out is not None:
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
            "back": back,
        }.items()
    }
    poses = sequence.world_to_camera[0]
    cameras = camera_figures(sequence, generated)
    # The last block that is generated on the way out goes on into the way back: only what lies before it is a return.
    returned = slice(0, count - count // 3)
    result = SceneResult(
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
        **cameras,
        revisit=psnr(unit["back"][returned], unit["generated"][returned]),
        revisit_hole=psnr(unit["back"][returned], unit["generated"][returned], ~known[returned]),
        sharpness=sharpness(unit["generated"]) / sharpness(unit["truth"]),
        sharpness_hole=sharpness(unit["generated"], ~known) / sharpness(unit["truth"], ~known),
        still_camera=bool(np.allclose(poses, poses[:1], atol=1e-6)),
    )
    return Measured(result, generated, truth)


def camera_figures(sequence: Sequence, generated: np.ndarray) -> dict[str, float]:
    """Camera control and consistency of a move's generated frames: means over frames and pairs of frames."""

    def seen(frames: np.ndarray) -> list[Seen]:
        cameras = sequence.depth[0], sequence.intrinsics[0], sequence.world_to_camera[0]
        return [Seen(*parts) for parts in zip(frames, *cameras, strict=True)]

    ours, true = seen(generated), seen(sequence.colour[0])
    found = [
        control(one.frame, other.frame, one.depth, one.intrinsics)
        for one, other in zip(ours[::EVERY], true[::EVERY], strict=True)
    ]
    figures = {
        "rotation": _mean([each.rotation for each in found if each is not None]),
        "translation": _mean([each.translation for each in found if each is not None]),
        "controlled": float(np.mean([each is not None for each in found])),
    }
    measures: list[tuple[str, Callable[[Seen, Seen], float | None]]] = [
        ("reprojection", reprojection),
        ("photometric", photometric),
    ]
    for name, measure in measures:
        for kind, views in (("", ours), ("_true", true)):
            pairs = [] if sequence.dynamic else zip(views[::EVERY], views[APART::EVERY], strict=False)
            values = [measure(one, other) for one, other in pairs]
            figures[name + kind] = _mean([value for value in values if value is not None])
    return figures


def _mean(values: Many[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def real_frames(movies: Many[Path], height: int, width: int, count: int = REAL_CLIPS) -> np.ndarray:
    """First and last frames (F, H, W, 3) uint8 of clips that no training saw: of movies' ends and held-out stills."""
    frames = np.concatenate([clip[[0, -1]] for _, clip in clips(movies, STILLS, count, True)])
    return np.stack([cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames])


@torch.inference_mode()
def free_frames(
    preset: LoadedPreset, height: int, width: int, seed: int, count: int = FREE_CLIPS
) -> np.ndarray:
    """Frames (F, H, W, 3) uint8, every fourth, of clips that the generator makes of nothing."""
    codec, generator = preset.autoencoder("final").codec, torch.Generator().manual_seed(seed)
    shape = 1, 6, codec.latent_channels, height // 8, width // 8
    schedule = preset.schedule or Schedule()
    nothing = Condition.nothing(torch.zeros(shape, device=preset.device.torch_device))
    made = [
        to_codes(
            codec.decoder().push(roll_out(preset.dit, nothing, generator, schedule, len(schedule.steps) - 1))[
                0
            ]
        )
        for _ in range(count)
    ]
    return np.concatenate([frames[::EVERY] for frames in made])


def distances(measured: Many[Measured], free: np.ndarray | None, real: np.ndarray) -> dict[str, list[float]]:
    """Of generated, true and free frames to real ones, level by level from the finest.

    "halves", for comparison: of the first half of the real clips to the second.
    """
    heaps = {
        "generated": np.concatenate([each.generated[::EVERY] for each in measured]),
        "true": np.concatenate([each.truth[::EVERY] for each in measured]),
    }
    if free is not None:
        heaps["free"] = free
    half = len(real) // 2
    found = {name: sliced_wasserstein(frames / 255.0, real / 255.0) for name, frames in heaps.items()}
    return found | {"halves": sliced_wasserstein(real[:half] / 255.0, real[half : 2 * half] / 255.0)}


def evaluate(
    scenes: Many[Path],
    preset: LoadedPreset,
    out: Path | None = None,
    seed: int = 0,
    holes: str | None = None,
    movies: Many[Path] = (),
    told: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """All figures of a preset on test scenes, as they go into evaluation.json.

    movies: real video, whose ends no training saw. told: hears of every scene that is done.
    """
    measured = []
    for path in scenes:
        measured.append(evaluate_scene(path, preset, seed, out, holes))
        told(path.stem)
    height, width = measured[0].truth.shape[1:3]
    text = preset.preset.text
    free = None if text else free_frames(preset, height, width, seed)
    apart = distances(measured, free, real_frames(movies, height, width))
    if out is not None and free is not None:
        cv2.imwrite(str(out / "free.png"), np.concatenate(list(free[5:24:6]), axis=1)[..., ::-1])
    results = [each.result for each in measured]
    return {
        "warp": preset.warp,
        "holes": holes or preset.warp,
        "steps": len((preset.schedule or Schedule()).steps),
        "distance": {name: float(np.mean(levels)) for name, levels in apart.items()},
        "distance_levels": apart,
        "mean": mean_of(results),
        "scenes": [asdict(result) for result in results],
    }


def draw_strip(path: Path, known: np.ndarray, *columns: np.ndarray) -> None:
    """True, warp with holes, Telea, generated and finished, a third into the move and at its end."""
    total, rows = len(known), []
    holes_shown = np.where(known[..., None], columns[1], np.array(HOLE_COLOUR, np.uint8))
    shown = [columns[0], holes_shown, *columns[2:]]
    for frame in (total // 3, 2 * total // 3, total - 1):
        rows.append(np.concatenate([column[frame] for column in shown], axis=1))
    cv2.imwrite(str(path), np.concatenate(rows)[..., ::-1])


def mean_of(results: Many[Any]) -> dict[str, float]:
    """Means of all figures that are numbers, over the scenes that have them."""
    names = [name for name, value in asdict(results[0]).items() if isinstance(value, float)]
    return {name: _mean([v for r in results if not np.isnan(v := getattr(r, name))]) for name in names}
