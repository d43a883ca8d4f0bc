"""From pictures to a reference, and from there to generated frames; what is refused leaves nothing behind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from references import move
from stage import (
    FIELD_OF_VIEW,
    HEIGHT,
    TURNS,
    WIDTH,
    K,
    generated,
    lens,
    pose,
    see,
    still,
    video_of,
    write_picture,
)

from backend import cli
from backend.protocol.files import read_reference
from backend.recover import Asked, RecoverError, from_pictures, read_views, recover
from backend.recover.depths import DepthForm
from backend.world import load_world


def views_file(folder: Path, poses: list[np.ndarray], kind: str, **changed: object) -> Path:
    """A views file with a picture and a depth map for every pose."""
    views = []
    for index, at in enumerate(poses):
        picture, depth = still(folder, f"photo {index} ä.png", at)
        views.append(
            {
                "frame": float(index + 1) if kind == "moving" else 1.0,
                "camera": f"Camera {index}",
                "picture": picture.name,
                "picture_frame": 0,
                "picture_fit": "stretch",
                "pixel_aspect": 1.0,
                "intrinsics": K.ravel().tolist(),
                "world_to_camera": at.ravel().tolist(),
                "depth": depth.name,
                "depth_of": "picture",
                "encoding": "planar",
                "range": [],
                "known_pixels": [],
                "known_distance": 0.0,
                **changed,
            }
        )
    content = {"format": "inspatio-views", "version": 1, "kind": kind, "width": WIDTH, "height": HEIGHT}
    content["aspect"] = WIDTH / HEIGHT
    path = folder / "views.json"
    path.write_text(
        json.dumps({**content, "network": "", "solve": False, "source": {"scene": "Scene"}, "views": views})
    )
    return path


def test_a_photograph_with_depth_ends_in_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole road by the command line: picture and 16-bit ray distance to a reference, then a take by tiny."""
    picture, depth = see(K, pose(), WIDTH, HEIGHT)
    write_picture(tmp_path / "photo.png", picture)
    rays = np.linalg.norm(
        np.stack([*np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT)), np.ones(depth.shape)], -1)
        @ np.linalg.inv(K).T
        * depth[..., None],
        axis=-1,
    )
    cv2.imwrite(str(tmp_path / "photo_depth.png"), np.round(rays / 12 * 65535).astype(np.uint16))
    out = tmp_path / "shot" / "reference"
    arguments = ["recover", str(tmp_path / "photo.png"), str(out), "--fov", str(FIELD_OF_VIEW), "--json"]
    arguments += ["--depth", str(tmp_path / "photo_depth.png"), "--encoding", "ray", "--range", "0", "12"]
    assert cli.main(arguments) == cli.DONE
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert said[-1] == {"line": "Recovered 1 view, 128 x 80", "share": 1.0}
    assert any("as stated" in line["line"] for line in said)

    world, _ = load_world(out)
    assert np.abs(world.depth[0].numpy() - depth).max() < 12 / 65535
    np.testing.assert_allclose(world.intrinsics[0].numpy(), K, rtol=1e-9)
    np.testing.assert_array_equal(world.colour[0].numpy().transpose(1, 2, 0), picture)

    cameras = move(9, WIDTH, HEIGHT, reach=0.3)
    for number, frame in generated(tmp_path / "shot", cameras).items():
        at = np.array(cameras.world_to_camera[number - 1]).reshape(4, 4)
        expected, _ = see(K, at, WIDTH, HEIGHT)
        assert cv2.PSNR(frame, expected) > 20, f"frame {number} is what this camera sees"


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_stills_with_cameras(tmp_path: Path, count: int) -> None:
    poses = [pose(x=0.4 * index, yaw=3.0 * index) for index in range(count)]
    request = read_views(views_file(tmp_path, poses, "still" if count == 1 else "stills"))
    reference = recover(request, tmp_path / "out")
    assert reference == read_reference(tmp_path / "out")
    assert [view.camera for view in reference.views] == [f"Camera {index}" for index in range(count)]
    world, _ = load_world(tmp_path / "out")
    for index, at in enumerate(poses):
        picture, depth = see(K, at, WIDTH, HEIGHT)
        np.testing.assert_allclose(world.world_to_camera[index].numpy(), at)
        np.testing.assert_array_equal(world.depth[index].numpy(), depth)
        np.testing.assert_array_equal(world.colour[index].numpy().transpose(1, 2, 0), picture)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["out"]


def test_a_moving_world_with_cameras(tmp_path: Path) -> None:
    reference = recover(
        read_views(views_file(tmp_path, [pose(x=0.1 * n) for n in range(6)], "moving")), tmp_path / "out"
    )
    assert [view.frame for view in reference.views] == [1, 2, 3, 4, 5, 6]


def test_the_camera_of_footage_is_found_from_where_it_stood(tmp_path: Path) -> None:
    """The first pose counts, wherever it is in the world; those that are said of the others do not."""
    start = pose(x=0.5, y=0.1, z=0.3, yaw=-4)
    truth = [start @ turn for turn in (pose(), pose(x=0.15), pose(x=0.3, yaw=1))]
    path = views_file(tmp_path, truth, "moving")
    content = json.loads(path.read_text())
    content["solve"] = True
    for view in content["views"][1:]:
        view["world_to_camera"] = np.eye(4).ravel().tolist()
    path.write_text(json.dumps(content))
    reference = recover(read_views(path), tmp_path / "out")
    for view, at in zip(reference.views, truth, strict=True):
        np.testing.assert_allclose(np.array(view.world_to_camera).reshape(4, 4), at, atol=0.03)


def test_a_large_photograph_is_made_smaller_with_its_depth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.recover.request.LONGEST_SIDE", 160)
    picture, depth = still(tmp_path, size=(400, 250))
    asked = Asked((depth,), field_of_view=FIELD_OF_VIEW)
    reference = recover(from_pictures([picture], asked), tmp_path / "out")
    assert (reference.width, reference.height) == (160, 100)
    world, _ = load_world(tmp_path / "out")
    expected, expected_depth = see(lens(160, 100), pose(), 160, 100)
    np.testing.assert_allclose(world.intrinsics[0].numpy(), lens(160, 100), rtol=1e-9)
    assert (np.abs(world.depth[0].numpy() - expected_depth) > 1e-3).mean() < 0.03, "but at the board's edge"
    assert np.abs(world.colour[0].numpy().transpose(1, 2, 0).astype(int) - expected).mean() < 8


def test_a_known_distance_scales_the_depth(tmp_path: Path) -> None:
    picture, depth = still(tmp_path)
    values = np.load(depth)
    np.save(depth, values / 7)
    points = np.array([(100.0, 10.0), (120.0, 70.0)])
    distance = float(np.linalg.norm((points[0] - points[1]) / K[0, 0] * 6))
    asked = Asked((depth,), field_of_view=FIELD_OF_VIEW, known=(tuple(points.ravel()), distance))
    lines: list[str] = []
    recover(from_pictures([picture], asked), tmp_path / "out", lambda line, share: lines.append(line))
    np.testing.assert_allclose(load_world(tmp_path / "out")[0].depth[0].numpy(), values, rtol=1e-5)
    assert any(line.startswith("Scale: depth times 7") for line in lines)


def test_the_first_views_scale_is_that_of_all_footage(tmp_path: Path) -> None:
    path = views_file(tmp_path, [pose(x=0.1 * n) for n in range(3)], "moving")
    content = json.loads(path.read_text())
    wall = np.array([(100.0, 10.0), (120.0, 70.0)])
    content["views"][0]["known_pixels"] = wall.ravel().tolist()
    content["views"][0]["known_distance"] = 2 * float(np.linalg.norm((wall[0] - wall[1]) / K[0, 0] * 6))
    path.write_text(json.dumps(content))
    recover(read_views(path), tmp_path / "out")
    world, _ = load_world(tmp_path / "out")
    for index in range(3):
        truth = np.load(tmp_path / f"photo {index} ä.npy")
        np.testing.assert_allclose(world.depth[index].numpy(), 2 * truth, rtol=1e-5)


def test_the_camera_of_a_video_is_found(tmp_path: Path) -> None:
    """Poses by features on given depth: a pixel or so of the truth, all in the scale of the depth."""
    video, maps = video_of(tmp_path, TURNS)
    asked = Asked((maps,), field_of_view=FIELD_OF_VIEW, first=101, every=2, frames=5)
    reference = recover(from_pictures([video], asked), tmp_path / "out")
    assert reference.kind == "moving"
    assert [view.frame for view in reference.views] == [101, 103, 105, 107, 109]
    for view, at in zip(reference.views, TURNS[:10:2], strict=True):
        found = np.array(view.world_to_camera).reshape(4, 4)
        assert np.linalg.norm(np.linalg.inv(found)[:3, 3] - np.linalg.inv(at)[:3, 3]) < 0.02
        angle = np.degrees(np.arccos(np.clip((np.trace(found[:3, :3] @ at[:3, :3].T) - 1) / 2, -1, 1)))
        assert angle < 0.2


def test_a_video_without_a_camera_ends_in_frames(tmp_path: Path) -> None:
    video, maps = video_of(tmp_path, TURNS[:9], (WIDTH, HEIGHT))
    recover(
        from_pictures([video], Asked((maps,), field_of_view=FIELD_OF_VIEW)), tmp_path / "shot" / "reference"
    )
    cameras = move(9, WIDTH, HEIGHT, reach=0.3)
    for number, frame in generated(tmp_path / "shot", cameras).items():
        # The world is the first frame's camera.
        at = np.array(cameras.world_to_camera[number - 1]).reshape(4, 4) @ TURNS[0]
        expected, _ = see(K, at, WIDTH, HEIGHT)
        assert cv2.PSNR(frame, expected) > 18, f"frame {number} is what this camera sees"


def test_a_camera_is_followed_past_what_the_first_frame_shows(tmp_path: Path) -> None:
    """Over a field of view and back to the wall's other end: keyframes hand on."""
    poses = [pose(x=0.25 * n) for n in range(20)]
    video, maps = video_of(tmp_path, poses)
    reference = recover(from_pictures([video], Asked((maps,), field_of_view=FIELD_OF_VIEW)), tmp_path / "out")
    end = np.linalg.inv(np.array(reference.views[-1].world_to_camera).reshape(4, 4))[:3, 3]
    assert np.linalg.norm(end - (4.75, 0, 0)) < 0.15


def test_a_camera_that_stands_still(tmp_path: Path) -> None:
    video, maps = video_of(tmp_path, [pose()] * 4)
    asked = Asked((maps,), field_of_view=FIELD_OF_VIEW, camera="static")
    reference = recover(from_pictures([video], asked), tmp_path / "out")
    assert all(
        np.array_equal(np.array(view.world_to_camera).reshape(4, 4), np.eye(4)) for view in reference.views
    )


def test_a_cut_in_a_video_is_refused(tmp_path: Path) -> None:
    video, maps = video_of(tmp_path, [*TURNS[:4], pose(x=-40, yaw=70)])
    np.save(maps / "depth_0005.npy", np.load(maps / "depth_0001.npy"))
    with pytest.raises(RecoverError, match=r"video\.mp4, frame 5 shares too little"):
        recover(from_pictures([video], Asked((maps,), field_of_view=FIELD_OF_VIEW)), tmp_path / "out")
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".out*"))


def test_poses_of_stills_without_cameras_are_found(tmp_path: Path) -> None:
    size = 320, 200
    files = [still(tmp_path, f"{n}.png", at, size) for n, at in enumerate((pose(), pose(x=0.3, yaw=2)))]
    asked = Asked(tuple(depth for _, depth in files), field_of_view=FIELD_OF_VIEW)
    reference = recover(from_pictures([picture for picture, _ in files], asked), tmp_path / "out")
    assert reference.kind == "stills"
    found = np.linalg.inv(np.array(reference.views[1].world_to_camera).reshape(4, 4))
    assert np.linalg.norm(found[:3, 3] - (0.3, 0, 0)) < 0.02


def test_a_sequence_lacks_a_frame(tmp_path: Path) -> None:
    for number in (1, 2, 4, 5, 6):
        still(tmp_path, f"shot.{number:04d}.png")
    with pytest.raises(RecoverError, match=r"missing in .* between shot\.0002\.png and shot\.0004\.png"):
        from_pictures([tmp_path], Asked(network="depth"))


def test_depth_maps_and_frames_are_counted(tmp_path: Path) -> None:
    video, maps = video_of(tmp_path, TURNS[:3])
    (maps / "depth_0003.npy").unlink()
    with pytest.raises(RecoverError, match="There are 2 depth maps for 3 pictures"):
        from_pictures([video], Asked((maps,)))


PICTURES = {
    "photo.tif": (b"II*\0", "no picture that can be read"),
    "photo.png": (b"\x89PNG\r\n\x1a\n", "neither a PNG nor a JPEG"),
    "half.png": (cv2.imencode(".png", np.zeros((40, 40, 3), np.uint8))[1].tobytes()[:50], "damaged"),
    "video.mp4": (b"no video at all", "cannot be read as a video"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_files_that_are_no_picture(tmp_path: Path, name: str) -> None:
    data, words = PICTURES[name]
    (tmp_path / name).write_bytes(data)
    _, depth = still(tmp_path, "other.png")
    with pytest.raises(RecoverError, match=words) as error:
        recover(from_pictures([tmp_path / name], Asked((depth,))), tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"encoding": "perspective"}, "encoding must be one of"),
        ({"range": [1.0]}, "range must be"),
        ({"picture_fit": "tile"}, "picture_fit must be one of"),
        ({"depth_of": "camera"}, "depth_of must be one of"),
        ({"pixel_aspect": 0.0}, "pixel_aspect must be above 0"),
        ({"known_pixels": [1.0, 2.0]}, "known_pixels must be"),
        ({"known_pixels": [1.0, 2.0, 3.0, 4.0]}, "known_distance must be above 0"),
        ({"depth": ""}, "has no depth"),
        ({"depth": "gone.exr"}, "gone.exr cannot be read"),
        ({"picture": "gone.png"}, "gone.png cannot be read"),
        ({"intrinsics": [1.0] * 9}, "intrinsics must be"),
        ({"world_to_camera": (np.eye(4) * 2).ravel().tolist()}, "world_to_camera"),
        ({"frame": "one"}, "frame must be a number"),
    ],
)
def test_a_views_file_that_cannot_be_followed(tmp_path: Path, changed: dict, words: str) -> None:
    with pytest.raises(RecoverError, match=words):
        recover(read_views(views_file(tmp_path, [pose()], "still", **changed)), tmp_path / "out")
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize(("kind", "count"), [("still", 2), ("stills", 1), ("stills", 5), ("video", 1)])
def test_a_views_file_of_the_wrong_kind(tmp_path: Path, kind: str, count: int) -> None:
    with pytest.raises(RecoverError, match=r"kind|views, got"):
        read_views(views_file(tmp_path, [pose()] * count, kind))


def test_nothing_is_overwritten_and_nothing_half_stays(tmp_path: Path) -> None:
    request = read_views(views_file(tmp_path, [pose(), pose(x=0.2)], "stills"))
    recover(request, tmp_path / "out")
    with pytest.raises(RecoverError, match="exists already"):
        recover(request, tmp_path / "out")

    def interrupt(line: str, share: float | None) -> None:
        if share == 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recover(request, tmp_path / "second", interrupt)
    assert not (tmp_path / "second").exists() and not list(tmp_path.glob(".second*"))


def test_too_many_views_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    request = read_views(views_file(tmp_path, [pose()], "moving"))
    with pytest.raises(RecoverError, match="are too many"):
        replace(request, views=request.views * 4000, width=1920, height=1080).check()


def test_depth_of_another_shape(tmp_path: Path) -> None:
    picture, depth = still(tmp_path)
    np.save(depth, np.ones((90, 90), np.float32))
    with pytest.raises(RecoverError, match=r"photo\.npy is 90x90 pixels, photo\.png is 128x80"):
        recover(from_pictures([picture], Asked((depth,))), tmp_path / "out")


def test_form_is_the_same_for_all_maps_of_the_command_line(tmp_path: Path) -> None:
    picture, depth = still(tmp_path)
    np.save(depth, (1 / np.load(depth)).astype(np.float16))
    recover(from_pictures([picture], Asked((depth,), form=DepthForm("inverse"))), tmp_path / "out")
    _, truth = see(K, pose(), WIDTH, HEIGHT)
    np.testing.assert_allclose(load_world(tmp_path / "out")[0].depth[0].numpy(), truth, rtol=1e-3)


@pytest.mark.parametrize(
    "arguments",
    [["--size", "large"], ["--every", "0"], ["--frames", "0"], ["--size", "100x100"], ["--fov", "200"]],
)
def test_arguments_that_cannot_be(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    picture, depth = still(tmp_path)
    assert (
        cli.main(["recover", str(picture), str(tmp_path / "out"), "--depth", str(depth), *arguments])
        == cli.FAILED
    )
    assert capsys.readouterr().err.endswith(".\n")
    assert not (tmp_path / "out").exists()
