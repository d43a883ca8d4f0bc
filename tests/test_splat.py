"""What the splat promises, on small made-up views; and that it equals the plain one beside it."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_splat import plain_splat
from torch import Tensor

from backend.constraint import Render, splat_views

HEIGHT, WIDTH = 12, 20
SIZE = (HEIGHT, WIDTH)


def intrinsics(focal: float = 16.0, size: tuple[int, int] = SIZE) -> Tensor:
    return torch.tensor([[focal, 0, (size[1] - 1) / 2], [0, focal, (size[0] - 1) / 2], [0, 0, 1]])


def camera(x: float = 0, y: float = 0, z: float = 0, *, yaw: float = 0, pitch: float = 0) -> Tensor:
    """world_to_camera of a camera at a place, turned by yaw (to the right) and pitch (down), radians; float64."""
    cy, sy, cp, sp = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
    about_y = torch.tensor([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]], dtype=torch.float64)
    about_x = torch.tensor([[1, 0, 0], [0, cp, sp], [0, -sp, cp]], dtype=torch.float64)
    to_world = torch.eye(4, dtype=torch.float64)
    to_world[:3, :3] = about_y @ about_x
    to_world[:3, 3] = torch.tensor([x, y, z], dtype=torch.float64)
    return torch.linalg.inv(to_world)


def picture(seed: int = 0) -> Tensor:
    return torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def splat(colour: Tensor, depth: Tensor, target: Tensor, source: Tensor | None = None, **kwargs) -> Render:
    """One view into one target, both with the same lens unless `onto` says otherwise."""
    onto = kwargs.pop("onto", intrinsics())
    source = camera() if source is None else source
    return splat_views(
        colour[None], depth[None], intrinsics()[None], source[None], onto[None], target[None], **kwargs
    )


def slope() -> Tensor:
    """Depth (H, W) from 4 to about 7 without edges: at an edge the nearer pixel smears over its neighbours."""
    row, column = torch.meshgrid(*map(torch.arange, SIZE), indexing="ij")
    return 4 + 0.06 * column + 0.12 * row


angles = st.floats(-0.6, 0.6)
places = st.floats(-3, 3)
cameras = st.builds(camera, places, places, places, yaw=angles, pitch=angles)
no_depth = st.sampled_from([math.nan, 0.0, -2.0, -math.inf])
depths = st.lists(
    st.one_of(st.floats(0.5, 60, width=32), st.just(math.inf), no_depth), min_size=HEIGHT, max_size=HEIGHT
)


@settings(max_examples=30)
@given(cameras, cameras, depths, st.floats(8, 40), st.sampled_from([SIZE, (9, 31)]), st.integers(0, 99))
def test_equals_the_plain_splat(
    source: Tensor, target: Tensor, rows: list[float], focal: float, size: tuple[int, int], seed: int
) -> None:
    wobble = torch.rand(SIZE, generator=torch.Generator().manual_seed(seed)) * 0.2 + 1
    depth = torch.tensor(rows)[:, None] * wobble
    depth[2, 3:7] = 1e10
    onto = intrinsics(focal, size)
    got = splat(picture(seed), depth, target, source, onto=onto, size=size)
    colour, distance, known = plain_splat(
        picture(seed), depth, intrinsics(), source.double(), onto, target.double(), size
    )
    assert torch.equal(got.known[0], known)
    assert torch.equal(got.per_view_known[0, 0], known)
    torch.testing.assert_close(got.colour[0], colour, atol=1e-3, rtol=0)
    torch.testing.assert_close(got.depth[0], distance, atol=1e-3, rtol=1e-4)


@settings(max_examples=30)
@given(cameras, st.lists(no_depth, min_size=HEIGHT, max_size=HEIGHT))
def test_pixels_without_depth_reach_nothing(target: Tensor, rows: list[float]) -> None:
    depth = torch.tensor(rows)[:, None].expand(SIZE)
    got = splat(picture(), depth, target)
    assert not got.known.any()
    assert (got.colour == -1).all()
    assert (got.depth == torch.inf).all()


def test_points_behind_the_target_reach_nothing() -> None:
    depth = torch.full(SIZE, 5.0)
    assert not splat(picture(), depth, camera(z=6)).known.any()
    assert not splat(picture(), depth, camera(yaw=math.pi)).known.any()
    assert not splat(picture(), torch.full(SIZE, torch.inf), camera(yaw=math.pi)).known.any()


def test_a_view_seen_from_its_own_camera_is_itself() -> None:
    got = splat(picture(), slope(), camera())
    assert got.known.all()
    torch.testing.assert_close(got.colour[0], picture(), atol=1e-3, rtol=0)
    torch.testing.assert_close(got.depth[0], slope(), atol=1e-3, rtol=0)


@settings(max_examples=30)
@given(places, places, places, angles, angles)
def test_sky_does_not_shift(x: float, y: float, z: float, yaw: float, pitch: float) -> None:
    sky = torch.full(SIZE, torch.inf)
    moved = splat(picture(), sky, camera(x, y, z, yaw=yaw, pitch=pitch))
    turned = splat(picture(), sky, camera(yaw=yaw, pitch=pitch))
    assert torch.equal(moved.known, turned.known)
    torch.testing.assert_close(moved.colour, turned.colour, atol=1e-4, rtol=0)
    assert (moved.depth == torch.inf).all()


def test_sky_turns_with_the_camera() -> None:
    # Turned by one pixel's angle at the centre column, what was there comes to stand a pixel further left.
    colour = torch.zeros(3, *SIZE)
    colour[:, :, 10] = 1
    got = splat(colour, torch.full(SIZE, torch.inf), camera(yaw=math.atan(0.5 / 16) * 2))
    assert got.colour[0, 0, HEIGHT // 2].argmax() == 9


def test_something_solid_hides_the_sky_behind_it() -> None:
    depth = torch.full(SIZE, torch.inf)
    depth[3:8, 5:9] = 4
    colour = torch.full((3, *SIZE), 0.5)
    colour[:, 3:8, 5:9] = -0.5
    got = splat(colour, depth, camera(x=1.01))
    shift = 16 * 1.01 / 4
    inside = slice(math.ceil(5 - shift), math.floor(8 - shift) + 1)
    torch.testing.assert_close(got.colour[0, :, 3:8, inside], torch.full((3, 5, 3), -0.5), atol=1e-3, rtol=0)
    torch.testing.assert_close(got.depth[0, 3:8, inside], torch.full((5, 3), 4.0), atol=1e-3, rtol=0)
    assert (got.depth[0, :, 12:][got.known[0, :, 12:]] == torch.inf).all()


def test_the_nearest_view_wins_and_a_tie_keeps_the_lower() -> None:
    colours = torch.stack([torch.full((3, *SIZE), value) for value in (-0.5, 0.0, 0.5)])
    depth = torch.full((3, *SIZE), 5.0)
    depth[2, :6] = 3
    depth[0, :, :4] = torch.nan
    depth[1, 6:, :4] = torch.inf
    got = splat_views(
        colours,
        depth,
        intrinsics().expand(3, 3, 3),
        camera().expand(3, 4, 4),
        intrinsics()[None],
        camera()[None],
    )
    expected = torch.full(SIZE, -0.5)
    expected[:6] = 0.5
    expected[6:, :4] = 0.5
    torch.testing.assert_close(got.colour[0, 0], expected, atol=1e-4, rtol=0)
    assert torch.equal(got.known[0], got.per_view_known[0].any(dim=0))
    assert got.per_view_known[0, 1:].all()
    assert not got.per_view_known[0, 0, :, :3].any()


def test_sky_seen_by_one_view_fills_holes_of_the_others() -> None:
    depth = torch.stack([torch.zeros(SIZE), torch.full(SIZE, torch.inf)])
    colours = torch.stack([picture(0), picture(1)])
    got = splat_views(
        colours,
        depth,
        intrinsics().expand(2, 3, 3),
        camera().expand(2, 4, 4),
        intrinsics()[None],
        camera()[None],
    )
    assert got.known.all()
    torch.testing.assert_close(got.colour[0], picture(1), atol=1e-4, rtol=0)


def test_cameras_far_from_the_origin_render_alike_in_float64() -> None:
    near = splat(picture(), slope(), camera(0.3, -0.2, 0.1, yaw=0.05))
    far = splat(picture(), slope(), camera(2e5 + 0.3, -0.2, 3e5 + 0.1, yaw=0.05), camera(2e5, 0, 3e5))
    assert torch.equal(near.known, far.known)
    torch.testing.assert_close(near.colour, far.colour, atol=1e-3, rtol=0)


def test_other_size_and_lens_of_the_target() -> None:
    # Twice as many pixels with twice the focal length: every source pixel lands between four of them.
    got = splat(picture(), torch.full(SIZE, 3.0), camera(), onto=intrinsics(32, (24, 40)), size=(24, 40))
    assert got.colour.shape == (1, 3, 24, 40)
    torch.testing.assert_close(got.colour[0, :, ::2, ::2], picture(), atol=1e-3, rtol=0)


def test_parts_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    depth = slope()
    depth[0] = torch.inf
    whole = splat(picture(), depth, camera(0.3, 0.2, yaw=0.1))
    monkeypatch.setattr("backend.constraint.splat.CPU_PART", 7)
    parts = splat(picture(), depth, camera(0.3, 0.2, yaw=0.1))
    assert torch.equal(whole.known, parts.known)
    torch.testing.assert_close(whole.colour, parts.colour, atol=1e-4, rtol=0)
    torch.testing.assert_close(whole.depth, parts.depth, atol=1e-4, rtol=0)


def test_works_in_inference_mode_whose_tensors_no_other_thread_may_write() -> None:
    with torch.inference_mode():
        got = splat(picture(), slope(), camera(0.3))
    torch.testing.assert_close(got.colour, splat(picture(), slope(), camera(0.3)).colour, atol=0, rtol=0)
