"""A preview's work in the worker's thread: order after order, until it is cancelled.

The next order is asked for as soon as a block is in, so the backend always has work while there is some. Where there is
none the thread sleeps until something changes. A chain of blocks is a take of the backend's, open for as long as the
orders say so.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from ..client import BackendError, Client, ConnectionLost, Interrupted, OpenTake
from ..jobs import Event, Preview, PreviewBlock, PreviewPaused
from ..link import Link, check
from .orders import Order, Origin

log = logging.getLogger(__name__)

MAX_LOSSES = 3
"""How often in a row the backend may be lost, without a block in between, before the preview gives up."""
DYING_S = 2.0
"""How long a process may take to be gone after its connections are."""


class Stream:
    """One preview. give_way: does the jobs that wait, between two blocks; raises Interrupted where this one ends."""

    def __init__(
        self, job: Preview, link: Link, give_way: Callable[[], None], tell: Callable[[Event], None]
    ) -> None:
        self._job = job
        self._source = job.source
        self._link = link
        self._give_way = give_way
        self._tell = tell
        self._takes: dict[int, OpenTake] = {}
        """By chain."""
        self._digest = ""
        """Of the reference, once the backend holds it."""
        self._connected = False
        self._losses = 0
        self._said = ""

    def run(self) -> None:
        """Generate until the source is closed.

        Raises Interrupted when the job is cancelled, the error where it is refused.
        """
        self._source.lost()
        try:
            while not self._source.closed:
                since = (
                    self._source.changes
                )  # Before the looks at what there is to do: nothing slips between.
                self._give_way()
                try:
                    self._do_next(since)
                except Interrupted:
                    continue  # A block, not the job: giving way says which.
                except BackendError as error:
                    if not isinstance(error, ConnectionLost) and error.status not in (404, 409, 503):
                        raise
                    self._losses += 1
                    if self._losses > MAX_LOSSES:
                        raise
                    self._lose(error)
        finally:
            self.close_takes()

    def close_takes(self) -> None:
        """Have the backend let go of all that it holds for the preview."""
        takes, self._takes = self._takes, {}
        for opened in takes.values():
            self._link.close(opened)
        self._source.lost()

    def snapshot(self, chain: int) -> bytes | None:
        """The state after the newest block of a chain, to continue from; None where there is none."""
        client, opened = self._link.running, self._takes.get(chain)
        if client is None or opened is None:
            return None
        try:
            return client.snapshot(opened.id)
        except Interrupted:
            raise
        except BackendError as error:
            log.info("the preview's state cannot be kept: %s", error)
            return None

    def _do_next(self, since: int) -> None:
        client = self._link.connect(self._job, by_hand=self._connected)
        self._connected = True
        if not self._digest:
            self._digest = self._link.hand_over(self._job, client, self._job.reference)
        began = time.monotonic()
        order = self._source.next()
        if order is None:
            self._source.wait(since)
            return
        try:
            self._carry_out(client, order, began)
        except BaseException:
            self._source.failed(order)
            raise

    def _carry_out(self, client: Client, order: Order, began: float) -> None:
        for chain in self._takes.keys() - order.chains:
            self._link.close(self._takes.pop(chain))
        opened = self._takes.get(order.chain)
        if opened is None:
            opened = self._takes[order.chain] = self._open(client)
        if order.rewind_to is not None:
            block = client.rewind(opened.id, order.rewind_to)
            if not self._source.rewound(order, block):
                return
        self._say("Catching up" if order.replay else "Generating")
        made = client.preview_block(opened.id, order.block, order.cameras, order.following)
        # Each a piece of memory of its own, so that the store's count is what is held.
        pictures = [picture.copy() for picture in made.frames[: len(order.frames)]]
        self._source.store.make_room(sum(picture.nbytes for picture in pictures))
        stored = self._source.done(order, made.coverage, pictures)
        self._losses = 0
        if stored:
            now = time.monotonic()
            self._tell(PreviewBlock(self._job.id, order.frames[0], len(order.frames), now - began, now))

    def _say(self, text: str) -> None:
        if text != self._said:
            self._link.say(self._job, text)
            self._said = text

    def _open(self, client: Client) -> OpenTake:
        opened = self._link.open(
            self._job, client, self._digest, self._job, preview=True, endless=self._source.endless
        )
        self._source.origin = Origin(
            self._digest, opened.preset_digest, opened.backend_version, opened.device
        )
        return opened

    def _lose(self, error: BackendError) -> None:
        """The backend, or what it held of the preview, is gone: begin anew, with the pictures that there are."""
        check(self._job)
        log.info("the preview lost its takes: %s", error)
        self._digest = ""
        self._said = ""
        self._takes.clear()
        self._source.lost()
        backend = self._link.backend
        if backend is not None and (isinstance(error, ConnectionLost) or error.status == 503):
            until = time.monotonic() + DYING_S
            while backend.running and time.monotonic() < until and not self._job.cancelled.wait(0.02):
                pass
            why = backend.failure or "The backend does not answer."
            self._tell(PreviewPaused(self._job.id, f"{why} It is started again"))
