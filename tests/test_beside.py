"""The next block prepared beside this one: the same frames, whatever comes in between, and nothing left running."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest
from fakes import small_presets
from references import move, write_reference

from backend.beside import Beside
from backend.model.sampler import Cancelled
from backend.plan import Plan
from backend.presets import LoadedPreset
from backend.protocol.cameras import Cameras
from backend.session import Session, camera_block
from backend.world import World, load_world

WIDTH, HEIGHT, BLOCKS = 64, 48, 4
CAMERAS = move(45, WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> LoadedPreset:
    return small_presets(tmp_path_factory.mktemp("weights")).load("tiny")


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, World]:
    where = tmp_path_factory.mktemp("references")
    for kind, views in (("still", 1), ("stills", 4), ("moving", 40)):
        write_reference(where / kind, WIDTH, HEIGHT, kind, views)
    return {kind: load_world(where / kind)[0] for kind in ("still", "stills", "moving")}


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """The blocks that sessions prepare, and whether they did so beside another."""
    done: list[tuple[int, bool]] = []
    real = Session._prepare

    def noting(self: Session, block: int, *arguments: object) -> object:
        done.append((block, threading.current_thread().name == "inspatio-beside"))
        return real(self, block, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Session, "_prepare", noting)
    return done


def session(preset: LoadedPreset, world: World, ahead: bool = True) -> Session:
    return Session(preset.under(Plan(ahead=ahead)), world, WIDTH, HEIGHT, seed=7)


def step(session: Session, block: int, following: Cameras | None) -> np.ndarray:
    after = None if following is None else camera_block(following)
    return session.step(camera_block(CAMERAS.block(block)), following=after).frames


def plain(preset: LoadedPreset, world: World) -> list[np.ndarray]:
    usual = session(preset, world, ahead=False)
    return [step(usual, block, CAMERAS.after(block)) for block in range(BLOCKS)]


@pytest.mark.parametrize("kind", ["still", "stills", "moving"])
def test_the_same_frames_and_states(
    preset: LoadedPreset, worlds: dict[str, World], kind: str, prepared: list[tuple[int, bool]]
) -> None:
    expected = plain(preset, worlds[kind])
    assert prepared == [(block, False) for block in range(BLOCKS)]
    prepared.clear()
    ahead = session(preset, worlds[kind])
    for block in range(BLOCKS):
        assert np.array_equal(step(ahead, block, CAMERAS.after(block)), expected[block])
        resumed = session(preset, worlds[kind], ahead=False)
        resumed.restore(ahead.snapshot())
        if block + 1 < BLOCKS:
            assert np.array_equal(step(resumed, block + 1, None), expected[block + 1])
    assert [done for done in prepared if done[1]] == [(1, True), (2, True), (3, True)]
    assert (0, False) in prepared


def test_cameras_that_change_after_all_are_prepared_anew(
    preset: LoadedPreset, worlds: dict[str, World], prepared: list[tuple[int, bool]]
) -> None:
    expected = plain(preset, worlds["moving"])
    prepared.clear()
    ahead = session(preset, worlds["moving"])
    for block in range(BLOCKS):
        assert np.array_equal(step(ahead, block, CAMERAS.block(0 if block else 2)), expected[block])
    assert [block for block, beside in prepared if not beside] == [0, 1, 2, 3]


def test_what_fails_beside_a_step_is_done_in_its_turn(
    preset: LoadedPreset, worlds: dict[str, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = plain(preset, worlds["moving"])
    real = Session._prepare

    def failing(self: Session, *arguments: object) -> object:
        made = real(self, *arguments)  # type: ignore[arg-type]
        if threading.current_thread().name == "inspatio-beside":
            raise MemoryError("on purpose, after the streams have gone on")
        return made

    monkeypatch.setattr(Session, "_prepare", failing)
    ahead = session(preset, worlds["moving"])
    for block in range(BLOCKS):
        assert np.array_equal(step(ahead, block, CAMERAS.after(block)), expected[block])


def test_a_cancelled_step_leaves_nothing_running_and_nothing_changed(
    preset: LoadedPreset, worlds: dict[str, World]
) -> None:
    expected = plain(preset, worlds["moving"])
    ahead = session(preset, worlds["moving"])
    assert np.array_equal(step(ahead, 0, CAMERAS.after(0)), expected[0])
    for calls in (1, 20, 60, 120):
        asked = itertools.count()
        with pytest.raises(Cancelled):
            ahead.step(
                camera_block(CAMERAS.block(1)),
                lambda: next(asked) >= calls,  # noqa: B023
                camera_block(CAMERAS.block(2)),
            )
        assert not [thread for thread in threading.enumerate() if thread.name == "inspatio-beside"]
    for block in range(1, BLOCKS):
        assert np.array_equal(step(ahead, block, CAMERAS.after(block)), expected[block])


def test_a_result_and_none_for_what_failed() -> None:
    def fail() -> int:
        raise RuntimeError("on purpose")

    assert Beside(lambda: 7, None).result() == 7
    assert Beside(fail, None).result() is None
