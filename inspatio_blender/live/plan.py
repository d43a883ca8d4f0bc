"""What of a shot's preview is there, what is out of date, and which block comes next.

A chain begins at some frame with 9 frames and goes on with 12 each, every block from the state after the one before.
So a picture depends on the cameras of its chain from its start on, and on nothing else: each block is known by the
digest of those cameras. Where that is the digest of the cameras as they are now, its frames are fresh. So an edit that
is undone before anything was generated anew costs nothing.

    cameras changed from here:              x
    chain   |  9  |    12    |    12    |    12    |    12    |
              fresh   fresh      stale      stale      stale     goes on from the state after the second
"""

from __future__ import annotations

import hashlib
import itertools
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ...backend.protocol import blocks
from ...backend.protocol.cameras import Cameras
from .orders import Order, Source, next_serial
from .store import Store

MAX_CHAINS = 4
"""Chains whose takes are open: each holds a session's memory."""
_EMPTY = Cameras((), (), (), ())


@dataclass
class _Chain:
    """start: index of its first frame. made: the digest of each block that was generated, in order.

    stands: the block that its take generates next; None where it has no take. unsure: the take may stand elsewhere.
    """

    id: int
    start: int
    made: list[bytes] = field(default_factory=list)
    stands: int | None = None
    unsure: bool = False


@dataclass(frozen=True)
class _Owner:
    """Which block a frame's picture is of."""

    start: int
    block: int
    digest: bytes


@dataclass(frozen=True)
class Leading:
    """The frames from the shot's first one on that are fresh, without a gap: `count` of those of `cameras`.

    pieces: which of them, counted from 0, another chain begins at. chain: the one whose take stands right after them,
    where all are of one that began at the first frame.
    """

    cameras: Cameras
    count: int
    pieces: tuple[int, ...]
    chain: int | None = None


class Plan(Source):
    """The preview of a shot; see the module's docstring. Frames are scene frames, cameras all those of the shot."""

    def __init__(self, store: Store, cameras: Cameras = _EMPTY) -> None:
        super().__init__(store)
        self._ids = itertools.count(1)
        self._playhead = 0
        self._playing = False
        self._brought_back = -1
        """The playhead at which what the store had let go was last asked for again."""
        self.reset(cameras)

    def reset(self, cameras: Cameras) -> None:
        """Begin anew: another range, size or reference. Every picture is dropped."""
        with self._lock:
            self._reset(cameras)
        self.wake()

    def set_cameras(self, cameras: Cameras, unknown: range = range(0)) -> bool:
        """The cameras of all frames of the shot, as they are now; whether the block in flight became stale.

        Frames from a chain's first changed block on are stale until they are generated again, or until their cameras
        are again those that they were generated with. Other frames than before: as `reset`.

        unknown: indices of frames that are still being sampled, and have the cameras of before: no block with one of
        them is ordered, so that what is known already can be generated meanwhile.
        """
        with self._lock:
            if cameras.frames != self._cameras.frames:
                self._reset(cameras)
                self._unknown = unknown
                self.wake()
                return self._in_flight is not None
            before, self._cameras = self._cameras, cameras
            changed = unknown != self._unknown
            self._unknown = unknown
            for index in range(len(cameras)):
                if _camera(cameras, index) != _camera(before, index):
                    self._digests[index] = _digest(cameras, index)
                    changed = True
            if changed:
                self._prefixes.clear()
                for index, owner in enumerate(self._owners):
                    self._fresh[index] = owner is not None and self._is_current(owner)
                self._tell_stale()
                self.wake()
            return changed and self._stale_in_flight()

    def set_playhead(self, frame: float, playing: bool) -> None:
        """Where the user looks, and whether it moves by itself."""
        with self._lock:
            index = min(bisect_left(self._cameras.frames, frame), max(0, len(self._cameras) - 1))
            if index != self._playhead:
                self._playhead, self._brought_back = index, -1
            self._playing = playing
        self.store.set_playhead(frame)
        self.wake()

    @property
    def in_flight_is_stale(self) -> bool:
        with self._lock:
            return self._stale_in_flight()

    @property
    def missing(self) -> int:
        """How many frames of the shot are not generated, or stale."""
        return self._fresh.count(0)

    @property
    def cameras(self) -> Cameras:
        """The cameras of the shot as they are now."""
        return self._cameras

    def leading(self) -> Leading:
        """What of the shot can be kept as it is."""
        with self._lock:
            count = self._fresh.find(0)
            count = len(self._fresh) if count < 0 else count
            owners = self._owners[:count]
            pieces = tuple(
                index for index in range(1, count) if owners[index].start != owners[index - 1].start
            )
            chain = next((chain for chain in self._chains.values() if chain.start == 0), None)
            whole = blocks.block_count(count)
            stands = (
                chain is not None
                and not (pieces or chain.unsure)
                and chain.stands == whole
                and blocks.block_start(whole) == count
                and owners[0].start == 0
            )
            return Leading(self._cameras, count, pieces, chain.id if stands else None)

    def next(self) -> Order | None:
        with self._lock:
            if self._closed:
                return None
            self._forget_what_is_gone()
            target = self._fresh.find(0, self._playhead)
            if target < 0:
                target = self._fresh.find(0)
            if target < 0:
                return None
            chain, block = self._choose(target)
            if self._is_unknown(chain, block):
                return None
            self._in_flight = self._order(chain, block)
            return self._in_flight

    def done(self, order: Order, coverage: Sequence[float], pictures: Sequence[np.ndarray]) -> int:
        with self._lock:
            self._in_flight = None
            chain = self._chains.get(order.chain)
            if chain is None or self._closed:
                return 0
            chain.stands, chain.unsure = order.block + 1, False
            if chain.made[order.block : order.block + 1] != [order.digest]:
                chain.made[order.block :] = [order.digest]
            if order.replay:
                self.blocks_replayed += 1
            else:
                self.blocks_generated += 1
            owner = _Owner(chain.start, order.block, order.digest)
            start, current, stored = chain.start + blocks.block_start(order.block), self._is_current(owner), 0
            for index, frame in enumerate(order.frames, start):
                if not self._fresh[index]:
                    self._owners[index] = owner
                    self._fresh[index] = current
                    self.store.put(frame, pictures[index - start], coverage[index - start], order.serial)
                    stored += 1
            self._tell_stale()
            return stored

    def failed(self, order: Order) -> None:
        with self._lock:
            self._in_flight = None
            chain = self._chains.get(order.chain)
            if chain is not None:
                chain.unsure = True
            self.wake()

    def rewound(self, order: Order, block: int) -> bool:
        with self._lock:
            chain = self._chains.get(order.chain)
            if chain is not None:
                chain.stands, chain.unsure = block, False
            if block == order.block:
                return True
            self._in_flight = None
            return False

    def lost(self, chain: int | None = None) -> None:
        with self._lock:
            self._in_flight = None
            for known in self._chains.values():
                if chain in (None, known.id):
                    known.stands, known.unsure = None, False
            self.wake()

    # With the lock held:

    def _reset(self, cameras: Cameras) -> None:
        count = len(cameras)
        self._cameras = cameras
        self._digests = [_digest(cameras, index) for index in range(count)]
        self._unknown = range(0)
        self._owners: list[_Owner | None] = [None] * count
        self._fresh = bytearray(count)
        self._chains: dict[int, _Chain] = {}
        self._prefixes: dict[int, list[bytes]] = {}
        self._playhead = min(self._playhead, max(0, count - 1))
        self.store.clear()

    def _current(self, start: int) -> list[bytes]:
        """The digests of the blocks of a chain from `start` on, with the cameras as they are now."""
        known = self._prefixes.get(start)
        if known is None:
            digest, known = hashlib.blake2b(digest_size=16), []
            for span in blocks.blocks_of(len(self._digests) - start):
                digest.update(b"".join(self._digests[start + span.start : start + span.stop]))
                known.append(digest.digest())
            self._prefixes[start] = known
        return known

    def _is_current(self, owner: _Owner) -> bool:
        return self._current(owner.start)[owner.block] == owner.digest

    def _valid(self, chain: _Chain) -> int:
        """How many blocks of a chain, from its first one on, were generated with the cameras as they are now."""
        pairs = zip(chain.made, self._current(chain.start), strict=False)
        return next((block for block, (made, now) in enumerate(pairs) if made != now), len(chain.made))

    def _stale_in_flight(self) -> bool:
        order = self._in_flight
        if order is None:
            return False
        chain = self._chains.get(order.chain)
        return chain is None or self._current(chain.start)[order.block] != order.digest

    def _tell_stale(self) -> None:
        self.store.mark_stale(
            frame
            for frame, owner, fresh in zip(self._cameras.frames, self._owners, self._fresh, strict=True)
            if owner is not None and not fresh
        )

    def _forget_what_is_gone(self) -> None:
        """What the store had no room for is generated again where the playhead stands, once: else it never ends."""
        frames = self._cameras.frames
        if self._playhead == self._brought_back:
            return
        for index in range(self._playhead, min(self._playhead + blocks.NEXT_BLOCK, len(frames))):
            if not self._fresh[index] or self.store.holds(frames[index]):
                return
            self._fresh[index], self._owners[index] = False, None
            self._brought_back = self._playhead

    def _choose(self, target: int) -> tuple[_Chain, int]:
        """The chain that is to bring the frame of this index, and which of its blocks comes first."""
        owner = self._owners[target]
        able: list[tuple[bool, int, bool, int, _Chain, int]] = []
        behind: list[tuple[int, int, _Chain]] = []
        for chain in self._chains.values():
            if chain.start > target:
                continue
            block, valid = blocks.block_at(target - chain.start), self._valid(chain)
            if block > valid:
                behind.append((blocks.block_start(valid) + chain.start, valid, chain))
                if owner is not None and owner.start == chain.start:
                    return (
                        chain,
                        valid,
                    )  # It is stale since an earlier block is: that is where the chain goes on.
                continue
            other = owner is not None and owner.start != chain.start
            stands = -1 if chain.stands is None else chain.stands
            able.append((other, block - min(stands, block), stands > block, chain.start, chain, block))
        if able:
            *_, chain, block = min(able, key=lambda found: found[:4])
            return chain, block
        if self._playing and behind:
            _, block, chain = max(behind, key=lambda found: found[0])
            return chain, block
        chain = _Chain(next(self._ids), target)
        self._chains[chain.id] = chain
        return chain, 0

    def _is_unknown(self, chain: _Chain, block: int) -> bool:
        """Whether some camera of a chain's blocks up to this one is still being sampled."""
        end = chain.start + blocks.block_start(block + 1)
        return bool(self._unknown) and self._unknown[0] < end and self._unknown[-1] >= chain.start

    def _order(self, chain: _Chain, wanted: int) -> Order:
        """The order for a chain's block, or for one before it that its take has to go through first."""
        rewind_to = None
        if chain.stands is None:
            self._make_room_for(chain)
            chain.stands, chain.unsure = 0, False
        elif chain.unsure or chain.stands > wanted:
            rewind_to = wanted
        block = wanted if rewind_to is not None else chain.stands
        cameras = self._cameras.part(slice(chain.start, None))
        span = blocks.block_span(block, len(cameras))
        after = chain.start + span.stop
        goes_on = 0 in self._fresh[after : after + blocks.NEXT_BLOCK]
        return Order(
            serial=next_serial(),
            chain=chain.id,
            block=block,
            frames=cameras.frames[span.start : span.stop],
            cameras=cameras.block(block),
            following=cameras.after(block) if goes_on or block < wanted else None,
            rewind_to=rewind_to,
            chains=frozenset(known.id for known in self._chains.values() if known.stands is not None),
            replay=0 not in self._fresh[chain.start + span.start : after],
            digest=self._current(chain.start)[block],
        )

    def _make_room_for(self, chain: _Chain) -> None:
        """Close the take of the chain that is farthest from the playhead, where there are too many."""
        owned = {owner.start for owner in self._owners if owner is not None}
        for known in list(self._chains.values()):
            if known is not chain and known.stands is None and known.start not in owned:
                del self._chains[known.id]
        others = [known for known in self._chains.values() if known.stands is not None]
        if len(others) >= MAX_CHAINS:
            farthest = max(others, key=self._distance)
            farthest.stands, farthest.unsure = None, False

    def _distance(self, chain: _Chain) -> int:
        end = chain.start + blocks.block_start(len(chain.made))
        return max(chain.start - self._playhead, self._playhead - end, 0)


def _camera(cameras: Cameras, index: int) -> tuple[object, ...]:
    return cameras.intrinsics[index], cameras.world_to_camera[index], cameras.times[index]


def _digest(cameras: Cameras, index: int) -> bytes:
    numbers = array("d", (*cameras.intrinsics[index], *cameras.world_to_camera[index], cameras.times[index]))
    return hashlib.blake2b(numbers.tobytes(), digest_size=16).digest()
