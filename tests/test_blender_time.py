"""Reference Time from the animated property to generated frames, and the coverage that is checked before."""

from __future__ import annotations

import cv2
import numpy as np
from fakes import small_presets

from backend.protocol.files import read_take
from backend.shots import generate_shot


def test_from_the_curve_to_frames_of_a_frozen_world(blender, tmp_path, painting_python):
    blender.run("reference_time.py", tmp_path, INSPATIO_PYTHON=str(painting_python))
    presets = small_presets(tmp_path / "weights")
    folder = generate_shot(tmp_path / "Scene", presets=presets)
    take = read_take(folder)
    assert take.state == "finished"
    assert take.shot.cameras.times == (15.0,) * 21
    # The seventh view is that moment: where the camera stands as it did then, frame and view are one picture.
    frame = cv2.imread(str(folder / "0015.png")).astype(int)
    error = [
        np.abs(cv2.imread(str(tmp_path / f"Scene/reference/v001/view_{view:04d}.png")) - frame).mean()
        for view in range(11)
    ]
    assert int(np.argmin(error)) == 7, error
