"""A real Blender window, where the environment variable BLENDER names one: driven by operators and keys, looked at.

Pictures of the screen go to out/window, the tick times to out/window/ticks.json.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from movies import write_movie
from references import move, write_reference
from small_extension import list_name, write_list, write_wheel

from backend.protocol.disk import process_alive
from backend.protocol.files import Shot
from tests.blenders import ROOT, Blender

OUT = ROOT / "out" / "window"


class Screen:
    """The X display that the Blender is on: pictures, keys and the mouse."""

    def __init__(self, command: str) -> None:
        self._gui = Path(command).with_name("blender-gui")
        if not self._gui.exists():
            pytest.skip(f"{self._gui} is not there: no way to see the screen of {command}")
        self._display = subprocess.run(
            [self._gui, "display"], capture_output=True, text=True, check=True
        ).stdout.strip()

    def do(self, what: str) -> None:
        kind, *words = what.split()
        if kind == "shot":
            time.sleep(0.7)
            subprocess.run([self._gui, "shot", OUT / f"{words[0]}.png"], check=True)
        elif kind == "key":
            self._xdotool("key", *words)
        elif kind in ("down", "up"):
            self._xdotool(f"key{kind}", *words)
        elif kind == "move":
            self._xdotool("mousemove", *words)
        elif kind == "hover":
            self._xdotool("mousemove", *words[:2])
            time.sleep(0.15)
            self._xdotool("key", words[2])
            time.sleep(0.15)
        elif kind == "click":
            self._xdotool("mousemove", *words)
            time.sleep(0.3)
            self._xdotool("click", "1")

    def _xdotool(self, *words: str) -> None:
        subprocess.run(["xdotool", *words], env={**os.environ, "DISPLAY": self._display}, check=True)


def run_in_window(
    blender: Blender,
    script: str,
    *arguments: object,
    folder: Path,
    limit: float = 700,
    also: Mapping[str, Callable[[], None]] | None = None,
    **environment: str,
):
    """Run a script of tests/blender in the window, doing on the screen what it asks for; returns what it returned.

    also: what else it may ask for.
    """
    OUT.mkdir(parents=True, exist_ok=True)
    answers, result = folder / "answers", folder / "result.json"
    answers.mkdir()
    screen = Screen(os.environ["BLENDER"])
    process = blender.start(
        script, *arguments, INSPATIO_ANSWERS=str(answers), INSPATIO_RESULT=str(result), **environment
    )
    heard, until = [], time.monotonic() + limit
    try:
        assert process.stdout is not None
        for line in process.stdout:
            heard.append(line)
            if line.startswith("STEP "):
                what = line.removeprefix("STEP ").strip()
                if also and what in also:
                    also[what]()
                else:
                    screen.do(what)
                (answers / what.replace(" ", "_")).touch()
            assert time.monotonic() < until, "".join(heard[-40:])
        process.wait(30)
    finally:
        process.kill()
    assert result.exists(), "".join(heard[-60:])
    return json.loads(result.read_text())


def test_first_shot(installed, tmp_path, painting_python):
    blender = installed("window")
    found = run_in_window(
        blender,
        "window_shot.py",
        tmp_path,
        folder=tmp_path,
        INSPATIO_PYTHON=str(painting_python),
        INSPATIO_PAINT_SECONDS="4",
    )
    (OUT / "ticks.json").write_text(json.dumps(found, indent=1))
    assert found["ticks"] > 10
    assert found["tick_ms_p99"] < 8.0, found
    assert found["cancel_s"] < 1.0, found
    # Blender was quit during its last take: take.json tells, and the backend is gone.
    take = json.loads((Path(found["last"]) / "take.json").read_text())
    assert take["state"] == "cancelled"
    until = time.monotonic() + 5
    while process_alive(found["backend_pid"]) and time.monotonic() < until:
        time.sleep(0.1)
    assert not process_alive(found["backend_pid"])


def test_export(installed, tmp_path, painting_python):
    folder = tmp_path / "shots"
    folder.mkdir()
    found = run_in_window(
        installed("window"),
        "window_export.py",
        folder,
        folder=tmp_path,
        INSPATIO_PYTHON=str(painting_python),
    )
    assert len(found["exported"]) == 1


def test_preferences(installed, tmp_path, monkeypatch):
    blender = installed("window")
    lists = next(blender.resources.glob("extensions/user_default/inspatio_blender/backend/requirements"))
    kept = (lists / list_name()).read_text()
    programs, wheels = tmp_path / "programs", tmp_path / "wheels"
    programs.mkdir()
    program = programs / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    program.chmod(0o755)
    # The check takes long enough to be looked at.
    lent = "\n".join(path for path in sys.path if path.endswith("site-packages"))
    waits = "import sys, time; time.sleep(4 if 'backend' in ' '.join(sys.orig_argv) else 0)"
    files = {"lent_packages.pth": f"{lent}\n{waits}\n"}
    write_list(lists / list_name(), {"lent-packages==1.0": write_wheel(wheels, "lent-packages", files)})
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "INSPATIO_"))]:
        monkeypatch.delenv(name)
    try:
        found = run_in_window(
            blender,
            "window_preferences.py",
            tmp_path,
            lists / list_name(),
            folder=tmp_path,
            PATH=f"{programs}:{os.environ['PATH']}",
            PIP_CONFIG_FILE=os.devnull,
            PIP_NO_INDEX="1",
            PIP_FIND_LINKS=str(wheels),
        )
    finally:
        (lists / list_name()).write_text(kept)
    assert Path(found["python"]).is_relative_to(blender.resources)


def test_what_a_take_needs_is_said_before_it_starts(installed, tmp_path, painting_python):
    found = run_in_window(
        installed("window"), "window_plan.py", tmp_path, folder=tmp_path, INSPATIO_PYTHON=str(painting_python)
    )
    assert all(words.startswith("Needs ") for words in found["words"])
    assert found["seconds"] is None or found["seconds"] > 0


def test_plates(installed, tmp_path, painting_python):
    seen = run_in_window(
        installed("window"),
        "window_plates.py",
        tmp_path,
        folder=tmp_path,
        INSPATIO_PYTHON=str(painting_python),
    )
    assert (seen["whole"], seen["again"]) == (21, 21)
    assert seen["said"] == {"width": 640, "height": 360, "strength": 0.5}


def test_world_and_import(installed, tmp_path):
    given = tmp_path / "given"
    write_reference(given / "reference", 256, 144, kind="moving", views=250)
    shot = Shot("Given", "tiny", 0, 256, 144, move(250, 256, 144))
    (given / "shot.json").write_text(json.dumps(shot.to_json()))
    project = tmp_path / "project"
    project.mkdir()
    found = run_in_window(
        installed("window"),
        "window_world.py",
        project,
        given,
        folder=tmp_path,
        INSPATIO_PYTHON=sys.executable,
    )
    assert found["frames"] == 250
    assert _likeness(Path(found["take"]) / "0001.png", given / "reference" / "view_0000.png") > 20
    assert found["longest"] < 0.5, found
    assert found["busy"] < 10, found


DEMO, DEMO_FOOTAGE = ROOT / "out" / "demo", ROOT / "out" / "demo-footage"


@pytest.mark.parametrize(
    ("demo", "frame", "picture"),
    [(DEMO, 60, "docs_viewport"), (DEMO_FOOTAGE, 40, "docs_footage_shot")],
    ids=["demo", "demo-footage"],
)
def test_the_file_that_a_demo_leaves(installed, tmp_path: Path, demo: Path, frame: int, picture: str) -> None:
    """The frames lie behind the camera. Also the pictures of README.md and docs/footage.md."""
    if not (demo / "shot.blend").exists():
        pytest.skip(f"`make {demo.name}` has not been run")
    shutil.copytree(demo, tmp_path / "demo")
    arguments = (tmp_path / "demo" / "shot.blend", frame, picture)
    found = run_in_window(installed("window"), "window_demo_shot.py", *arguments, folder=tmp_path)
    assert Path(found["shown"]).is_file() and Path(found["shown"]).is_relative_to(tmp_path)


@pytest.mark.skipif(not (DEMO / "shot.blend").exists(), reason="`make demo` has not been run")
def test_the_demos_world_and_a_scene_folder_of_it(installed, tmp_path):
    """Also the pictures of docs/worlds.md: docs_world.png, docs_imported.png."""
    shutil.copytree(DEMO, tmp_path / "demo")
    found = run_in_window(
        installed("window"),
        "window_demo_world.py",
        tmp_path,
        tmp_path / "demo" / "shot.blend",
        folder=tmp_path,
        INSPATIO_PYTHON=sys.executable,
    )
    assert found["frames"] == 105


def test_camera_images(installed, tmp_path):
    """With the real backend: what is recovered from pictures behind cameras is generated from."""
    weights = tmp_path / "weights"
    weights.mkdir()
    found = run_in_window(
        installed("window"),
        "window_images.py",
        tmp_path,
        folder=tmp_path,
        INSPATIO_PYTHON=sys.executable,
        INSPATIO_WEIGHTS=str(weights),
    )
    assert "download them in the preferences" in found["said"]
    frame, photograph = Path(found["take"]) / "0001.png", Path(found["photographs"]) / "view_0000.png"
    assert _likeness(frame, photograph) > 20, "the first frame is what the photograph shows"


def _likeness(frame: Path, other: Path) -> float:
    """PSNR of two pictures, dB."""
    return cv2.PSNR(cv2.imread(str(frame)), cv2.imread(str(other)))


STILLS = ROOT / "out" / "stills"


@pytest.mark.skipif(
    not (STILLS / "two.json").exists(), reason="`python -m tests.scenes.stills_pictures` has not been run"
)
def test_photographs_with_distance_maps(installed, tmp_path):
    """Also a picture of docs/stills.md: docs_camera_images.png."""
    (tmp_path / "room").mkdir()
    for name in ("first.jpg", "first.png", "second.jpg", "second.png", "two.json"):
        shutil.copy(STILLS / name, tmp_path / "room")
    found = run_in_window(
        installed("window"),
        "window_photographs.py",
        tmp_path,
        tmp_path / "room",
        folder=tmp_path,
        INSPATIO_PYTHON=sys.executable,
    )
    assert "2 views" in found["said"]


def test_reference_from_footage(installed, tmp_path):
    movie = write_movie(tmp_path / "street.mp4", (416, 234), 32)
    found = run_in_window(
        installed("window"),
        "window_footage.py",
        tmp_path,
        movie,
        folder=tmp_path,
        INSPATIO_PYTHON=sys.executable,
    )
    assert found["cancelled"] and found["views"] == 32
    assert _likeness(Path(found["take"]) / "0001.png", Path(found["reference"]) / "view_0000.png") > 20
    assert found["longest_read_s"] < 0.5


def test_time_and_coverage(installed, tmp_path, painting_python):
    found = run_in_window(
        installed("window"), "window_time.py", tmp_path, folder=tmp_path, INSPATIO_PYTHON=str(painting_python)
    )
    assert len(found["runs"]) == 2


def test_remember(installed, tmp_path):
    found = run_in_window(
        installed("window"), "window_remember.py", tmp_path, folder=tmp_path, INSPATIO_PYTHON=sys.executable
    )
    assert found == {"remember": True, "frames": 21}


def test_live_picture_lies_on_the_camera_frame(installed, tmp_path):
    """Stand-in pictures: where they lie is compared with Blender's own frame, their codes with the screen's."""
    found = run_in_window(installed("window"), "window_overlay.py", tmp_path, "look", folder=tmp_path)
    assert not found["failure"]
    for case in found["frames"]:
        without, with_it = (_screen(f"overlay_{case['name']}_{which}") for which in ("without", "with"))
        for axis in (0, 1):
            _check_edges(case, without, with_it, axis)
    noise = np.load(tmp_path / "noise.npy").astype(int)
    for case in found["codes"]:
        shown = _inside(_screen(f"overlay_codes_{case['name']}"), case["rect"], noise.shape)
        off = np.abs(shown - noise)
        # Software OpenGL takes powers roughly; beyond SOLID Blender dithers.
        most = 1 if case["name"].endswith("SOLID") else 2
        assert off[noise >= 16].max() <= most and off.max() <= 6, (case["name"], off.max())
        assert off.mean() < 0.6, case["name"]
    case = found["difference"]["rect"]
    left, bottom, right, top = (round(edge) for edge in case["rect"])
    black, scene = (
        _screen(f"overlay_difference_{name}")[-top + 3 : -bottom - 3, left + 3 : right - 3].astype(int)
        for name in ("black", "none")
    )
    assert scene.std() > 5
    assert np.abs(black - scene).max() <= 3, "what differs from black is the viewport itself"
    for case in found["difference"]["two"]:
        left, bottom, right, top = (round(edge) for edge in case["rect"])
        assert _is_checker(_screen("overlay_two")[-top:-bottom, left:right]) > 0.6, case["name"]
    render = cv2.imread(str(tmp_path / "viewport_render.png"))
    assert render is not None and _is_checker(render) == 0, "a viewport render holds nothing of the preview"


def test_live_picture_costs_little(installed, tmp_path):
    """The add-on's share of a redraw with 832x480 pictures: out/window/overlay.json."""
    found = run_in_window(installed("window"), "window_overlay.py", tmp_path, "bench", folder=tmp_path)
    (OUT / "overlay.json").write_text(json.dumps(found, indent=1))
    played = found["playback"]
    assert played["draws"] > 20
    assert played["work_ms_50_99_100"][1] < 8.0, found


def _is_checker(picture: np.ndarray) -> float:
    """The share of a picture that is as colourful as the stand-in's checkers."""
    return float((np.ptp(picture.astype(int), axis=2) > 130).mean())


def _screen(name: str) -> np.ndarray:
    """A picture of the screen, RGB."""
    picture = cv2.imread(str(OUT / f"{name}.png"))
    assert picture is not None, name
    return picture[..., ::-1]


def _inside(screen: np.ndarray, rect: list[float], shape: tuple[int, ...]) -> np.ndarray:
    """What is on the screen where a picture of `shape` lies: at the whole pixel next to the corner of `rect`."""
    left, bottom = (math.floor(edge + 0.5) for edge in rect[:2])
    row = len(screen) - bottom - shape[0]
    return screen[row : row + shape[0], left : left + shape[1]].astype(int)


def _check_edges(case: dict, without: np.ndarray, with_it: np.ndarray, axis: int) -> None:
    """Along a line through the frame: its edges are where they were told, to a pixel, and where Blender's own are."""
    across, up = (int(at) for at in case["along"])
    before, after = (
        picture[len(picture) - 1 - up] if axis == 0 else picture[::-1, across]
        for picture in (without, with_it)
    )
    low, high = case["rect"][axis], case["rect"][2 + axis]
    begin, end = (math.floor(case["visible"][axis]), math.ceil(case["visible"][2 + axis]))
    is_picture = np.abs(after.astype(int) - before).max(axis=1) > 12
    is_scene = before.max(axis=1) > 0  # The passepartout is black.
    first, last = np.flatnonzero(is_picture[begin:end])[[0, -1]] + begin
    begin, end = begin + 3, end - 3  # Without the region's own edge.
    inner, outer = np.flatnonzero(is_scene[begin:end])[[0, -1]] + begin
    if low > begin + 2:
        assert abs(first - low) <= 1, (case["name"], axis, first, low)
        # Blender's own frame is a pixel or two wider than what is rendered, so that it does not hide it.
        assert -1 <= first - inner <= 3, (case["name"], axis, first, inner)
    if high < end - 2:
        assert abs(last + 1 - high) <= 1, (case["name"], axis, last, high)
        assert -1 <= outer - last <= 3, (case["name"], axis, last, outer)


def test_film(installed, tmp_path, painting_python):
    found = run_in_window(
        installed("window"),
        "window_film.py",
        tmp_path,
        folder=tmp_path,
        INSPATIO_PYTHON=str(painting_python),
        INSPATIO_PAINT_SECONDS="2",
    )
    assert found["paused_s"] < 1.0, found
    assert found["tick_ms_p99"] < 8.0, found
    assert len(found["frames"]) == 3, "each shot that was not skipped has one take"
    assert [item["note"] for item in found["items"]] == [""] * 4
