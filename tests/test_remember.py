"""Remember: what was generated is shown again where it belongs, nothing else is, and a session stays exact with it.

The sessions' weights are small and random: pictures are worthless, everything else is the product's.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from fakes import small_presets
from references import depth_map, lens, picture, pose, triangles, write_reference, write_shot

from backend import remember as remember_module
from backend.constraint.geometry import depth_of_triangles
from backend.constraint.splat import Render
from backend.model.sampler import Cancelled
from backend.presets import LoadedPreset
from backend.protocol.cameras import Cameras
from backend.protocol.files import read_take
from backend.remember import BUDGET, Memory, recall, remember, visible
from backend.session import Session, SessionError, camera_block
from backend.shots import ShotError, generate_shot
from backend.world import World, load_world
from tests import remember as measure_remember

WIDTH, HEIGHT = 64, 48
SIZE = (HEIGHT, WIDTH)
CPU = torch.device("cpu")
GEOMETRY = torch.from_numpy(triangles(WIDTH, HEIGHT))


def _cameras(*places: tuple[float, float, float]) -> tuple[torch.Tensor, torch.Tensor]:
    """Intrinsics and world-to-camera of cameras at places that look along z."""
    poses = torch.tensor([pose(*place) for place in places], dtype=torch.float64).view(-1, 4, 4)
    return torch.tensor(lens(WIDTH, HEIGHT), dtype=torch.float64).view(1, 3, 3).expand(
        len(poses), 3, 3
    ), poses


def _nothing_known(frames: int) -> Render:
    unknown = torch.zeros(frames, *SIZE, dtype=torch.bool)
    return Render(
        torch.full((frames, 3, *SIZE), -1.0),
        unknown,
        torch.full((frames, *SIZE), torch.inf),
        unknown[:, None],
    )


def _painted(depth: torch.Tensor, intrinsics: torch.Tensor, world_to_camera: torch.Tensor) -> torch.Tensor:
    """Codes (F, 3, H, W) of surfaces whose colour changes softly with their place in space."""
    rows, columns = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    rays = torch.stack([columns, rows, torch.ones_like(rows)]).double().flatten(1)
    points = torch.linalg.inv(intrinsics) @ rays * depth.double().flatten(1)[:, None]
    points = points - world_to_camera[:, :3, 3:]  # the cameras do not turn
    return (127 + 60 * torch.sin(points * 0.7)).round().byte().view(-1, 3, *SIZE)


def test_a_place_is_shown_again_in_its_colour_and_never_through_what_stands_before_it() -> None:
    cameras = _cameras((0.0, 0, 0), (0.7, 0.1, 0), (-0.6, 0, 0.4), (0, 0, -1))
    depth = depth_of_triangles(GEOMETRY, *cameras, SIZE)
    codes = _painted(depth, *cameras)
    first = [x[:1] for x in (codes, depth, *cameras)]
    memory, own = remember(Memory.empty(*SIZE, CPU), first[0], _nothing_known(1), *first[1:])
    assert len(memory) == 1 and own.known.all()
    assert torch.equal(((own.colour + 1) * 127.5).round().byte(), codes[:1])

    found = recall(memory, _nothing_known(4), depth, *cameras)
    shown = (found.colour + 1) * 127.5
    error = (shown - codes).abs().amax(dim=1)[found.known]
    assert error.max() < 4, "the box's colour on the wall would be off by far more"
    assert torch.equal(found.depth[found.known], depth[found.known])
    assert found.known[0].all() and 0.7 < found.known.float().mean() < 0.95
    # What only the later cameras see, behind the box and beyond the first one's frame, stays a hole.
    behind = (depth == 6)[1] & ~found.known[1]
    assert behind[:, 8 : WIDTH - 12].sum() > 40
    assert not found.known[3, 0].any() and not found.known[3, :, -1].any()


def test_sky_turns_with_the_camera_does_not_shift_and_is_nothing_elses() -> None:
    intrinsics, poses = _cameras((0.0, 0, 0), (40.0, 5, 0), (0.0, 0, 0))
    depth = torch.full((3, *SIZE), torch.inf)
    depth[:, HEIGHT // 2 :] = 8.0
    codes = torch.arange(WIDTH).expand(3, 3, HEIGHT, WIDTH).byte()
    one = slice(0, 1)
    memory, _ = remember(
        Memory.empty(*SIZE, CPU), codes[one], _nothing_known(1), depth[one], intrinsics[one], poses[one]
    )
    depth[2] = torch.inf  # and no ground: the sky behind it was not seen
    found = recall(memory, _nothing_known(3), depth, intrinsics, poses)
    sky = slice(0, HEIGHT // 2 - 1)
    assert found.known[1, sky].all() and not found.known[1, HEIGHT // 2 :].any(), "the ground is far away"
    assert torch.equal(((found.colour[1, 0, sky] + 1) * 127.5).round().byte(), codes[0, 0, sky])
    assert found.known[2, sky].all() and not found.known[2, HEIGHT // 2 :].any()
    assert found.depth[1, sky].isinf().all()


def test_the_reference_wins_and_what_was_recalled_is_not_kept_again() -> None:
    cameras = _cameras((0.0, 0, 0), (0.5, 0, 0))
    depth = depth_of_triangles(GEOMETRY, *cameras, SIZE)
    codes = _painted(depth, *cameras)
    render = _nothing_known(2)
    render.known[:, :, : WIDTH // 2] = True  # by the reference
    render.colour[:, :, :, : WIDTH // 2] = 0.25
    memory, made = remember(Memory.empty(*SIZE, CPU), codes, render, depth, *cameras)
    assert not memory.new[:, :, : WIDTH // 2].any() and memory.new.any(dim=(1, 2)).all()
    assert (made.colour[:, :, :, : WIDTH // 2] == 0.25).all()
    # The same cameras again, after an early mistake: other frames change neither what is kept nor what is shown.
    again, shown = remember(memory, 255 - codes, recall(memory, render, depth, *cameras), depth, *cameras)
    for name, held in memory.tensors.items():
        assert torch.equal(held, again.tensors[name])
    assert torch.equal(shown.known, made.known)
    assert (shown.colour - made.colour).abs().max() < 0.02


def test_what_the_reference_shows_through_a_wall_is_a_hole() -> None:
    cameras = _cameras((0.0, 0, 0))
    depth = depth_of_triangles(GEOMETRY, *cameras, SIZE)
    shown = torch.zeros(1, 3, *SIZE)
    known = torch.ones(1, *SIZE, dtype=torch.bool)
    seen = depth.clone()
    seen[:, 0], seen[:, 1], seen[:, 2], seen[:, 3] = (
        torch.inf,
        9.0,
        6.2,
        2.0,
    )  # sky, behind, on, before the wall
    found = visible(Render(shown, known, seen, known[:, None]), depth)
    assert not found.known[0, :2].any() and found.known[0, 2:].all()
    assert (found.colour[0, :, :2] == -1).all() and (found.colour[0, :, 2:] == 0).all()
    assert found.depth[0, :2].isinf().all() and torch.equal(found.per_view_known[:, 0], found.known)
    for nothing in (torch.full_like(depth, torch.inf), torch.zeros_like(depth)):
        assert visible(Render(shown, known, seen, known[:, None]), nothing).known.all()


def test_without_geometry_nothing_is_kept_and_the_budget_drops_what_holds_least(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cameras = _cameras((0.0, 0, 0))
    depth = torch.zeros(1, *SIZE)
    codes = torch.zeros(1, 3, *SIZE, dtype=torch.uint8)
    memory, _ = remember(Memory.empty(*SIZE, CPU), codes, _nothing_known(1), depth, *cameras)
    assert len(memory) == 0
    monkeypatch.setattr(remember_module, "BUDGET", 3)
    for rows in (20, 5, 30, 10, 40):
        depth = torch.where(torch.arange(HEIGHT)[:, None] < rows, 6.0, 0.0).expand(1, *SIZE)
        memory, _ = remember(memory, codes, _nothing_known(1), depth, *cameras)
    assert (memory.new.sum(dim=(1, 2)) // WIDTH).tolist() == [20, 30, 40]


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> LoadedPreset:
    return small_presets(tmp_path_factory.mktemp("weights")).load("tiny")


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, World]:
    folder = tmp_path_factory.mktemp("references")
    for kind, views in (("still", 1), ("moving", 40)):
        write_reference(folder / kind, WIDTH, HEIGHT, kind, views, geometry=True)
    return {kind: load_world(folder / kind)[0] for kind in ("still", "moving")}


def _out_and_back(frames: int) -> Cameras:
    """A camera that goes sideways, and comes back on the same way."""
    way = np.abs(np.linspace(-1, 1, frames))
    poses = [pose(x=float(2.5 * (1 - at))) for at in way]
    return Cameras.checked([float(i + 1) for i in range(frames)], [lens(WIDTH, HEIGHT)] * frames, poses)


CAMERAS = _out_and_back(45)


def _session(preset: LoadedPreset, world: World, remember: bool = True) -> Session:
    return Session(preset, world, WIDTH, HEIGHT, seed=7, remember=remember)


def _run(session: Session, blocks: range) -> np.ndarray:
    return np.concatenate([session.step(camera_block(CAMERAS.block(block))).frames for block in blocks])


def test_holes_look_as_they_did_when_the_camera_comes_back(
    preset: LoadedPreset, worlds: dict[str, World]
) -> None:
    """The generator here makes other noise of every hole in every block."""
    changes, coverage = {}, {}
    for remembers in (False, True):
        session, frames, shares = _session(preset, worlds["still"], remembers), [], []
        for block in range(4):
            made = session.step(camera_block(CAMERAS.block(block)))
            frames.append(made.frames)
            shares += made.coverage
        shown = np.concatenate(frames).astype(float)[:, :, -12:]  # beyond the reference's frame, mostly
        changes[remembers] = np.square(shown[12:18] - shown[44 - 12 : 44 - 18 : -1]).mean()
        coverage[remembers] = np.mean(shares)
    assert changes[True] < 0.5 * changes[False], changes
    assert coverage[True] == pytest.approx(coverage[False], abs=0.05), "coverage is the reference's"


@pytest.mark.parametrize("kind", ["still", "moving"])
@pytest.mark.parametrize("stop", [1, 3])
def test_restored_from_a_snapshot_it_goes_on_bit_for_bit(
    preset: LoadedPreset, worlds: dict[str, World], kind: str, stop: int
) -> None:
    whole = _run(_session(preset, worlds[kind]), range(4))
    first = _session(preset, worlds[kind])
    before = _run(first, range(stop))
    second = _session(preset, worlds[kind])
    second.restore(first.snapshot())
    assert np.array_equal(np.concatenate([before, _run(second, range(stop, 4))]), whole)


def test_cancelled_anywhere_the_block_can_be_asked_for_again(
    preset: LoadedPreset, worlds: dict[str, World]
) -> None:
    whole = _run(_session(preset, worlds["still"]), range(3))
    session = _session(preset, worlds["still"])
    made = []
    for block in range(3):
        for calls in (0, 1, 5, 60):
            count = itertools.count()
            with pytest.raises(Cancelled):
                session.step(camera_block(CAMERAS.block(block)), lambda: next(count) >= calls)  # noqa: B023
        made.append(_run(session, range(block, block + 1)))
    assert np.array_equal(np.concatenate(made), whole)


def test_a_step_that_fails_at_its_very_end_remembers_nothing(
    preset: LoadedPreset, worlds: dict[str, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _run(_session(preset, worlds["still"]), range(2))
    session = _session(preset, worlds["still"])
    with monkeypatch.context() as patch:
        patch.setattr("backend.session.finish", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            _run(session, range(1))
    assert np.array_equal(_run(session, range(2)), whole)


def test_snapshots_of_sessions_that_do_not_remember_are_refused_and_damaged_ones(
    preset: LoadedPreset, worlds: dict[str, World], tmp_path: Path
) -> None:
    from safetensors import safe_open
    from safetensors.torch import save

    remembering, plain = (_session(preset, worlds["still"], on) for on in (True, False))
    for session in (remembering, plain):
        _run(session, range(2))
    for session, other in ((remembering, plain), (plain, remembering)):
        with pytest.raises(SessionError, match="another take"):
            session.restore(other.snapshot())
    (tmp_path / "state").write_bytes(remembering.snapshot())
    with safe_open(tmp_path / "state", "pt") as file:
        said = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert 0 < len(tensors["memory.new"]) <= BUDGET
    for name in ("memory.colour", "memory.disparity", "memory.world_to_camera"):
        for damaged in ({**tensors, name: tensors[name][..., :-1].contiguous()}, dict(tensors)):
            if damaged[name].shape == tensors[name].shape:
                del damaged[name]
            with pytest.raises(SessionError, match="damaged"):
                remembering.restore(save(damaged, said))
    remembering.restore(save(tensors, said))


def test_a_shot_folder_remembers_where_its_reference_has_geometry(tmp_path: Path) -> None:
    shot = replace(write_shot(tmp_path, frames=9), remember=True)
    (tmp_path / "shot.json").write_text(json.dumps(shot.to_json()))
    presets = small_presets(tmp_path / "weights")
    with pytest.raises(ShotError, match="needs a reference with geometry"):
        generate_shot(tmp_path, presets=presets)
    assert not list(tmp_path.glob("take_*"))
    write_reference(tmp_path / "reference", geometry=True)
    assert read_take(generate_shot(tmp_path, presets=presets)).shot.remember


def test_the_measure_runs_on_a_set_of_its_own(
    preset: LoadedPreset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`python -m tests.remember`, on a way out and back of 45 frames, 64x48."""
    cameras = np.array(CAMERAS.world_to_camera).reshape(-1, 4, 4)
    depth = depth_map(WIDTH, HEIGHT)
    np.savez(
        tmp_path / "wall.npz",
        colour=picture(WIDTH, HEIGHT),
        depth=np.where(depth < 1e9, depth, np.inf).astype(np.float32),
        intrinsics=np.array(lens(WIDTH, HEIGHT)).reshape(3, 3),
        world_to_camera=cameras[0],
        triangles=triangles(WIDTH, HEIGHT),
        cameras=cameras,
        true=np.stack([picture(WIDTH, HEIGHT)] * 3),
    )
    monkeypatch.setattr(measure_remember, "SIZES", ((WIDTH, HEIGHT),))
    surface = replace(preset, warp="surface")
    measure_remember.measure(tmp_path / "wall.npz", tmp_path, surface)
    found = json.loads((tmp_path / "wall.json").read_text())
    assert found["gain_holes"] > 3 and 0.05 < found["holes"] < 0.95
    assert found["cost"]["64x48"]["keyframes"] > 0
    assert cv2.imread(str(tmp_path / "wall.png")).shape == (3 * HEIGHT, 5 * WIDTH, 3)
    # Holes are those of the preset's warp: the surface is whole where the splat cracks.
    by_splat = replace(preset, warp="splat")
    known = [
        measure_remember.Track(tmp_path / "wall.npz", one.warp).known().mean() for one in (by_splat, surface)
    ]
    assert known[0] != known[1]
