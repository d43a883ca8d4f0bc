"""`make demo-film`: a film of six shots made by four roads, which have to give the same frames byte by byte.

The queue, the render engine's animation, the command line and a farm's job each generate all shots on their own, from
the same captured references. Leaves in out/demo-film what came of it, and summary.json.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from backend.protocol.files import read_take
from backend.protocol.takes import take_folders
from tests.build import ROOT, build_extension
from tests.demo import blender, say

ROADS = ("queue", "render", "command", "job")
MODULE = "tests.scenes.film_shot"


def frames_of(takes: Path, shots: list[str]) -> dict[str, str]:
    """Digest of every frame by shot and name; `takes` holds a folder a shot. Raises SystemExit for two takes of one."""
    found = {}
    for shot in shots:
        folders = [folder for _, folder in take_folders(takes / shot)]
        if len(folders) != 1:
            raise SystemExit(f"{shot} has {len(folders)} takes in {takes}")
        for path in sorted(folders[0].glob("*.png")):
            found[f"{shot}/{path.name}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def pictures_in_takes(rendered: list[Path], takes: Path, shots: list[str]) -> int:
    """How many rendered files show a frame of a take, pixel by pixel. What is in the files besides may differ."""

    def codes(path: Path) -> bytes:
        return np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR)).tobytes()

    there = {codes(path) for shot in shots for path in (takes / shot).glob("take_*/*.png")}
    return sum(codes(path) in there for path in rendered)


def run_job(bundle: Path, shots: list[str], scratch: Path) -> None:
    """Every task of the job, two workers at a time, by the runner of Open Job Description."""
    inspatio = scratch / "inspatio"
    inspatio.write_text(f'#!/bin/sh\nexport PYTHONPATH="{ROOT}"\nexec "{sys.executable}" -m backend "$@"\n')
    inspatio.chmod(0o755)
    waiting, running = list(shots), []
    while waiting or running:
        while waiting and len(running) < 2:
            shot = waiting.pop(0)
            command = [
                sys.executable, "-m", "openjd", "run", str(bundle / "template.yaml"),
                "-p", f"InspatioCommand={inspatio}", "--step", "Shots", "--task-param", f"Shot={shot}",
            ]  # fmt: skip
            log = (scratch / f"{shot}.log").open("w")
            running.append((shot, subprocess.Popen(command, cwd=scratch, stdout=log, stderr=log)))
        for entry in running[:]:
            shot, process = entry
            if process.poll() is None:
                continue
            running.remove(entry)
            if process.returncode:
                raise SystemExit((scratch / f"{shot}.log").read_text()[-3000:])
            say(f"{shot} is done")
        time.sleep(0.2)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "demo-film")
    parser.add_argument(
        "--short", action="store_true", help="two shots of some boxes, in place of the film of six"
    )
    parsed = parser.parse_args()
    out, short = parsed.out.resolve(), ["short"] if parsed.short else []
    shutil.rmtree(out, ignore_errors=True)
    (out / "prepared").mkdir(parents=True)
    began, seconds, frames = time.monotonic(), {}, {}
    with tempfile.TemporaryDirectory(prefix="inspatio-film-") as name:
        scratch = Path(name)
        resources = scratch / "user"
        resources.mkdir()
        say("building the extension")
        extension = build_extension(scratch / "inspatio_blender.zip")
        blender(MODULE, "prepare", out / "prepared", extension, *short, resources=resources)
        shots = sorted(path.parent.name for path in (out / "prepared").glob("inspatio/*/reference"))
        for road in ROADS:
            say(f"by the road of the {road}")
            shutil.copytree(out / "prepared", out / road)
            since = time.monotonic()
            blender(MODULE, road, out / road, resources=resources)
            if road == "job":
                run_job(next((out / road).glob("*_job")), shots, scratch)
            seconds[road] = round(time.monotonic() - since, 1)
            takes = next((out / road).glob("*_job")) / "takes" if road == "job" else out / road / "inspatio"
            frames[road] = frames_of(takes, shots)
    rendered = sorted((out / "render" / "frames").glob("*.png"))
    # The film shows a shot without its handles: a render makes none behind it.
    wanted = frames["render"]
    summary = {
        "shots": len(shots),
        "frames": {road: len(found) for road, found in frames.items()},
        "equal": {
            road: sum(found.get(frame) == digest for frame, digest in wanted.items())
            for road, found in frames.items()
        },
        "handles_equal": frames["queue"] == frames["command"] == frames["job"],
        "rendered": len(rendered),
        "rendered_as_in_takes": pictures_in_takes(rendered, out / "render" / "inspatio", shots),
        "seconds": seconds,
        "all_s": round(time.monotonic() - began, 1),
        "device": read_take(take_folders(out / "queue" / "inspatio" / shots[0])[0][1]).device,
    }
    (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(summary, indent=1))
    same = set(summary["equal"].values()) == {len(wanted)} and summary["handles_equal"]
    # The render's takes have the handles before their shots, too; what it writes are the film's frames alone.
    same = same and 0 < len(rendered) == summary["rendered_as_in_takes"]
    return 0 if same else 1


if __name__ == "__main__":
    os.environ.setdefault("INSPATIO_PYTHON", sys.executable)
    sys.exit(main())
