"""Which views a block's context is given: cases by hand, and the rule tried out on all choices."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from backend.constraint.views import choose_views


def known(cover: list[list[int]]) -> Tensor:
    """Masks (F, V, 1, 8) of which view v covers cover[f][v] pixels in frame f."""
    return torch.arange(8)[None, None, None] < torch.tensor(cover)[:, :, None, None]


def test_one_view_is_all_there_is() -> None:
    assert choose_views(known([[3]] * 12)) == (0, 0, 0)


def test_two_views_are_both_used_and_the_better_one_repeats() -> None:
    assert choose_views(known([[1, 5]] * 4 + [[2, 1]] * 8)) == (1, 0, 0)


def test_the_worst_of_four_is_left_out_and_each_goes_where_it_shows_most() -> None:
    cover = [[2, 8, 1, 1]] * 4 + [[2, 1, 1, 8]] * 4 + [[5, 1, 1, 1]] * 4
    assert choose_views(known(cover)) == (1, 3, 0)


def test_ties_keep_the_lower_views_in_order() -> None:
    assert choose_views(known([[4, 4, 4, 4]] * 12)) == (0, 1, 2)


def test_in_the_first_block_the_first_latent_is_one_frame() -> None:
    cover = [[8, 0, 0]] + [[0, 6, 4]] * 4 + [[0, 4, 6]] * 4
    assert choose_views(known(cover)) == (0, 1, 2)
    assert choose_views(known(cover[:1] + cover[:0:-1])) == (0, 2, 1)


def test_another_number_of_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="10"):
        choose_views(known([[1]] * 10))


@settings(max_examples=60)
@given(
    st.integers(1, 4).flatmap(
        lambda views: st.lists(
            st.lists(st.integers(0, 8), min_size=views, max_size=views), min_size=9, max_size=9
        )
    )
)
def test_one_to_four_views_are_all_used_as_far_as_there_is_room(cover: list[list[int]]) -> None:
    """In a first block: 1, 4 and 4 frames. Every view that counts among the best three is shown."""
    chosen = choose_views(known(cover))
    totals = [sum(frame[view] for frame in cover) for view in range(len(cover[0]))]
    best = sorted(sorted(range(len(totals)), key=lambda view: (-totals[view], view))[:3])
    assert sorted(set(chosen)) == best and len(chosen) == 3


@settings(max_examples=50)
@given(st.lists(st.lists(st.integers(0, 8), min_size=4, max_size=4), min_size=12, max_size=12))
def test_four_views_by_trying_every_choice(cover: list[list[int]]) -> None:
    latents = [
        [sum(frame[view] for frame in cover[4 * g : 4 * g + 4]) for view in range(4)] for g in range(3)
    ]
    totals = [sum(latent[view] for latent in latents) for view in range(4)]
    left_out = max(view for view in range(4) if totals[view] == min(totals))
    best: tuple[int, tuple[int, ...]] | None = None
    for choice in permutations([view for view in range(4) if view != left_out]):
        summed = sum(latents[g][view] for g, view in enumerate(choice))
        if best is None or summed > best[0]:
            best = (summed, choice)
    assert best is not None
    assert choose_views(known(cover)) == best[1]
