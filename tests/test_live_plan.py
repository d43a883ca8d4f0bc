"""The plan of a preview: which block comes next, whatever happens. A stand-in for the backend does what it says."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inspatio_addon.inspatio_blender.live.orders import Order
from inspatio_addon.inspatio_blender.live.plan import MAX_CHAINS, Plan
from inspatio_addon.inspatio_blender.live.store import Store
from references import lens, move, pose

from backend.protocol.blocks import block_count
from backend.protocol.cameras import Cameras

SIZE = 8
Camera = tuple[object, ...]
LENGTHS = st.integers(1, 140)
fast = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


class FakeBackend:
    """Keeps what the backend would: for each chain the cameras its take went through. Its pictures are their count.

    kept: how many states each take keeps besides that before its first block.
    """

    def __init__(self, plan: Plan, kept: int = 1000) -> None:
        self.plan = plan
        self.kept = kept
        self.takes: dict[int, list[Cameras]] = {}
        self.states: dict[int, list[int]] = {}
        self.shown: dict[float, tuple[Camera, ...]] = {}
        """What each frame in the store was really generated from: all cameras of its chain up to its block."""
        self.orders: list[Order] = []

    def step(self) -> Order | None:
        """Carry one order out."""
        while (order := self.plan.next()) is not None:
            if self.begin(order):
                self.finish(order)
                return order
        return None

    def begin(self, order: Order) -> bool:
        assert len(order.chains) <= MAX_CHAINS and order.chain in order.chains
        for chain in self.takes.keys() - order.chains:
            del self.takes[chain], self.states[chain]
        blocks = self.takes.setdefault(order.chain, [])
        states = self.states.setdefault(order.chain, [0])
        if order.rewind_to is not None:
            block = max(state for state in states if state <= order.rewind_to)
            del blocks[block:]
            states[:] = [state for state in states if state <= block]
            if not self.plan.rewound(order, block):
                return False
        assert len(blocks) == order.block, "the backend would refuse it"
        return True

    def finish(self, order: Order) -> None:
        blocks, states = self.takes[order.chain], self.states[order.chain]
        blocks.append(order.cameras)
        states.append(len(blocks))
        while len(states) > 1 + self.kept:
            del states[1]
        self.orders.append(order)
        before = {frame: self.serial(frame) for frame in order.frames}
        count = len(order.cameras)
        pictures = [np.zeros((SIZE, SIZE, 3), np.uint8) for _ in range(count)]
        self.plan.done(order, [0.5] * count, pictures)
        for frame in order.frames:
            if self.serial(frame) != before[frame]:
                self.shown[frame] = tuple(content(block) for block in blocks)

    def serial(self, frame: float) -> int | None:
        picture = self.plan.store.get(frame)
        return None if picture is None else picture.serial

    def run(self) -> int:
        """Until there is nothing to do; how many orders that took."""
        count = 0
        while self.step() is not None:
            count += 1
            assert count < 1000
        return count

    def check(self) -> None:
        """Every picture that counts as fresh was generated from the cameras as they are now, in an unbroken chain."""
        cameras = self.plan.cameras
        index_of = {frame: index for index, frame in enumerate(cameras.frames)}
        for frame, state in self.plan.store.frames().items():
            blocks = self.shown[frame]
            sizes = [len(block[0]) for block in blocks]
            assert sizes == [9, *[12] * (len(sizes) - 1)]
            offsets = range(sum(sizes[:-1]), sum(sizes))
            possible = [index_of[frame] - offset for offset in offsets]
            begun_at = [
                start
                for start in possible
                if start >= 0 and _as_now(blocks, cameras.part(slice(start, None)))
            ]
            assert bool(begun_at) == (state == "fresh"), (frame, state)


def content(cameras: Cameras) -> Camera:
    return cameras.intrinsics, cameras.world_to_camera, cameras.times


def _as_now(blocks: tuple[Camera, ...], cameras: Cameras) -> bool:
    if len(blocks) > block_count(len(cameras)):
        return False
    return all(content(cameras.block(number)) == made for number, made in enumerate(blocks))


def shot(frames: int, first: int = 1) -> Cameras:
    made = move(frames, SIZE, SIZE)
    numbers = tuple(float(first + index) for index in range(frames))
    return Cameras(numbers, made.intrinsics, made.world_to_camera, made.times)


def changed(cameras: Cameras, first: int, last: int, by: float) -> Cameras:
    """Other cameras from index `first` to `last`."""
    poses = [
        tuple(pose(x=by + index)) if first <= index <= last else m
        for index, m in enumerate(cameras.world_to_camera)
    ]
    return replace(cameras, world_to_camera=tuple(poses))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(10**9, tmp_path, 10**9)
    yield store
    store.close()


@fast
@given(frames=LENGTHS, data=st.data())
def test_every_frame_is_generated_once_wherever_the_playhead_goes(
    store: Store, frames: int, data: st.DataObject
) -> None:
    plan = Plan(store, shot(frames))
    backend = FakeBackend(plan)
    put: dict[float, int] = {}
    while True:
        plan.set_playhead(data.draw(st.integers(-3, frames + 5)), data.draw(st.booleans()))
        before = {frame: backend.serial(frame) for frame in plan.cameras.frames}
        if backend.step() is None:
            break
        for frame, serial in before.items():
            if backend.serial(frame) != serial:
                put[frame] = put.get(frame, 0) + 1
        backend.check()
    assert put == dict.fromkeys(plan.cameras.frames, 1)
    assert plan.missing == 0
    assert set(store.frames().values()) == {"fresh"}


@fast
@given(frames=LENGTHS, data=st.data())
def test_an_edit_recomputes_from_the_first_changed_block_on(
    store: Store, frames: int, data: st.DataObject
) -> None:
    plan = Plan(store, shot(frames))
    backend = FakeBackend(plan)
    assert backend.run() == plan.blocks_generated == block_count(frames)
    first = data.draw(st.integers(0, frames - 1))
    last = data.draw(st.integers(first, frames - 1))
    plan.set_playhead(data.draw(st.integers(1, frames)), data.draw(st.booleans()))
    del backend.orders[:]
    assert not plan.set_cameras(changed(plan.cameras, first, last, 5.0)), "nothing is in flight"
    k = block_count(first + 1) - 1
    frame = plan.cameras.frames[0 if k == 0 else 9 + 12 * (k - 1)]
    assert {f for f, state in store.frames().items() if state == "stale"} == {
        f for f in plan.cameras.frames if f >= frame
    }
    assert backend.run() == block_count(frames) - k
    assert [order.block for order in backend.orders] == list(range(k, block_count(frames)))
    assert [order.rewind_to for order in backend.orders] == [k, *[None] * (block_count(frames) - k - 1)]
    assert plan.blocks_replayed == 0
    backend.check()


def test_an_edit_that_is_undone_at_once_costs_nothing(store: Store) -> None:
    plan = Plan(store, shot(60))
    backend = FakeBackend(plan)
    backend.run()
    before = plan.cameras
    plan.set_cameras(changed(before, 30, 40, 1.0))
    assert plan.missing == 60 - 21
    plan.set_cameras(before)
    assert plan.missing == 0
    assert plan.next() is None
    assert set(store.frames().values()) == {"fresh"}


class Machine:
    """What may happen to a preview, drawn at random; `check` holds after each."""

    def __init__(self, store: Store, data: st.DataObject) -> None:
        self.data = data
        frames = data.draw(st.integers(1, 90))
        self.plan = Plan(store, shot(frames))
        self.backend = FakeBackend(self.plan, kept=data.draw(st.sampled_from([1, 2, 1000])))

    def edit(self) -> None:
        count = len(self.plan.cameras)
        first = self.data.draw(st.integers(0, count - 1))
        last = self.data.draw(st.integers(first, count - 1))
        # Few different cameras, so that an edit may also bring an earlier one back.
        self.plan.set_cameras(
            changed(self.plan.cameras, first, last, self.data.draw(st.sampled_from([1.0, 2.0])))
        )

    def jump(self) -> None:
        self.plan.set_playhead(self.data.draw(st.integers(0, 100)), self.data.draw(st.booleans()))

    def step(self) -> None:
        self.backend.step()

    def edit_in_flight(self) -> None:
        """The cameras change while a block is generated; it is dropped where it became stale, or was too far."""
        order = self.plan.next()
        if order is None or not self.backend.begin(order):
            return
        self.edit()
        if self.plan.in_flight_is_stale and self.data.draw(st.booleans()):
            if self.data.draw(st.booleans()):  # Interrupted too late: the backend came past it all the same.
                self.backend.takes[order.chain].append(order.cameras)
                self.backend.states[order.chain].append(len(self.backend.takes[order.chain]))
            self.plan.failed(order)
        else:
            self.backend.finish(order)

    def lose(self) -> None:
        self.backend.takes.clear()
        self.backend.states.clear()
        self.plan.lost()

    def resize(self) -> None:
        self.plan.reset(shot(self.data.draw(st.integers(1, 90)), self.data.draw(st.integers(1, 50))))
        self.backend.shown.clear()


@settings(fast, max_examples=150)
@given(data=st.data())
def test_whatever_happens_what_is_fresh_is_right_and_all_of_it_comes(
    store: Store, data: st.DataObject
) -> None:
    machine = Machine(store, data)
    happenings = ("edit", "jump", "step", "step", "step", "edit_in_flight", "lose", "resize")
    for happening in data.draw(st.lists(st.sampled_from(happenings), max_size=25)):
        getattr(machine, happening)()
        machine.backend.check()
    machine.backend.run()
    assert machine.plan.missing == 0
    assert machine.backend.shown.keys() == set(machine.plan.cameras.frames)
    machine.backend.check()


def test_a_still_playhead_in_a_gap_begins_a_chain_and_the_one_before_meets_it(store: Store) -> None:
    plan = Plan(store, shot(100))
    backend = FakeBackend(plan)
    plan.set_playhead(1, False)
    assert backend.step().frames == tuple(map(float, range(1, 10)))
    plan.set_playhead(50, False)
    order = backend.step()
    assert (order.block, order.frames[0], len(order.cameras)) == (0, 50.0, 9)
    while (order := backend.step()).frames[0] >= 50:
        pass
    assert order.frames[0] == 10.0 and order.chain == 1, "the range's start comes after its end"
    backend.run()
    assert plan.missing == 0
    assert plan.leading().pieces == (49,)
    assert plan.leading().chain is None
    # 9 + 12·4 reaches the other's first frames: they stay as they are, and it ends.
    assert [order.frames[-1] for order in backend.orders if order.chain == 1][-1] == 57.0
    assert backend.serial(50) == backend.orders[1].serial


def test_playback_that_runs_ahead_begins_no_chain(store: Store) -> None:
    plan = Plan(store, shot(200))
    backend = FakeBackend(plan)
    for frame in range(1, 200, 20):  # Faster than frames are made.
        plan.set_playhead(frame, True)
        backend.step()
    assert {order.chain for order in backend.orders} == {1}


def test_the_block_at_the_frontier_is_gone_on_with_although_the_playhead_is_in_it(store: Store) -> None:
    plan = Plan(store, shot(60))
    backend = FakeBackend(plan)
    backend.step()
    plan.set_playhead(15, False)
    order = backend.step()
    assert (order.chain, order.block, order.frames[0]) == (1, 1, 10.0)


def test_a_fifth_chain_closes_the_farthest_whose_frames_stay(store: Store) -> None:
    plan = Plan(store, shot(600))
    backend = FakeBackend(plan)
    for start in (1, 150, 300, 450, 560):
        plan.set_playhead(start, False)
        order = backend.step()
    assert order.chains == {2, 3, 4, 5}
    assert store.get(1) is not None and store.frames()[1] == "fresh"
    # Gone on with later, the closed chain is taken through its first block again.
    plan.set_playhead(10, False)
    first, second = backend.step(), backend.step()
    assert (first.chain, first.block, first.replay) == (1, 0, True)
    assert (second.chain, second.block, second.replay) == (1, 1, False)
    assert plan.blocks_replayed == 1
    assert len(second.chains) == 4 and 5 not in second.chains


def test_lost_takes_are_taken_only_as_far_as_frames_are_missing(store: Store) -> None:
    plan = Plan(store, shot(60))
    backend = FakeBackend(plan)
    backend.run()
    plan.lost()
    backend.takes.clear(), backend.states.clear()
    assert plan.next() is None, "all pictures are there"
    plan.set_cameras(changed(plan.cameras, 25, 25, 3.0))
    del backend.orders[:]
    backend.run()
    assert [(order.block, order.replay) for order in backend.orders] == [
        (0, True), (1, True), (2, False), (3, False), (4, False), (5, False)
    ]  # fmt: skip
    assert (plan.blocks_generated, plan.blocks_replayed) == (6 + 4, 2)


def test_the_next_blocks_cameras_come_along_where_the_chain_goes_on(store: Store) -> None:
    plan = Plan(store, shot(30))
    backend = FakeBackend(plan)
    backend.run()
    cameras = plan.cameras
    assert [order.following for order in backend.orders] == [cameras.block(1), cameras.block(2), None]
    assert [order.cameras for order in backend.orders] == [cameras.block(number) for number in range(3)]


def test_another_range_drops_all(store: Store) -> None:
    plan = Plan(store, shot(40))
    backend = FakeBackend(plan)
    backend.run()
    order = None
    plan.set_cameras(changed(plan.cameras, 39, 39, 1.0))
    order = plan.next()
    assert plan.set_cameras(shot(20)) is True, "what was in flight is of no use"
    assert store.frames() == {}
    assert plan.done(order, [0.5] * 12, [np.zeros((SIZE, SIZE, 3), np.uint8)] * 12) == 0
    assert plan.next().frames[0] == 1.0


def test_what_came_back_although_it_is_stale_is_shown_as_such(store: Store) -> None:
    plan = Plan(store, shot(9))
    backend = FakeBackend(plan)
    order = plan.next()
    backend.begin(order)
    assert plan.working == order.frames
    assert plan.set_cameras(changed(plan.cameras, 0, 8, 1.0))
    backend.finish(order)
    assert set(store.frames().values()) == {"stale"}
    assert plan.working == ()
    assert plan.next().rewind_to == 0


def test_what_the_store_let_go_comes_back_where_the_playhead_stands_and_only_there(store: Store) -> None:
    plan = Plan(store, shot(60))
    backend = FakeBackend(plan)
    backend.run()
    store.drop([19.0, 20.0, 21.0, 50.0])
    assert plan.next() is None
    plan.set_playhead(19, False)
    assert backend.run() == 1
    assert all(store.holds(frame) for frame in (19, 20, 21))
    store.drop([19.0])  # It cannot be held: asked for once, not for ever.
    assert plan.next() is None


def test_closed_or_empty_it_orders_nothing(store: Store) -> None:
    assert Plan(store).next() is None
    plan = Plan(store, shot(20))
    order = plan.next()
    plan.close()
    assert plan.next() is None
    assert plan.done(order, [0.5] * 9, [np.zeros((SIZE, SIZE, 3), np.uint8)] * 9) == 0
    assert plan.closed


def test_a_change_is_noticed_by_who_waits(store: Store) -> None:
    plan = Plan(store, shot(9))
    FakeBackend(plan).run()
    before = plan.changes
    plan.set_cameras(plan.cameras)
    assert plan.changes == before, "nothing has changed"
    began = time.monotonic()
    plan.wait(before, 0.05)
    assert time.monotonic() - began >= 0.05
    threading.Timer(0.05, lambda: plan.set_cameras(changed(plan.cameras, 0, 0, 1.0))).start()
    plan.wait(before)
    assert plan.next() is not None


def test_what_is_known_is_generated_while_the_rest_is_still_sampled(store: Store) -> None:
    plan = Plan(store, shot(60))
    backend = FakeBackend(plan)
    backend.run()
    edited = changed(plan.cameras, 5, 59, 1.0)
    for known in (4, 12, 21, 40):
        plan.set_cameras(changed(plan.cameras, 5, known - 1, 1.0), unknown=range(known, 60))
        backend.run()
        backend.check()
    assert [order.frames[0] for order in backend.orders[6:]] == [1.0, 10.0, 22.0]
    plan.set_cameras(edited)
    backend.run()
    assert (plan.missing, plan.blocks_generated, plan.cameras) == (0, 6 + 6, edited)
    # Of a chain that begins behind what is unknown, all is known.
    plan.reset(shot(60))
    plan.set_cameras(plan.cameras, unknown=range(30))
    assert plan.next() is None
    plan.set_playhead(31, False)
    assert backend.step().frames[0] == 31.0


def test_every_number_of_a_camera_counts(store: Store) -> None:
    plan = Plan(store, shot(9))
    backend = FakeBackend(plan)
    backend.run()
    cameras = plan.cameras
    k = list(lens(SIZE, SIZE))
    k[2] += 1e-9
    others = (
        replace(cameras, intrinsics=(tuple(k), *cameras.intrinsics[1:])),
        replace(cameras, times=(*cameras.times[:-1], 3.5)),
        changed(cameras, 0, 0, -1.0),
        changed(cameras, 0, 0, -2.0),  # Python's hash is the same for the two.
    )
    for other in others:
        plan.set_cameras(other)
        assert plan.missing == 9
        backend.run()
