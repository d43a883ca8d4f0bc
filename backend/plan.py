"""What a take needs on the device, and how it is made to fit: computed from shapes, before anything is loaded.

    preset, size, quality -> needs.measure -> Needs: bytes of every part, and of every stage's work beside them
    Needs, free bytes     -> choose        -> Choice: the plan that costs least among those that fit
    Plan                  -> residency.py moves what it says

A plan says of the generator and of the autoencoder whether they stay on the device, visit it for the stages that
use them (`USES`), or stream through it a layer at a time. What is away lies in the host's memory. The autoencoder's
causal state goes where its weights go, and is large: 1.0 GiB an encoder and 1.8 GiB a decoder of Wan's at 832x480.
Every plan gives the same frames: nothing is computed in another order, in parts or in another place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Literal

from .device import Device

Part = Literal["generator", "autoencoder"]
Place = Literal["stays", "visits", "streams"]
"""Streams: only the generator has layers that can go through one by one."""

USES: Mapping[str, Part | None] = {
    "render": None,
    "complete": None,
    "encode": "autoencoder",
    "prefill": "generator",
    "denoise": "generator",
    "decode": "autoencoder",
    "finish": None,
}
"""The stages of a step, and the part whose weights each uses."""

PASSES = 5
"""Walks over the generator's layers in a block: prefill, and four steps."""

MARGIN_BYTES, MARGIN_SHARE = 400_000_000, 0.05
"""What a plan leaves free: for what kernels take inside (convolutions most of all) and an allocator loses."""

TAKEN_BYTES = 800_000_000
"""Of a graphics card by CUDA's own context and a desktop."""


@dataclass(frozen=True)
class Plan:
    """Where generator and autoencoder are while they are not used.

    ahead: whether the next block is rendered and encoded while this one is denoised. Only where everything stays.
    """

    generator: Place = "stays"
    autoencoder: Place = "stays"
    ahead: bool = False

    @property
    def words(self) -> str:
        """What the plan does, after a colon."""
        said = {
            "visits": "{} on the device only while it is used",
            "streams": "{} a layer at a time on the device",
        }
        moving = [
            said[place].format(name)
            for name, place in (("the generator", self.generator), ("the autoencoder", self.autoencoder))
            if place != "stays"
        ]
        if self.ahead:
            return "everything stays on the device, the next block is prepared meanwhile"
        return ", ".join(moving) or "everything stays on the device"


STAYS = Plan()

GENERATOR_PLACES: tuple[Place, ...] = ("stays", "visits", "streams")
AUTOENCODER_PLACES: tuple[Place, ...] = ("stays", "visits")
PLANS = (Plan(ahead=True), *(Plan(*places) for places in product(GENERATOR_PLACES, AUTOENCODER_PLACES)))
"""Of those that move as much, the faster one first."""


@dataclass(frozen=True)
class Work:
    """Bytes alive in a stage's code at most, beside its parts: with states that `stay`, or came for a `visit`."""

    stay: int
    visit: int

    @staticmethod
    def of(both: int) -> Work:
        return Work(both, both)


@dataclass(frozen=True)
class Needs:
    """What a take puts on the device, in bytes.

    frame: weights of the generator outside its layers. layers: of all layers, layer: of the largest.
    streams: encoders' streams (the render's, and the reference's), pushed: those among them whose state from before
    the step is kept until it ends, so that a step that fails can be forgotten.
    beside: what lies there through a whole step: the prompt's keys and values, the render. render: of it, the render.
    work: of every stage of `USES`. operations: of a block.
    """

    frame: int
    layers: int
    layer: int
    autoencoder: int
    encoder_state: int
    decoder_state: int
    streams: int
    pushed: int
    beside: int
    render: int
    work: Mapping[str, Work]
    operations: int

    def peak(self, plan: Plan = STAYS) -> int:
        """The most bytes that are on the device at once."""
        return max(self.at(stage, plan) for stage in USES)

    def at(self, stage: str, plan: Plan) -> int:
        """Bytes on the device in a stage at most."""
        total = self.beside
        if plan.generator == "stays" or USES[stage] == "generator":
            total += self.frame + (self.layer if plan.generator == "streams" else self.layers)
        if plan.autoencoder == "stays" or USES[stage] == "autoencoder":
            total += self.autoencoder
        if plan.autoencoder == "visits":
            return total + self.work[stage].visit
        total += self.streams * self.encoder_state + self.decoder_state
        # New states beside the old ones; the last that a stage makes is part of its work.
        stages = list(USES)
        if stage == "encode":
            total += self.encoder_state
        elif stages.index(stage) > stages.index("encode"):
            total += self.pushed * self.encoder_state
        if stage == "finish":
            total += self.decoder_state
        if plan.ahead and stages.index(stage) >= stages.index("denoise"):
            # The next block's render and states, and what making them takes.
            total += self.render + self.pushed * self.encoder_state
            total += max(self.work[before].stay for before in ("render", "encode"))
        return total + self.work[stage].stay

    def moved(self, plan: Plan) -> int:
        """Bytes that go between host and device for a block."""
        weights = {
            "stays": 0,
            "visits": self.frame + self.layers,
            "streams": self.frame + PASSES * self.layers,
        }[plan.generator]
        if plan.autoencoder == "visits":
            states = 2 * (2 * self.encoder_state + self.decoder_state)
            weights += 2 * self.autoencoder + states
        return weights

    @cached_property
    def by_cost(self) -> list[Plan]:
        """Every plan, the one that moves least first."""
        return sorted(PLANS, key=self.moved)

    def smaller(self, than: Plan) -> list[Plan]:
        """Plans that need less memory than one, the one that moves least first."""
        return [plan for plan in self.by_cost if self.peak(plan) < self.peak(than)]

    def plans(self, device: Device, failed: Plan | None = None) -> list[Plan]:
        """Plans to choose from, never none: all, or those that need less than one that failed."""
        if not device.has_own_memory:
            return [STAYS]
        if failed is None:
            return self.by_cost
        return self.smaller(failed) or [min(self.by_cost, key=self.peak)]


@dataclass(frozen=True)
class Asked:
    """What a plan is for: views of one moment in the reference, or a `moving` one."""

    preset: str
    width: int
    height: int
    quality: str = "final"
    views: int = 1
    moving: bool = False

    @staticmethod
    def of(preset: str, width: int, height: int, quality: str, kind: str, views: int) -> Asked:
        """A take in a reference of this kind ("still", "stills" or "moving") and so many views."""
        return Asked(preset, width, height, quality, views if kind == "stills" else 1, kind == "moving")


@dataclass(frozen=True)
class Choice:
    """A plan for a take: bytes needed with it, and bytes free for it."""

    plan: Plan
    needs: int
    free: int

    @property
    def fits(self) -> bool:
        """Whether it leaves the margin free."""
        return with_margin(self.needs) <= self.free

    @property
    def words(self) -> str:
        """In a line."""
        return f"Needs {gigabytes(self.needs)}, {gigabytes(self.free)} free"


@dataclass(frozen=True)
class Planned:
    """A take, what it needs, and the plan that was chosen for it."""

    asked: Asked
    needs: Needs
    choice: Choice

    @property
    def plan(self) -> Plan:
        return self.choice.plan


def choose(needs: Needs, free: int, plans: Sequence[Plan]) -> Choice:
    """The first of `plans` that fits in `free` bytes, or the one that comes nearest. `plans` are not empty."""
    choices = [Choice(plan, needs.peak(plan), free) for plan in plans]
    return next((choice for choice in choices if choice.fits), min(choices, key=lambda choice: choice.needs))


def with_margin(needs: int) -> int:
    """Bytes that should be free for so many that are needed."""
    return round(needs * (1 + MARGIN_SHARE)) + MARGIN_BYTES


def usable(card_gb: int) -> int:
    """Bytes of a graphics card of so many gigabytes that are left when its driver and a desktop have theirs."""
    return card_gb * 2**30 - TAKEN_BYTES


def gigabytes(count: int) -> str:
    """Bytes as a person reads them."""
    return f"{count / 1e9:.1f} GB"
