"""A camera that is flown: sampled in real time, streamed without end.

The main thread adds what the camera is at each tick. A block is ordered when the one before is done, for the time
that has passed since that one's cameras ended: its cameras lie evenly over it. So a camera flown at constant speed
moves at constant speed, at whatever rate frames are made, and is seen one block later.

    samples    . . .  .  . . . | .  . . .  . . . . | . .
    block          9 frames    |      12 frames    |   being flown while the 12 are generated
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...backend.protocol import blocks
from ...backend.protocol.cameras import Cameras, Matrix
from .orders import Order, Source, next_serial
from .store import Store

KEPT_SECONDS = 10.0
"""How long a frame is kept that is not recorded, and how long samples wait for a backend."""


@dataclass(frozen=True)
class Sample:
    """A camera at a moment of real time. reference_time: the moment of the reference that it shows."""

    seconds: float
    intrinsics: Matrix
    world_to_camera: Matrix
    reference_time: float


@dataclass(frozen=True)
class Recording:
    """What was generated while the camera was recorded. numbers: of its frames' pictures in the store.

    cameras: exactly those they were generated with, their frames are the numbers; seconds: the real time of each.
    pieces: which of them, counted from 0, another chain begins at.
    """

    numbers: tuple[float, ...]
    cameras: Cameras
    seconds: tuple[float, ...]
    pieces: tuple[int, ...] = ()

    def cameras_from(self, frame: int) -> Cameras:
        """The cameras as those of the scene frames from `frame` on; what they show of the reference stays."""
        frames = tuple(float(frame + index) for index in range(len(self.numbers)))
        return Cameras(frames, self.cameras.intrinsics, self.cameras.world_to_camera, self.cameras.times)


@dataclass(frozen=True)
class _Made:
    number: float
    chain: int
    camera: Sample


class Flight(Source):
    """Frames of a flown camera, numbered 0, 1, 2 …; see the module's docstring."""

    endless = True

    def __init__(self, store: Store, kept_seconds: float = KEPT_SECONDS) -> None:
        super().__init__(store)
        self._kept_seconds = kept_seconds
        self._samples: deque[Sample] = deque()
        self._made: deque[_Made] = deque()
        self._count = 0
        self._chain = 1
        self._block = 0
        self._unsure = False
        self._opened = False
        self._end: float | None = None
        """The real time of the last frame that was generated."""
        self._begin = self._span = 0.0
        """Where the block in flight begins, and how long the one before it was."""
        self._ordered: list[Sample] = []
        self._recording_from: float | None = None
        self._recordings: list[Recording] = []

    @property
    def in_flight_is_stale(self) -> bool:
        return False

    @property
    def recording(self) -> bool:
        """Whether what is generated is being recorded."""
        return self._recording_from is not None

    def add(self, time_s: float, intrinsics: Matrix, world_to_camera: Matrix, reference_time: float) -> None:
        """The camera as it is at `time_s` seconds of a clock that only goes forward; others are passed over."""
        with self._lock:
            if self._closed or (self._samples and time_s <= self._samples[-1].seconds):
                return
            self._samples.append(Sample(time_s, intrinsics, world_to_camera, reference_time))
            while len(self._samples) > 2 and self._samples[1].seconds < time_s - self._kept_seconds:
                self._samples.popleft()
            self.wake()

    def seconds_of(self, number: float) -> float | None:
        """When the camera was where a generated frame shows it, by the clock of `add`; None for one that is gone."""
        with self._lock:
            return next((made.camera.seconds for made in self._made if made.number == number), None)

    def begin_recording(self) -> None:
        """Record from now on."""
        with self._lock:
            self._recording_from = self._samples[-1].seconds if self._samples else -math.inf

    def end_recording(self) -> Recording:
        """What was recorded, as far as it is generated. Its pictures stay until `release`."""
        with self._lock:
            since, self._recording_from = self._recording_from, None
            made = [m for m in self._made if since is not None and m.camera.seconds >= since]
            gone = next((i for i, m in enumerate(made) if self.store.holds(m.number)), len(made))
            made = made[gone:]
            recording = Recording(
                tuple(m.number for m in made),
                _cameras([m.number for m in made], [m.camera for m in made]),
                tuple(m.camera.seconds for m in made),
                tuple(i for i in range(1, len(made)) if made[i].chain != made[i - 1].chain),
            )
            if made:
                self._recordings.append(recording)
            return recording

    def release(self, recording: Recording) -> None:
        """The recording's pictures are not needed any more."""
        with self._lock:
            if recording in self._recordings:
                self._recordings.remove(recording)

    def next(self) -> Order | None:
        with self._lock:
            if self._closed or not self._samples:
                return None
            last = self._samples[-1].seconds
            begin = self._end
            if begin is None:  # What was flown before anything could be generated would only be late.
                begin = max(self._samples[0].seconds, last - self._span)
            elif last <= begin:
                return None
            self._begin = begin
            size = blocks.block_size(self._block)
            moments = [begin + (last - begin) * (index + 1) / size for index in range(size)]
            self._ordered = _resampled(self._samples, moments)
            numbers = [float(self._count + index) for index in range(size)]
            self._in_flight = Order(
                serial=next_serial(),
                chain=self._chain,
                block=self._block,
                frames=tuple(numbers),
                cameras=_cameras(numbers, self._ordered),
                rewind_to=self._block if self._unsure else None,
                chains=frozenset({self._chain}),
            )
            return self._in_flight

    def done(self, order: Order, coverage: Sequence[float], pictures: Sequence[np.ndarray]) -> int:
        with self._lock:
            self._in_flight = None
            if self._closed or order.chain != self._chain:
                return 0
            last = self._ordered[-1].seconds
            self._span = last - self._begin
            self._end, self._block, self._unsure = last, self._block + 1, False
            self._count += len(order.frames)
            self.blocks_generated += 1
            while len(self._samples) > 1 and self._samples[1].seconds <= last:
                self._samples.popleft()
            self.store.set_playhead(order.frames[0])
            for number, camera, picture, share in zip(
                order.frames, self._ordered, pictures, coverage, strict=True
            ):
                self._made.append(_Made(number, order.chain, camera))
                self.store.put(number, picture, share, order.serial)
            self._drop_old(last - self._kept_seconds)
            return len(order.frames)

    def failed(self, order: Order) -> None:
        with self._lock:
            self._in_flight = None
            self._unsure = True
            self.wake()

    def rewound(self, order: Order, block: int) -> bool:
        with self._lock:
            self._unsure = False
            if block == order.block:
                return True
            self._begin_chain()  # What came before cannot be generated again: its cameras are gone.
            return False

    def lost(self, chain: int | None = None) -> None:
        with self._lock:
            if chain in (None, self._chain):
                self._begin_chain()

    # With the lock held:

    def _begin_chain(self) -> None:
        """Go on from where the camera is now."""
        self._in_flight = None
        self._chain += 1
        self._block, self._unsure, self._end = 0, False, None
        while len(self._samples) > 1 and self._samples[1].seconds <= self._samples[-1].seconds - self._span:
            self._samples.popleft()
        self.wake()

    def _drop_old(self, before: float) -> None:
        needed = min((recording.seconds[0] for recording in self._recordings), default=math.inf)
        before = min(before, needed, math.inf if self._recording_from is None else self._recording_from)
        old = []
        while self._made and self._made[0].camera.seconds < before:
            old.append(self._made.popleft().number)
        if old:
            self.store.drop(old)


def _cameras(numbers: Sequence[float], cameras: Sequence[Sample]) -> Cameras:
    return Cameras(
        tuple(numbers),
        tuple(camera.intrinsics for camera in cameras),
        tuple(camera.world_to_camera for camera in cameras),
        tuple(camera.reference_time for camera in cameras),
    )


def _resampled(samples: Sequence[Sample], moments: Sequence[float]) -> list[Sample]:
    """The camera at other moments, between those it was sampled at."""
    seconds = [sample.seconds for sample in samples]
    made = []
    for moment in moments:
        index = bisect_left(seconds, moment)
        after = samples[min(index, len(samples) - 1)]
        before = samples[max(0, index - 1)]
        whole = after.seconds - before.seconds
        share = min(1.0, max(0.0, (moment - before.seconds) / whole)) if whole > 0 else 1.0
        made.append(_between(before, after, share, moment))
    return made


def _between(a: Sample, b: Sample, share: float, moment: float) -> Sample:
    """The camera on its way from a to b: its position straight on, its rotation around one axis."""
    turn = _slerp(_quaternion(a.world_to_camera), _quaternion(b.world_to_camera), share)
    place = [_mix(p, q, share) for p, q in zip(_position(a), _position(b), strict=True)]
    rotation = _matrix(turn)
    pose: list[float] = []
    for row in rotation:
        pose += [*row, -sum(r * p for r, p in zip(row, place, strict=True))]
    return Sample(
        moment,
        tuple(_mix(p, q, share) for p, q in zip(a.intrinsics, b.intrinsics, strict=True)),
        (*pose, 0.0, 0.0, 0.0, 1.0),
        _mix(a.reference_time, b.reference_time, share),
    )


def _mix(a: float, b: float, share: float) -> float:
    return a + (b - a) * share


def _position(sample: Sample) -> list[float]:
    """Where the camera is in the world."""
    m = sample.world_to_camera
    return [-(m[i] * m[3] + m[4 + i] * m[7] + m[8 + i] * m[11]) for i in range(3)]


def _quaternion(m: Matrix) -> list[float]:
    """Unit quaternion (w, x, y, z) of the rotation in a pose, by its largest component."""
    xx, yy, zz = m[0], m[5], m[10]
    squares = [1 + xx + yy + zz, 1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz]
    largest = max(range(4), key=squares.__getitem__)
    wx, wy, wz = m[9] - m[6], m[2] - m[8], m[4] - m[1]
    xy, xz, yz = m[1] + m[4], m[2] + m[8], m[6] + m[9]
    row = [
        [squares[0], wx, wy, wz],
        [wx, squares[1], xy, xz],
        [wy, xy, squares[2], yz],
        [wz, xz, yz, squares[3]],
    ][largest]
    length = math.sqrt(sum(value * value for value in row))
    return [value / length for value in row]


def _slerp(a: list[float], b: list[float], share: float) -> list[float]:
    """The rotation a share of the shorter way from a to b."""
    cosine = sum(p * q for p, q in zip(a, b, strict=True))
    if cosine < 0:
        b, cosine = [-value for value in b], -cosine
    angle = math.acos(min(1.0, cosine))
    if angle < 1e-6:
        mixed = [_mix(p, q, share) for p, q in zip(a, b, strict=True)]
    else:
        first, second = math.sin((1 - share) * angle), math.sin(share * angle)
        mixed = [first * p + second * q for p, q in zip(a, b, strict=True)]
    length = math.sqrt(sum(value * value for value in mixed))
    return [value / length for value in mixed]


def _matrix(q: list[float]) -> list[list[float]]:
    w, x, y, z = q
    return [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
