"""Captured references: what is in them, and that their depth is exact."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from backend.constraint.geometry import depth_of_triangles
from backend.protocol.files import read_reference
from backend.world import load_world


def distance_to_scene(point: np.ndarray) -> np.ndarray:
    """How far world points (n, 3) lie off the surfaces of the simple scene: a floor and three boxes."""
    distances = [np.abs(point[:, 2])]
    for centre, size in (((0, 0, 0.5), 1), ((1.5, 1, 0.75), 1.5), ((-1.5, 2, 1), 2)):
        off = np.abs(point - np.array(centre)) - size / 2
        outside = np.linalg.norm(np.maximum(off, 0), axis=1)
        distances.append(np.abs(outside + np.minimum(off.max(axis=1), 0)))
    return np.min(distances, axis=0)


def test_capture(blender, tmp_path):
    found = blender.run("capture.py", tmp_path)
    for kind, views, size in (("still", 1, (256, 144)), ("stills", 3, (256, 144)), ("moving", 3, (512, 288))):
        folder = Path(found[kind])
        assert folder.parent.parent == tmp_path / "inspatio" / "Scene"
        reference = read_reference(folder)
        assert (reference.kind, len(reference.views)) == (kind, views)
        assert (reference.width, reference.height) == size
        world, _ = load_world(folder)
        # The triangles stand where the depth is, but for pixels whose centre lies on an edge.
        drawn = depth_of_triangles(world.geometry, world.intrinsics, world.world_to_camera, world.size)
        off_depth = (drawn / world.depth - 1).abs().nan_to_num(0)  # sky in both
        assert (off_depth > 1e-4).float().mean() < 2e-3
        for index, view in enumerate(reference.views):
            depth = world.depth[index].numpy()
            sky = ~np.isfinite(depth)
            assert 0.05 < sky.mean() < 0.6
            rows, columns = np.mgrid[: size[1], : size[0]]
            k, pose = np.array(view.intrinsics).reshape(3, 3), np.array(view.world_to_camera).reshape(4, 4)
            rays = np.linalg.inv(k) @ np.stack([columns, rows, np.ones_like(rows)]).reshape(3, -1)
            seen = (rays * np.where(sky, 1, depth).reshape(-1)).T[~sky.reshape(-1)]
            points = (seen - pose[:3, 3]) @ pose[:3, :3]
            off = distance_to_scene(points)
            assert np.quantile(off, 0.999) < 1e-3, f"{kind} view {index}: {off.max()}"
            picture = cv2.imread(str(folder / view.colour))
            assert picture.shape == (size[1], size[0], 3)
            assert picture.std() > 5
    whole, clipped = (load_world(Path(found[kind]))[0].depth[0].numpy() for kind in ("still", "clipped"))
    near = whole < 7.99
    assert 0.1 < near.mean() < 0.9, "the clip end lies within the scene"
    assert np.abs(clipped[near] - whole[near]).max() < 1e-3
    assert not np.isfinite(clipped[whole > 8.01]).any()
    moving = read_reference(Path(found["moving"]))
    assert [view.frame for view in moving.views] == [1.0, 3.0, 5.0]
    stills = read_reference(Path(found["stills"]))
    assert {view.frame for view in stills.views} == {3.5}
    assert [view.camera for view in stills.views] == ["Camera", "Other 0", "Other 1"]


def test_geometry(blender, tmp_path):
    blender.run("geometry.py", tmp_path)
