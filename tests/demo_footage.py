"""`make demo-footage`: a clip with a matchmove becomes frames from another camera, end to end, nothing faked.

Without CLIP it makes a clip of its own: a set is rendered, seen through a lens, graded, made grainy, compressed,
and struck, so that its depth is known to nobody but the judge. With CLIP, the coffee clip, it walks the same road
with a table and a cup as stand-ins; there is no truth then. What comes of it lies in out/demo-footage.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import cv2
import numpy as np

from tests import demo_pictures
from tests.build import ROOT, build_extension
from tests.demo import blender, say, summarize
from tests.through_lens import through_lens

SIZE, FOCAL = (416, 234), 312.0
"""Of the clip, as tests/scenes/footage_set.py films it."""
DISTORTION = (-0.14, 0.04, 0.0)
GRAIN = 5.0
"""Standard deviation, codes."""
BACKDROP = 40.0
TABLE_BACKDROP = 2.0


def grade(picture: np.ndarray) -> np.ndarray:
    """A colourist's look on a picture, blue first: more contrast, cool shadows and warm lights."""
    x = picture.astype(np.float32) / 255
    x = x + 0.5 * (x * x * (3 - 2 * x) - x)
    light = x.mean(-1, keepdims=True)
    x = x + np.float32([0.035, 0.005, -0.02]) * (1 - light) + np.float32([-0.05, 0.0, 0.035]) * light
    return np.clip(x * 255 + 0.5, 0, 255).astype(np.uint8)


def make_clip(film: Path, path: Path) -> None:
    """The film through a lens, graded, with grain, as an H.264 movie."""
    rng = np.random.default_rng(16)
    pictures = []
    for file in sorted(film.glob("*.png")):
        picture = grade(through_lens(cv2.imread(str(file)), FOCAL, SIZE, FOCAL, DISTORTION))
        noise = cv2.GaussianBlur(rng.normal(0, 1, picture.shape).astype(np.float32), (0, 0), 0.6)
        noisy = picture + noise * (GRAIN / noise.std())
        pictures.append(cv2.imencode(".png", np.clip(noisy + 0.5, 0, 255).astype(np.uint8))[1].tobytes())
    path.write_bytes(demo_pictures.encode_movie(pictures, 24.0))


def measure_reference(reference: Path, truth: Path) -> dict[str, float]:
    """How far the reference is from the set: depth relative to the true one, colour in codes, over some views."""
    made, _ = demo_pictures.load_world(reference)
    true, _ = demo_pictures.load_world(truth)
    views = made.views_at(true.frames)
    depth, true_depth = made.depth[views].numpy(), true.depth.numpy()
    both = (depth > 0) & np.isfinite(depth) & np.isfinite(true_depth)
    error = np.abs(depth - true_depth)[both] / true_depth[both]
    colour = made.colour[views].permute(0, 2, 3, 1).numpy().astype(np.float32)
    graded = np.stack(
        [grade(picture[..., ::-1])[..., ::-1] for picture in true.colour.permute(0, 2, 3, 1).numpy()]
    )
    off = (colour - graded)[depth > 0]
    return {
        "depth_error_median": round(float(np.median(error)), 5),
        "depth_error_p90": round(float(np.quantile(error, 0.9)), 4),
        "depth_within_2_percent": round(float((error < 0.02).mean()), 3),
        "colour_error_mean": round(float(np.abs(off.mean(0)).max()), 2),
        "colour_error_rms": round(float(np.sqrt((off**2).mean())), 2),
    }


def keep_footage(world: demo_pictures.World, names: list[str], size: tuple[int, int], folder: Path) -> None:
    """The footage itself as what generated frames stand beside, where nobody knows the truth."""
    folder.mkdir()
    views = world.views_at(demo_pictures.torch.tensor([float(Path(name).stem) for name in names]))
    for name, view in zip(names, views, strict=True):
        picture = world.colour[view].permute(1, 2, 0).numpy()[..., ::-1]
        cv2.imwrite(str(folder / name), cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path, help="the coffee clip, instead of one of our own")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "demo-footage")
    parser.add_argument("--frames", type=int, default=0, help="stop after so many frames: a quick look")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    if arguments.clip and not arguments.clip.is_file():
        parser.error(f"there is no clip {arguments.clip}")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="inspatio-demo-") as scratch:
        folder = Path(scratch)
        resources = folder / "user"
        resources.mkdir()
        say("building the extension")
        extension = build_extension(folder / "inspatio_blender.zip")
        if arguments.clip:
            movie = Path(shutil.copy(arguments.clip.resolve(), out))
            blender("tests.scenes.footage_table", out, arguments.frames, resources=resources)
            lens, backdrop = "", TABLE_BACKDROP
        else:
            blender("tests.scenes.footage_set", extension, folder, arguments.frames, resources=resources)
            movie = out / "clip.mp4"
            make_clip(folder / "film", movie)
            shutil.move(folder / "shot.blend", out)
            (out / "truth").mkdir()
            for picture in sorted((folder / "truth").glob("*.png")):
                cv2.imwrite(str(out / "truth" / picture.name), grade(cv2.imread(str(picture))))
            lens, backdrop = ",".join(map(str, (FOCAL, *DISTORTION))), BACKDROP
        speed = folder / "speed.json"
        blender(
            "tests.scenes.footage_shot", extension, out, movie, lens, backdrop, speed, resources=resources
        )
        shot_folder = next((out / "inspatio").iterdir())
        take_folder = max(shot_folder.glob("take_*"))
        reference = max((shot_folder / "reference").glob("v*"))

        say("comparing")
        titles = demo_pictures.TITLES
        world, _ = demo_pictures.load_world(reference)
        frames = sorted(take_folder.glob("*.png"))
        judged = out
        if arguments.clip:
            titles, judged = ("footage", *titles[1:]), folder
            size = cv2.imread(str(frames[0])).shape[1::-1]
            keep_footage(world, [frame.name for frame in frames], size, folder / "truth")
        shown = demo_pictures.gather(judged, take_folder, reference)
        demo_pictures.draw_comparison(shown, folder / "compare", titles)
        demo_pictures.draw_contact_sheet(shown, out / "contact.png", titles=titles)
        demo_pictures.film_comparison(folder / "compare", take_folder, out / "compare.mp4")
        demo_pictures.draw_road(movie, world, shown, out / "footage.png")
        (out / "frames").mkdir()
        for frame in frames:
            shutil.copy2(frame, out / "frames")
        shutil.copy2(take_folder / "shot.mp4", out)
        blender("tests.scenes.demo_check", out / "shot.blend", resources=resources)
        figures = demo_pictures.measure(shown)
        if arguments.clip:
            figures = {name: figures[name] for name in ("coverage_first", "coverage_last")}
        else:
            figures |= measure_reference(reference, folder / "set")
        summary = summarize(out, take_folder, figures | json.loads(speed.read_text()))
    say("done")
    print(json.dumps(summary, indent=1))
    print(
        f"\nLook at {out}:\n"
        "  footage.png   clip | lens undone | depth of the stand-ins | generated from another camera\n"
        f"  compare.mp4   {' | '.join(titles)}\n"
        "  shot.mp4      the generated shot; frames/ holds its pictures\n"
        "  contact.png   six moments of the comparison\n"
        "  shot.blend    open it in Blender: clip, cameras, stand-ins, and the frames behind the camera\n"
        "  summary.json  the figures above"
    )


if __name__ == "__main__":
    main()
