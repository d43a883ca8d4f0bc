"""What a queue holds, and how that changes: every change gives a new `Content`. docs/files.md has the file's form.

    waiting ── begun ──► running ── ended ──► done
       ▲                  │    └───────────► failed       after ATTEMPTS times without a new frame in between
       ├──── paused ──────┘
       └──── retried ◄─── failed, skipped, done           all but what is done can be skipped

A queue that is going goes on by itself: whoever opens its file next takes up what was running.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...backend.protocol.fields import Fields
from ...backend.protocol.files import MAX_FRAMES
from .pace import Pace, Work, pace_with

QUEUE_FILE = "queue.json"
STATES = ("waiting", "running", "done", "failed", "skipped")
MAX_ITEMS = 1000
MAX_TAKE = 10**6
ATTEMPTS = 3
"""How often in a row an item may stop without a new frame before it counts as failed."""
MESSAGE_LETTERS = 2000


class QueueError(Exception):
    """What was asked of the queue cannot be done; the message says why, in one line."""


@dataclass(frozen=True)
class Item:
    """One shot in the queue.

    shot: its name, which is its folder's. reference: the version it is generated from. work: what its frames cost.
    take: number of its take, 0 before there is one. after: the newest take that there was when it was begun, so that
    later ones of the same shot are its own; -1 before that. frames_done: as far as the take had come when that was
    last written down. attempts: how often it stopped since its last new frame. message: why it stopped.
    note: what is to be known of it, although it went on.
    """

    id: int
    shot: str
    reference: str
    work: Work
    frames: int
    state: str = "waiting"
    take: int = 0
    after: int = -1
    frames_done: int = 0
    attempts: int = 0
    message: str = ""
    note: str = ""

    @property
    def shot_file(self) -> str:
        """Name of the file with the shot as it was when it was added."""
        return f"{self.id:06d}.json"

    def to_json(self) -> dict[str, Any]:
        content = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "work"}
        return {**content, **self.work.to_json()}

    @staticmethod
    def from_json(content: object, number: int) -> Item:
        where = f"{QUEUE_FILE}: item {number}"
        read = Fields(where, content if isinstance(content, dict) else {})
        frames = read.integer("frames", 1, MAX_FRAMES)
        return Item(
            id=read.integer("id", 1, 10**6 - 1),
            shot=_folder_name(read, "shot"),
            reference=_folder_name(read, "reference"),
            work=Work.from_fields(read),
            frames=frames,
            state=read.choice("state", STATES),
            take=read.integer("take", 0, MAX_TAKE),
            after=read.integer("after", -1, MAX_TAKE),
            frames_done=read.integer("frames_done", 0, frames),
            attempts=read.integer("attempts", 0, ATTEMPTS),
            message=read.text("message", MESSAGE_LETTERS),
            note=read.text("note", MESSAGE_LETTERS),
        )


def _folder_name(read: Fields, name: str) -> str:
    """The name of one folder, and of none outside the queue's own place."""
    value = read.text(name, 100)
    if not value or value != value.strip(" .") or any(letter in value for letter in "/\\:\0"):
        raise read.wrong(f"{name} must be the name of a folder, got {value!r}")
    return value


@dataclass(frozen=True)
class Content:
    """A queue: its items in order, whether it is going, and how fast frames were made lately."""

    items: tuple[Item, ...] = ()
    going: bool = False
    next_id: int = 1
    paces: tuple[Pace, ...] = ()

    @property
    def running(self) -> Item | None:
        """The item that is made, or was when whoever made it went away."""
        return next((item for item in self.items if item.state == "running"), None)

    @property
    def next(self) -> Item | None:
        """The item to make now: what was begun before anything new."""
        return self.running or next((item for item in self.items if item.state == "waiting"), None)

    def find(self, item_id: int) -> Item:
        """Raises QueueError where the item is gone."""
        for item in self.items:
            if item.id == item_id:
                return item
        raise QueueError("That shot is not in the queue any more")

    def is_queued(self, shot: str) -> bool:
        """Whether a shot is waiting or being made."""
        return any(item.shot == shot and item.state in ("waiting", "running") for item in self.items)

    # What the user does.

    def added(self, shot: str, reference: str, work: Work, frames: int) -> Content:
        """With one more item at the end, which has the id `next_id`. Raises QueueError for a full queue."""
        if len(self.items) >= MAX_ITEMS:
            raise QueueError(f"The queue has {MAX_ITEMS} shots: remove some that are done first")
        item = Item(self.next_id, shot, reference, work, frames)
        return replace(self, items=(*self.items, item), next_id=self.next_id + 1)

    def moved(self, item_id: int, by: int) -> Content:
        """With an item `by` places further down, up where it is negative; at the ends it stays."""
        items = list(self.items)
        at = items.index(self.find(item_id))
        items.insert(max(0, min(len(items) - 1, at + by)), items.pop(at))
        return replace(self, items=tuple(items))

    def removed(self, item_id: int) -> Content:
        """Without an item. Raises QueueError for one that is being made."""
        if self.find(item_id).state == "running":
            raise QueueError("That shot is being generated: pause the queue or skip it first")
        return replace(self, items=tuple(item for item in self.items if item.id != item_id))

    def cleared(self) -> Content:
        """Without the items that are done."""
        return replace(self, items=tuple(item for item in self.items if item.state != "done"))

    def started(self) -> Content:
        """Going. Raises QueueError where there is nothing to do."""
        if self.next is None:
            raise QueueError("Nothing is waiting in the queue: add shots, or press Retry on one")
        return replace(self, going=True)

    def paused(self, frames_done: int = 0) -> Content:
        """Not going; what is being made waits, with its take, of which `frames_done` frames are there."""
        content = replace(self, going=False)
        item = self.running
        if item is None:
            return content
        return content._with(
            item, state="waiting", frames_done=max(item.frames_done, frames_done), attempts=0
        )

    def skipped(self, item_id: int) -> Content:
        """With an item passed over; its take is kept."""
        item = self.find(item_id)
        if item.state == "done":
            raise QueueError("That shot is done already")
        return self._with(item, state="skipped")._at_rest()

    def retried(self, item_id: int) -> Content:
        """With an item waiting again: one that stopped goes on, one that is done gets a new take."""
        item = self.find(item_id)
        if item.state in ("waiting", "running"):
            return self
        anew = {"take": 0, "after": -1, "frames_done": 0, "note": ""} if item.state == "done" else {}
        return self._with(item, state="waiting", attempts=0, message="", **anew)

    # What happens to what is being made.

    def may_begin(self, item_id: int) -> bool:
        """Whether an item is still to be made: it may have been skipped or removed a moment ago."""
        return any(item.id == item_id and item.state in ("waiting", "running") for item in self.items)

    def begun(self, item_id: int, newest_take: int) -> Content:
        """With an item being made. newest_take: number of the newest take that its shot has, 0 without any."""
        item = self.find(item_id)
        return self._with(item, state="running", after=item.after if item.after >= 0 else newest_take)

    def has_take(self, item_id: int, number: int, frames_done: int) -> Content:
        """With the take of the item that is being made."""
        return self._with(self.find(item_id), take=number, frames_done=frames_done)

    def noted(self, item_id: int, note: str) -> Content:
        """With something to be known of an item."""
        return self._with(self.find(item_id), note=note[:MESSAGE_LETTERS])

    def ended(
        self, item_id: int, state: str, message: str, frames_done: int, pace: Pace | None = None
    ) -> Content:
        """With an item's take "finished" or "failed"; whether it is tried again shows in that it is still running."""
        item = self.find(item_id)
        content = replace(self, paces=pace_with(self.paces, pace)) if pace is not None else self
        if item.state != "running":
            return content  # Paused or skipped meanwhile.
        if state == "finished":
            return content._with(
                item, state="done", message=message[:MESSAGE_LETTERS], frames_done=item.frames, attempts=0
            )._at_rest()
        attempts = 1 if frames_done > item.frames_done else item.attempts + 1
        return content._with(
            item,
            state="failed" if attempts >= ATTEMPTS else "running",
            frames_done=max(0, min(frames_done, item.frames)),
            attempts=attempts,
            message=message[:MESSAGE_LETTERS],
        )._at_rest()

    def _with(self, item: Item, **changes: Any) -> Content:
        """With one item changed."""
        items = tuple(replace(one, **changes) if one.id == item.id else one for one in self.items)
        return replace(self, items=items)

    def _at_rest(self) -> Content:
        """Not going any more where there is nothing left to do."""
        return self if self.next is not None else replace(self, going=False)

    def to_json(self) -> dict[str, Any]:
        return {
            "format": "inspatio-queue",
            "version": 1,
            "going": self.going,
            "next_id": self.next_id,
            "items": [item.to_json() for item in self.items],
            "paces": [pace.to_json() for pace in self.paces],
        }

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> Content:
        """Raises FileFormatError with the place of what is wrong."""
        read = Fields(QUEUE_FILE, content, "inspatio-queue")
        items = tuple(Item.from_json(entry, n) for n, entry in enumerate(read.list("items", MAX_ITEMS)))
        next_id = read.integer("next_id", 1, 10**6)
        ids = [item.id for item in items]
        if len(set(ids)) != len(ids) or any(one >= next_id for one in ids):
            raise read.wrong("each item needs an id of its own, below next_id")
        if sum(item.state == "running" for item in items) > 1:
            raise read.wrong("one item at most can be running")
        paces = tuple(Pace.from_json(entry) for entry in read.objects("paces", 100))
        return Content(items, read.boolean("going"), next_id, paces)
