"""Show World headless: every vertex lies where the reference says, in the colour of its pixel."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from backend.protocol.files import read_reference
from backend.world import load_world


def test_show_world(blender, tmp_path):
    found = blender.run("world.py", tmp_path)
    folder = Path(found["folder"])
    view = read_reference(folder).views[0]
    k, pose = np.array(view.intrinsics).reshape(3, 3), np.array(view.world_to_camera).reshape(4, 4)
    depth = load_world(folder)[0].depth[0].numpy()
    picture = cv2.imread(str(folder / view.colour))[:, :, ::-1]
    for form, corners in (("mesh", 1), ("points", 4)):
        points = np.array(found[form]["points"]).reshape(-1, corners, 3).mean(1)
        codes = np.array(found[form]["codes"])[::corners]
        camera = points @ pose[:3, :3].T + pose[:3, 3]
        seen = camera @ k.T
        columns, rows = (seen[:, :2] / seen[:, 2:]).round().astype(int).T
        assert np.abs(seen[:, :2] / seen[:, 2:] - np.stack([columns, rows], 1)).max() < 1e-3
        assert np.abs(camera[:, 2] / depth[rows, columns] - 1).max() < 1e-5
        assert np.abs(codes - picture[rows, columns]).max() <= 1
    # All that is not sky is there, but for what stands alone at an edge.
    known = np.isfinite(depth).sum()
    assert len(found["points"]["points"]) == 4 * known
    assert 0.97 * known < len(found["mesh"]["points"]) < known + 200
    pictures = [cv2.imread(str(Path(found[name]) / view.colour)) for name in ("folder", "again")]
    assert np.array_equal(*pictures), "the captured reference must not contain the world"
    assert np.array_equal(depth, load_world(Path(found["again"]))[0].depth[0].numpy())
