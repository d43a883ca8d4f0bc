"""`make demo`: a keyframed camera becomes frames, end to end, with nothing faked.

Builds the extension, installs it into a throw-away Blender user folder, builds the demo's scene, captures the
reference and generates through the add-on's own operators against a real backend process, renders the truth
by Cycles, and leaves in out/demo what came of it. Blender's half runs in processes of its own.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.build import ROOT, build_extension

NOISE = (
    "Saved:",
    " Time:",
    "Time: ",
    "Info:",
    "Append frame",
    "Writing",
    "Blender ",
    "Deleted",
    "Read blend",
    "STATUS",
    "Error: Not freed",
)
"""How lines begin that Blender prints for every frame."""
LOG_LINE = re.compile(r"\d\d:\d\d\.\d{3} ")
"""How they begin from Blender 5.1 on."""

_began = time.perf_counter()


def say(text: str) -> None:
    elapsed = time.perf_counter() - _began
    print(f"[{int(elapsed) // 60}:{int(elapsed) % 60:02d}] {text}", flush=True)


def blender(module: str, *arguments: object, resources: Path) -> None:
    """Run a module with bpy in it in a process of its own, its lines passed on without Blender's chatter."""
    environment = {
        **os.environ,
        "BLENDER_USER_RESOURCES": str(resources),
        "INSPATIO_PYTHON": os.environ.get("INSPATIO_PYTHON", sys.executable),
        "PYTHONUNBUFFERED": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    heard: list[str] = []
    last_progress = 0.0
    assert process.stdout is not None
    for line in process.stdout:
        for part in filter(None, (piece.strip() for piece in line.split("\r"))):
            part = part.split("Fra:")[0].rstrip()
            if not part or part.startswith(NOISE) or LOG_LINE.match(part):
                continue
            heard.append(part)
            if part.startswith("InSpatio: "):
                # The add-on rewrites its progress line; here one every few seconds is enough.
                if time.perf_counter() - last_progress < 10:
                    continue
                last_progress = time.perf_counter()
            say(part.removeprefix("demo: "))
    if process.wait() != 0:
        raise SystemExit(f"{module} failed:\n" + "\n".join(heard[-40:]))


def summarize(out: Path, take_folder: Path, figures: dict[str, float]) -> dict[str, object]:
    """summary.json: the take's own timings, and the figures."""
    take = json.loads((take_folder / "take.json").read_text(encoding="utf-8"))
    seconds = sum(block["seconds"] for block in take["timings"])
    summary = {
        "frames": take["frames_done"], "width": take["shot"]["width"], "height": take["shot"]["height"],
        "fps": round(take["frames_done"] / seconds, 2), "first_frame_s": take["first_frame_s"], **figures,
        "peak_mb": take["peak_mb"], "seconds": round(time.perf_counter() - _began, 1),
    }  # fmt: skip
    (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return summary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "demo")
    parser.add_argument("--frames", type=int, default=0, help="stop after so many frames: a quick look")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="inspatio-demo-") as scratch:
        scratch_folder = Path(scratch)
        resources = scratch_folder / "user"
        resources.mkdir()
        say("building the extension")
        extension = build_extension(scratch_folder / "inspatio_blender.zip")
        blender("tests.scenes.demo_shot", extension, out, arguments.frames, resources=resources)
        shot_folder = out / "inspatio" / "Market_Square"
        take_folder = max(shot_folder.glob("take_*"))
        reference = max((shot_folder / "reference").glob("v*"))

        say("comparing with the true render")
        from tests import demo_pictures

        shown = demo_pictures.gather(out, take_folder, reference)
        demo_pictures.draw_comparison(shown, scratch_folder / "compare")
        demo_pictures.draw_contact_sheet(shown, out / "contact.png")
        (out / "frames").mkdir()
        for picture in sorted(take_folder.glob("*.png")):
            shutil.copy2(picture, out / "frames")
        shutil.copy2(take_folder / "shot.mp4", out)
        demo_pictures.film_comparison(scratch_folder / "compare", take_folder, out / "compare.mp4")
        blender("tests.scenes.demo_check", out / "shot.blend", resources=resources)
        summary = summarize(out, take_folder, demo_pictures.measure(shown))
    say("done")
    print(json.dumps(summary, indent=1))
    print(
        f"\nLook at {out}:\n"
        "  compare.mp4   true render | warp | mask | generated\n"
        "  shot.mp4      the generated shot; frames/ holds its pictures\n"
        "  contact.png   six moments of the comparison\n"
        "  shot.blend    open it in Blender: the frames lie behind the camera and in the sequencer\n"
        "  inspatio/     the take, with report.html: coverage, timings, camera path\n"
        "  summary.json  the figures above"
    )


if __name__ == "__main__":
    main()
