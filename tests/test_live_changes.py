"""What a change means for a preview: decisions that need no Blender."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from inspatio_blender.live.changes import DEBOUNCE_S, QUIET_S, Debounce, Playback, Wish, dragging

WISH = Wish("TIMELINE", "v001", ((256, 144), "tiny", 0), ((1, 97), "camera"))


def test_what_begins_anew_and_what_is_only_read_again():
    assert WISH.since(None) == "begin"
    assert WISH.since(WISH) == "nothing"
    assert replace(WISH, mode="FLY").since(WISH) == "begin"
    assert replace(WISH, source="v002").since(WISH) == "begin"
    assert replace(WISH, made=((256, 160), "tiny", 0)).since(WISH) == "begin"
    assert replace(WISH, seen=((1, 48), "camera")).since(WISH) == "sample"
    assert replace(WISH, seen=((1, 48), "camera"), made=()).since(WISH) == "begin"


@given(st.lists(st.floats(0, DEBOUNCE_S * 0.9), min_size=1, max_size=20))
def test_many_changes_count_once_when_they_are_over(gaps):
    debounce, now = Debounce(), 100.0
    for gap in gaps:
        now += gap
        assert not debounce.due(now, False)
        debounce.note(now)
    assert not debounce.due(now + DEBOUNCE_S * 0.9, False)
    assert debounce.due(now + DEBOUNCE_S * 1.1, False)
    assert not debounce.due(now + 10, False)


def test_the_first_change_after_quiet_is_told_from_those_that_follow():
    debounce = Debounce()
    assert debounce.note(0.0)
    assert not debounce.note(QUIET_S * 0.9)
    assert not debounce.note(QUIET_S * 1.8)
    assert debounce.note(QUIET_S * 3)
    assert not debounce.due(QUIET_S * 4, dragging(["TRANSFORM_OT_translate"]))
    assert not debounce.note(QUIET_S * 4.5)


def test_a_drag_counts_when_the_mouse_is_let_go():
    debounce = Debounce()
    debounce.note(0.0)
    assert not debounce.due(5.0, dragging(["TRANSFORM_OT_translate"]))
    assert not debounce.due(5.0 + DEBOUNCE_S / 2, dragging([]))
    assert debounce.due(5.0 + 2 * DEBOUNCE_S, dragging([]))


def test_a_playing_animation_and_ours_are_no_drag():
    assert not dragging([])
    assert not dragging(["SCREEN_OT_animation_step", "INSPATIO_OT_recover_reference", "GRAPH_OT_view_all"])
    assert dragging(["INSPATIO_OT_x", "VIEW3D_OT_walk"])


@given(st.floats(0, allow_infinity=False), st.floats(-10, 1e9))
def test_the_picture_of_a_flight_is_always_one_of_the_newest_block(seconds, now):
    playback = Playback()
    playback.arrived(9.0, 12, seconds, now=5.0)
    assert 9 <= playback.number(now) <= 20


def test_a_flight_plays_at_the_rate_it_is_made():
    playback = Playback()
    assert playback.number(0.0) is None
    playback.arrived(0.0, 9, 0.9, now=10.0)
    assert [playback.number(10.0 + t) for t in (0.0, 0.05, 0.15, 0.85, 5.0)] == [0, 0, 1, 8, 8]
    # The next block is begun when it is there, early or late.
    playback.arrived(9.0, 12, 0.6, now=10.5)
    assert playback.number(10.5) == 9
    assert playback.number(10.79) == 14


@given(st.floats(0, 1e3), st.integers(1, 12), st.floats(0, 10), st.floats(-1, 20))
def test_only_pictures_of_the_newest_block_are_seen(first, count, seconds, after):
    first = float(round(first))
    playback = Playback()
    playback.arrived(first, count, seconds, now=50.0)
    number = playback.number(50.0 + after)
    assert number is not None and first <= number <= first + count - 1
