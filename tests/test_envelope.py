"""The envelope: what is packed comes out again, and nothing that is not exact gets in."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.protocol import MAX_HEADER_BYTES
from backend.protocol.cameras import CameraError, Cameras
from backend.protocol.envelope import DTYPE_SIZES, Blob, EnvelopeError, pack, parse_json, unpack

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@st.composite
def blob_lists(draw: st.DrawFn) -> list[Blob]:
    names = draw(st.lists(st.text(min_size=1, max_size=20), unique=True, max_size=5))
    blobs = []
    for name in names:
        dtype = draw(st.sampled_from(sorted(DTYPE_SIZES)))
        shape = draw(st.lists(st.integers(0, 4), min_size=1, max_size=1 if dtype == "bytes" else 3))
        size = DTYPE_SIZES[dtype]
        for length in shape:
            size *= length
        blobs.append(Blob(name, dtype, tuple(shape), draw(st.binary(min_size=size, max_size=size))))
    return blobs


@given(st.dictionaries(st.text().filter(lambda name: name != "blobs"), JSON, max_size=4), blob_lists())
def test_what_is_packed_comes_out_again(header: dict[str, Any], blobs: list[Blob]) -> None:
    found_header, found = unpack(pack(header, blobs))
    assert found_header == header
    assert [(b.name, b.dtype, b.shape, bytes(b.data)) for b in found.values()] == [
        (b.name, b.dtype, b.shape, b.data) for b in blobs
    ]


@given(st.binary(max_size=200))
def test_noise_is_refused_and_nothing_else_is_raised(noise: bytes) -> None:
    for body in (noise, b"INSP" + noise, b"INSP" + struct.pack("<I", len(noise)) + noise):
        with pytest.raises(EnvelopeError):
            unpack(body)


@given(st.data())
def test_a_body_cut_short_or_run_on_is_refused(data: st.DataObject) -> None:
    body = pack({"block": 0}, [Blob("a", "float64", (2, 3), bytes(48)), Blob.of("b", b"xyz")])
    cut = data.draw(st.integers(0, len(body) - 1))
    for wrong in (body[:cut], body + b"\0"):
        with pytest.raises(EnvelopeError):
            unpack(wrong)


def _envelope(header: str, rest: bytes = b"") -> bytes:
    return b"INSP" + struct.pack("<I", len(header.encode())) + header.encode() + rest


@pytest.mark.parametrize(
    "entry",
    [
        {"name": "a", "dtype": "object", "shape": [1]},
        {"name": "a", "dtype": "float16", "shape": [1]},
        {"name": "a", "dtype": "uint8", "shape": [-1]},
        {"name": "a", "dtype": "uint8", "shape": [1.0]},
        {"name": "a", "dtype": "uint8", "shape": [True]},
        {"name": "a", "dtype": "uint8", "shape": "1"},
        {"name": "a", "dtype": "uint8", "shape": [2**50]},
        {"name": "a", "dtype": "uint8", "shape": [1] * 9},
        {"name": "", "dtype": "uint8", "shape": [1]},
        {"name": "a" * 256, "dtype": "uint8", "shape": [1]},
        {"name": 1, "dtype": "uint8", "shape": [1]},
        {"dtype": "uint8", "shape": [1]},
        "a",
    ],
)
def test_odd_blob_entries_are_refused(entry: object) -> None:
    with pytest.raises(EnvelopeError):
        unpack(_envelope(json.dumps({"blobs": [entry]}), b"\0"))


def test_two_blobs_of_one_name_are_refused() -> None:
    entry = {"name": "a", "dtype": "uint8", "shape": [1]}
    with pytest.raises(EnvelopeError):
        unpack(_envelope(json.dumps({"blobs": [entry, entry]}), b"\0\0"))


def test_a_claimed_size_takes_no_memory() -> None:
    entry = {"name": "a", "dtype": "float64", "shape": [2**39, 2**39]}
    with pytest.raises(EnvelopeError, match="describes"):
        unpack(_envelope(json.dumps({"blobs": [entry]})))


def test_a_header_that_is_too_long_is_refused_by_its_claim() -> None:
    with pytest.raises(EnvelopeError, match="at most"):
        unpack(b"INSP" + struct.pack("<I", MAX_HEADER_BYTES + 1) + b"{}")


@pytest.mark.parametrize(
    "text", ['{"a": NaN}', '{"a": Infinity}', "[]", "1", "", "{", '{"a":' + "[" * 100_000]
)
def test_only_strict_json_objects(text: str) -> None:
    with pytest.raises(EnvelopeError):
        parse_json(text)


def test_a_blob_of_the_wrong_size_is_not_packed() -> None:
    with pytest.raises(EnvelopeError):
        pack({}, [Blob("a", "float32", (2,), b"1234")])


IDENTITY = [1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
LENS = [200.0, 0, 127.5, 0, 200.0, 71.5, 0, 0, 1]


def test_cameras_survive_their_blobs() -> None:
    cameras = Cameras.checked([1.0, 2.5], [LENS, LENS], [IDENTITY, IDENTITY])
    _, blobs = unpack(pack({}, cameras.blobs()))
    assert Cameras.from_blobs(blobs) == cameras


def _with(matrix: list[float], index: int, value: float) -> list[float]:
    return [*matrix[:index], value, *matrix[index + 1 :]]


@pytest.mark.parametrize(
    ("lens", "pose", "words"),
    [
        (_with(LENS, 0, 0.0), IDENTITY, "focal"),
        (_with(LENS, 0, float("nan")), IDENTITY, "finite"),
        (_with(LENS, 1, 1.0), IDENTITY, "fx 0 cx"),
        (LENS[:8], IDENTITY, "9 numbers"),
        (LENS, _with(IDENTITY, 0, 2.0), "rotation"),
        (LENS, _with(IDENTITY, 0, -1.0), "mirrors"),
        (LENS, _with(IDENTITY, 3, float("inf")), "finite"),
        (LENS, _with(IDENTITY, 12, 1.0), "last row"),
        (LENS, IDENTITY[:12], "16 numbers"),
    ],
)
def test_what_is_no_camera_is_refused(lens: list[float], pose: list[float], words: str) -> None:
    with pytest.raises(CameraError, match=words):
        Cameras.checked([1.0], [lens], [pose])


@pytest.mark.parametrize("name", ["frames", "intrinsics", "world_to_camera"])
def test_camera_blobs_of_the_wrong_form_are_refused(name: str) -> None:
    blobs = {blob.name: blob for blob in Cameras.checked([1.0], [LENS], [IDENTITY]).blobs()}
    good = blobs[name]
    wrong = [
        None,
        Blob(name, "float32", good.shape, good.data),
        Blob(name, "float64", (*good.shape, 1), good.data),
    ]
    for blob in wrong:
        changed = {**blobs, name: blob}
        with pytest.raises(EnvelopeError):
            Cameras.from_blobs({key: value for key, value in changed.items() if value is not None})
