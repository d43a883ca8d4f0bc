"""Decoding a reference: right values, one form of depth, and nothing decoded that its header does not promise."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from references import depth_map, picture, triangles, write_depth, write_reference

from backend import world as world_module
from backend.protocol.files import Reference
from backend.world import World, WorldError, decode_world, load_world

WIDTH, HEIGHT = 64, 48


def _files(folder: Path, reference: Reference) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in reference.file_names}


@pytest.mark.parametrize("depth", ["npy", "exr"])
def test_pictures_and_depth_arrive_as_they_were_written(tmp_path: Path, depth: str) -> None:
    write_reference(tmp_path, WIDTH, HEIGHT, "stills", views=3, depth=depth)
    world, digest = load_world(tmp_path)
    assert len(digest) == 64
    assert world.colour.shape == (3, 3, HEIGHT, WIDTH)
    assert torch.equal(world.colour[0], torch.from_numpy(picture(WIDTH, HEIGHT).transpose(2, 0, 1).copy()))
    expected = depth_map(WIDTH, HEIGHT)
    expected[expected >= 1e9] = np.inf
    assert np.array_equal(world.depth[0].numpy(), expected)
    assert world.intrinsics.shape == (3, 3, 3) and world.world_to_camera.shape == (3, 4, 4)
    assert world.world_to_camera[2, 0, 3] == pytest.approx(-0.8)
    pictures = world.pictures([2])
    assert pictures.shape == (1, 3, HEIGHT, WIDTH) and pictures.min() >= -1 and pictures.max() <= 1


def test_depth_has_one_form_for_sky_and_one_for_none(tmp_path: Path) -> None:
    reference = write_reference(tmp_path, WIDTH, HEIGHT)
    depth = np.full((HEIGHT, WIDTH), 4.0, np.float32)
    depth[0, :8] = [np.nan, np.inf, -np.inf, 0, -1, 1e9, 1e10, 5]
    write_depth(tmp_path / reference.views[0].depth, depth)
    found = load_world(tmp_path)[0].depth[0]
    assert found[0, :8].tolist() == [0, np.inf, 0, 0, 0, np.inf, np.inf, 5]
    assert (found[1:] == 4).all()


@pytest.mark.parametrize("value", [0.0, np.nan, -1.0, -np.inf])
def test_depth_without_a_single_value_is_refused(tmp_path: Path, value: float) -> None:
    reference = write_reference(tmp_path, WIDTH, HEIGHT)
    write_depth(tmp_path / reference.views[0].depth, np.full((HEIGHT, WIDTH), value, np.float32))
    with pytest.raises(WorldError, match=r"view_0000\.npy holds no depth"):
        load_world(tmp_path)


@pytest.mark.parametrize("channel", ["Depth.Z", "ViewLayer.Depth.Z", "Z", "V", "Y"])
def test_the_depth_channel_is_found(tmp_path: Path, channel: str) -> None:
    reference = write_reference(tmp_path, WIDTH, HEIGHT, depth="exr")
    write_depth(tmp_path / reference.views[0].depth, depth_map(WIDTH, HEIGHT), channel)
    assert load_world(tmp_path)[0].depth[0, -1, -1] == 6


def test_depth_is_found_among_other_channels_and_parts(tmp_path: Path) -> None:
    import OpenEXR

    reference = write_reference(tmp_path, WIDTH, HEIGHT, depth="exr")
    zero, depth = np.zeros((HEIGHT, WIDTH), np.float32), depth_map(WIDTH, HEIGHT)
    first = OpenEXR.Part({"name": "Combined"}, {"R": zero, "G": zero, "B": zero})
    second = OpenEXR.Part({"name": "Depth"}, {"Depth.Z": depth})
    with OpenEXR.File([first, second]) as file:
        file.write(str(tmp_path / reference.views[0].depth))
    assert load_world(tmp_path)[0].depth[0, -1, -1] == 6
    with OpenEXR.File([first]) as file:
        file.write(str(tmp_path / reference.views[0].depth))
    with pytest.raises(WorldError, match="no channel"):
        load_world(tmp_path)


def test_grey_and_transparent_pictures_are_taken(tmp_path: Path) -> None:
    reference = write_reference(tmp_path, WIDTH, HEIGHT)
    path = str(tmp_path / reference.views[0].colour)
    cv2.imwrite(path, np.full((HEIGHT, WIDTH), 77, np.uint8))
    assert (load_world(tmp_path)[0].colour == 77).all()
    cv2.imwrite(path, np.full((HEIGHT, WIDTH, 4), (1, 2, 3, 0), np.uint8))
    assert load_world(tmp_path)[0].colour[0, :, 0, 0].tolist() == [3, 2, 1]


def _png_claiming(width: int, height: int) -> bytes:
    """A small file that says it is a huge picture."""
    chunk = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")


def _npy_claiming(shape: str, dtype: str = "'<f4'", order: str = "False") -> bytes:
    header = f"{{'descr': {dtype}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a PNG"),
        (b"GIF89a" + bytes(100), "not a PNG"),
        (_png_claiming(60_000, 60_000), "60000x60000"),
        (_png_claiming(WIDTH, HEIGHT), "damaged"),
    ],
)
def test_pictures_that_are_not_what_they_should_be(tmp_path: Path, data: bytes, words: str) -> None:
    reference = write_reference(tmp_path, WIDTH, HEIGHT)
    (tmp_path / reference.views[0].colour).write_bytes(data)
    with pytest.raises(WorldError, match=words):
        load_world(tmp_path)


def test_a_16_bit_picture_is_refused(tmp_path: Path) -> None:
    reference = write_reference(tmp_path, WIDTH, HEIGHT)
    cv2.imwrite(str(tmp_path / reference.views[0].colour), np.zeros((HEIGHT, WIDTH, 3), np.uint16))
    with pytest.raises(WorldError, match="16 bits"):
        load_world(tmp_path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a .npy"),
        (b"\x93NUMPY\x01\x00\xff\xff{", "not a .npy"),
        (_npy_claiming("(100000, 100000)"), "100000"),
        (_npy_claiming("(48, 64)"), "ends early"),
        (_npy_claiming("(48, 64)", "'<f8'") + bytes(48 * 64 * 8), "float64"),
        (_npy_claiming("(48, 64)", "'|O'") + b"cos\nsystem\n(S'true'\ntR.", "object"),
        (_npy_claiming("(48, 64)", order="True") + bytes(48 * 64 * 4), "must be"),
    ],
)
def test_arrays_that_are_not_what_they_should_be(tmp_path: Path, data: bytes, words: str) -> None:
    reference = write_reference(tmp_path, WIDTH, HEIGHT)
    (tmp_path / reference.views[0].depth).write_bytes(data)
    with pytest.raises(WorldError, match=words):
        load_world(tmp_path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a .npy"),
        (_npy_claiming("(48, 64)"), "triangles, 3, 3"),
        (_npy_claiming("(2, 3, 3)", "'<f8'") + bytes(144), "float64"),
        (_npy_claiming("(2, 3, 3)", order="True") + bytes(72), "must be"),
        (_npy_claiming("(2, 3, 3)") + bytes(71), "ends early"),
        (_npy_claiming("(0, 3, 3)"), "0 triangles"),
        (_npy_claiming("(2000001, 3, 3)"), "2000001 triangles; 1 to 2000000"),
        (_npy_claiming("(1, 3, 3)") + b"\0\0\xc0\x7f" * 9, "no numbers"),
    ],
)
def test_geometry_that_is_not_what_it_should_be(tmp_path: Path, data: bytes, words: str) -> None:
    write_reference(tmp_path, WIDTH, HEIGHT, geometry=True)
    assert torch.equal(load_world(tmp_path)[0].geometry, torch.from_numpy(triangles(WIDTH, HEIGHT)))
    (tmp_path / "geometry.npy").write_bytes(data)
    with pytest.raises(WorldError, match=words):
        load_world(tmp_path)


def test_exr_files_that_are_not_what_they_should_be(tmp_path: Path) -> None:
    reference = write_reference(tmp_path, WIDTH, HEIGHT, depth="exr")
    path = tmp_path / reference.views[0].depth
    good = path.read_bytes()
    for data in (b"", b"not an exr" * 20, good[: len(good) // 2]):
        path.write_bytes(data)
        with pytest.raises(WorldError, match=r"view_0000\.exr"):
            load_world(tmp_path)
    write_depth(path, depth_map(2 * WIDTH, HEIGHT))
    with pytest.raises(WorldError, match="128x48"):
        load_world(tmp_path)


def test_a_picture_of_another_size_than_the_reference_is_refused(tmp_path: Path) -> None:
    reference = write_reference(tmp_path, WIDTH, HEIGHT)
    (tmp_path / "reference.json").write_text(json.dumps(replace(reference, width=32).to_json()))
    with pytest.raises(WorldError, match="the reference is 32x48"):
        load_world(tmp_path)


def test_a_reference_that_would_not_fit_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = write_reference(tmp_path, WIDTH, HEIGHT, "moving", views=4)
    monkeypatch.setattr(world_module, "MAX_WORLD_PIXELS", 3 * WIDTH * HEIGHT)
    monkeypatch.setattr(world_module, "_measure", None)
    with pytest.raises(WorldError, match="4 views of 64x48 pixels is too large"):
        decode_world(reference, _files(tmp_path, reference))


def test_the_view_nearest_in_time_is_the_world() -> None:
    frames = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
    one = torch.ones(3, 2, 2)
    world = World(
        "moving",
        torch.ones(3, 3, 2, 2),
        one,
        torch.eye(3).expand(3, 3, 3),
        torch.eye(4).expand(3, 4, 4),
        frames,
    )
    asked = torch.tensor([-5.0, 1.0, 1.5, 1.6, 3.0, 3.1, 9.0])
    assert world.views_at(asked) == [0, 0, 0, 1, 1, 2, 2]
