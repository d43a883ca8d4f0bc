"""The takes that are open, by id: which there are, and who computes for which now.

    with takes.held(take, cancelled):           the only call that does something with this take
        with takes.turn(cancelled):             and the only one that computes
            session.step(...)

Both wait, and raise where the call is cancelled meanwhile or the take is closed.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from .plan import Planned
from .protocol import MAX_TAKES
from .refusals import ServiceError, cancelled_error, not_found
from .rewinding import Past
from .session import Block, CameraBlock
from .snapshots import Snapshots

LOOK = 0.05
"""Seconds after which a call that waits looks whether it is cancelled."""


class Generating(Protocol):
    """What the service needs of a `Session`."""

    @property
    def digest(self) -> str: ...
    @property
    def next_block(self) -> int: ...
    @property
    def state(self) -> Any: ...
    @property
    def snapshot_bytes(self) -> int: ...
    def warm_up(self, show: Callable[[str, float], None], cancelled: Callable[[], bool]) -> None: ...
    def step(
        self, cameras: CameraBlock, cancelled: Callable[[], bool], following: CameraBlock | None
    ) -> Block: ...
    def go_to(self, state: Any) -> None: ...
    def snapshot(self) -> bytes: ...
    def restore(self, data: bytes) -> None: ...


@dataclass(eq=False)
class OpenTake:
    """An open take. `past` where it is a preview; `calls` cancel the one that holds it, then those that wait."""

    session: Generating
    planned: Planned | None
    past: Past[Any] | None = None
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    snapshots: Snapshots = field(default_factory=Snapshots)
    used: float = field(default_factory=time.monotonic)
    calls: list[threading.Event] = field(default_factory=list)


class OpenTakes:
    """At most MAX_TAKES of them. Methods are called from several threads, and raise ServiceError."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._takes: dict[str, OpenTake] = {}
        self._computing = False

    @property
    def computing(self) -> bool:
        """Whether some call has its turn."""
        return self._computing

    def add(self, take: OpenTake) -> None:
        """Open a take; the one that was longest idle is closed where there are too many."""
        with self._changed:
            if len(self._takes) >= MAX_TAKES:
                idle = [kept for kept in self._takes.values() if not kept.calls]
                if not idle:
                    raise ServiceError(409, "busy", f"{MAX_TAKES} takes are being generated: wait for one.")
                del self._takes[min(idle, key=lambda kept: kept.used).id]
            self._takes[take.id] = take

    def find(self, take_id: str) -> OpenTake:
        """The take with this id."""
        with self._changed:
            if take_id not in self._takes:
                raise not_found("take")
            return self._takes[take_id]

    def close(self, take_id: str) -> bool:
        """Close a take, and end what is done with it; False where there is none of this id."""
        with self._changed:
            take = self._takes.pop(take_id, None)
            for call in take.calls if take is not None else []:
                call.set()
        return take is not None

    def close_all(self) -> None:
        """Close every take."""
        for take_id in list(self._takes):
            self.close(take_id)

    @contextmanager
    def held(self, take: OpenTake, cancelled: threading.Event, instead: bool = False) -> Iterator[None]:
        """Be the only call that does something with this take. instead: of those before it, which are cancelled."""
        with self._changed:
            if instead:
                for call in take.calls:
                    call.set()
            take.calls.append(cancelled)
        try:
            with self._changed:
                while take.calls[0] is not cancelled:
                    self._wait(cancelled)
                if take.id not in self._takes or cancelled.is_set():
                    raise cancelled_error()
            yield
        finally:
            with self._changed:
                take.calls.remove(cancelled)
                take.used = time.monotonic()
                self._changed.notify_all()

    @contextmanager
    def turn(self, cancelled: threading.Event) -> Iterator[None]:
        """Be the only call that computes."""
        with self._changed:
            while self._computing:
                self._wait(cancelled)
            self._computing = True
        try:
            yield
        finally:
            with self._changed:
                self._computing = False
                self._changed.notify_all()

    def _wait(self, cancelled: threading.Event) -> None:
        if cancelled.is_set():
            raise cancelled_error()
        self._changed.wait(LOOK)
