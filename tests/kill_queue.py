"""A queue of six shots, and processes killed over it: `python -m tests.kill_queue --times 20`.

Each time the queue begins anew, and at a random moment Blender, its backend, or both are ended by SIGKILL; a moment
after the end counts as none, and another is drawn. A killed
Blender is started again, opens the file, and the queue goes on by itself; a killed backend is started again by Blender.
At the end every shot has to have one take, with every frame once, whole, and equal to that of a run which nothing
happened to. Writes JSON; the exit status is 0 where all of that is so.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from backend.protocol.disk import process_alive
from backend.protocol.files import frame_names, read_take
from tests.blenders import PYTHONS, ROOT, Blender, bpy_python
from tests.build import build_extension

SHOTS, FRAMES = 6, 14
KINDS = ("blender", "backend", "both")
LIMIT_S = 300.0
CROWD = 6
"""Restarts in a row before the trial is given up: one is the rule."""


class Run:
    """A Blender that makes the queue in `folder`, until it is over or killed."""

    def __init__(self, blender: Blender, folder: Path, environment: dict[str, str]) -> None:
        self.result = folder.with_suffix(".json")
        self.result.unlink(missing_ok=True)
        self.process = blender.start(
            "kill_queue.py", "run", folder, INSPATIO_RESULT=str(self.result), **environment
        )
        self.going, self.has_backend = threading.Event(), threading.Event()
        self.backend = 0
        self.heard: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.heard.append(line)
            if line.startswith("QUEUE going"):
                self.going.set()
            elif line.startswith("QUEUE backend"):
                self.backend = int(line.split()[-1])
                self.has_backend.set()

    def kill(self, kind: str) -> bool:
        """End a process, or both; whether there was one left to end."""
        if self.process.poll() is not None:
            return False
        backend, killed = self.backend, False
        if kind != "backend":
            self.process.send_signal(signal.SIGKILL)
            killed = True
        if kind != "blender" and backend and process_alive(backend):
            os.kill(backend, signal.SIGKILL)
            killed = True
        return killed

    def wait(self) -> dict[str, Any] | None:
        """What it returned, None where it was killed. Raises RuntimeError where it failed."""
        try:
            self.process.wait(LIMIT_S)
        finally:
            self.process.kill()
            self._reader.join(5)
        if self.process.returncode == -signal.SIGKILL:
            return None
        if self.process.returncode or not self.result.exists():
            raise RuntimeError("".join(self.heard[-40:]))
        return json.loads(self.result.read_text())


def frames_of(folder: Path) -> dict[str, str]:
    """Digest of every frame of the film by shot and name. Raises AssertionError where a shot has not one whole take."""
    found = {}
    for number in range(1, SHOTS + 1):
        shot = folder / "inspatio" / f"Shot_{number}"
        takes = sorted(path.name for path in shot.iterdir() if path.name != "reference")
        assert takes == ["take_001"], (shot.name, takes)
        take = read_take(shot / "take_001")
        assert take.state == "finished" and take.frames_done == FRAMES, (shot.name, take.state, take.message)
        names = sorted(path.name for path in (shot / "take_001").iterdir())
        assert names == sorted(
            [*frame_names(take.shot.cameras.frames), "report.html", "shot.mp4", "take.json"]
        ), names
        for name in frame_names(take.shot.cameras.frames):
            found[f"{shot.name}/{name}"] = hashlib.sha256((shot / "take_001" / name).read_bytes()).hexdigest()
    return found


def one_trial(
    blender: Blender, prepared: Path, folder: Path, kind: str, moment: float, environment: dict[str, str]
) -> dict[str, Any]:
    """Make the queue once; what came of it. moment: seconds until the kill, from when it, or its backend, was there."""
    shutil.copytree(prepared, folder)
    run = Run(blender, folder, environment)
    begun = run.going if kind == "blender" else run.has_backend
    assert begun.wait(LIMIT_S), "".join(run.heard[-40:])
    time.sleep(moment)
    hit = run.kill(kind)
    takes = sum(path.name.startswith("take_") for path in folder.glob("inspatio/*/take_*"))
    ended, restarts = run.wait(), 0
    while ended is None:
        restarts += 1
        assert restarts <= CROWD
        ended = Run(blender, folder, environment).wait()
    states = [state for _, state, _ in ended["states"]]
    assert states == ["done"] * SHOTS, ended["states"]
    left = sorted(path.name for path in (folder / "inspatio/queue").iterdir())
    assert left == [*(f"{n:06d}.json" for n in range(1, SHOTS + 1)), "queue.json"], left
    return {"killed": kind, "hit": hit, "at_s": round(moment, 2), "takes_begun": takes, "restarts": restarts}


def kill_queues(
    blender: Blender, folder: Path, times: int, seed: int, environment: dict[str, str]
) -> dict[str, Any]:
    """`times` queues with a kill each, compared with one that was left alone."""
    began, chance = time.monotonic(), random.Random(seed)
    prepared = folder / "prepared"
    prepared.mkdir()
    blender.run("kill_queue.py", "prepare", prepared, SHOTS, FRAMES, **environment)
    shutil.copytree(prepared, folder / "unbroken")
    run = Run(blender, folder / "unbroken", environment)
    assert run.has_backend.wait(LIMIT_S), "".join(run.heard[-40:])
    since = time.monotonic()
    run.wait()
    whole = time.monotonic() - since
    unbroken = frames_of(folder / "unbroken")
    trials: list[dict[str, Any]] = []
    longest, hit = whole, 0
    while hit < times:
        place, moment = folder / f"trial_{len(trials):02d}", chance.uniform(0.0, longest)
        trial = one_trial(blender, prepared, place, KINDS[hit % 3], moment, environment)
        if not trial["hit"]:
            longest = min(longest, moment)  # It was over by then, on a machine with more time than before.
        hit += trial["hit"]
        frames = frames_of(place)
        trial["frames"] = len(frames)
        trial["equal"] = frames == unbroken
        trials.append(trial)
        print(json.dumps(trial), flush=True)
        shutil.rmtree(place)
    return {
        "times": len(trials),
        "seed": seed,
        "shots": SHOTS,
        "frames": len(unbroken),
        "unbroken_s": round(whole, 1),
        "all_s": round(time.monotonic() - began, 1),
        "hit": hit,
        "equal": sum(trial["equal"] for trial in trials),
        "trials": trials,
    }


def small_backend(folder: Path) -> Path:
    """What starts the real backend over small random weights, in place of its Python."""
    sys.path.insert(0, str(ROOT / "tests"))
    from fakes import small_presets

    small_presets(folder / "weights")
    python = folder / "python"
    python.write_text(
        f'#!/bin/sh\nshift 2  # "-m backend"\nexport PYTHONPATH="{ROOT}"\n'
        f'exec "{sys.executable}" "{ROOT / "tests/fake_backend.py"}" "{folder / "weights"}" "$@"\n'
    )
    python.chmod(0o755)
    return python


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="small random weights, for a slow machine")
    parser.add_argument("--out", type=Path, default=ROOT / "out/kill_queue.json")
    given = parser.parse_args()
    name = next((name for name in reversed(PYTHONS) if bpy_python(name) is not None), None)
    if name is None:
        print("No bpy is installed: run `make venv`", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        blender = Blender(name, (str(bpy_python(name)),), folder / "user")
        blender.resources.mkdir()
        blender.run("install.py", build_extension(folder / "inspatio_blender.zip"))
        work = folder / "work"
        work.mkdir()
        python = small_backend(folder) if given.small else sys.executable
        try:
            found = kill_queues(blender, work, given.times, given.seed, {"INSPATIO_PYTHON": str(python)})
        except (AssertionError, RuntimeError, subprocess.TimeoutExpired) as error:
            print(f"A frame, a take or the queue is not as it should be: {error}", file=sys.stderr)
            return 1
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps({"blender": name, "small": given.small, **found}, indent=1) + "\n")
    print(json.dumps({key: value for key, value in found.items() if key != "trials"}))
    return 0 if found["equal"] == found["times"] else 1


if __name__ == "__main__":
    sys.exit(main())
