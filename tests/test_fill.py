"""The fill that `tiny` is conditioned on: known pixels stay, holes are filled, far surfaces first."""

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.constraint.fill import distance_weights, fill_holes
from backend.constraint.splat import Render


def render_of(colour, known, depth):
    return Render(
        torch.where(known[:, None], colour, -1.0), known, torch.where(known, depth, torch.inf), known[:, None]
    )


def plain_fill(render, power):
    """One fill, the colours of every level told apart from their weights."""
    weight = distance_weights(render.known, render.depth, (power,))
    levels = [(render.colour * (weight > 0), weight)]
    while max(levels[-1][0].shape[-2:]) > 1:
        colour, weight = levels[-1]
        pooled, mixed = (
            F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False) for x in (weight, colour * weight)
        )
        levels.append((mixed / pooled.clamp(min=1e-12) * (pooled > 0), pooled))
    filled, trust = levels[-1]
    for colour, weight in reversed(levels[:-1]):
        coarse_trust, coarse = (
            F.interpolate(x, size=colour.shape[-2:], mode="bilinear", align_corners=False)
            for x in (trust, filled * trust)
        )
        filled = torch.where(weight > 0, colour, coarse / coarse_trust.clamp(min=1e-12))
        trust = torch.where(weight > 0, weight, coarse_trust)
    return filled


def test_several_fills_at_once_are_those_of_one_at_a_time():
    generator = torch.Generator().manual_seed(1)
    colour = torch.rand(3, 3, 37, 50, generator=generator) * 2 - 1
    known = F.interpolate(torch.rand(3, 1, 5, 6, generator=generator), size=(37, 50))[:, 0] > 0.4
    depth = torch.rand(3, 37, 50, generator=generator) * 50 + 0.1
    depth[:, :9] = torch.inf
    render = render_of(colour, known, depth)
    powers = (1.0, 0.0, 3.0)
    plain = torch.cat([plain_fill(render, power) for power in powers], dim=1)
    torch.testing.assert_close(fill_holes(render, powers), plain, atol=1e-4, rtol=0)
    assert (plain[:, :3] - plain[:, 6:]).abs().max() > 0.1


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), height=st.integers(2, 40), width=st.integers(2, 40))
def test_known_pixels_stay_and_no_hole_is_left(seed, height, width):
    generator = torch.Generator().manual_seed(seed)
    colour = torch.rand(2, 3, height, width, generator=generator) * 2 - 1
    known = torch.rand(2, height, width, generator=generator) > 0.5
    depth = torch.rand(2, height, width, generator=generator) * 50 + 0.1
    render = render_of(colour, known, depth)
    filled = fill_holes(render)
    assert torch.equal(
        filled[known[:, None].expand_as(filled)], render.colour[known[:, None].expand_as(filled)]
    )
    assert filled.isfinite().all()
    for frame in range(2):
        if known[frame].any():
            seen = render.colour[frame][:, known[frame]]
            assert (filled[frame].amax((1, 2)) <= seen.amax(1) + 1e-4).all()
            assert (filled[frame].amin((1, 2)) >= seen.amin(1) - 1e-4).all()


def test_the_background_flows_into_the_hole():
    """A hole between a near white box on the left and a far black wall on the right ends up nearly black."""
    colour = torch.ones(1, 3, 32, 32)
    colour[..., 18:] = -1
    depth = torch.full((1, 32, 32), 1.0)
    depth[..., 18:] = 10.0
    known = torch.ones(1, 32, 32, dtype=torch.bool)
    known[..., 12:18] = False
    filled = fill_holes(render_of(colour, known, depth))
    assert filled[..., 13:18].mean() < -0.8


def test_sky_counts_as_far_and_nothing_known_is_grey():
    colour = torch.cat([torch.ones(1, 3, 16, 8), -torch.ones(1, 3, 16, 8)], dim=-1)
    depth = torch.full((1, 16, 16), 2.0)
    depth[..., 8:] = torch.inf
    known = torch.ones(1, 16, 16, dtype=torch.bool)
    known[..., 6:8] = False
    assert fill_holes(render_of(colour, known, depth), powers=(1.5,))[..., 6:8].mean() < -0.8
    nothing = fill_holes(render_of(colour, torch.zeros_like(known), depth))
    assert torch.equal(nothing, torch.zeros_like(nothing))
