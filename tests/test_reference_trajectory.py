"""Trajectory texts of version 1 against the cameras that the release makes of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from reference import cases

from backend.trajectory import read_orbit


@cases("trajectory_*.json")
def test_orbits_agree(path: Path) -> None:
    for name, case in json.loads(path.read_text()).items():
        got = read_orbit(
            case["file"], case["frames"], case["foreground_depth"], rotation_only=case["rotation_only"]
        )
        np.testing.assert_allclose(
            np.linalg.inv(got), case["camera_to_world"], atol=1e-5, rtol=0, err_msg=name
        )
