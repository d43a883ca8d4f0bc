"""A session: right shapes at any size, nothing lost by being cut up, stopped, restored or cancelled.

The weights are small and random: pictures are worthless, everything else is the product's.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes import small_presets
from references import move, write_reference

from backend.constraint import compiled
from backend.context import MovingContext, StillContext, cover, render_world
from backend.coverage import coverage_of
from backend.model.sampler import Cancelled
from backend.presets import LoadedPreset, PresetError, Presets
from backend.protocol.cameras import Cameras
from backend.session import Block, CameraBlock, Session, SessionError, camera_block
from backend.world import World, load_world

WIDTH, HEIGHT = 64, 48


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> Presets:
    return small_presets(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def preset(presets: Presets) -> LoadedPreset:
    return presets.load("tiny")


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, World]:
    folder = tmp_path_factory.mktemp("references")
    given = {"still": 1, "two stills": 2, "three stills": 3, "stills": 4, "moving": 40}
    for name, views in given.items():
        write_reference(folder / name, WIDTH, HEIGHT, name.split()[-1], views)
    return {name: load_world(folder / name)[0] for name in given}


def _run(session: Session, cameras: Cameras, blocks: Sequence[int]) -> list[Block]:
    return [session.step(camera_block(cameras.block(block))) for block in blocks]


def _frames(blocks: list[Block]) -> np.ndarray:
    return np.concatenate([block.frames for block in blocks])


@pytest.mark.parametrize("kind", ["still", "two stills", "three stills", "stills", "moving"])
def test_blocks_have_9_frames_then_12(preset: LoadedPreset, worlds: dict[str, World], kind: str) -> None:
    session = Session(preset, worlds[kind], WIDTH, HEIGHT, seed=1)
    blocks = _run(session, move(33, WIDTH, HEIGHT), range(3))
    assert [block.frames.shape for block in blocks] == [(9, HEIGHT, WIDTH, 3), *[(12, HEIGHT, WIDTH, 3)] * 2]
    assert all(block.frames.dtype == np.uint8 for block in blocks)
    assert [len(block.coverage) for block in blocks] == [9, 12, 12]
    assert all(0 < share <= 1 for block in blocks for share in block.coverage)
    assert {"render", "complete", "encode", "prefill", "denoise", "decode", "finish"} == set(
        blocks[0].milliseconds
    )
    assert session.next_block == 3


@pytest.mark.parametrize(("width", "height"), [(16, 16), (96, 32), (32, 80), (128, 96)])
def test_any_size_that_is_a_multiple_of_16(
    preset: LoadedPreset, worlds: dict[str, World], width: int, height: int
) -> None:
    for kind in ("still", "moving"):
        session = Session(preset, worlds[kind], width, height, seed=1)
        assert _frames(_run(session, move(21, width, height), range(2))).shape == (21, height, width, 3)


@pytest.mark.parametrize(("width", "height"), [(60, 48), (64, 50), (0, 48), (-16, 48)])
def test_other_sizes_are_refused(
    preset: LoadedPreset, worlds: dict[str, World], width: int, height: int
) -> None:
    with pytest.raises(SessionError, match="multiples of 16"):
        Session(preset, worlds["still"], width, height, seed=1)


@pytest.mark.parametrize("kind", ["still", "stills", "moving"])
@pytest.mark.parametrize("stop", [1, 2])
def test_restored_from_a_snapshot_it_goes_on_bit_for_bit(
    preset: LoadedPreset, worlds: dict[str, World], kind: str, stop: int
) -> None:
    cameras = move(40, WIDTH, HEIGHT)
    whole = _run(Session(preset, worlds[kind], WIDTH, HEIGHT, seed=7), cameras, range(4))
    first = Session(preset, worlds[kind], WIDTH, HEIGHT, seed=7)
    before = _run(first, cameras, range(stop))
    second = Session(preset, worlds[kind], WIDTH, HEIGHT, seed=7)
    second.restore(first.snapshot())
    assert second.next_block == stop
    after = _run(second, cameras, range(stop, 4))
    assert np.array_equal(_frames(before + after), _frames(whole))


def test_a_snapshot_before_the_first_block_is_one_too(preset: LoadedPreset, worlds: dict[str, World]) -> None:
    session = Session(preset, worlds["still"], WIDTH, HEIGHT, seed=7)
    session.restore(Session(preset, worlds["still"], WIDTH, HEIGHT, seed=7).snapshot())
    assert session.next_block == 0


def test_seeds_differ_and_repeat(preset: LoadedPreset, worlds: dict[str, World]) -> None:
    cameras = move(21, WIDTH, HEIGHT)
    runs = [
        _frames(_run(Session(preset, worlds["still"], WIDTH, HEIGHT, seed, None, False), cameras, range(2)))
        for seed in (1, 1, 2)
    ]
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_snapshots_of_another_take_or_damaged_ones_are_refused_and_change_nothing(
    preset: LoadedPreset, worlds: dict[str, World]
) -> None:
    cameras = move(33, WIDTH, HEIGHT)
    whole = _run(Session(preset, worlds["still"], WIDTH, HEIGHT, seed=7), cameras, range(2))
    session = Session(preset, worlds["still"], WIDTH, HEIGHT, seed=7)
    before = _run(session, cameras, range(1))
    others = [
        Session(preset, worlds["still"], WIDTH, HEIGHT, seed=8),
        Session(preset, worlds["still"], 2 * WIDTH, HEIGHT, seed=7),
        Session(preset, worlds["still"], WIDTH, HEIGHT, seed=7, prompt="a street"),
    ]
    good = session.snapshot()
    damaged = [b"", b"x" * 100, good[:-10], (10**9).to_bytes(8, "little") + good[8:], bytes(len(good))]
    for data in [other.snapshot() for other in others] + damaged:
        with pytest.raises(SessionError, match=r"another take|damaged"):
            session.restore(data)
    after = _run(session, cameras, range(1, 2))
    assert np.array_equal(_frames(before + after), _frames(whole))


def test_a_snapshot_that_is_not_finite_is_refused(preset: LoadedPreset, worlds: dict[str, World]) -> None:
    session = Session(preset, worlds["still"], WIDTH, HEIGHT, seed=7)
    _run(session, move(9, WIDTH, HEIGHT), range(1))
    data = bytearray(session.snapshot())
    for start in range(len(data) // 2, len(data) - 8):  # somewhere among latents: numbers of four bytes each
        data[start] = 0xFF
    with pytest.raises(SessionError, match="damaged"):
        session.restore(bytes(data))


@pytest.mark.parametrize("kind", ["still", "stills", "moving"])
def test_cancelled_anywhere_the_block_can_be_asked_for_again(
    preset: LoadedPreset, worlds: dict[str, World], kind: str
) -> None:
    cameras = move(33, WIDTH, HEIGHT)
    whole = _run(Session(preset, worlds[kind], WIDTH, HEIGHT, seed=3), cameras, range(3))
    session = Session(preset, worlds[kind], WIDTH, HEIGHT, seed=3)
    made = []
    for block in range(3):
        for calls in (0, 1, 2, 3, 5, 8, 20, 60):
            count = itertools.count()
            try:
                session.step(camera_block(cameras.block(block)), lambda: next(count) >= calls)  # noqa: B023
            except Cancelled:
                assert session.next_block == block
            else:  # pragma: no cover
                pytest.fail("was not cancelled")
        made += _run(session, cameras, [block])
    assert np.array_equal(_frames(made), _frames(whole))


def test_a_wrong_number_of_cameras_is_refused(preset: LoadedPreset, worlds: dict[str, World]) -> None:
    session = Session(preset, worlds["still"], WIDTH, HEIGHT, seed=1)
    with pytest.raises(SessionError, match="Block 0 has 9 frames, got 12"):
        session.step(camera_block(move(24, WIDTH, HEIGHT).block(1)))


def test_a_preset_with_the_surface_warp_compiles_it_before_its_first_block(
    preset: LoadedPreset, worlds: dict[str, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "is_kept", lambda: False)
    told: list[tuple[str, float]] = []
    frames = {}
    for warp in ("splat", "surface"):
        session = Session(replace(preset, warp=warp), worlds["still"], WIDTH, HEIGHT, seed=1)
        session.warm_up(lambda text, share: told.append((text, share)))
        frames[warp] = _frames(_run(session, move(21, WIDTH, HEIGHT), [0, 1]))
    assert told == [("Compiling the warp", 0.0)]
    monkeypatch.setattr(compiled, "is_kept", lambda: True)
    session.warm_up(lambda text, share: told.append((text, share)))
    assert len(told) == 1, "what takes moments isn't worth a word"
    assert frames["surface"].shape == frames["splat"].shape
    assert (frames["surface"] != frames["splat"]).any()


def test_render_and_latents_of_a_stream_in_blocks_equal_the_whole(
    preset: LoadedPreset, worlds: dict[str, World]
) -> None:
    cameras = move(33, WIDTH, HEIGHT)
    parts = [camera_block(cameras.block(block)) for block in range(3)]
    whole = CameraBlock(
        torch.cat([part.times for part in parts]),
        torch.cat([part.intrinsics for part in parts]),
        torch.cat([part.world_to_camera for part in parts]),
    )
    for kind in ("still", "stills", "moving"):
        world = worlds[kind]
        renders = [
            render_world(world, c.times, c.intrinsics, c.world_to_camera, HEIGHT, WIDTH)
            for c in [whole, *parts]
        ]
        assert torch.equal(torch.cat([render.colour for render in renders[1:]]), renders[0].colour)
        assert torch.equal(torch.cat([render.known for render in renders[1:]]), renders[0].known)
    codec = preset.autoencoder("final").codec
    encoder, decoder = codec.encoder(), codec.decoder()
    at_once = preset.autoencoder("final").codec.encoder().push(renders[0].colour[None])
    in_blocks = torch.cat([encoder.push(render.colour[None]) for render in renders[1:]], dim=1)
    assert (in_blocks - at_once).abs().max() < 1e-4
    pictures = preset.autoencoder("final").codec.decoder().push(at_once)
    block_pictures = torch.cat([decoder.push(part) for part in at_once.split(3, dim=1)], dim=1)
    assert (block_pictures - pictures).abs().max() < 1e-4


@torch.inference_mode()
def test_context_latents_are_those_of_the_whole_reference_video(
    preset: LoadedPreset, worlds: dict[str, World]
) -> None:
    cameras = move(33, WIDTH, HEIGHT)
    frames = torch.tensor(cameras.frames, dtype=torch.float64)
    device = torch.device("cpu")
    for kind, context in (("moving", MovingContext), ("still", StillContext)):
        world = worlds[kind]
        shown = world.views_at(frames) if kind == "moving" else [0] * 33
        whole = preset.autoencoder("final").codec.encoder().push(world.pictures(shown)[None])
        reference = context(preset.autoencoder("final").codec, world, HEIGHT, WIDTH, device)
        parts = [reference.latents(b, camera_block(cameras.block(b)).times, [0, 0, 0]) for b in range(3)]
        assert (torch.cat(parts, dim=1) - whole).abs().max() < 1e-4


def _timed(cameras: Cameras, times: Sequence[float]) -> Cameras:
    return replace(cameras, times=tuple(times))


def test_a_frozen_moving_world_is_a_still(preset: LoadedPreset, worlds: dict[str, World]) -> None:
    moving, cameras = worlds["moving"], move(21, WIDTH, HEIGHT)
    only = slice(11, 12)
    still = World(
        "still",
        moving.colour[only],
        moving.depth[only],
        moving.intrinsics[only],
        moving.world_to_camera[only],
        moving.frames[only],
    )
    runs = [
        _run(Session(preset, world, WIDTH, HEIGHT, seed=5), _timed(cameras, times), range(2))
        for world, times in ((moving, [12.3] * 21), (still, cameras.times), (moving, cameras.times))
    ]
    frozen, alone, playing = (_frames(blocks).astype(int) for blocks in runs)
    assert np.abs(frozen - alone).max() <= 1  # A still's context is encoded once and kept.
    assert np.abs(frozen - playing).max() > 50


@torch.inference_mode()
def test_time_that_runs_backward_shows_the_views_backward(
    preset: LoadedPreset, worlds: dict[str, World]
) -> None:
    world, cameras = worlds["moving"], move(21, WIDTH, HEIGHT)
    mirrored = World(
        "moving",
        world.colour.flip(0),
        world.depth.flip(0),
        world.intrinsics.flip(0),
        world.world_to_camera.flip(0),
        41 - world.frames.flip(0),
    )
    backward = [41 - time for time in cameras.times]
    runs = [
        _run(Session(preset, shown, WIDTH, HEIGHT, seed=5), _timed(cameras, times), range(2))
        for shown, times in ((world, backward), (mirrored, cameras.times))
    ]
    assert np.array_equal(_frames(runs[0]), _frames(runs[1]))


def test_stills_show_a_view_a_latent(preset: LoadedPreset, worlds: dict[str, World]) -> None:
    context = StillContext(
        preset.autoencoder("final").codec, worlds["stills"], HEIGHT, WIDTH, torch.device("cpu")
    )
    frames = torch.ones(12, dtype=torch.float64)
    alone = [context.latents(2, frames, [view] * 3) for view in range(4)]
    mixed = context.latents(2, frames, [3, 0, 2])
    for latent, view in enumerate((3, 0, 2)):
        assert torch.equal(mixed[:, latent], alone[view][:, latent])


@pytest.mark.parametrize(("height", "width"), [(48, 64), (96, 128), (24, 32), (48, 128), (96, 64), (33, 47)])
def test_the_context_covers_the_frame(height: int, width: int) -> None:
    ramp = torch.linspace(-1, 1, 64).expand(1, 3, 48, 64)
    covered = cover(ramp, height, width)
    assert covered.shape == (1, 3, height, width)
    assert covered[0, 0, 0].diff().ge(-1e-6).all()
    middle = covered[0, 0, height // 2, (width - 1) // 2 : width // 2 + 1].mean()
    assert abs(middle) < 0.03


@pytest.mark.parametrize(("width", "height"), [(64, 48), (256, 192), (512, 384), (128, 96)])
def test_coverage_is_measured_small_and_is_right(tmp_path: Path, width: int, height: int) -> None:
    write_reference(tmp_path, 256, 192)
    world, _ = load_world(tmp_path)
    block = camera_block(move(6, width, height, reach=4.0))
    render = render_world(world, block.times, block.intrinsics, block.world_to_camera, height, width)
    true = render.known.float().mean(dim=(1, 2)).tolist()
    assert coverage_of(world, block, width, height) == pytest.approx(true, abs=0.03)
    assert true[0] > 0.95 > 0.6 > true[-1]
    with pytest.raises(Cancelled):
        coverage_of(world, block, width, height, lambda: True)


def test_a_small_reference_covers_a_large_target(worlds: dict[str, World]) -> None:
    block = camera_block(move(1, 640, 480))
    render = render_world(worlds["still"], block.times, block.intrinsics, block.world_to_camera, 480, 640)
    assert render.known.float().mean() > 0.99
    assert set(render.depth[render.depth.isfinite()].round(decimals=3).tolist()) == {3.0, 6.0}


def test_presets_that_cannot_be_had_say_why(presets: Presets, tmp_path: Path) -> None:
    assert [preset.id for preset in presets.all()] == ["tiny", "inspatio-1.3b", "inspatio-1.5-1.3b"]
    assert [preset.available for preset in presets.all()] == [True, False, False]
    with pytest.raises(PresetError, match="There is no preset 'huge'; there are tiny"):
        presets.load("huge")
    with pytest.raises(PresetError, match=r"preset\.json is missing"):
        Presets(tmp_path / "nowhere").load("tiny")


@pytest.mark.parametrize(
    "name", ["generator.safetensors", "codec.safetensors", "completion.safetensors", "preset.json"]
)
def test_broken_weights_say_so(tmp_path: Path, name: str) -> None:
    presets = small_presets(tmp_path)
    path = tmp_path / "tiny" / name
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(PresetError, match="missing or broken"):
        presets.load("tiny")
    path.unlink()
    with pytest.raises(PresetError, match="missing"):
        presets.load("tiny")
