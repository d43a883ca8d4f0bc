"""What the demo shows of its shot: the comparison's frames, the contact sheet, and the figures.

reference/ + take's cameras -> warp, mask         the constraint alone, by the backend's own splat
truth/, take_NNN/           -> true render, generated
-> compare/NNNN.png (true | warp | mask | generated), compare.mp4, contact.png, summary.json
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from backend.constraint.splat import splat_views
from backend.movie import encode_movie
from backend.protocol.files import read_take
from backend.training.measures import psnr, telea
from backend.world import World, load_world
from tests.movies import read_film

TITLES = ("true render", "warp", "mask", "generated")
HOLE = (70, 0, 78)
PANEL = 480
"""Width of a panel; its height follows the frames."""
CAPTION = 30


@dataclass(frozen=True)
class Shown:
    """All frames of the shot, uint8 (F, H, W, 3), and where the warp is known, bool (F, H, W)."""

    truth: np.ndarray
    warp: np.ndarray
    known: np.ndarray
    generated: np.ndarray


def read_frames(folder: Path, names: list[str]) -> np.ndarray:
    """Pictures as RGB (F, H, W, 3)."""
    return np.stack([cv2.imread(str(folder / name))[..., ::-1] for name in names])


def warp_shot(
    world: World, frames: list[float], intrinsics: np.ndarray, poses: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The reference seen by every camera of the shot, `size` (height, width): colour (F, H, W, 3) uint8, black in
    holes, and known."""
    times = torch.tensor(frames, dtype=torch.float64)
    nearest = world.views_at(times) if world.kind == "moving" else [0] * len(frames)
    colours, known = [], []
    for index, view in enumerate(nearest):
        chosen = [view] if world.kind == "moving" else list(range(len(world.frames)))
        render = splat_views(
            world.pictures(chosen), world.depth[chosen], world.intrinsics[chosen], world.world_to_camera[chosen],
            torch.from_numpy(intrinsics[index : index + 1]), torch.from_numpy(poses[index : index + 1]), size,
        )  # fmt: skip
        colours.append(((render.colour[0].clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy())
        known.append(render.known[0].numpy())
    return np.stack(colours), np.stack(known)


def gather(folder: Path, take_folder: Path, reference: Path) -> Shown:
    """Read and warp everything that is compared."""
    take = read_take(take_folder)
    cameras = take.shot.cameras
    names = [f"{round(frame):04d}.png" for frame in cameras.frames]
    intrinsics = np.array(cameras.intrinsics, np.float64).reshape(-1, 3, 3)
    poses = np.array(cameras.world_to_camera, np.float64).reshape(-1, 4, 4)
    world, _ = load_world(reference)
    warp, known = warp_shot(
        world, list(cameras.frames), intrinsics, poses, (take.shot.height, take.shot.width)
    )
    return Shown(read_frames(folder / "truth", names), warp, known, read_frames(take_folder, names))


def measure(shown: Shown) -> dict[str, float]:
    """PSNR in dB over all frames, in holes and in covered pixels: the finished frames, Telea, the warp."""
    unit = {name: getattr(shown, name).astype(np.float32) / 255 for name in ("truth", "warp", "generated")}
    inpainted = np.stack([telea(frame, mask) for frame, mask in zip(shown.warp, shown.known, strict=True)])
    inpainted = inpainted.astype(np.float32) / 255
    figures = {
        "psnr_hole": psnr(unit["generated"], unit["truth"], ~shown.known),
        "psnr_hole_telea": psnr(inpainted, unit["truth"], ~shown.known),
        "psnr_covered": psnr(unit["generated"], unit["truth"], shown.known),
        "psnr_covered_warp": psnr(unit["warp"], unit["truth"], shown.known),
        "coverage_first": float(shown.known[0].mean()),
        "coverage_last": float(shown.known[-1].mean()),
    }
    return {name: round(value, 3) for name, value in figures.items()}


def panels(shown: Shown, index: int) -> list[np.ndarray]:
    """True render, warp with its holes, mask, generated."""
    known = shown.known[index][..., None]
    warp = np.where(known, shown.warp[index], np.array(HOLE, np.uint8))
    mask = np.where(known, np.uint8(235), np.uint8(20)) * np.ones(3, np.uint8)
    return [shown.truth[index], warp, mask, shown.generated[index]]


def row(shown: Shown, index: int, size: tuple[int, int]) -> np.ndarray:
    """The four panels of a frame side by side, each enlarged to `size`."""
    grown = [cv2.resize(panel, size, interpolation=cv2.INTER_CUBIC) for panel in panels(shown, index)]
    return np.concatenate(grown, axis=1)


def panel_size(shown: Shown, width: int) -> tuple[int, int]:
    """Size of a panel `width` wide; even, as movies want it."""
    height, own_width = shown.generated.shape[1:3]
    return width, 2 * round(width * height / own_width / 2)


def caption(texts: tuple[str, ...], width: int, height: int) -> np.ndarray:
    """A dark bar with a text over each panel."""
    bar = np.full((height, width * len(texts), 3), 24, np.uint8)
    for column, text in enumerate(texts):
        place = (column * width + 10, height - 10)
        cv2.putText(bar, text, place, cv2.FONT_HERSHEY_SIMPLEX, height / 52, (225, 225, 225), 1, cv2.LINE_AA)
    return bar


def draw_comparison(shown: Shown, folder: Path, titles: tuple[str, ...] = TITLES) -> None:
    """compare.mp4's frames: four panels under their titles."""
    folder.mkdir(parents=True, exist_ok=True)
    size = panel_size(shown, PANEL)
    bar = caption(titles, size[0], CAPTION)
    for index in range(len(shown.truth)):
        picture = np.concatenate([bar, row(shown, index, size)])
        cv2.imwrite(str(folder / f"{index + 1:04d}.png"), picture[..., ::-1])


def film_comparison(folder: Path, take_folder: Path, path: Path) -> None:
    """compare.mp4, of the comparison's frames, as the backend makes the take's own movie."""
    pictures = [picture.read_bytes() for picture in sorted(folder.glob("*.png"))]
    path.write_bytes(encode_movie(pictures, read_take(take_folder).shot.fps))


def draw_contact_sheet(shown: Shown, path: Path, count: int = 6, titles: tuple[str, ...] = TITLES) -> None:
    """Frames from the first to the last, a row each."""
    size = panel_size(shown, 384)
    rows = [caption(titles, size[0], CAPTION)]
    for index in np.linspace(0, len(shown.truth) - 1, count).round().astype(int):
        rows.append(row(shown, int(index), size))
    cv2.imwrite(str(path), np.concatenate(rows)[..., ::-1])


def draw_road(movie: Path, world: World, shown: Shown, path: Path, count: int = 3) -> None:
    """From a clip to frames, a row a moment: the clip, the reference's colour and depth, what was generated."""
    size = panel_size(shown, 384)
    film = read_film(movie).frames
    rows = [
        caption(
            ("clip", "lens undone", "depth of the stand-ins", "generated, another camera"), size[0], CAPTION
        )
    ]
    nearest = min(float(depth[depth > 0].min()) for depth in world.depth)
    for index in np.linspace(0, len(shown.generated) - 1, count).round().astype(int):
        depth = world.depth[index].numpy()
        shade = np.where(depth > 0, 255 * nearest / np.maximum(depth, nearest), 0).round().astype(np.uint8)
        coloured = np.where((depth > 0)[..., None], cv2.applyColorMap(shade, cv2.COLORMAP_TURBO), 0)[
            ..., ::-1
        ]
        seen = np.where(
            (depth > 0)[..., None], world.colour[index].permute(1, 2, 0).numpy(), np.array(HOLE, np.uint8)
        )
        panels = (film[index][..., ::-1], seen, coloured, shown.generated[index])
        rows.append(
            np.concatenate([cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in panels], axis=1)
        )
    cv2.imwrite(str(path), np.concatenate(rows)[..., ::-1])
