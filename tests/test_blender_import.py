"""Import Scene Folder headless: cameras come back as they were, and the scene that is made generates at once."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from references import move, write_reference
from release_folders import target_pose, write_scene, write_version_1
from scipy.spatial.transform import Rotation

from backend.protocol.cameras import Cameras
from backend.protocol.files import SHOT_FILE, PlateSettings, Shot, read_shot
from backend.scene_folders import import_scene
from backend.scene_folders.depth import DepthRange
from tests.blenders import ROOT

FRAMES = 60


def random_cameras(seed: int, width: int, height: int, first: int, zooms: bool) -> Cameras:
    """Cameras that turn and go anywhere, through lenses that are shifted."""
    chance = np.random.default_rng(seed)
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    poses[:, :3, :3] = Rotation.random(FRAMES, random_state=seed).as_matrix()
    poses[:, :3, 3] = chance.uniform(-4, 4, (FRAMES, 3))
    lenses = np.tile(np.eye(3), (FRAMES, 1, 1))
    count = FRAMES if zooms else 1
    lenses[:, 0, 0] = width * chance.uniform(0.3, 3, count)
    lenses[:, 1, 1] = lenses[:, 0, 0] * (chance.uniform(0.8, 0.9) if zooms else 1)
    lenses[:, 0, 2] = (width - 1) / 2 + width * chance.uniform(-0.3, 0.3, count)
    lenses[:, 1, 2] = (height - 1) / 2 + height * chance.uniform(-0.3, 0.3, count)
    frames = [float(number) for number in range(first, first + FRAMES)]
    return Cameras.checked(frames, lenses.reshape(-1, 9).tolist(), poses.reshape(-1, 16).tolist())


def write_shot(folder: Path, name: str, cameras: Cameras, size: tuple[int, int], **reference) -> Shot:
    write_reference(folder / "reference" / "v003", **reference)
    plate = PlateSettings(2 * size[0], 2 * size[1], 0.75)
    shot = Shot(name, "tiny", 7, *size, cameras, fps=23.976, reference="reference/v003", plate=plate)
    (folder / SHOT_FILE).write_text(json.dumps(shot.to_json()))
    return shot


def write_folders(folder: Path) -> None:
    """Shot folders that an import must bring back as they are, and some that it has to refuse."""
    size = (256, 144)
    write_shot(folder / "fixed", "Ein Schuß über Höhen", random_cameras(1, *size, 1, False), size)
    write_shot(
        folder / "zoom",
        "Zoom",
        random_cameras(2, *size, 0, True),
        size,
        kind="stills",
        views=3,
        depth="exr",
    )
    write_shot(folder / "wide", "x" * 200, random_cameras(3, 352, 112, 1001, True), (352, 112))
    moved = move(14, *size)
    backwards = replace(moved, times=tuple(reversed(moved.frames)))
    # A name that would lead out of the project.
    write_shot(folder / "moving", "../../Moving", backwards, size, kind="moving", views=14)
    write_scene(folder / "zz_release", "video", valid=14)
    bad = {
        "bad_empty": ("is no scene folder", lambda at, shot: (at / SHOT_FILE).unlink()),
        "bad_text": ("shot.json", lambda at, shot: (at / SHOT_FILE).write_text("{")),
        "bad_view": ("view_0000.png", lambda at, shot: (at / "reference/v003/view_0000.png").unlink()),
        "bad_link": ("a link that leads out", lambda at, shot: _link(at / "reference/v003/view_0000.npy")),
        "bad_late": (
            "Blender's last is",
            lambda at, shot: _rewrite(at, replace(shot, cameras=_later(shot.cameras, 2e6))),
        ),
        "bad_reference": (
            "inside the shot's",
            lambda at, shot: _rewrite(at, replace(shot, reference="../fixed/reference")),
        ),
    }
    for name, (words, spoil) in bad.items():
        shot = write_shot(folder / name, "Bad", moved, size)
        spoil(folder / name, shot)
        (folder / name / "words").write_text(words)


def _later(cameras: Cameras, by: float) -> Cameras:
    return replace(cameras, frames=tuple(frame + by for frame in cameras.frames))


def _link(path: Path) -> None:
    elsewhere = path.parents[3] / "fixed/reference/v003" / path.name
    path.unlink()
    os.symlink(elsewhere, path)


def _rewrite(folder: Path, shot: Shot) -> None:
    (folder / SHOT_FILE).write_text(json.dumps(shot.to_json()))


UPRIGHT = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""From the release's world, its first camera's, to Blender's: that camera looks along y, with z up."""


def test_import(blender, tmp_path):
    project, folders = tmp_path / "Entwürfe für alle", tmp_path / "Szenen für alle"
    project.mkdir()
    write_folders(folders)
    write_version_1(tmp_path / "old", None, 9)
    (tmp_path / "path.txt").write_text("0 -4 -11 -15\n0 30\n1 1\n")
    generate = blender.name == "bpy-5.2" and (ROOT / "backend/weights/tiny/generator.safetensors").exists()
    found = blender.run(
        "import_folder.py", project, folders, int(generate), INSPATIO_PYTHON=sys.executable, timeout=400
    )
    take, release, exported = (found.pop(name, None) for name in ("take", "release", "exported"))
    old, (old_again,) = found.pop("old"), found.pop("old_again")
    assert sorted(found) == ["fixed", "moving", "wide", "zoom"]
    for name, off in found.items():
        assert off["pose"] < 1e-6, (name, off)
        assert off["source"] < 1e-6, (name, off)
        assert off["intrinsics"] < 1e-6, (name, off)
        assert off["zooms"] == (name in ("zoom", "wide")), name
    # A scene folder stands upright in Blender, and goes out as it came in.
    target = np.array([target_pose(number) for number in range(14)])
    turned = np.array(release).reshape(-1, 4, 4) @ UPRIGHT
    assert np.abs(turned.reshape(-1, 16) - target).max() < 1e-6
    assert len(exported) == 2
    for name in exported:
        written = np.loadtxt(project / "exports" / name / "input/target_tcw.txt")
        assert np.abs(written.reshape(-1, 16)[:14] - target).max() < 1e-6
    (again,) = (project / "again").iterdir()
    _compare(project / "exports" / exported[0], again, tmp_path)
    # The same of version 1.
    path = _imported_poses(tmp_path / "old", tmp_path / "old_shot", tmp_path / "path.txt")
    assert np.abs(np.array(old).reshape(-1, 4, 4) @ UPRIGHT - path).max() < 1e-6
    assert np.abs(_imported_poses(Path(old_again), tmp_path / "old_shot_again") - path).max() < 1e-5
    if generate:
        assert (take["state"], take["frames_done"]) == ("finished", 14)
        frame = cv2.imread(str(Path(take["folder"]) / "0001.png"))
        source = cv2.imread(str(Path(take["folder"]).parent / "reference/v001/view_0000.png"))
        source = cv2.resize(source, frame.shape[1::-1])
        assert cv2.PSNR(frame, source) > 18, "the first frame is what the reference shows"


def _imported_poses(folder: Path, out: Path, trajectory: Path | None = None) -> np.ndarray:
    """World-to-camera (n, 4, 4) of the shot that the backend makes of a scene folder."""
    import_scene(folder, out, trajectory=trajectory)
    return np.array(read_shot(out).cameras.world_to_camera).reshape(-1, 4, 4)


def _compare(first: Path, second: Path, folder: Path) -> None:
    """Two scene folders hold the same: poses and lenses to 1e-6, depth to half a 16-bit step of the first."""
    for name in ("input/target_tcw.txt", "depth/source_tcw.txt"):
        poses = [np.loadtxt(scene / name) for scene in (first, second)]
        assert poses[0].shape == poses[1].shape and np.abs(poses[0] - poses[1]).max() < 1e-6, name
    lenses = [np.loadtxt(scene / "depth/source_intrinsics.txt") for scene in (first, second)]
    np.testing.assert_allclose(lenses[1], lenses[0], rtol=1e-6)
    depth = []
    for number, scene in enumerate((first, second)):
        import_scene(scene, folder / f"read_{number}")
        depth.append([np.load(path) for path in sorted((folder / f"read_{number}").glob("reference/*.npy"))])
    steps = np.abs(np.diff(DepthRange.read((first / "depth/metadata.txt").read_text()).decoder()[1:]))
    assert len(depth[0]) == len(depth[1]) > 13
    for mine, other in zip(*depth, strict=True):
        assert np.array_equal(mine > 0, other > 0)
        assert np.abs(mine - other).max() <= steps.max() / 2
