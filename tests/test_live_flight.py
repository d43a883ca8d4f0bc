"""A flown camera: what is generated of it, and what a recording holds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inspatio_addon.inspatio_blender.live.flight import Flight
from inspatio_addon.inspatio_blender.live.orders import Order
from inspatio_addon.inspatio_blender.live.store import Store
from references import lens
from scipy.spatial.transform import Rotation, Slerp

from backend.protocol.cameras import Cameras

SIZE = 8
fast = settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
angles = st.floats(-3.0, 3.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(10**8, tmp_path, 10**8)
    yield store
    store.close()


def pose(place: Sequence[float], turn: Rotation | None = None) -> tuple[float, ...]:
    """World-to-camera of a camera at a place."""
    matrix = np.eye(4)
    matrix[:3, :3] = (turn or Rotation.identity()).as_matrix()
    matrix[:3, 3] = -matrix[:3, :3] @ np.array(place)
    return tuple(map(float, matrix.ravel()))


def places(cameras: Cameras) -> np.ndarray:
    """(n, 3): where they are."""
    matrices = np.array(cameras.world_to_camera).reshape(-1, 4, 4)
    return -np.einsum("nji,nj->ni", matrices[:, :3, :3], matrices[:, :3, 3])


def add(flight: Flight, seconds: float, place: Sequence[float], turn: Rotation | None = None) -> None:
    flight.add(seconds, tuple(lens(SIZE, SIZE)), pose(place, turn), 5.0)


def do(flight: Flight, order: Order) -> None:
    count = len(order.cameras)
    assert flight.done(order, [0.5] * count, [np.zeros((SIZE, SIZE, 3), np.uint8)] * count) == count


def checked(cameras: Cameras) -> Cameras:
    """As the backend would: raises where a pose is none."""
    return Cameras.checked(cameras.frames, cameras.intrinsics, cameras.world_to_camera, cameras.times)


def test_the_first_picture_comes_of_the_first_sample(store: Store) -> None:
    flight = Flight(store)
    assert flight.next() is None
    add(flight, 10.0, (1, 2, 3))
    order = flight.next()
    assert (order.chain, order.block, order.frames) == (1, 0, tuple(map(float, range(9))))
    np.testing.assert_allclose(places(order.cameras), [(1, 2, 3)] * 9, atol=1e-12)
    assert order.cameras.times == (5.0,) * 9
    do(flight, order)
    assert flight.next() is None, "no time has passed"
    add(flight, 10.5, (1, 2, 4))
    order = flight.next()
    assert (order.block, order.frames) == (1, tuple(map(float, range(9, 21))))
    np.testing.assert_allclose(places(order.cameras)[:, 2], 3 + np.arange(1, 13) / 12)


@fast
@given(st.lists(st.floats(0.001, 0.4), min_size=2, max_size=60), st.lists(st.integers(1, 20), min_size=1))
def test_constant_speed_stays_constant_speed(store: Store, ticks: list[float], waits: list[int]) -> None:
    """However unevenly the camera is sampled, and however long blocks take."""
    flight, now, until, number = Flight(store), 100.0, 0, 0
    velocity, axis = np.array([0.3, -1.0, 2.0]), np.array([0.6, 0.0, 0.8])
    begun_at, ends = now, []
    for tick in ticks:
        add(flight, now, velocity * (now - begun_at), Rotation.from_rotvec(axis * 0.5 * (now - begun_at)))
        if number >= until and (order := flight.next()) is not None:
            size = len(order.cameras)
            since = ends[-1] if ends else now
            moments = since + (now - since) * np.arange(1, size + 1) / size
            np.testing.assert_allclose(
                places(order.cameras), np.outer(moments - begun_at, velocity), atol=1e-7
            )
            turns = np.array(order.cameras.world_to_camera).reshape(-1, 4, 4)[:, :3, :3]
            expected = Rotation.from_rotvec(np.outer(moments - begun_at, axis * 0.5)).as_matrix()
            np.testing.assert_allclose(turns, expected, atol=1e-6)
            checked(order.cameras)
            do(flight, order)
            ends.append(now)
            until = number + waits[len(ends) % len(waits)]
        now, number = now + tick, number + 1


@fast
@given(angles, angles, angles, angles, angles, angles, st.integers(2, 30))
def test_rotations_stay_rotations_and_turn_the_shorter_way(
    store: Store, a: float, b: float, c: float, d: float, e: float, f: float, steps: int
) -> None:
    first, second = Rotation.from_rotvec([a, b, c]), Rotation.from_rotvec([d, e, f])
    angle = (first.inv() * second).magnitude()
    if angle > math.pi - 1e-3:
        return  # Both ways are as short.
    flight = Flight(store)
    add(flight, 0.0, (0, 0, 0), first)
    do(flight, flight.next())
    add(flight, 1.0, (0, 0, 1), second)
    cameras = checked(flight.next().cameras)
    turns = np.array(cameras.world_to_camera).reshape(-1, 4, 4)[:, :3, :3]
    moments = np.arange(1, 13) / 12
    expected = Slerp([0, 1], Rotation.concatenate([first, second]))(moments).as_matrix()
    np.testing.assert_allclose(turns, expected, atol=1e-6)
    np.testing.assert_allclose(
        turns @ turns.transpose(0, 2, 1), np.broadcast_to(np.eye(3), turns.shape), atol=1e-12
    )


def test_lens_shift_and_reference_time_go_along(store: Store) -> None:
    flight = Flight(store)
    flight.add(0.0, (10, 0, 3, 0, 12, 4, 0, 0, 1), pose((0, 0, 0)), 1.0)
    do(flight, flight.next())
    flight.add(1.0, (22, 0, 9, 0, 24, 4, 0, 0, 1), pose((0, 0, 0)), 13.0)
    cameras = checked(flight.next().cameras)
    np.testing.assert_allclose([k[0] for k in cameras.intrinsics], np.arange(11, 23))
    np.testing.assert_allclose([k[4] for k in cameras.intrinsics], np.arange(13, 25))
    np.testing.assert_allclose([k[2] for k in cameras.intrinsics], 3 + np.arange(1, 13) / 2)
    np.testing.assert_allclose(cameras.times, np.arange(2, 14))


def test_a_gap_in_time_is_crossed_evenly(store: Store) -> None:
    """Blender hung for three seconds: nobody knows what lay between."""
    flight = Flight(store)
    add(flight, 0.0, (0, 0, 0))
    do(flight, flight.next())
    add(flight, 3.0, (6, 0, 0))
    add(flight, 2.0, (99, 0, 0))  # A clock that goes back is passed over.
    np.testing.assert_allclose(places(flight.next().cameras)[:, 0], np.arange(1, 13) / 2)


def test_a_block_that_failed_is_ordered_anew_up_to_now(store: Store) -> None:
    flight = Flight(store)
    add(flight, 0.0, (0, 0, 0))
    do(flight, flight.next())
    add(flight, 1.0, (12, 0, 0))
    failed = flight.next()
    flight.failed(failed)
    add(flight, 2.0, (24, 0, 0))
    order = flight.next()
    assert (order.block, order.frames, order.rewind_to) == (1, failed.frames, 1)
    np.testing.assert_allclose(places(order.cameras)[:, 0], 2 * np.arange(1, 13))
    assert flight.rewound(order, 1)
    do(flight, order)
    add(flight, 3.0, (36, 0, 0))
    assert flight.next().rewind_to is None


def test_a_lost_backend_begins_a_chain_where_the_camera_is_now(store: Store) -> None:
    flight = Flight(store)
    for tick in range(101):
        add(flight, tick / 100, (tick / 100, 0, 0))
    do(flight, flight.next())
    for tick in range(101, 201):
        add(flight, tick / 100, (tick / 100, 0, 0))
    do(flight, flight.next())
    flight.next()
    flight.lost()
    for tick in range(201, 901):
        add(flight, tick / 100, (tick / 100, 0, 0))
    order = flight.next()
    assert (order.chain, order.block, order.frames[0], order.chains) == (2, 0, 21.0, {2})
    np.testing.assert_allclose(places(order.cameras)[:, 0], 8 + np.arange(1, 10) / 9)  # A block's time.
    do(flight, order)
    assert store.holds(0) and store.holds(29)


def test_the_first_block_shows_where_the_camera_is_now(store: Store) -> None:
    """The backend took seconds to start."""
    flight = Flight(store)
    for tick in range(501):
        add(flight, tick / 100, (tick / 100, 0, 0))
    np.testing.assert_allclose(places(flight.next().cameras)[:, 0], [5.0] * 9)


def test_only_the_last_seconds_are_kept(store: Store) -> None:
    flight = Flight(store, kept_seconds=2.0)
    for second in range(30):
        add(flight, second * 0.5, (second, 0, 0))
        do(flight, flight.next())
    assert len(flight._made) <= 12 * 5 and len(flight._samples) <= 5
    assert len(store.frames()) == len(flight._made)
    assert max(store.frames()) == 9 + 12 * 29 - 1
    for tick in range(10_000):  # Nobody generates: the backend is away.
        add(flight, 100 + tick / 100, (0, 0, 0))
    assert len(flight._samples) <= 203


def test_a_recording_holds_exactly_what_was_generated(store: Store) -> None:
    flight = Flight(store, kept_seconds=1.0)
    made: dict[float, tuple[object, ...]] = {}

    def fly(first: int, last: int) -> None:
        for tick in range(first, last):
            add(flight, tick / 20, (tick / 20, 0, 0), Rotation.from_rotvec([0, 0, tick / 50]))
            if tick % 7 == 0 and (order := flight.next()) is not None:
                for index, frame in enumerate(order.frames):
                    cameras = order.cameras
                    made[frame] = (
                        cameras.intrinsics[index],
                        cameras.world_to_camera[index],
                        cameras.times[index],
                    )
                do(flight, order)

    assert flight.end_recording().numbers == ()
    fly(0, 60)
    flight.begin_recording()
    assert flight.recording
    fly(60, 180)
    in_flight = flight.next()
    recording = flight.end_recording()
    assert not flight.recording
    assert recording.numbers[-1] == in_flight.frames[0] - 1, "what is generated only now is not in it"
    assert list(recording.numbers) == list(np.arange(recording.numbers[0], in_flight.frames[0]))
    assert all(a >= 59 / 20 for a in recording.seconds) and recording.seconds[0] < 59 / 20 + 7 / 20 / 12
    for index, number in enumerate(recording.numbers):
        cameras = recording.cameras
        got = cameras.intrinsics[index], cameras.world_to_camera[index], cameras.times[index]
        assert got == made[number]
    placed = recording.cameras_from(101)
    assert placed.frames == tuple(101.0 + index for index in range(len(recording.numbers)))
    assert placed.world_to_camera == recording.cameras.world_to_camera
    # Its pictures stay until it is released, whatever is flown meanwhile.
    flight.failed(in_flight)
    fly(180, 300)
    assert all(store.holds(number) for number in recording.numbers)
    flight.release(recording)
    fly(300, 340)
    assert not any(store.holds(number) for number in recording.numbers)


def test_a_recording_that_the_store_could_not_hold_begins_later(tmp_path: Path) -> None:
    store = Store(30 * SIZE * SIZE * 3, tmp_path, 0)
    flight = Flight(store)
    flight.begin_recording()
    for second in range(10):
        add(flight, float(second), (second, 0, 0))
        do(flight, flight.next())
    recording = flight.end_recording()
    assert 0 < len(recording.numbers) <= 30
    assert all(store.holds(number) for number in recording.numbers)
    assert recording.numbers[-1] == 9 + 12 * 9 - 1
    store.close()


def test_a_recording_across_a_lost_backend_says_where_it_begins_anew(store: Store) -> None:
    flight = Flight(store)
    add(flight, 0.0, (0, 0, 0))
    flight.begin_recording()
    do(flight, flight.next())
    flight.lost()
    add(flight, 1.0, (1, 0, 0))
    do(flight, flight.next())
    assert flight.end_recording().pieces == (9,)


def test_closed_it_orders_nothing(store: Store) -> None:
    flight = Flight(store)
    add(flight, 0.0, (0, 0, 0))
    flight.close()
    add(flight, 1.0, (0, 0, 0))
    assert flight.next() is None
