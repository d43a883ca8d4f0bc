"""Where the live picture lies, what is drawn for its codes, and its frames as runs: without a window."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspatio_addon.inspatio_blender.live.display import linear_of_codes, linear_of_srgb, shown
from inspatio_addon.inspatio_blender.live.frame_plane import frame_plane, on_pixels, rect_of_plane
from inspatio_addon.inspatio_blender.live.states import runs

FITS = st.sampled_from(["AUTO", "HORIZONTAL", "VERTICAL"])
PIXELS = st.integers(64, 4096)
SHIFTS = st.floats(-1, 1)


def plain_view(fit, sensor, across, up):
    """Which size of the sensor counts, and along how many pixels."""
    chosen = fit if fit != "AUTO" else ("HORIZONTAL" if across >= up else "VERTICAL")
    return (sensor[1] if fit == "VERTICAL" else sensor[0]), (across if chosen == "HORIZONTAL" else up)


def plain_border(camera, frame, region, zoom, offset):
    """The camera's frame in a region as the viewport is documented to place it, in steps of its own.

    The view shows as much as the camera would render at the region's size, shrunk by the zoom's factor (a square) and
    moved by the offset; the frame is what it renders at its own size.
    """
    fit, sensor, lens, shift = camera
    factor = (math.sqrt(2) + zoom / 50) ** 2 / 4
    view_sensor, view = plain_view(fit, sensor, *region)
    per_pixel = view_sensor / lens / view / factor
    middle = [
        (shift[axis] * view * factor + 2 * offset[axis] * factor * region[axis]) * per_pixel
        for axis in (0, 1)
    ]
    frame_sensor, along = plain_view(fit, sensor, *frame)
    unit = frame_sensor / lens / along
    rect = []
    for side in (-0.5, 0.5):
        for axis in (0, 1):
            edge = (side * frame[axis] + shift[axis] * along) * unit
            rect.append((edge - middle[axis]) / per_pixel + region[axis] / 2)
    return tuple(rect), per_pixel, middle


def perspective(region, per_pixel, middle, near=0.1, far=100.0):
    """The 4x4 projection of that view."""
    half = [region[axis] / 2 * per_pixel for axis in (0, 1)]
    return [
        [1 / half[0], 0, middle[0] / half[0], 0],
        [0, 1 / half[1], middle[1] / half[1], 0],
        [0, 0, -(far + near) / (far - near), -2 * far * near / (far - near)],
        [0, 0, -1, 0],
    ]


@given(
    fit=FITS,
    sensor=st.tuples(st.floats(4, 70), st.floats(4, 70)),
    lens=st.floats(8, 300),
    shift=st.tuples(SHIFTS, SHIFTS),
    frame=st.tuples(PIXELS, PIXELS),
    aspect=st.sampled_from([(1, 1), (2, 1), (1, 2), (1.4587, 1)]),
    region=st.tuples(PIXELS, PIXELS),
    zoom=st.floats(-30, 300),
    offset=st.tuples(SHIFTS, SHIFTS),
)
def test_the_frame_lies_where_the_view_puts_it(
    fit, sensor, lens, shift, frame, aspect, region, zoom, offset
) -> None:
    seen = frame[0] * aspect[0], frame[1] * aspect[1]
    expected, per_pixel, middle = plain_border((fit, sensor, lens, shift), seen, region, zoom, offset)
    plane = frame_plane(*seen, (fit, *sensor), shift, lens)
    rect = rect_of_plane(plane, perspective(region, per_pixel, middle), *region)
    assert rect == pytest.approx(expected, abs=1e-6 * max(abs(edge) for edge in (*expected, 1.0)))


@given(scale=st.floats(0.1, 50), frame=st.tuples(PIXELS, PIXELS), shift=st.tuples(SHIFTS, SHIFTS), fit=FITS)
def test_an_orthographic_frame_is_as_large_as_its_scale(scale, frame, shift, fit) -> None:
    left, bottom, right, top = frame_plane(*frame, (fit, scale, scale), shift, 1.0)
    _, along = plain_view(fit, (scale, scale), *frame)
    assert right - left == pytest.approx(scale * frame[0] / along)
    assert top - bottom == pytest.approx(scale * frame[1] / along)
    assert ((left + right) / 2, (bottom + top) / 2) == pytest.approx((shift[0] * scale, shift[1] * scale))


@given(
    left=st.floats(-500, 500),
    bottom=st.floats(-500, 500),
    size=st.tuples(PIXELS, PIXELS),
    more=st.floats(-2, 2),
)
def test_only_a_picture_as_large_as_the_frame_is_moved_onto_whole_pixels(left, bottom, size, more) -> None:
    rect = left, bottom, left + size[0] + more, bottom + size[1]
    placed, exactly = on_pixels(rect, *size)
    assert exactly == (abs(rect[2] - rect[0] - size[0]) < 0.5)
    if not exactly:
        assert placed == rect
    else:
        assert all(edge == int(edge) for edge in placed)
        assert (placed[2] - placed[0], placed[3] - placed[1]) == size
        assert all(abs(a - b) <= 1 for a, b in zip(placed, rect, strict=True))


def test_codes_come_out_as_near_as_the_overlay_can_keep_them() -> None:
    linear = linear_of_codes().astype(np.float64)
    kept = linear_of_srgb(np.arange(256))
    assert np.abs(linear[:, None] - kept[None, :]).min(axis=1).max() < 1e-7, "nothing that the overlay rounds"
    assert np.all(np.diff(linear) >= 0)
    off = np.abs(np.round(shown(linear)) - np.arange(256))
    assert (off == 0).sum() == 246
    assert off.max() == 3 and off[5:].max() == 1


@given(st.sets(st.integers(0, 60)), st.dictionaries(st.integers(0, 60), st.sampled_from(["fresh", "stale"])))
def test_runs_tell_every_frame_once(frames, states) -> None:
    found = runs(sorted(frames), states)
    told = [(frame, state) for first, last, state in found for frame in range(first, last + 1)]
    assert told == [(frame, states.get(frame)) for frame in sorted(frames)]
    for before, after in pairwise(found):
        assert before[1] + 1 < after[0] or before[2] != after[2], "two that could be one"
