"""The states that previews can go back to: which are kept, what they take, and that going back loses nothing."""

from __future__ import annotations

import gc
import itertools
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
import torch
from fake_device import FakeCard
from fakes import FakeState, small_presets
from hypothesis import given
from hypothesis import strategies as st
from references import move, write_reference
from small_released import PRESET, small_presets_of, small_released

from backend.model.sampler import Cancelled
from backend.plan import Plan
from backend.presets import LoadedPreset
from backend.rewinding import Past, Room
from backend.session import Session, camera_block
from backend.state import State
from backend.world import World, load_world
from tests.build import ROOT

WIDTH, HEIGHT = 64, 48
CAMERAS = move(45, WIDTH, HEIGHT)
BLOCKS = 4


def _past(room: Room, blocks: int, size: int = 10) -> Past[FakeState]:
    past = Past(room, FakeState(0))
    for block in range(1, blocks + 1):
        past.keep(FakeState(block, size))
        assert room.bytes <= room.limit
    return past


def test_going_back_finds_the_newest_that_is_not_behind() -> None:
    past = _past(Room(1000), 8)
    assert past.blocks == list(range(9))
    assert past.back_to(8).block == 8
    assert past.back_to(5).block == 5
    assert past.blocks == list(range(6)), "what came after is of other cameras"
    past.keep(FakeState(6, 10))
    assert past.back_to(100).block == 6
    assert past.back_to(0).block == 0


@pytest.mark.parametrize("blocks", [30, 64, 100, 333])
@pytest.mark.parametrize("fit", [4, 10, 31])
def test_a_full_room_thins_out_evenly(blocks: int, fit: int) -> None:
    room = Room(fit * 10)
    past = _past(room, blocks)
    assert past.blocks[0] == 0 and past.blocks[-1] == blocks
    assert len(past.blocks) == min(fit, blocks - 1) + 2, "no more is let go than must be"
    gaps = [after - before for before, after in pairwise(past.blocks)]
    assert max(gaps) <= 2 * -(-blocks // fit)
    for asked in range(blocks, -1, -1):
        kept = max(block for block in past.blocks if block <= asked)
        assert past.back_to(asked).block == kept


def test_one_without_end_keeps_what_an_interruption_needs() -> None:
    room = Room(1000)
    past = Past(room, FakeState(0), endless=True)
    for block in range(1, 50):
        past.keep(FakeState(block, 10))
        assert room.bytes <= 10, "a flight of hours takes no more than one of seconds"
    assert past.blocks == [0, 48, 49]
    assert past.back_to(48).block == 48
    assert past.back_to(47).block == 0


def test_previews_share_the_room_and_leave_it() -> None:
    room = Room(200)
    first, second = _past(room, 15), _past(room, 15)
    assert len(first.blocks) + len(second.blocks) == 20 + 4
    assert min(len(first.blocks), len(second.blocks)) > 7, "neither is thinned out alone"
    del first
    gc.collect()
    assert room.bytes == second.bytes < 200
    large = _past(room, 3, size=201)
    assert large.blocks == [0, 3], "the newest is the session's own"
    assert room.bytes <= 200


def test_only_what_stays_is_moved_to_the_hosts_memory() -> None:
    moved: list[int] = []

    @dataclass(frozen=True)
    class FakeCardState(FakeState):
        def on_host(self) -> FakeCardState:
            moved.append(self.block)
            return self

    past = Past(Room(20), FakeCardState(0))
    for block in range(1, 4):
        past.keep(FakeCardState(block, 10))
    assert (past.blocks, moved) == ([0, 1, 2, 3], [0, 1, 2])
    past.keep(FakeCardState(4, 10))
    assert (past.blocks, moved) == ([0, 2, 3, 4], [0, 1, 2, 3])
    past.keep(FakeCardState(5, 100))
    past.keep(FakeCardState(6, 10))
    assert 5 not in past.blocks and 5 not in moved


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["keep", "back"]), st.integers(1, 60)), max_size=80)
)
def test_whatever_previews_do_the_room_holds(steps: list[tuple[int, str, int]]) -> None:
    room = Room(150)
    pasts = [Past(room, FakeState(0)) for _ in range(3)]
    at = [0, 0, 0]
    for which, what, number in steps:
        if what == "keep":
            at[which] += 1
            pasts[which].keep(FakeState(at[which], number))
        else:
            asked = number % (at[which] + 1)
            found = pasts[which].back_to(asked).block
            assert found <= asked
            at[which] = found
        assert room.bytes <= 150
        for past, newest in zip(pasts, at, strict=True):
            assert past.blocks[0] == 0 and past.blocks[-1] == newest
            assert past.blocks == sorted(set(past.blocks))


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Callable[[], LoadedPreset]]:
    tiny = small_presets(tmp_path_factory.mktemp("tiny")).load("tiny")
    folder = small_released(tmp_path_factory.mktemp("released"))

    def card(plan: Plan) -> LoadedPreset:
        return small_presets_of(folder, FakeCard()).load(PRESET).under(plan)

    return {
        "tiny": lambda: tiny,
        "tiny, ahead": lambda: tiny.under(Plan(ahead=True)),
        "released": lambda: small_presets_of(folder).load(PRESET),
        "released, visiting": lambda: card(Plan("visits", "visits")),
    }


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, World]:
    where = tmp_path_factory.mktemp("references")
    for kind, views in (("still", 1), ("stills", 4), ("moving", 40)):
        write_reference(where / kind, WIDTH, HEIGHT, kind, views, geometry=kind == "still")
    return {kind: load_world(where / kind)[0] for kind in ("still", "stills", "moving")}


def _step(session: Session, block: int, cancelled: Callable[[], bool] = lambda: False) -> np.ndarray:
    after = CAMERAS.after(block)
    following = None if after is None else camera_block(after)
    return session.step(camera_block(CAMERAS.block(block)), cancelled, following).frames


@pytest.mark.parametrize(
    ("preset", "kind", "quality", "remembers"),
    [
        *(("tiny", kind, "final", False) for kind in ("still", "stills", "moving")),
        ("tiny", "still", "final", True),
        ("tiny, ahead", "moving", "final", False),
        *(("released", "moving", quality, False) for quality in ("draft", "final")),
        ("released, visiting", "moving", "final", False),
    ],
)
def test_from_any_state_it_goes_on_bit_for_bit(
    presets: dict[str, Callable[[], LoadedPreset]],
    worlds: dict[str, World],
    preset: str,
    kind: str,
    quality: str,
    remembers: bool,
) -> None:
    loaded = presets[preset]()

    def session() -> Session:
        return Session(
            loaded, worlds[kind], WIDTH, HEIGHT, 7, None, not remembers, quality, remember=remembers
        )

    blocks = 3 if "released" in preset else BLOCKS
    run, past, whole = session(), Past(Room(), session().state), []
    for block in range(blocks):
        whole.append(_step(run, block))
        past.keep(run.state)
    calm = _copy(run.state)
    for back in (blocks - 1, blocks - 2, 0):
        # A block that is dropped on the way changes nothing.
        for calls in (1, 30):
            asked = itertools.count()
            with pytest.raises(Cancelled):
                _step(run, (run.next_block if run.next_block < blocks else 1), _after(asked, calls))
        run.go_to(past.back_to(back))
        assert run.next_block == back
        for block in range(back, blocks):
            assert np.array_equal(_step(run, block), whole[block])
            past.keep(run.state)
        assert _equal(run.state, calm)
    fresh = session()
    fresh.go_to(run.state)
    fresh.restore(fresh.snapshot())
    assert _equal(fresh.state, calm)


def _copy(state: State) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in state.tensors().items()}


def _equal(state: State, copy: dict[str, torch.Tensor]) -> bool:
    tensors = state.tensors()
    return tensors.keys() == copy.keys() and all(torch.equal(tensors[name], copy[name]) for name in copy)


def _after(asked: itertools.count[int], calls: int) -> Callable[[], bool]:
    return lambda: next(asked) >= calls


def test_states_are_never_changed_and_counted_by_the_memory_that_they_hold(
    presets: dict[str, Callable[[], LoadedPreset]], worlds: dict[str, World]
) -> None:
    session = Session(presets["tiny"](), worlds["still"], WIDTH, HEIGHT, 7, remember=True)
    states: list[State] = [session.state]
    copies = [_copy(session.state)]
    for block in range(BLOCKS):
        _step(session, block)
        states.append(session.state)
        copies.append(_copy(session.state))
    session.go_to(states[1])
    _step(session, 1)
    for state, copy in zip(states, copies, strict=True):
        assert _equal(state, copy)
        tensors = state.tensors()
        held = {
            tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
            for tensor in tensors.values()
        }
        assert state.host_bytes == sum(held.values())
        assert state.on_host().tensors().keys() == tensors.keys()
    assert states[0].host_bytes == 0


def test_the_state_of_tiny_at_832x480() -> None:
    """Latents of a block, of which the decoder's are a part: 64 channels, 3 latents, 60 x 104 places, 4 bytes."""
    from backend.presets import Presets

    world = World(
        "still",
        torch.zeros(1, 3, 8, 16, dtype=torch.uint8),
        torch.ones(1, 8, 16),
        torch.eye(3, dtype=torch.float64)[None],
        torch.eye(4, dtype=torch.float64)[None],
        torch.ones(1, dtype=torch.float64),
    )
    session = Session(Presets().load("tiny"), world, 832, 480, 1)
    latents = torch.zeros(1, 3, 64, 60, 104)
    state = State(1, latents, {"started": torch.tensor(True)}, {}, {"previous": latents[:, -1:]})
    session.go_to(state)
    assert session.state.host_bytes == latents.nbytes + 1 == 4_792_321


KEEPS_A_HUNDRED = """
import psutil, torch
from backend.rewinding import Past, Room
from backend.state import State

process, room = psutil.Process(), Room(80_000_000)
past = Past(room, State())
def keep(block):
    latents = torch.full((1, 3, 64, 60, 104), float(block))
    past.keep(State(block, latents, {"started": torch.tensor(True)}, {}, {"previous": latents[:, -1:]}))
    return process.memory_info().rss

full = max(map(keep, range(1, 21)))
print(room.bytes, max(map(keep, range(21, 101))) - full)
"""


def test_the_process_grows_no_more_once_the_room_is_full() -> None:
    """A hundred states as those of `tiny` at 832x480, with room for sixteen: the last eighty would be 380 MB.

    The allocator may hold what was given back for a while, nearly as much as the room itself.
    """
    command = [sys.executable, "-c", KEEPS_A_HUNDRED]  # In a process that holds nothing else.
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=120)
    kept, grown = map(float, told.stdout.split())
    assert 75e6 < kept <= 80e6
    assert grown < 150e6


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_graphics_card_past_states_lie_in_pinned_host_memory() -> None:
    latents = torch.randn(1, 3, 16, 60, 104, device="cuda")
    kept = torch.randn(2, 3, 4, device="cuda").bfloat16()
    state = State(1, latents, {"0": kept, "repeating": torch.tensor([1])}, {}, {"previous": latents[:, -1:]})
    past = Past(Room(), state)
    past.keep(State(2, latents + 1))
    there = past.back_to(1)
    torch.cuda.synchronize()
    for name, tensor in there.tensors().items():
        assert tensor.device.type == "cpu"
        assert name == "render.repeating" or tensor.is_pinned()
        assert torch.equal(tensor, state.tensors()[name].cpu())
    assert past.bytes == sum(tensor.nbytes for tensor in state.tensors().values())
