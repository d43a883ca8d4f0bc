"""The command that measures plates: its figures and pictures, on a made-up scene whose frames are the truth, shrunk."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from references import lens, pose
from test_plates import view_of, wall

from backend.training import plates

WIDTH, HEIGHT = 640, 360


def test_it_measures_what_plates_gain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = wall(WIDTH, HEIGHT)
    truth, frames = view_of(world), 9
    sides = np.linspace(0, 0.2, frames)
    np.savez(
        tmp_path / "wall.npz",
        dynamic=np.array(False),
        frames=np.arange(1.0, frames + 1),
        intrinsics=np.array([lens(WIDTH, HEIGHT)] * frames, np.float32).reshape(-1, 3, 3),
        world_to_camera=np.array([pose(x) for x in sides], np.float32).reshape(-1, 4, 4),
        shown=np.array([0]),
        truth=truth[None],
        **{
            f"reference_{name}": value
            for name, value in {
                "frames": np.array([1.0]),
                "colour": truth[None],
                "depth": world.depth.numpy(),
                "intrinsics": world.intrinsics.numpy(),
                "world_to_camera": world.world_to_camera.numpy(),
            }.items()
        },
    )

    def shrunk(scene: plates.Scene, _preset: object, width: int, height: int, _seed: int) -> np.ndarray:
        small = cv2.resize(scene.truth[0], (width, height), interpolation=cv2.INTER_AREA)
        return np.stack([small] * len(scene.cameras.times))

    monkeypatch.setattr(plates, "load_preset", lambda _: None)
    monkeypatch.setattr(plates, "generate", shrunk)
    out = tmp_path / "out"
    monkeypatch.setattr(
        sys, "argv", ["plates", "--scenes", str(tmp_path), "--size", "128", "72", "--out", str(out)]
    )
    plates.main()
    said = json.loads((out / "plates.json").read_text())["scenes"][0]
    assert said["scene"] == "wall" and said["gain_covered"] > 6
    assert said["psnr_covered_plate"] == pytest.approx(
        said["psnr_covered_enlarged"] + said["gain_covered"], abs=1e-6
    )
    assert cv2.imread(str(out / "wall.png")).shape == (3 * 320, 4 * 480, 3)
    assert cv2.imread(str(out / "wall_motion.png")).shape == (2 * 320, 4 * 480, 3)
    assert "| wall |" in (out / "plates.md").read_text()
