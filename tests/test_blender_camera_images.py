"""Recover Reference in Blender: pictures behind cameras come back as the reference they were rendered as."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from stage import lens, pose, see, write_picture

from backend.protocol.files import read_reference
from backend.world import load_world


def test_camera_images(blender, tmp_path):
    found = blender.run(
        "camera_images.py", tmp_path, INSPATIO_PYTHON=sys.executable, INSPATIO_WEIGHTS=str(tmp_path)
    )
    captured, recovered = (read_reference(Path(found[name])) for name in ("captured", "recovered"))
    assert recovered.kind == "stills"
    assert [view.camera for view in recovered.views] == [view.camera for view in captured.views]
    for one, other in zip(recovered.views, captured.views, strict=True):
        np.testing.assert_allclose(one.intrinsics, other.intrinsics)
        np.testing.assert_allclose(one.world_to_camera, other.world_to_camera)
    rendered, (recovered_world, _) = (
        load_world(Path(found["captured"]))[0],
        load_world(Path(found["recovered"])),
    )
    assert np.array_equal(recovered_world.colour, rendered.colour)
    assert np.array_equal(recovered_world.depth, rendered.depth)
    if found["take"] is not None:
        frame = cv2.imread(str(Path(found["take"]) / "0001.png"))
        photograph = cv2.imread(str(Path(found["captured"]) / "view_0000.png"))
        assert cv2.PSNR(frame, photograph) > 18, "the first frame is what the photograph shows"
    painted, _ = load_world(Path(found["painted"]))
    assert painted.kind == "still" and painted.colour.min() > 250
    for name in ("scaled", "measured"):
        np.testing.assert_allclose(load_world(Path(found[name]))[0].depth, 4.0, rtol=1e-4, err_msg=name)
    footage, (world, _) = read_reference(Path(found["footage"])), load_world(Path(found["footage"]))
    assert footage.kind == "moving"
    assert [view.frame for view in footage.views] == [1, 3, 5]
    assert [float(depth.max()) for depth in world.depth] == [6, 8, 10]
    assert len({view.world_to_camera for view in footage.views}) == 3, "the camera of the scene is animated"
    stood_in = load_world(Path(found["stood_in"]))[0].depth[0]
    np.testing.assert_allclose(stood_in[:, 60:196], 5.0, rtol=1e-5)
    assert stood_in[:, :55].max() == stood_in[:, 201:].max() == 0
    assert found["moments"] == {
        "sequence 1": "shot_005.png",
        "sequence 3": "shot_005.png",
        "sequence 6": "shot_008.png",
        "sequence 40": "shot_011.png",
        "clip 4": "shot_007.png",
    }


def test_the_camera_of_footage_is_found(blender, tmp_path):
    """A walk through the stage: poses come back in the scene's world, whatever the camera does in the file."""
    width, height, turns = 256, 144, [pose(), pose(x=0.1), pose(x=0.2, z=0.1), pose(x=0.3, z=0.2, yaw=2)]
    for number, at in enumerate(turns, start=1):
        picture, depth = see(lens(width, height), at, width, height)
        write_picture(tmp_path / f"walk_{number:03d}.png", picture)
        np.save(tmp_path / f"walk_{number:03d}.npy", depth)
    focal = lens(width, height)[0, 0] / width * 36
    found = blender.run("find_camera.py", tmp_path, len(turns), focal, INSPATIO_PYTHON=sys.executable)
    reference = read_reference(Path(found["reference"]))
    assert reference.kind == "moving" and len(reference.views) == len(turns)
    start = np.array(found["start"]).reshape(4, 4)
    for view, turn in zip(reference.views, turns, strict=True):
        np.testing.assert_allclose(np.array(view.world_to_camera).reshape(4, 4), turn @ start, atol=0.03)
