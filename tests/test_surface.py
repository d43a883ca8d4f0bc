"""What the surface warp promises, on small made-up views; and that it equals the plain one beside it."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_surface import plain_surface
from test_splat import SIZE, camera, cameras, depths, intrinsics, no_depth, picture, places, slope
from torch import Tensor

from backend.constraint import Render, surface_views

HEIGHT, WIDTH = SIZE
ROOT = Path(__file__).resolve().parents[1]


def warp(colour: Tensor, depth: Tensor, target: Tensor, source: Tensor | None = None, **kwargs) -> Render:
    """One view into one target, both with the same lens unless `onto` says otherwise."""
    onto = kwargs.pop("onto", intrinsics())
    source = camera() if source is None else source
    return surface_views(
        colour[None], depth[None], intrinsics()[None], source[None], onto[None], target[None], **kwargs
    )


def together(colours: Tensor, depth: Tensor, target: Tensor) -> Render:
    """Several views that stand at the origin, into one target."""
    views = len(colours)
    return surface_views(
        colours,
        depth,
        intrinsics().expand(views, 3, 3),
        camera().expand(views, 4, 4),
        intrinsics()[None],
        target[None],
    )


def inner(plane: Tensor, margin: int = 2) -> Tensor:
    return plane[..., margin:-margin, margin:-margin]


near_cameras = st.builds(
    camera, *[st.floats(-0.8, 0.8)] * 3, yaw=st.floats(-0.3, 0.3), pitch=st.floats(-0.3, 0.3)
)


@settings(max_examples=12)
@given(near_cameras, depths, st.floats(8, 60), st.sampled_from([SIZE, (9, 31), (40, 60)]), st.integers(0, 99))
def test_equals_the_plain_surface(
    target: Tensor, rows: list[float], focal: float, size: tuple[int, int], seed: int
) -> None:
    wobble = torch.rand(SIZE, generator=torch.Generator().manual_seed(seed)) * 0.1 + 1
    depth = torch.tensor(rows)[:, None] * wobble
    depth[2, 3:7] = 1e10
    depth[5:, 10:] = slope()[5:, 10:]
    onto = intrinsics(focal, size)
    got = warp(picture(seed), depth, target, onto=onto, size=size)
    distance, known, certain = plain_surface(picture(seed), depth, intrinsics(), target.double(), onto, size)
    assert torch.equal(got.known[0][certain], known[certain])
    assert torch.equal(got.per_view_known[0, 0], got.known[0])
    told = certain & ~distance.isnan()
    torch.testing.assert_close(got.depth[0][told].double(), distance[told], atol=1e-3, rtol=5e-3)
    assert (got.colour[:, 0][~got.known] == -1).all()


@settings(max_examples=30)
@given(depths)
def test_a_view_seen_from_its_own_camera_is_itself(rows: list[float]) -> None:
    depth = torch.tensor(rows)[:, None].expand(SIZE)
    got = warp(picture(), depth, camera())
    assert torch.equal(got.known[0], depth > 0)
    expected = torch.where(depth > 0, picture(), -1.0)
    torch.testing.assert_close(got.colour[0], expected, atol=1e-3, rtol=0)
    expected = torch.where(depth > 0, depth, torch.inf)
    torch.testing.assert_close(got.depth[0], expected, atol=1e-3, rtol=1e-3)


@settings(max_examples=30)
@given(st.floats(2, 40), st.floats(0.1, 50), st.floats(-1, 1), st.floats(-1, 1))
def test_a_plane_has_no_cracks_at_any_distance_and_zoom(
    focal: float, distance: float, x: float, y: float
) -> None:
    # What the frame shows of the plane at z = 50 lies within what the view shows of it, whatever the camera does.
    onto = intrinsics(max(focal, 16 * distance / 50 * 2), (48, 80))
    shown = distance / 50 * max(80 * 16 / WIDTH, 48 * 16 / HEIGHT) / float(onto[0, 0])
    onto[:2, :2] *= max(1.0, shown * 1.2)
    off = 50 / 16 * 0.04 * WIDTH
    got = warp(
        picture(),
        torch.full(SIZE, 50.0),
        camera(x * off, y * off * 0.5, 50 - distance),
        onto=onto,
        size=(48, 80),
    )
    assert got.known.all()
    torch.testing.assert_close(got.depth, torch.full_like(got.depth, distance), atol=1e-4, rtol=1e-3)


def test_a_floor_is_closed_up_to_the_horizon_when_the_camera_rises() -> None:
    row = torch.arange(HEIGHT, dtype=torch.float32)
    depth = (16 * 1.5 / (row - 5.5)).where(row > 5.5, torch.tensor(torch.inf))[:, None].expand(SIZE)
    got = warp(picture(), depth, camera(y=-0.4))
    assert got.known[0, : HEIGHT - 4, 2:-2].all()


@pytest.mark.parametrize("x", [0.5, 1.0, 2.0, 3.0])
def test_a_step_leaves_a_clean_hole_of_the_right_width(x: float) -> None:
    # Nearer on the left: a camera that moves to the right sees past its edge, at column 9.5.
    depth = torch.where(torch.arange(WIDTH) < 10, 4.0, 16.0).expand(SIZE)
    colour = torch.where(torch.arange(WIDTH) < 10, 0.7, -0.7).expand(3, *SIZE)
    got = warp(colour, depth, camera(x=x))
    edge, wall = 9.5 - 16 * x / 4, 9.5 - 16 * x / 16
    column = torch.arange(WIDTH, dtype=torch.float32)
    sure = ((column - edge).abs() > 0.01) & ((column - wall).abs() > 0.01) & (column < WIDTH - 1 - x)
    left, right = column < edge, column > wall
    assert torch.equal(got.known[0][:, sure], (left | right)[sure].expand(HEIGHT, -1))
    assert (got.colour[0, 0][:, left & sure] > 0.699).all()
    assert (got.colour[0, 0][:, right & sure] < -0.699).all()


def test_what_is_nearer_hides_what_is_farther() -> None:
    # Moving left brings the near half over the far one.
    depth = torch.where(torch.arange(WIDTH) < 10, 4.0, 16.0).expand(SIZE)
    got = warp(depth[None].expand(3, -1, -1) / 20, depth, camera(x=-1))
    for columns, distance in ((slice(5, 13), 4.0), (slice(14, None), 16.0)):
        torch.testing.assert_close(got.depth[0, :, columns], depth[:, columns] * 0 + distance)
        shown = got.colour[0, 0, :, columns]
        torch.testing.assert_close(shown, torch.full_like(shown, distance / 20), atol=1e-3, rtol=0)


@settings(max_examples=30)
@given(st.lists(no_depth, min_size=HEIGHT, max_size=HEIGHT), cameras)
def test_pixels_without_depth_reach_nothing(rows: list[float], target: Tensor) -> None:
    got = warp(picture(), torch.tensor(rows)[:, None].expand(SIZE), target)
    assert not got.known.any()
    assert (got.colour == -1).all()
    assert (got.depth == torch.inf).all()


def test_what_is_behind_the_target_reaches_nothing() -> None:
    depth = torch.full(SIZE, 5.0)
    assert not warp(picture(), depth, camera(z=6)).known.any()
    assert not warp(picture(), depth, camera(yaw=math.pi)).known.any()
    assert not warp(picture(), torch.full(SIZE, torch.inf), camera(yaw=math.pi)).known.any()


def test_a_surface_seen_from_behind_hides_but_shows_nothing() -> None:
    # From beyond the wall, looking back at it and at the sky behind the first camera, which a second view shows.
    depth = torch.stack([torch.full(SIZE, 5.0), torch.full(SIZE, torch.inf)])
    behind = camera(z=10, yaw=math.pi)
    assert not warp(picture(), depth[0], behind).known.any()
    got = surface_views(
        torch.stack([picture(0), picture(1)]),
        depth,
        intrinsics().expand(2, 3, 3),
        torch.stack([camera(), camera(yaw=math.pi)]),
        intrinsics()[None],
        behind[None],
    )
    assert got.per_view_known[0, 1].all()
    assert not inner(got.known).any()


@settings(max_examples=30)
@given(places, places, places, st.floats(-0.6, 0.6), st.floats(-0.6, 0.6))
def test_sky_is_closed_turns_with_the_camera_and_does_not_shift(
    x: float, y: float, z: float, yaw: float, pitch: float
) -> None:
    sky = torch.full(SIZE, torch.inf)
    moved = warp(picture(), sky, camera(x, y, z, yaw=yaw, pitch=pitch), onto=intrinsics(64))
    turned = warp(picture(), sky, camera(yaw=yaw, pitch=pitch), onto=intrinsics(64))
    for one, other in zip(moved.tensors, turned.tensors, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)
    assert (moved.depth == torch.inf).all()
    zoomed = warp(picture(), sky, camera(x, y, z, yaw=yaw / 4, pitch=pitch / 8), onto=intrinsics(64))
    assert zoomed.known.all()


def test_something_solid_hides_the_sky_behind_it() -> None:
    depth = torch.full(SIZE, torch.inf)
    depth[3:8, 5:9] = 4
    colour = torch.full((3, *SIZE), 0.5)
    colour[:, 3:8, 5:9] = -0.5
    got = warp(colour, depth, camera(x=0.5))
    covered = torch.zeros(SIZE, dtype=torch.bool)
    covered[3:8, 3:7] = True
    assert ((got.colour[0, 0][covered] + 0.5).abs() < 1e-3).all()
    assert torch.equal(got.depth[0].isfinite(), covered)
    # Where it stood, nothing is known: the sky has a hole of its shape, of which two columns are uncovered.
    holes = torch.zeros(SIZE, dtype=torch.bool)
    holes[3:8, 7:9] = True
    assert torch.equal(~got.known[0], holes)


def test_a_veil_hides_what_is_behind_it_and_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two columns of a wall too steep to be joined, before the sky: seen from the side they stand apart.
    depth = torch.full(SIZE, torch.inf)
    depth[:, 8] = 4
    depth[:, 9] = 5.5
    seen_from = camera(x=-2, z=2, yaw=0.6)

    def between() -> Tensor:
        got = warp(picture(), depth, seen_from, onto=intrinsics(32, (24, 40)), size=(24, 40))
        wall = got.depth[0, 12].isfinite().nonzero()[:, 0]
        assert wall[-1] - wall[0] > 6
        assert got.depth[0, 12, wall].amin() < 3 < got.depth[0, 12, wall].amax()
        return (got.known & ~got.depth.isfinite())[0, 12, int(wall[0]) : int(wall[-1])]

    assert not between().any()
    monkeypatch.setattr("backend.constraint.joins.GRAZING", np.float32(1))
    assert between().any()


def test_the_nearest_view_wins_and_a_tie_keeps_the_lower() -> None:
    colours = torch.stack([torch.full((3, *SIZE), value) for value in (-0.5, 0.0, 0.5)])
    depth = torch.full((3, *SIZE), 5.0)
    depth[1] *= 0.995
    depth[2, :6] = 3
    depth[0, :, :4] = torch.nan
    depth[1, 6:, :4] = torch.inf
    got = together(colours, depth, camera())
    expected = torch.full(SIZE, -0.5)
    expected[:6] = 0.5
    expected[6:, :4] = 0.5
    torch.testing.assert_close(got.colour[0, 0], expected, atol=1e-4, rtol=0)
    assert torch.equal(got.known[0], got.per_view_known[0].any(dim=0))
    assert got.per_view_known[0, 1:].all()
    assert not got.per_view_known[0, 0, :, :4].any()


def test_sky_seen_by_one_view_fills_holes_of_the_others() -> None:
    depth = torch.stack([torch.zeros(SIZE), torch.full(SIZE, torch.inf)])
    got = together(torch.stack([picture(0), picture(1)]), depth, camera())
    assert got.known.all()
    torch.testing.assert_close(got.colour[0], picture(1), atol=1e-4, rtol=0)


def test_colour_is_bilinear_within_a_surface_and_unmixed_at_its_edge() -> None:
    depth = torch.where(torch.arange(WIDTH) < 10, 4.0, 16.0).expand(SIZE)
    colour = torch.where(torch.arange(WIDTH) < 10, 0.7, -0.7) + torch.arange(HEIGHT)[:, None] * 0.02
    size = (4 * HEIGHT, 4 * WIDTH)
    got = warp(colour.expand(3, -1, -1), depth, camera(), onto=intrinsics(64, size), size=size)
    row = (torch.arange(4 * HEIGHT) - 1.5) / 4
    left = torch.arange(4 * WIDTH) < 40
    expected = torch.where(left, 0.7, -0.7) + row.clamp(0, HEIGHT - 1)[:, None] * 0.02
    assert got.known.all()
    torch.testing.assert_close(got.colour[0, 0], expected, atol=1e-3, rtol=0)


def test_cameras_far_from_the_origin_render_alike_in_float64() -> None:
    close = warp(picture(), slope(), camera(0.3, -0.2, 0.1, yaw=0.05))
    far = warp(picture(), slope(), camera(2e5 + 0.3, -0.2, 3e5 + 0.1, yaw=0.05), camera(2e5, 0, 3e5))
    assert torch.equal(close.known, far.known)
    torch.testing.assert_close(close.colour, far.colour, atol=1e-3, rtol=0)


def test_a_fringe_closes_narrow_holes_from_what_is_behind_and_no_others() -> None:
    # A camera to the right sees past the edge at column 9.5: of the hole, the wall's fringe takes up to 0.45 pixels of
    # the view and the nearer side's, which stays behind it, the rest up to as much.
    depth = torch.where(torch.arange(WIDTH) < 10, 4.0, 16.0).expand(SIZE)
    colour = torch.where(torch.arange(WIDTH) < 10, 0.7, -0.7).expand(3, *SIZE)
    onto, size = intrinsics(16 * 8, (8 * HEIGHT, 8 * WIDTH)), (8 * HEIGHT, 8 * WIDTH)
    for x, whole in ((0.25, True), (1.0, False)):
        got = warp(colour, depth, camera(x=x), onto=onto, size=size)
        row = 4 * HEIGHT
        edge, wall = (8 * (9.5 - 16 * x / distance + 0.5) - 0.5 for distance in (4, 16))
        column = torch.arange(8 * WIDTH)
        hole = (column > edge + 0.01) & (column < wall - 0.01)
        assert bool(got.known[0, row, hole].all()) is whole
        of_wall = hole & (column > wall - 8 * 0.44)
        of_edge = hole & ~of_wall & (column < edge + 8 * 0.44)
        assert got.known[0, row, of_wall | of_edge].all()
        assert (got.colour[0, 0, row, of_wall] < -0.699).all()
        assert not got.known[0, row, hole & (column > edge + 8 * 0.46) & (column < wall - 8 * 0.46)].any()


def test_an_edge_between_two_surfaces_is_mixed_by_how_much_each_covers() -> None:
    # Moving left brings the near half, up to column 9.5, over the far one.
    depth = torch.where(torch.arange(WIDTH) < 10, 4.0, 16.0).expand(SIZE)
    colour = torch.where(torch.arange(WIDTH) < 10, 1.0, 0.0).expand(3, *SIZE)
    for x, column, share in ((-0.975, 13, 1.0), (-0.9, 13, 0.5), (-0.85, 13, 0.5), (-0.8, 13, 0.0)):
        got = warp(colour, depth, camera(x=x))
        edge = 9.5 - 4 * x
        covered = sum(edge > column + side for side in (-0.25, 0.25)) / 2
        assert covered == share
        shown = got.colour[0, 0, :, column]
        torch.testing.assert_close(shown, torch.full_like(shown, share), atol=1e-3, rtol=0)


def test_threads_change_nothing() -> None:
    depth = slope()
    depth[0] = torch.inf
    depth[4:7, 5:9] = 2
    targets = torch.stack([camera(0.3 * step, 0.2, yaw=0.1) for step in range(5)])
    for onto in (intrinsics(), intrinsics(80)):
        together = surface_views(
            picture()[None], depth[None], intrinsics()[None], camera()[None], onto.expand(5, 3, 3), targets
        )
        for frame, target in enumerate(targets):
            with torch.inference_mode():
                alone = warp(picture(), depth, target, onto=onto)
            for one, other in zip(together.tensors, alone.tensors, strict=True):
                assert torch.equal(one[frame], other[0])


def test_compiled_loops_are_found_again_by_the_next_process(tmp_path: Path) -> None:
    # A copy of the package, so that this finds nothing of what other tests have compiled.
    shutil.copytree(
        ROOT / "backend", tmp_path / "backend", ignore=shutil.ignore_patterns("__pycache__", "weights")
    )
    command = [sys.executable, "-c", COMPILES_AND_SAYS_HOW_OFTEN]
    runs = [
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True) for _ in range(2)
    ]
    assert [run.stdout.split() for run in runs] == [["0", "4"], ["4", "0"]]


COMPILES_AND_SAYS_HOW_OFTEN = """
from backend.constraint import surface
surface.compile_loops()
from backend.constraint import joins, raster, resolve
stats = [loop.stats for loop in (joins.disparity_of, joins.join, raster.draw, resolve.resolve)]
print(sum(sum(s.cache_hits.values()) for s in stats), sum(sum(s.cache_misses.values()) for s in stats))
"""


def test_small_matrices_wake_no_threads_in_a_command() -> None:
    """They would keep a core busy beside the networks, a tenth of a second after every one that is inverted."""
    code = (
        "import sys; from backend import cli; assert 'numpy' not in sys.modules; "
        "cli.main(['scene', 'import', 'none', 'out']); import numpy, threadpoolctl; "
        "print([pool['num_threads'] for pool in threadpoolctl.threadpool_info() if pool['user_api'] == 'blas'])"
    )
    environ = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    )
    assert set(json.loads(done.stdout.splitlines()[-1])) <= {1}
