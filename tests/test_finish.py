"""Keep Reference Detail: what the warp knows is kept, where it is to be trusted, and without seams."""

import torch

from backend.constraint.splat import Render
from backend.finish import finish


def scene(height=48, width=64):
    """A textured plane seen whole but for a square hole, and a blurred generated frame of it."""
    generator = torch.Generator().manual_seed(1)
    texture = torch.rand(1, 3, height, width, generator=generator) - 0.5
    generated = torch.nn.functional.avg_pool2d(
        torch.nn.functional.pad(texture, (2, 2, 2, 2), mode="replicate"), 5, stride=1
    )
    known = torch.ones(1, height, width, dtype=torch.bool)
    known[:, 16:30, 20:40] = False
    depth = torch.where(known, 3.0, torch.inf)
    return (
        texture,
        generated,
        Render(torch.where(known[:, None], texture, -1.0), known, depth, known[:, None]),
    )


def test_detail_comes_back_away_from_holes_and_holes_are_left_alone():
    texture, generated, render = scene()
    result = finish(generated, render)
    hole = ~render.known[:, None].expand_as(result)
    assert torch.equal(result[hole], generated[hole])
    far = (slice(None), slice(None), slice(36, 46), slice(2, 62))
    before, after = (generated - texture)[far].square().mean(), (result - texture)[far].square().mean()
    assert after < 0.2 * before


def test_a_changed_light_wins_over_the_warp():
    _, generated, render = scene()
    brighter = generated + 0.6
    assert (finish(brighter, render) - brighter).abs().mean() < 0.02


def test_flying_pixels_at_a_depth_edge_are_not_trusted():
    _, generated, render = scene()
    depth = render.depth.clone()
    depth[:, :, 50:] = 9.0
    render = Render(render.colour, render.known, depth, render.per_view_known)
    result = finish(generated, render)
    at_edge = (result - generated)[..., 36:46, 49:51].abs().mean()
    away = (result - generated)[..., 36:46, 57:62].abs().mean()
    assert at_edge < 0.25 * away


def test_a_mended_warp_is_trusted_at_a_depth_edge_and_nowhere_in_a_hole():
    texture, generated, render = scene()
    depth = render.depth.clone()
    depth[:, :, 50:] = 9.0
    render = Render(render.colour, render.known, depth, render.per_view_known)
    result = finish(generated, render, texture)
    at_edge = (result - generated)[..., 36:46, 49:51].abs().mean()
    away = (result - generated)[..., 36:46, 57:62].abs().mean()
    assert at_edge > 0.7 * away > 0
    hole = ~render.known[:, None].expand_as(result)
    assert torch.equal(result[hole], generated[hole])


def test_trust_has_no_step_at_a_hole():
    """Generated grey, warp slightly lighter: the change rises over several pixels, never by half of it at once."""
    generated = torch.zeros(1, 3, 40, 40)
    known = torch.ones(1, 40, 40, dtype=torch.bool)
    known[:, :, :10] = False
    colour = torch.where(known[:, None], 0.02, -1.0).expand(1, 3, 40, 40)
    depth = torch.where(known, 2.0, torch.inf)
    change = finish(generated, Render(colour, known, depth, known[:, None]))[0, 0, 20]
    assert change.max() > 0.015
    assert change.diff().abs().max() < 0.5 * change.max()


def test_what_is_recalled_is_shown_as_it_was_and_changes_nothing_else():
    texture, generated, render = scene()
    recalled = torch.zeros_like(render.known)
    recalled[:, 18:28, 24:60] = True
    colour = torch.where(recalled[:, None], 0.7, render.colour)
    known, depth = render.known | recalled, torch.where(recalled, 3.0, render.depth)
    for completed in (None, texture):
        result = finish(generated, Render(colour, known, depth, known[:, None]), completed, recalled)
        shown = recalled[:, None].expand_as(result)
        assert (result[shown] == 0.7).all()
        bare = Render(
            render.colour, known & ~recalled, torch.where(recalled, torch.inf, depth), known[:, None]
        )
        assert torch.equal(result[~shown], finish(generated, bare, completed)[~shown])


def test_a_slanted_floor_is_no_edge():
    """Inverse depth is linear on a plane: a floor to the horizon is trusted all over."""
    texture, generated, render = scene()
    rows = torch.arange(48.0)
    depth = (1 / (0.01 + rows / 48)).view(1, 48, 1).expand(1, 48, 64)
    everything = torch.ones_like(render.known)
    result = finish(generated, Render(texture, everything, depth.contiguous(), everything[:, None]))
    changed = (result - generated)[..., 8:40, 8:56].abs().mean()
    assert changed > 0.5 * (texture - generated)[..., 8:40, 8:56].abs().mean()
