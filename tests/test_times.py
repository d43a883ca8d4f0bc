"""Reference Time: folded at the ends of a reference, preset as keys, and carried to the backend and to disk."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspatio_addon.inspatio_blender.times import PAST_ENDS, PRESETS, folded, preset_keys
from references import move

from backend.protocol.cameras import CameraError, Cameras
from backend.protocol.envelope import EnvelopeError, pack, unpack
from backend.protocol.files import FileFormatError, Shot

TIMES = st.floats(-1e4, 1e4)
FIRST, LENGTH = st.integers(-50, 500), st.integers(0, 200)


@given(TIMES, FIRST, LENGTH, st.sampled_from(PAST_ENDS))
def test_folded_is_within_and_leaves_what_is_within(time: float, first: int, length: int, end: str) -> None:
    last = first + length
    assert first <= folded(time, first, last, end) <= last
    if first <= time <= last:
        assert folded(time, first, last, end) == pytest.approx(time, abs=1e-6)


@given(TIMES, FIRST, LENGTH.filter(bool))
def test_bounce_mirrors_at_both_ends_and_repeats(time: float, first: int, length: int) -> None:
    last = first + length
    there = folded(time, first, last, "BOUNCE")
    for same in (2 * first - time, 2 * last - time, time + 2 * length):
        assert folded(same, first, last, "BOUNCE") == pytest.approx(there, abs=1e-6)


@given(
    st.sampled_from(PRESETS), st.tuples(FIRST, LENGTH), st.tuples(FIRST, LENGTH), FIRST, st.integers(1, 80)
)
def test_presets_have_keys_in_order_from_the_first_frame_on(
    preset: str, shot: tuple[int, int], reference: tuple[int, int], current: int, hold: int
) -> None:
    (begin, frames), (first, length) = shot, reference
    keys = preset_keys(preset, (begin, begin + frames), (first, first + length), current, hold)
    assert keys[0][0] == begin
    for (frame, time), (later, then) in pairwise(keys):
        assert frame <= later
        if frame < later:  # Time passes at its own speed, or not at all.
            assert abs(then - time) == pytest.approx(later - frame) or then == time


def test_times_travel_where_they_are_not_the_frames() -> None:
    plain = move(14, 64, 48)
    assert [blob.name for blob in plain.blobs()] == ["frames", "intrinsics", "world_to_camera"]
    timed = replace(plain, times=(3.25,) * 14)
    _, blobs = unpack(pack({}, timed.blobs()))
    assert Cameras.from_blobs(blobs) == timed
    assert timed.block(1).times == (3.25,) * 12
    assert Cameras.from_blobs(unpack(pack({}, plain.blobs()))[1]).times == plain.frames
    shot = Shot("Shot", "tiny", 0, 64, 48, timed)
    assert Shot.from_json(shot.to_json()) == shot
    assert "times" not in replace(shot, cameras=plain).to_json()


def test_wrong_times_are_refused() -> None:
    cameras = move(3, 64, 48)
    with pytest.raises(CameraError, match="times: expected 3 numbers"):
        Cameras.checked(cameras.frames, cameras.intrinsics, cameras.world_to_camera, [1.0, 2.0])
    blobs = {blob.name: blob for blob in replace(cameras, times=(1.0, 1.0, 1.0)).blobs()}
    blobs["times"] = blobs["intrinsics"]
    with pytest.raises(EnvelopeError, match="'times' must be float64"):
        Cameras.from_blobs(blobs)
    content = Shot("Shot", "tiny", 0, 64, 48, cameras).to_json() | {"times": [1.0, float("nan"), 2.0]}
    with pytest.raises(FileFormatError, match="not a finite number"):
        Shot.from_json(content)
