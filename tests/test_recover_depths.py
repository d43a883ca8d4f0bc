"""Depth maps of every kind and what they may not be; where pictures lie in views; scale by a known distance."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from references import write_depth
from stage import lens, pose, see

from backend.recover import RecoverError
from backend.recover.align import align_scale
from backend.recover.depths import DepthForm, check_shape, planar_depth, ray_lengths, read_values
from backend.recover.lens import DEFAULT_FOCAL, find_lens
from backend.recover.pictures import jpeg_focal, jpeg_size
from backend.recover.placing import Placement, rectangle_of

WIDTH, HEIGHT = 24, 16
DEPTH = np.linspace(1, 9, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH).astype(np.float32)


def write_map(path: Path, values: np.ndarray) -> Path:
    if path.suffix == ".png":
        cv2.imwrite(str(path), values)
    else:
        write_depth(path, values)
    return path


def planar(path: Path, form: DepthForm) -> np.ndarray:
    values = read_values(path, form)
    return planar_depth(path.name, values, form.encoding, lens(values.shape[1], values.shape[0]))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4"])
def test_numpy_floats(tmp_path: Path, dtype: str) -> None:
    values = DEPTH.copy()
    values[0, :3] = 0, np.inf, np.nan
    found = planar(write_map(tmp_path / "d.npy", values.astype(dtype)), DepthForm())
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[1:], values[1:], rtol=1e-3 if dtype == "f2" else 1e-6)
    assert found[0, :3].tolist() == [0, np.inf, 0]


def test_numpy_in_columns_and_with_an_axis_of_one(tmp_path: Path) -> None:
    for values in (np.asfortranarray(DEPTH), DEPTH[None], DEPTH[:, :, None]):
        np.testing.assert_array_equal(planar(write_map(tmp_path / "d.npy", values), DepthForm()), DEPTH)


@pytest.mark.parametrize("channel", ["Depth.Z", "Z", "V", "Y"])
def test_exr(tmp_path: Path, channel: str) -> None:
    write_depth(tmp_path / "d.exr", DEPTH, channel)
    np.testing.assert_array_equal(planar(tmp_path / "d.exr", DepthForm()), DEPTH)


@pytest.mark.parametrize("ending", ["png", "npy"])
@pytest.mark.parametrize("low", [0.0, 0.5])
def test_whole_numbers_stand_for_a_range(tmp_path: Path, ending: str, low: float) -> None:
    high = 10.0
    codes = np.round((DEPTH - low) / (high - low) * 65535).astype(np.uint16)
    codes[0, 0] = 0
    found = planar(write_map(tmp_path / f"d.{ending}", codes), DepthForm(range=(low, high)))
    assert np.abs(found - DEPTH).ravel()[1:].max() <= (high - low) / 65535 / 2 + 1e-6
    assert found[0, 0] == low, "where the range begins at 0, code 0 is no depth, else the nearest"


@settings(max_examples=30)
@given(st.floats(0.3, 3), st.floats(0.0, 20.0), st.floats(0.0, 12.0))
def test_ray_distance_is_planar_depth_times_the_rays_length(focal: float, u: float, v: float) -> None:
    k = lens(WIDTH, HEIGHT, focal)
    k[0, 2], k[1, 2] = u, v
    rays = np.stack([*np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT)), np.ones((HEIGHT, WIDTH))], -1)
    distance = np.linalg.norm(rays @ np.linalg.inv(k).T * DEPTH[..., None], axis=-1).astype(np.float32)
    np.testing.assert_allclose(planar_depth("d", distance, "ray", k), DEPTH, rtol=1e-5)
    assert ray_lengths(k, HEIGHT, WIDTH).min() >= 1


def test_inverse_depth_has_sky_at_0() -> None:
    values = 1 / DEPTH
    values[0, 0] = 0
    found = planar_depth("d", values, "inverse", lens(WIDTH, HEIGHT))
    assert found[0, 0] == np.inf
    np.testing.assert_allclose(found.ravel()[1:], DEPTH.ravel()[1:], rtol=1e-6)


FLOATS = {
    "negative": (np.where(DEPTH > 5, -DEPTH, DEPTH), "negative depth in"),
    "-inf": (np.where(DEPTH > 5, -np.inf, DEPTH), "negative depth in"),
    "all negative": (-DEPTH, "negative depth in 384 of 384 pixels"),
    "sky": (np.full_like(DEPTH, np.inf), "sky everywhere"),
    "Blender's sky": (np.full_like(DEPTH, 1e10), "sky everywhere"),
    "NaN": (np.full_like(DEPTH, np.nan), "holds no depth"),
    "0": (np.zeros_like(DEPTH), "holds no depth"),
    "sky and nothing": (np.where(DEPTH > 5, np.inf, 0), "sky everywhere"),
}


@pytest.mark.parametrize("ending", ["npy", "exr"])
@pytest.mark.parametrize("name", FLOATS)
def test_depth_that_is_none(tmp_path: Path, name: str, ending: str) -> None:
    values, words = FLOATS[name]
    with pytest.raises(RecoverError, match=words) as error:
        planar(write_map(tmp_path / f"d.{ending}", values.astype(np.float32)), DepthForm())
    assert str(error.value).startswith(f"d.{ending} ") and str(error.value).endswith(".")


def npy(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def png(values: np.ndarray) -> bytes:
    return cv2.imencode(".png", values)[1].tobytes()


CODES = (DEPTH * 1000).astype(np.uint16)
FILES = {
    "d.txt": (b"1 2 3", None, "no depth map that can be read"),
    "d.npy": (b"not numpy", None, "not a .npy file"),
    "pickle.npy": (npy(np.array([{}])), None, "must be one map"),
    "vector.npy": (npy(DEPTH[0]), None, "must be one map"),
    "colour.npy": (npy(np.zeros((4, 4, 3), np.float32)), None, "must be one map"),
    "bytes.npy": (npy(DEPTH.astype(np.uint8)), None, "must be one map"),
    "short.npy": (npy(DEPTH)[:-5], None, "ends early"),
    "codes.npy": (npy(CODES), None, "say which range"),
    "codes.png": (png(CODES), None, "say which range"),
    "backward.png": (png(CODES), (5.0, 1.0), "range of backward.png"),
    "below.png": (png(CODES), (-1.0, 1.0), "range of below.png"),
    "endless.png": (png(CODES), (0.0, np.inf), "range of endless.png"),
    "eight.png": (png(DEPTH.astype(np.uint8)), (0.0, 1.0), "8 bits"),
    "colours.png": (png(np.stack([CODES] * 3, -1)), (0.0, 1.0), "several channels"),
    "damaged.png": (png(CODES)[:60], (0.0, 1.0), "damaged"),
    "empty.png": (b"", (0.0, 1.0), "not a PNG"),
    "d.exr": (b"v/1\x01 but no more", None, "not an OpenEXR file"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_no_depth_map(tmp_path: Path, name: str) -> None:
    data, span, words = FILES[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(RecoverError, match=words) as error:
        read_values(tmp_path / name, DepthForm(range=span))
    assert "\n" not in str(error.value)


def test_a_header_that_claims_too_much_takes_no_memory(tmp_path: Path) -> None:
    data = npy(DEPTH).replace(b"(16, 24)", b"(1600000, 24000)")
    (tmp_path / "d.npy").write_bytes(data)
    with pytest.raises(RecoverError, match="claims 24000x1600000"):
        read_values(tmp_path / "d.npy", DepthForm())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecoverError, match=r"gone\.exr cannot be read: No such file"):
        read_values(tmp_path / "gone.exr", DepthForm())


@pytest.mark.parametrize(
    "size", [(WIDTH, HEIGHT), (2 * WIDTH, 2 * HEIGHT), (WIDTH // 2, HEIGHT // 2), (1279, 853)]
)
def test_depth_of_its_pictures_shape(size: tuple[int, int]) -> None:
    check_shape("d.exr", size, "photo.jpg", (1920, 1280))


def test_depth_of_another_shape_names_both_sizes() -> None:
    with pytest.raises(RecoverError, match=r"d\.exr is 24x18 pixels, photo\.jpg is 1920x1280"):
        check_shape("d.exr", (24, 18), "photo.jpg", (1920, 1280))


@settings(max_examples=40)
@given(
    st.integers(8, 60), st.integers(8, 60), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3), st.floats(0.6, 1.5)
)
def test_a_pictures_own_intrinsics_see_what_the_view_sees(
    width: int, height: int, left: float, top: float, share: float
) -> None:
    """A direction meets the picture's pixel that lies where it meets the view."""
    placement = Placement(width, height, 40, 30, (left, top, share, share))
    view, direction = lens(40, 30), np.array([0.1, -0.07, 1.0])
    u, v, _ = view @ direction
    own_u, own_v, _ = placement.intrinsics(view) @ direction
    (across, down), (x, y) = placement.scale, placement.corner
    assert (own_u + 0.5) * across + x == pytest.approx(u)
    assert (own_v + 0.5) * down + y == pytest.approx(v)


@pytest.mark.parametrize(
    ("fit", "wide", "high"),
    [
        ("stretch", (0, 0, 1, 1), (0, 0, 1, 1)),
        ("fit", (0, 0.25, 1, 0.5), (0.25, 0, 0.5, 1)),
        ("crop", (-0.5, 0, 2, 1), (0, -0.5, 1, 2)),
    ],
)
def test_how_a_picture_lies_in_a_square_frame(
    fit: str, wide: tuple[float, ...], high: tuple[float, ...]
) -> None:
    assert (rectangle_of(fit, 2.0, 1.0), rectangle_of(fit, 0.5, 1.0)) == (wide, high)


def test_a_picture_that_fills_its_view_is_left_as_it_is() -> None:
    picture, depth = see(lens(40, 30), pose(), 40, 30)
    placement = Placement(40, 30, 40, 30)
    np.testing.assert_array_equal(placement.colour(picture), picture)
    np.testing.assert_array_equal(placement.depth(depth), depth)


@pytest.mark.parametrize("factor", [2, 3, 0.5])
def test_pictures_of_another_size_lie_on_one_another(factor: float) -> None:
    """Colour and depth of a view at another size are those of a camera that sees at this size."""
    width, height = 96, 72
    large = round(width * factor), round(height * factor)
    view = lens(width, height)
    own = Placement(*large, width, height).intrinsics(view)
    picture, depth = see(own, pose(), *large)
    expected, expected_depth = see(view, pose(), width, height)
    placement = Placement(*large, width, height)
    found = placement.colour(picture).astype(int)
    beside = np.abs(np.roll(found, 1, axis=1) - expected).mean()
    assert np.abs(found - expected).mean() < 0.9 * beside
    assert (np.abs(placement.depth(depth) - expected_depth) > 0.1).mean() < 0.02, "but at the board's edge"


def test_what_lies_beside_the_picture_has_no_depth() -> None:
    depth = np.full((30, 20), 2.0, np.float32)
    found = Placement(20, 30, 40, 30, (0.25, 0.0, 0.5, 1.0)).depth(depth)
    assert (found[:, 10:30] == 2).all() and not found[:, :10].any() and not found[:, 30:].any()
    cut = Placement(20, 30, 40, 30, (-0.5, 0.0, 2.0, 1.0)).depth(
        np.tile(np.arange(20, dtype=np.float32), (30, 1))
    )
    assert cut[0].tolist() == [5 + index // 4 for index in range(40)]


@settings(max_examples=40)
@given(
    st.tuples(st.integers(2, 61), st.integers(2, 45)),
    st.tuples(st.integers(2, 61), st.integers(2, 45)),
    st.floats(0.01, 100),
)
def test_the_scale_lays_two_points_their_distance_apart(
    first: tuple[int, int], second: tuple[int, int], unit: float
) -> None:
    """Whatever the unit of a depth map, aligned it is the wall's: 6 units away."""
    if np.hypot(first[0] - second[0], first[1] - second[1]) < 1:
        return
    k, wall = lens(64, 48), np.full((48, 64), 6.0, np.float32)
    points = [6 * (np.linalg.inv(k) @ (*pixel, 1)) for pixel in (first, second)]
    distance = float(np.linalg.norm(points[0] - points[1]))
    scale = align_scale(wall / np.float32(unit), k, np.array([first, second], float), distance)
    assert scale == pytest.approx(unit, rel=1e-5)


@pytest.mark.parametrize(
    ("pixels", "distance", "words"),
    [
        ([(10, 10), (30, 10)], 0.0, "must be above 0"),
        ([(10, 10), (30, 10)], float("nan"), "must be above 0"),
        ([(10, 10), (10.2, 10)], 1.0, "are one"),
        ([(10, 10), (64, 10)], 1.0, "no depth at pixel 64, 10 of 64x48"),
        ([(10, 10), (50, 40)], 1.0, "no depth at pixel 50, 40"),
    ],
)
def test_a_scale_that_cannot_be(pixels: list[tuple[float, float]], distance: float, words: str) -> None:
    depth = np.full((48, 64), 6.0, np.float32)
    depth[36:, 46:] = np.inf
    with pytest.raises(RecoverError, match=words):
        align_scale(depth, lens(64, 48), np.array(pixels), distance)


def test_the_lens_that_is_stated_counts_before_exif_and_the_guess() -> None:
    size = 1500, 1000
    assert find_lens(size, 28.0, 60.0, None).intrinsics(*size)[0, 0] == pytest.approx(750 / np.tan(np.pi / 6))
    assert find_lens(size, 28.0, None, 35.0).focal == 35
    by_exif = find_lens(size, 28.0, None, None)
    assert by_exif.intrinsics(*size)[0, 0] == pytest.approx(28 / 36 * 1500)
    assert "EXIF" in by_exif.words
    guess = find_lens(size, None, None, None)
    assert guess.focal == DEFAULT_FOCAL and "guess" in guess.words
    for wrong in ({"field_of_view": 0.0, "focal": None}, {"field_of_view": None, "focal": 0.0}):
        with pytest.raises(RecoverError):
            find_lens(size, None, **wrong)


def exif_jpeg(order: str, kind: int, focal: int) -> bytes:
    """A JPEG whose EXIF states a focal length on 35 mm film."""
    import struct

    def entry(tag: int, kind: int, value: int) -> bytes:
        return struct.pack(f"{order}HHI", tag, kind, 1) + struct.pack(
            f"{order}{'HH' if kind == 3 else 'I'}", *((value, 0) if kind == 3 else (value,))
        )

    mark = b"II*\0" if order == "<" else b"MM\0*"
    first = struct.pack(f"{order}H", 1) + entry(0x8769, 4, 26) + b"\0" * 4
    second = struct.pack(f"{order}H", 2) + entry(0x9000, 4, 7) + entry(0xA405, kind, focal)
    body = b"Exif\0\0" + mark + struct.pack(f"{order}I", 8) + first + second
    jpeg = cv2.imencode(".jpg", np.zeros((20, 30, 3), np.uint8))[1].tobytes()
    return jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4])
def test_exif(order: str, kind: int) -> None:
    data = exif_jpeg(order, kind, 28)
    assert (jpeg_size(data), jpeg_focal(data)) == ((30, 20), 28.0)
    assert jpeg_focal(exif_jpeg(order, kind, 0)) is None, "0 means unknown"


@settings(max_examples=60)
@given(st.integers(2, 120), st.integers(0, 255))
def test_broken_exif_is_none(at: int, value: int) -> None:
    data = bytearray(exif_jpeg("<", 3, 28))
    data[at] = value
    jpeg_size(bytes(data))
    focal = jpeg_focal(bytes(data))
    assert focal is None or focal > 0
