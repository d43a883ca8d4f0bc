"""Scene folders of the release: what arrives here, what leaves, that nothing changes on the way back and forth."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference import cases
from references import depth_map, lens, move, picture, write_depth, write_reference, write_shot
from release_folders import (
    HIGH,
    describe,
    line,
    scene_codes,
    target_pose,
    write_movie,
    write_scene,
    write_version_1,
)
from scipy.spatial.transform import Rotation
from time_scene_folders import write_long_scene

from backend import cli
from backend.protocol.cameras import Cameras
from backend.protocol.files import Reference, Shot, View, read_reference, read_shot, read_take
from backend.scene_folders import SceneFolderError, export_scene, import_scene
from backend.scene_folders import shot as shot_folder
from backend.shots import generate_shot
from backend.trajectory import read_orbit
from backend.world import World, load_world

ROOT = Path(__file__).resolve().parent.parent
SMALL = 64, 48


@pytest.fixture
def small() -> object:
    """The release's size, made small where the size is not what is tested."""
    with patch("backend.scene_folders.shot.RELEASE_SIZE", SMALL):
        yield


def _world(folder: Path) -> World:
    return load_world(folder / read_shot(folder).reference)[0]


def _poses(folder: Path) -> np.ndarray:
    return np.array(read_shot(folder).cameras.world_to_camera).reshape(-1, 4, 4)


@pytest.mark.parametrize(
    ("kind", "views", "ours"), [("image", 1, "still"), ("image", 4, "stills"), ("video", 0, "moving")]
)
def test_a_scene_folder_becomes_a_shot_folder(tmp_path: Path, kind: str, views: int, ours: str) -> None:
    write_scene(tmp_path / "Szene für alle", kind, views)
    out = tmp_path / "böser Name" / "shot"
    import_scene(tmp_path / "Szene für alle", out)
    shot, world = read_shot(out), _world(out)
    assert (shot.name, shot.prompt, shot.fps) == ("two_tables", "Ein Tisch für zwei", 15.0)
    assert (shot.width, shot.height) == SMALL
    assert shot.cameras.frames == tuple(range(1, 15))
    assert np.abs(_poses(out) - [np.array(target_pose(n)).reshape(4, 4) for n in range(14)]).max() < 1e-8
    count = 14 if kind == "video" else views
    assert (world.kind, len(world.frames)) == (ours, count)
    assert world.frames.tolist() == ([*range(1, 15)] if kind == "video" else [1.0] * views)
    for view in range(count):
        expected = scene_codes(*SMALL, view).astype(np.float64) / 65535 * HIGH
        assert np.abs(world.depth[view].numpy() - expected).max() < 1e-6
        shown = world.colour[view].numpy().transpose(1, 2, 0)
        off = np.abs(shown.astype(int) - picture(*SMALL, view))
        assert off.max() == 0 if kind == "image" else off.mean() < 8
        assert np.abs(world.world_to_camera[view].numpy().ravel() - target_pose(view)).max() < 1e-8


def test_an_imported_folder_ends_in_generated_frames(tmp_path: Path) -> None:
    import_scene(write_scene(tmp_path / "scene", "video"), tmp_path / "shot")
    take = generate_shot(tmp_path / "shot")
    assert read_take(take).state == "finished"
    frames = [cv2.imread(str(take / f"{number:04d}.png")) for number in range(1, 15)]
    # The first target stands where the first view was taken.
    assert cv2.PSNR(frames[0], picture(*SMALL)[:, :, ::-1].copy()) > 15
    assert np.abs(frames[0].astype(int) - frames[-1]).mean() > 2


def test_an_imported_folder_of_version_1_ends_in_generated_frames(tmp_path: Path) -> None:
    import_scene(write_version_1(tmp_path / "scene", EASED, 9, *SMALL), tmp_path / "shot")
    take = generate_shot(tmp_path / "shot")
    assert read_take(take).state == "finished"
    frames = [cv2.imread(str(take / f"{number:04d}.png")) for number in (1, 9)]
    # The camera of the first picture is the world: there the path begins.
    assert cv2.PSNR(frames[0], cv2.imread(str(tmp_path / "scene/images/000000.png"))) > 15
    assert np.abs(frames[0].astype(int) - frames[1]).mean() > 2


def _random_shot(folder: Path, seed: int, kind: str, views: int, frames: int, sky: bool, empty: bool) -> Shot:
    """A shot whose source and target stand anywhere, with depth of any size."""
    random = np.random.default_rng(seed)
    width, height = SMALL

    def pose() -> list[float]:
        matrix = np.eye(4)
        matrix[:3, :3] = Rotation.random(random_state=random.integers(1 << 30)).as_matrix()
        matrix[:3, 3] = random.normal(size=3) * 20
        return matrix.ravel().tolist()

    reference = folder / "reference"
    reference.mkdir(parents=True)
    made, near = [], 10 ** random.uniform(-1, 2)
    k = lens(width, height)
    for index in range(views):
        depth = (near * random.uniform(1, 30, (height, width))).astype(np.float32)
        if sky:
            depth[:9] = random.choice([np.inf, 1e10])
        if empty:
            depth[20:30, :8] = random.choice([0, -1, np.nan])
        colour = random.integers(0, 256, (height, width, 3), np.uint8)
        names = f"view_{index:04d}.png", f"view_{index:04d}.npy"
        cv2.imwrite(str(reference / names[0]), colour)
        write_depth(reference / names[1], depth)
        frame = float(index + 1) if kind == "moving" else 1.0
        lens_here = [k[0] * (1 + 0.01 * index), *k[1:]]
        made.append(View(frame, "Camera", *names, tuple(lens_here), tuple(pose())))
    described = Reference(kind, width, height, tuple(made))
    (reference / "reference.json").write_text(json.dumps(described.to_json()))
    cameras = Cameras.checked(
        [float(n) for n in range(1, frames + 1)], [k] * frames, [pose() for _ in range(frames)]
    )
    shot = Shot(
        "Any", "tiny", 1, width, height, cameras, "Any world", fps=float(random.choice([23.976, 24, 30]))
    )
    (folder / "shot.json").write_text(json.dumps(shot.to_json()))
    return shot


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 1 << 30),
    kind=st.sampled_from(["still", "stills", "moving"]),
    views=st.integers(2, 4),
    frames=st.integers(1, 11),
    sky=st.booleans(),
    empty=st.booleans(),
)
def test_there_and_back_gives_the_same_numbers(
    seed: int, kind: str, views: int, frames: int, sky: bool, empty: bool
) -> None:
    views = {"still": 1, "stills": views, "moving": frames}[kind]
    with (
        tempfile.TemporaryDirectory() as place,
        patch("backend.scene_folders.shot.RELEASE_SIZE", SMALL),
    ):
        folder = Path(place)
        _random_shot(folder / "shot", seed, kind, views, frames, sky, empty)
        check_there_and_back(folder / "shot", folder)


def check_there_and_back(shot: Path, folder: Path) -> None:
    """Export, import and export again: poses to 1e-6, depth to half a step, colour exactly."""
    export_scene(shot, folder / "scene")
    import_scene(folder / "scene", folder / "again")
    export_scene(folder / "again", folder / "scene_again")
    before, after = _world(shot), _world(folder / "again")
    given_shot, found_shot = read_shot(shot), read_shot(folder / "again")
    used = before.views_at(torch.tensor(given_shot.cameras.frames)) if before.kind == "moving" else None
    used = used or list(range(len(before.frames)))
    assert after.kind == before.kind
    assert (found_shot.fps, found_shot.prompt) == (given_shot.fps, given_shot.prompt)
    first = before.world_to_camera[used[0]].numpy()
    assert np.abs(_poses(folder / "again") @ first - _poses(shot)).max() < 1e-6
    low, high = map(float, (folder / "scene/depth/metadata.txt").read_text().split())
    for index, view in enumerate(used):
        assert (
            np.abs(after.world_to_camera[index].numpy() @ first - before.world_to_camera[view].numpy()).max()
            < 1e-6
        )
        assert torch.equal(after.intrinsics[index], before.intrinsics[view])
        assert torch.equal(after.colour[index], before.colour[view])
        wanted, found = before.depth[view].double(), after.depth[index].double()
        assert torch.equal(wanted == 0, found == 0), "no depth stays no depth"
        assert (found[torch.isinf(wanted)] == float(np.float32(high))).all(), "sky is farther than all else"
        finite = torch.isfinite(wanted) & (wanted > 0)
        half = (high - low) / 65535 / 2
        rounding = 1e-6 * wanted[finite]
        # With "no depth" in the scene the first code is taken: what is nearer than half a step is a whole one.
        assert ((found[finite] - wanted[finite]).abs() <= half + rounding).all()
    for path in sorted((folder / "scene").rglob("*")):
        if path.is_file():
            again = folder / "scene_again" / path.relative_to(folder / "scene")
            assert again.read_bytes() == path.read_bytes(), path.name


def test_there_and_back_with_a_captured_reference(newest_blender, tmp_path: Path) -> None:
    """A reference that Blender rendered, at the release's own size: with sky, depth as EXR, poses of float32."""
    shot = Path(newest_blender.run("scene_folder.py", tmp_path)["shot"])
    assert read_reference(shot / read_shot(shot).reference).views[0].depth.endswith(".exr")
    check_there_and_back(shot, tmp_path)


@pytest.mark.usefixtures("small")
def test_what_is_lost_is_said(tmp_path: Path) -> None:
    shot = write_shot(tmp_path / "plain")
    write_depth(
        tmp_path / "plain/reference/view_0000.npy",
        np.linspace(2, 6, 64 * 48, dtype=np.float32).reshape(48, 64),
    )

    def lost(change: Shot, number: int) -> list[str]:
        (tmp_path / "plain/shot.json").write_text(json.dumps(change.to_json()))
        return export_scene(tmp_path / "plain", tmp_path / f"scene_{number}")

    cameras = shot.cameras
    assert lost(shot, 0) == []
    zoom = [
        [k[0] * (1 + n / 20), *k[1:4], k[4] * (1 + n / 20), *k[5:]] for n, k in enumerate(cameras.intrinsics)
    ]
    zoomed = Cameras.checked(cameras.frames, zoom, cameras.world_to_camera)
    [said] = lost(replace(shot, cameras=zoomed), 1)
    assert "zoom is lost" in said and "1 to 1.65 times" in said
    longer = Cameras.checked(cameras.frames, [zoom[4]] * len(cameras), cameras.world_to_camera)
    [said] = lost(replace(shot, cameras=longer), 2)
    assert "lens is lost" in said and "1.2 times" in said
    later = Cameras.checked(
        [frame + 100 for frame in cameras.frames], cameras.intrinsics, cameras.world_to_camera
    )
    [said] = lost(replace(shot, cameras=later), 3)
    assert "101 to 114" in said
    # The same lens in a larger picture is the same lens.
    twice = [
        [2 * k[0], 0, (2 * 64 - 1) / 2, 0, 2 * k[4], (2 * 48 - 1) / 2, 0, 0, 1] for k in cameras.intrinsics
    ]
    double = Cameras.checked(cameras.frames, twice, cameras.world_to_camera)
    [said] = lost(replace(shot, width=128, height=96, cameras=double), 4)
    assert "64x48 only" in said
    [said] = lost(replace(shot, name="Küche / 1"), 5)
    assert "'Kuche_1'" in said
    write_reference(tmp_path / "plain/reference", *SMALL, "stills", views=3)
    said = lost(shot, 6)
    assert any("the reference has 3" in sentence for sentence in said)
    assert any("Sky becomes a surface" in sentence for sentence in said)
    assert (tmp_path / "scene_6/depth/depth_03.png").exists()
    write_depth(
        tmp_path / "plain/reference/view_0000.npy", np.array([[0.2] * 64] + [[9000.0] * 64] * 47, np.float32)
    )
    assert any("coarse for what is near (0.2)" in sentence for sentence in lost(shot, 7))
    write_reference(tmp_path / "plain/reference", *SMALL, "moving", views=30)
    assert any("16 of the reference's 30 views" in sentence for sentence in lost(shot, 8))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("hole", [False, True])
def test_sky_alone_has_a_place(tmp_path: Path, hole: bool) -> None:
    write_shot(tmp_path / "shot")
    depth = np.full((48, 64), np.inf, np.float32)
    depth[:9] = 0 if hole else np.inf
    write_depth(tmp_path / "shot/reference/view_0000.npy", depth)
    assert (
        "Sky becomes a surface at a depth of 1000:" in export_scene(tmp_path / "shot", tmp_path / "scene")[0]
    )
    import_scene(tmp_path / "scene", tmp_path / "again")
    assert _world(tmp_path / "again").depth[0, :9].unique().tolist() == [0.0 if hole else 1000.0]
    assert _world(tmp_path / "again").depth[0, 9:].unique().tolist() == [1000.0]


def test_a_reference_of_another_size_is_brought_to_the_release_s(tmp_path: Path) -> None:
    """Points of the wall are seen at the same places of the larger picture, under its lens."""
    write_reference(tmp_path / "shot/reference", 320, 180)
    shot = Shot("Shot", "tiny", 1, 320, 180, move(3, 320, 180))
    (tmp_path / "shot/shot.json").write_text(json.dumps(shot.to_json()))
    said = export_scene(tmp_path / "shot", tmp_path / "scene")
    assert "832x480 only" in said[0] and not any("lens" in sentence for sentence in said)
    import_scene(tmp_path / "scene", tmp_path / "again")
    small, large = _world(tmp_path / "shot"), _world(tmp_path / "again")
    assert large.size == (480, 832)
    rows, columns = (torch.nonzero(large.depth[0] == 3.0).double()[:, axis] for axis in (0, 1))
    k, wanted = large.intrinsics[0], small.intrinsics[0]
    u = (columns - k[0, 2]) / k[0, 0] * wanted[0, 0] + wanted[0, 2]
    v = (rows - k[1, 2]) / k[1, 1] * wanted[1, 1] + wanted[1, 2]
    inside = small.depth[0][v.round().long(), u.round().long()]
    assert (inside == 3.0).all()


def _change(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


def _cut(name: str, share: float) -> Callable[[Path], object]:
    def cut(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * share)])

    return cut


def _replace_by_link(name: str) -> Callable[[Path], object]:
    def link(folder: Path) -> None:
        elsewhere = folder.parent / f"elsewhere_{Path(name).name}"
        (folder / name).rename(elsewhere)
        (folder / name).symlink_to(elsewhere)

    return link


def _movie(
    name: str, count: int, width: int = 64, height: int = 48, codec: str = "libx264rgb", blue: int = 0
):
    def write(folder: Path) -> None:
        frames = [np.full((height, width, 3), (9, 9, blue), np.uint8)] * count
        write_movie(folder / name, frames, codec, "rgb24" if codec == "libx264rgb" else "yuv420p", crf="0")

    return write


ROTATED, SCALED = line(target_pose(3)), line([2.0, *target_pose(0)[1:]])
BAD_IMAGES: list[tuple[Callable[[Path], object], str]] = [
    (lambda f: describe(f, kind="hologram"), "kind must be one of image, video, got 'hologram'"),
    (
        lambda f: describe(f, frames=10**6, valid_frames=10**6),
        "frames must be a whole number from 1 to 100000",
    ),
    (lambda f: describe(f, valid_frames=22), "valid_frames must be a whole number from 1 to 21"),
    (lambda f: describe(f, views=2), "an image has 1 or 4 views, got 2"),
    (lambda f: describe(f, output_id="../../etc"), "output_id must be letters"),
    (lambda f: describe(f, output_id=None), "output_id is missing"),
    (lambda f: describe(f, resolution=[480]), "resolution must be height and width"),
    (lambda f: describe(f, resolution=[1e6, 1e6]), "resolution must be height and width"),
    (lambda f: describe(f, resolution=[64, 48]), "view_00.png is 64x48 pixels, the scene is 48x64"),
    (lambda f: describe(f, fps=0), "fps must be above 0"),
    (lambda f: describe(f, depth_encoding="float"), "depth_encoding must be one of"),
    (lambda f: describe(f, target_intrinsics="free"), "target_intrinsics must be one of"),
    (_change("scene.json", "[" * 10000), "scene.json"),
    (
        _change("input/target_tcw.txt", "a few words\n"),
        "target_tcw.txt: Line 1 holds something that is no number",
    ),
    (_change("input/target_tcw.txt", ROTATED * 20), "has 20 poses, the scene has 21 frames"),
    (_change("input/target_tcw.txt", SCALED * 21), "target_tcw.txt: Pose 1 is not a rotation"),
    (_change("input/target_tcw.txt", ROTATED * 1000), "target_tcw.txt has .* bytes, more than"),
    (_change("depth/source_tcw.txt", ROTATED), "must begin with the identity"),
    (_change("depth/source_tcw.txt", SCALED), "not a rotation"),
    (_change("depth/source_tcw.txt", "nan " * 16), "not a finite number"),
    (_change("depth/source_intrinsics.txt", "1 2 3"), "has 3 numbers; 1 views need 9 each"),
    (_change("depth/source_intrinsics.txt", "1 0 1 0 -1 1 0 0 1"), "focal lengths must be above 0"),
    (_change("depth/metadata.txt", "12"), "metadata.txt must hold two numbers"),
    (_change("depth/metadata.txt", "5 2"), "metadata.txt must hold a min"),
    (_change("depth/metadata.txt", "0 inf"), "metadata.txt must hold a min"),
    (_change("depth/metadata.txt", "0 0"), "depth.png holds no depth"),
    (lambda f: (f / "input/view_00.png").unlink(), "input/view_00.png is missing"),
    (_cut("input/view_00.png", 0.5), "view_00.png cannot be decoded"),
    (_cut("depth/depth.png", 0.2), "depth.png cannot be decoded"),
    (_change("depth/depth.png", "text"), "depth.png is not a PNG"),
    (lambda f: cv2.imwrite(str(f / "depth/depth.png"), picture(*SMALL)), "must be a grey PNG of 16 bits"),
    (lambda f: cv2.imwrite(str(f / "depth/depth.png"), scene_codes(32, 24)), "depth.png is 32x24 pixels"),
    (lambda f: (f / "input/prompt.txt").write_bytes(b"\xff\xfe\xff"), "not a text in UTF-8"),
    (_change("input/prompt.txt", "so " * 4000), "prompt.txt has 11999 letters"),
    (_replace_by_link("depth"), "depth/source_intrinsics.txt is a link"),
    (_replace_by_link("input/view_00.png"), "input/view_00.png is a link"),
    (_replace_by_link("scene.json"), "scene.json is a link"),
    (lambda f: (f / "scene.json").unlink(), "is no scene folder"),
]
BAD_VIDEOS: list[tuple[Callable[[Path], object], str]] = [
    (lambda f: describe(f, views=20), "a video has a view a frame"),
    (lambda f: (f / "depth").rename(f / "away"), "has no depth yet"),
    (lambda f: (f / "depth/depth.mp4").unlink(), "depth/depth.mp4 is missing"),
    (_cut("input/video.mp4", 0.6), "input/video.mp4 is damaged or cut short"),
    (_cut("depth/depth.mp4", 0.9), "depth/depth.mp4 is damaged or cut short"),
    (_movie("input/video.mp4", 13), "video.mp4 has 13 frames, the scene has 21"),
    (_movie("input/video.mp4", 21, 48, 64), "video.mp4 is 48x64 pixels, the scene is 64x48"),
    (_movie("depth/depth.mp4", 21, codec="libx264"), "not lossless RGB"),
    (_movie("depth/depth.mp4", 21, blue=9), "something in its blue channel"),
    (_movie("depth/depth.mp4", 20), "depth.mp4 has 20 frames"),
    (_change("input/video.mp4", "#EXTM3U\nfile:///etc/passwd\n"), "damaged or cut short"),
    (lambda f: (f / "input/video.mp4").write_bytes(b""), "damaged or cut short"),
    (_replace_by_link("input/video.mp4"), "input/video.mp4 is a link"),
]


@pytest.mark.parametrize(
    ("kind", "spoil", "said"),
    [("image", *case) for case in BAD_IMAGES] + [("video", *case) for case in BAD_VIDEOS],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_folders_are_refused_in_a_sentence(
    tmp_path: Path, kind: str, spoil: Callable[[Path], object], said: str
) -> None:
    write_scene(tmp_path / "scene", kind)
    spoil(tmp_path / "scene")
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(SceneFolderError, match=said) as caught:
        import_scene(tmp_path / "scene", tmp_path / "shot")
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_frame_that_is_missing_in_the_middle_of_a_movie_is_noticed(tmp_path: Path) -> None:
    """The file claims all its frames, but the bytes of the last ones are gone."""
    write_scene(tmp_path / "scene", "video", valid=21)
    path = tmp_path / "scene/input/video.mp4"
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    stop = data.index(b"moov", start) - 4
    data[start + (stop - start) // 2 : stop] = bytes(stop - start - (stop - start) // 2)
    path.write_bytes(data)
    with pytest.raises(SceneFolderError, match=r"video\.mp4"):
        import_scene(tmp_path / "scene", tmp_path / "shot")


def test_nothing_is_overwritten_and_nothing_half_made_stays(tmp_path: Path) -> None:
    write_scene(tmp_path / "scene", "video")

    def interrupt(text: str, share: float) -> None:
        if share > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_scene(tmp_path / "scene", tmp_path / "shot", interrupt)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / f".shot.{dead.pid}.tmp").mkdir()
    (tmp_path / f".shot.{os.getppid()}.tmp").mkdir()  # Somebody is at it still.
    import_scene(tmp_path / "scene", tmp_path / "shot")
    assert sorted(os.listdir(tmp_path)) == sorted([f".shot.{os.getppid()}.tmp", "scene", "shot"])
    with pytest.raises(SceneFolderError, match="exists already"):
        import_scene(tmp_path / "scene", tmp_path / "shot")
    with patch("backend.scene_folders.shot.RELEASE_SIZE", SMALL), pytest.raises(KeyboardInterrupt):
        export_scene(tmp_path / "shot", tmp_path / "out", interrupt)
    assert not (tmp_path / "out").exists() and len(os.listdir(tmp_path)) == 3


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    write_scene(tmp_path / "scene")
    full = OSError(28, "No space left on device")
    with (
        patch("backend.scene_folders.shot.np.save", side_effect=full),
        pytest.raises(SceneFolderError, match="The disk is full"),
    ):
        import_scene(tmp_path / "scene", tmp_path / "shot")
    assert os.listdir(tmp_path) == ["scene"]


def test_a_failed_import_leaves_no_folders_above_it_that_it_has_made(tmp_path: Path) -> None:
    write_scene(tmp_path / "scene")
    (tmp_path / "there").mkdir()
    full = OSError(28, "No space left on device")
    for above in (tmp_path / "new" / "newer", tmp_path / "there" / "new", tmp_path / "there"):
        with (
            patch("backend.scene_folders.shot.np.save", side_effect=full),
            pytest.raises(SceneFolderError, match="The disk is full"),
        ):
            import_scene(tmp_path / "scene", above / "shot")
    assert sorted(os.listdir(tmp_path)) == ["scene", "there"] and not os.listdir(tmp_path / "there")

    def busy(*_: object) -> None:
        (tmp_path / "new" / "notes.txt").write_text("somebody else's")
        raise full

    with patch("backend.scene_folders.shot.np.save", side_effect=busy), pytest.raises(SceneFolderError):
        import_scene(tmp_path / "scene", tmp_path / "new" / "newer" / "shot")
    assert os.listdir(tmp_path / "new") == ["notes.txt"]


EASED = "0 -4 -11 -15\n0 30\n1 1\n"


@cases("trajectory_*.json")
def test_version_1_cameras_agree_with_the_release(path: Path, tmp_path: Path) -> None:
    for number, case in enumerate(json.loads(path.read_text()).values()):
        if case["rotation_only"]:
            continue  # An option of the release's command, not of a folder.
        near = case["foreground_depth"]
        folder = write_version_1(tmp_path / f"v1_{number}", case["file"], case["frames"], 16, 16, near)
        import_scene(folder, tmp_path / f"shot_{number}")
        found = np.linalg.inv(_poses(tmp_path / f"shot_{number}"))
        assert np.abs(found - np.array(case["camera_to_world"])).max() < 1e-5


def test_a_version_1_folder_becomes_a_shot_folder_and_back(tmp_path: Path) -> None:
    write_version_1(tmp_path / "scene", EASED, 12)
    import_scene(tmp_path / "scene", tmp_path / "shot")
    shot, world = read_shot(tmp_path / "shot"), _world(tmp_path / "shot")
    assert (shot.name, shot.fps, len(shot.cameras), world.kind) == ("scene", 24.0, 12, "moving")
    assert world.depth.unique().tolist() == [2.0, 7.0]
    first = np.array(target_pose(3)).reshape(4, 4)
    for number in range(12):
        wanted = np.array(target_pose(number + 3)).reshape(4, 4)
        assert np.abs(world.world_to_camera[number].numpy() @ first - wanted).max() < 1e-6
    with patch("backend.scene_folders.shot.RELEASE_SIZE", (32, 24)):
        assert export_scene(tmp_path / "shot", tmp_path / "again", version="1") == []
    import_scene(tmp_path / "again", tmp_path / "shot_again")
    assert np.abs(_poses(tmp_path / "shot_again") - _poses(tmp_path / "shot")).max() < 1e-6
    after = _world(tmp_path / "shot_again")
    assert torch.equal(after.depth, world.depth) and torch.equal(after.colour, world.colour)
    assert torch.allclose(after.world_to_camera, world.world_to_camera, atol=1e-9, rtol=0)


def test_one_picture_of_version_1_is_a_still(tmp_path: Path) -> None:
    write_version_1(tmp_path / "scene", None, 1)
    (tmp_path / "orbit.txt").write_text(EASED)
    import_scene(tmp_path / "scene", tmp_path / "shot", trajectory=tmp_path / "orbit.txt")
    assert (_world(tmp_path / "shot").kind, len(_poses(tmp_path / "shot"))) == ("still", 121)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_change("trajectory.txt", "0 1\n0 1\n"), "trajectory.txt: A trajectory has 3 lines .* has 2"),
        (
            _change("trajectory.txt", "go\nto\nthe moon\n"),
            "trajectory.txt: Line 1 holds something that is no number",
        ),
        (lambda f: (f / "trajectory.txt").unlink(), "has no trajectory.txt"),
        (lambda f: (f / "images/000001.png").unlink(), "images holds 2 pictures, depth 3"),
        (
            _change("extrinsics.txt", "[[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]\n"),
            "has 12 numbers; 3 pictures",
        ),
        (_change("intrinsics.txt", "[[9, 0, 4], [0, 9, 3], [0, 0, 1]]"), "of another picture size"),
        (_replace_by_link("images/000001.png"), "images/000001.png is a link"),
        (_replace_by_link("images"), "images is a link"),
        (
            lambda f: cv2.imwrite(str(f / "depth/000002.png"), scene_codes(64, 48)),
            "depth/000002.png is 64x48",
        ),
    ],
)
def test_bad_version_1_folders_are_refused(
    tmp_path: Path, spoil: Callable[[Path], object], said: str
) -> None:
    spoil(write_version_1(tmp_path / "scene", EASED, 3))
    with pytest.raises(SceneFolderError, match=said):
        import_scene(tmp_path / "scene", tmp_path / "shot")
    assert not any("shot" in name for name in os.listdir(tmp_path))


@pytest.mark.usefixtures("small")
def test_stills_go_to_version_1_as_a_video_of_the_first(tmp_path: Path) -> None:
    write_reference(tmp_path / "shot/reference", *SMALL, "stills", views=2)
    hole = depth_map(*SMALL)
    hole[-3:] = 0
    write_depth(tmp_path / "shot/reference/view_0000.npy", hole)
    orbit = read_orbit(EASED, 14, 3.0).reshape(-1, 16).tolist()  # The box stands at 3.
    cameras = replace(move(14, *SMALL), world_to_camera=tuple(map(tuple, orbit)))
    shot = Shot("Shot", "tiny", 1, *SMALL, cameras, fps=25.0)
    (tmp_path / "shot/shot.json").write_text(json.dumps(shot.to_json()))
    said = export_scene(tmp_path / "shot", tmp_path / "scene", version="1")
    assert len(said) == 4
    assert any("without depth: the release" in sentence for sentence in said)
    assert any("25 a second" in sentence for sentence in said)
    assert any("of 2 stills, the first is kept" in sentence for sentence in said)
    assert any("Sky becomes a surface" in sentence for sentence in said)
    # The displacement makes up for the step in which the nearest depth is kept.
    assert (tmp_path / "scene/trajectory.txt").read_text().startswith("0 -4 -11 -15\n0 30\n1.0002")
    import_scene(tmp_path / "scene", tmp_path / "again")
    assert np.abs(_poses(tmp_path / "again").reshape(-1, 16) - orbit).max() < 1e-6
    found, given_world = _world(tmp_path / "again"), _world(tmp_path / "shot")
    assert torch.equal(found.colour[13], given_world.colour[0])


@pytest.mark.usefixtures("small")
def test_a_path_that_version_1_cannot_tell_is_refused(tmp_path: Path) -> None:
    write_shot(tmp_path / "shot")  # goes sideways
    with pytest.raises(SceneFolderError, match=r"three lines: at frame \d+ .* use version 1\.5"):
        export_scene(tmp_path / "shot", tmp_path / "scene", version="1")
    assert os.listdir(tmp_path) == ["shot"]


def _said(out: str) -> list[dict[str, object]]:
    return [json.loads(text) for text in out.splitlines()]


def test_the_command_line_tells_other_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene, shot, back = (str(tmp_path / name) for name in ("scene", "shot", "back"))
    write_scene(Path(scene), "image", 4)
    assert cli.main(["scene", "import", scene, shot, "--json"]) == 0
    said = _said(capsys.readouterr().out)
    assert all(set(line) == {"line", "share"} for line in said) and said[-1]["share"] == 1
    assert cli.main(["scene", "import", scene, shot, "--json"]) == 1
    assert _said(capsys.readouterr().out) == [{"error": f"{shot} exists already: choose another name."}]
    assert cli.main(["scene", "export", shot, back, "--json"]) == 0
    lost = [line["lost"] for line in _said(capsys.readouterr().out) if "lost" in line]
    assert len(lost) == 1 and "832x480 only" in str(lost[0])
    assert cli.main(["scene", "import", str(tmp_path / "none"), shot]) == 1
    assert capsys.readouterr().err == f"There is no folder {tmp_path / 'none'}.\n"
    assert cli.main(["scene", "import", back, f"{shot}_2"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{shot}_2"


@pytest.mark.skipif(os.name == "nt", reason="Windows ends processes without a signal")
def test_a_signal_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    write_scene(tmp_path / "scene", "video", valid=105)
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "backend",
            "scene",
            "import",
            str(tmp_path / "scene"),
            str(tmp_path / "shot"),
            "--json",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None and b"line" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert os.listdir(tmp_path) == ["scene"]


def test_reading_scene_folders_does_not_wait_for_torch() -> None:
    """It takes seconds to be imported, a quarter of what a long import may take."""
    program = "import sys, backend.scene_folders; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_a_long_reference_is_packed_so_that_the_backend_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures are written as they are where there is room for it, else packed: the same pictures either way."""
    frames = 3
    write_long_scene(tmp_path / "scene", frames, 832, 480)
    import_scene(tmp_path / "scene", tmp_path / "roomy")
    monkeypatch.setattr(shot_folder, "MAX_REFERENCE_BYTES", frames * 832 * 480 * 3)
    import_scene(tmp_path / "scene", tmp_path / "packed")
    for index in range(frames):
        roomy, packed = (
            tmp_path / name / "reference" / f"view_{index:04d}.png" for name in ("roomy", "packed")
        )
        assert packed.stat().st_size < 832 * 480 * 3 < roomy.stat().st_size
        assert np.array_equal(cv2.imread(str(roomy)), cv2.imread(str(packed)))
