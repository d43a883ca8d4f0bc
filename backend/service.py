"""What the backend does, without HTTP: worlds by digest, takes by id, one generation at a time.

    put_reference -> open_take -> (restore) -> generate, generate, ... -> close_take
                                                (a preview: rewind, generate, ...)

Methods are called from several threads. A block computes on the thread that asked for it and waits for its turn
there; cancelling is an event that the generation looks at between layers. Errors are `ServiceError`s that
carry the code of docs/protocol.md.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np

from . import __version__, protocol
from .coverage import coverage_of
from .device import DeviceError
from .faults import first_line, is_device_lost, is_out_of_memory
from .memory import MB, memory_mb, peak_mb
from .model.sampler import Cancelled
from .open_takes import Generating, OpenTake, OpenTakes
from .pace import seconds_per_frame, slowdown
from .pictures import encode_pngs
from .plan import Asked, Plan, Planned, gigabytes
from .plate import PlateError, Plates, develop
from .plate_files import develop_files, read_frames
from .presets import LoadedPreset, PresetError, Presets
from .protocol.blocks import BLOCK_SIZES
from .protocol.cameras import Cameras
from .protocol.files import PlateSettings, Reference
from .refusals import ServiceError, cancelled_error, device_lost, not_found, out_of_memory
from .rewinding import Past, Room
from .session import MAX_SIDE, Block, Session, SessionError, camera_block, check_size
from .world import World, WorldError, decode_world, digest_of

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

MAX_PROMPT = 10_000
MAX_WORLD_BYTES = 2 * 1024 * protocol.MIB
"""Memory that kept worlds may take together; the oldest go first, the newest always stays."""


@dataclass(frozen=True)
class TakeRequest:
    """What a take is made of; `reference` is a digest."""

    reference: str
    preset: str
    width: int
    height: int
    seed: int
    prompt: str = ""
    keep_reference_detail: bool = True
    quality: str = "final"
    remember: bool = False
    preview: bool = False
    endless: bool = False


@dataclass(frozen=True)
class PlatesRequest:
    """Frames of a take, PNG files of one size, to be developed. reference: a digest; cameras: of the frames' size."""

    reference: str
    cameras: Cameras
    frames: list[memoryview]
    settings: PlateSettings


@dataclass(frozen=True)
class GeneratedBlock:
    """One block, ready to be sent: PNG files, coverage of each frame, times, and the state after it if it is kept."""

    block: int
    frames: list[bytes]
    coverage: list[float]
    milliseconds: dict[str, float]
    peak_mb: float
    snapshot: bytes | None


@dataclass(frozen=True)
class PreviewBlock:
    """One block of a preview: frames uint8 (n, H, W, 3), sRGB; `next_block` is expected after it."""

    block: int
    next_block: int
    frames: np.ndarray
    coverage: list[float]
    milliseconds: dict[str, float]
    peak_mb: float


class Service:
    """The backend's state. Tests hand in presets and sessions of their own."""

    def __init__(
        self,
        presets: Presets | None = None,
        make_session: Callable[..., Generating] = Session,
        room: Room | None = None,
    ) -> None:
        self._presets = presets or Presets()
        self._make_session = make_session
        self._room = room or Room()
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._worlds: dict[str, World] = {}
        self._takes = OpenTakes()
        self._loaded: dict[str, LoadedPreset] = {}
        self._too_large: dict[tuple[str, int, int, str], Plan] = {}
        """By preset, size and quality: the last plan with which memory ran out."""
        self._doing = ""

    def status(self) -> dict[str, Any]:
        """State, what an opening take waits for, versions, presets, memory in megabytes, pid, the device's trouble."""
        import os

        state = "loading" if self._loading.locked() else "generating" if self._takes.computing else "idle"
        return {
            "state": state,
            "doing": self._doing,
            "version": __version__,
            "protocol": protocol.PROTOCOL_VERSION,
            "presets": [preset.to_json() for preset in self._presets.all()],
            "memory_mb": memory_mb(),
            "peak_mb": peak_mb(),
            "pid": os.getpid(),
            "trouble": self._presets.trouble,
        }

    def warm(self, preset_id: str) -> None:
        """Load a preset now rather than with the first take. Raises PresetError."""
        with self._loading:
            if preset_id not in self._loaded:
                self._loaded = {}  # Two need not be in memory at once.
                self._loaded = {preset_id: self._presets.load(preset_id)}

    def has_reference(self, digest: str) -> bool:
        """Whether the world of this digest is kept; asking counts as using it."""
        with self._lock:
            world = self._worlds.pop(digest, None)
            if world is not None:
                self._worlds[digest] = world
        return world is not None

    def put_reference(
        self, digest: str, reference: Reference, files: Mapping[str, memoryview]
    ) -> dict[str, Any]:
        """Decode a reference and keep its world under its digest. Raises ServiceError."""
        missing = [name for name in reference.file_names if name not in files]
        if missing:
            raise ServiceError(400, "bad_request", f"The reference's file {missing[0]} was not sent.")
        if digest_of(reference, files) != digest:
            raise ServiceError(
                409, "digest_mismatch", "The reference changed while it was sent: send it again."
            )
        try:
            world = decode_world(reference, files)
        except WorldError as error:
            raise ServiceError(400, "bad_request", str(error)) from None
        except MemoryError:
            raise out_of_memory() from None
        with self._lock:
            self._worlds.pop(digest, None)
            self._worlds[digest] = world
            while len(self._worlds) > 1 and (
                len(self._worlds) > protocol.MAX_REFERENCES
                or sum(kept.bytes for kept in self._worlds.values()) > MAX_WORLD_BYTES
            ):
                del self._worlds[next(iter(self._worlds))]
        return {
            "digest": digest,
            "views": len(reference.views),
            "width": reference.width,
            "height": reference.height,
        }

    def coverage(
        self, digest: str, width: int, height: int, cameras: Cameras, cancelled: threading.Event
    ) -> list[float]:
        """The share of each target frame that the reference reaches, measured small. Raises ServiceError."""
        world = self._world(digest)
        if not 1 <= width <= MAX_SIDE or not 1 <= height <= MAX_SIDE:
            raise ServiceError(422, "invalid", f"Width and height must be 1 to {MAX_SIDE}.")
        if len(cameras) > protocol.MAX_COVERAGE_CAMERAS:
            raise ServiceError(422, "invalid", f"At most {protocol.MAX_COVERAGE_CAMERAS} cameras at a time.")
        try:
            return coverage_of(world, camera_block(cameras), width, height, cancelled.is_set)
        except Cancelled:
            raise cancelled_error() from None

    def plates(self, request: PlatesRequest, cancelled: threading.Event) -> Plates:
        """Frames of a take, developed. Raises ServiceError."""
        settings = request.settings

        def work(world: World) -> Plates:
            cameras, frames = read_frames(camera_block(request.cameras), request.frames, settings)
            size = settings.width, settings.height
            return develop(world, cameras, frames, *size, settings.strength, cancelled.is_set)

        return self._developed(request, work)

    def plate_files(self, request: PlatesRequest, cancelled: threading.Event) -> list[bytes]:
        """The same as PNG files. Raises ServiceError."""
        cameras = camera_block(request.cameras)
        return self._developed(
            request,
            lambda world: develop_files(world, cameras, request.frames, request.settings, cancelled.is_set),
        )

    def _developed(self, request: PlatesRequest, work: Callable[[World], Result]) -> Result:
        world = self._world(request.reference)
        try:
            return self._computed(lambda: work(world), None)
        except PlateError as error:
            raise ServiceError(422, "invalid", str(error)) from None
        except Cancelled:
            raise cancelled_error() from None

    def open_take(self, request: TakeRequest, cancelled: threading.Event | None = None) -> dict[str, Any]:
        """Open a take, loading and warming up its preset if need be; at most MAX_TAKES stay open.

        Ends soon after `cancelled` is set. Raises ServiceError.
        """
        cancelled = cancelled or threading.Event()
        try:
            return self._open_take(request, cancelled)
        finally:
            self._doing = ""

    def _open_take(self, request: TakeRequest, cancelled: threading.Event) -> dict[str, Any]:
        world = self._world(request.reference)
        size = request.width, request.height
        asked = Asked.of(request.preset, *size, request.quality, world.kind, len(world.frames))
        try:
            preset = self._presets.find(request.preset)
            check_size(preset.multiple, request.width, request.height)
            if request.preset not in self._loaded:
                self._doing = f"Loading {preset.label}"
            loaded = self._computed(lambda: self._loaded_now(request.preset), None)
            planned = self._plan(asked)
            if planned is not None:
                logger.info("%s: %s (%s)", preset.label, planned.choice.words, planned.plan.words)
            self._doing = "Loading the autoencoder and the prompt"
            session = self._computed(
                lambda: self._make_session(
                    loaded if planned is None else loaded.under(planned.plan),
                    world,
                    request.width,
                    request.height,
                    request.seed,
                    request.prompt or None,
                    request.keep_reference_detail,
                    request.quality,
                    request.remember,
                ),
                planned,
            )
        except (PresetError, SessionError, DeviceError) as error:
            raise ServiceError(422, "invalid", str(error)) from None
        past = Past(self._room, session.state, request.endless) if request.preview else None
        take = OpenTake(session, planned, past)
        self._takes.add(take)
        self._warm_up(take, cancelled)
        return {
            "take": take.id,
            "block_sizes": list(BLOCK_SIZES),
            "preset_digest": session.digest,
            "device": loaded.device.words,
            "backend_version": __version__,
        }

    def _warm_up(self, take: OpenTake, cancelled: threading.Event) -> None:
        """Have the take's first block take no longer than later ones. Raises ServiceError; the take is closed then."""

        def show(text: str, share: float) -> None:
            self._doing = f"Warming up, {share:.0%}"  # The panel has room for no more.
            logger.debug("%s", text)

        try:
            with self._takes.held(take, cancelled), self._takes.turn(cancelled):
                self._computed(lambda: take.session.warm_up(show, cancelled.is_set), take.planned)
        except (Cancelled, ServiceError) as error:
            self._takes.close(take.id)
            raise cancelled_error() if isinstance(error, Cancelled) else error from None

    def restore(self, take_id: str, snapshot: bytes) -> None:
        """Put a take into the state after a finished block. Raises ServiceError."""
        take, free = self._takes.find(take_id), threading.Event()
        with self._takes.held(take, free), self._takes.turn(free):
            try:
                take.session.restore(snapshot)
            except SessionError as error:
                raise ServiceError(400, "bad_request", str(error)) from None
            if take.past is not None:
                take.past.back_to(0)
                if take.session.next_block:
                    take.past.keep(take.session.state)

    def snapshot(self, take_id: str) -> bytes:
        """A take's state after its newest block. Raises ServiceError where there is none, or it is too large."""
        take = self._takes.find(take_id)
        with self._takes.held(take, threading.Event()):
            if not take.session.next_block:
                raise ServiceError(
                    409, "no_snapshot", "The take has no block yet: there is no state to go on from."
                )
            snapshot = take.snapshots.now(take.session)
        if snapshot is None:
            raise ServiceError(409, "no_snapshot", "The take's state is too large to be kept.")
        return snapshot

    def rewind(self, take_id: str, block: int) -> int:
        """Have a preview stand before `block`, or before the newest earlier one whose state is kept: which it is.

        A block of it that is being generated is cancelled. Raises ServiceError.
        """
        take = self._takes.find(take_id)
        if take.past is None:
            raise ServiceError(422, "invalid", "The take is no preview: only a preview can be rewound.")
        with self._takes.held(take, threading.Event(), instead=True):
            if not 0 <= block <= take.session.next_block:
                raise ServiceError(
                    409,
                    "out_of_order",
                    f"Block {take.session.next_block} of the preview is next: it cannot go back to {block}.",
                )
            state = take.past.back_to(block)
            if state.block != take.session.next_block:
                self._computed(partial(take.session.go_to, state), take.planned)
            return take.session.next_block

    def generate(
        self,
        take_id: str,
        block: int,
        cameras: Cameras,
        cancelled: threading.Event,
        following: Cameras | None = None,
    ) -> GeneratedBlock | PreviewBlock:
        """Generate a take's next block, waiting for other takes first; ends soon after `cancelled` is set.

        following: the cameras of the block after it, if they are known. Raises ServiceError.
        """
        take = self._takes.find(take_id)
        with self._takes.held(take, cancelled), self._takes.turn(cancelled):
            if block != take.session.next_block:
                raise ServiceError(
                    409, "out_of_order", f"Block {take.session.next_block} of the take is next, not {block}."
                )
            made = _generated if take.past is None else _previewed
            try:
                return self._computed(lambda: made(block, cameras, take, cancelled, following), take.planned)
            except Cancelled:
                raise cancelled_error() from None
            except SessionError as error:
                raise ServiceError(400, "bad_request", str(error)) from None
            except ServiceError:
                self._takes.close(take.id)  # What it still holds is needed for its continuation.
                raise

    def plan(self, asked: Asked) -> dict[str, Any]:
        """What a take would need, what is free, and how slow it would be. Raises ServiceError."""
        try:
            preset = next((known for known in self._presets.all() if known.id == asked.preset), None)
            check_size((preset or self._presets.find(asked.preset)).multiple, asked.width, asked.height)
            planned = self._plan(asked)
        except (PresetError, SessionError, DeviceError) as error:
            raise ServiceError(422, "invalid", str(error)) from None
        if planned is None:
            return {"needs_mb": 0.0, "free_mb": 0.0, "fits": True, "words": "", "seconds_per_frame": None}
        choice = planned.choice
        return {
            "needs_mb": round(choice.needs / MB, 1),
            "free_mb": round(choice.free / MB, 1),
            "fits": choice.fits,
            "words": choice.words,
            "seconds_per_frame": seconds_per_frame(self._presets.device, planned.needs),
        }

    def close_take(self, take_id: str) -> None:
        """End a take, also while it generates. Raises ServiceError when there is none of this id."""
        if not self._takes.close(take_id):
            raise not_found("take")

    def close(self) -> None:
        """Cancel everything; the process is about to end."""
        self._takes.close_all()

    def _loaded_now(self, preset_id: str) -> LoadedPreset:
        self.warm(preset_id)
        return self._loaded[preset_id]

    def _plan(self, asked: Asked) -> Planned | None:
        """The plan for a take, now: free is also what is there for it already, or goes when its preset is loaded."""
        here = sum(loaded.networks.bytes_here for loaded in self._loaded.values())
        return self._presets.plan(asked, here, self._too_large.get(_kind(asked)))

    def _computed(self, work: Callable[[], Result], planned: Planned | None) -> Result:
        """What `work` returns. Raises ServiceError where memory runs out or the device is lost."""
        try:
            return work()
        except (MemoryError, RuntimeError) as error:
            lost = is_device_lost(error)
            if not lost and not is_out_of_memory(error):
                raise
            logger.exception("the device is lost" if lost else "out of memory")
            said = first_line(error)
        # Out here the error is gone, and with its traceback the tensors of what failed.
        raise device_lost(said) if lost else self._ran_out(planned)

    def _ran_out(self, planned: Planned | None) -> ServiceError:
        """The error for a take that needed more memory than there was: says what continuing it will do instead."""
        if planned is None:
            return out_of_memory()
        asked, needs, device = planned.asked, planned.needs, self._presets.device
        device.let_go()
        label = next(preset.label for preset in self._presets.all() if preset.id == asked.preset)
        sentence = (
            f"{label} at {asked.width}x{asked.height} ran out of memory: it needs "
            f"{gigabytes(planned.choice.needs)}, {gigabytes(planned.choice.free)} were free."
        )
        if not (device.has_own_memory and needs.smaller(planned.plan)):
            return out_of_memory(f"{sentence} Close other programs, or choose Draft or a smaller size.")
        self._too_large[_kind(asked)] = planned.plan
        instead = self._plan(asked) or planned
        longer = 100 * slowdown(device, needs, planned.plan, instead.plan)
        return out_of_memory(
            f"{sentence} Continue with less memory ({gigabytes(instead.choice.needs)}) takes about "
            f"{max(1, round(longer))} % longer."
        )

    def _world(self, digest: str) -> World:
        if not self.has_reference(digest):
            raise not_found("reference")
        with self._lock:
            return self._worlds[digest]


def _generated(
    block: int, cameras: Cameras, take: OpenTake, cancelled: threading.Event, following: Cameras | None
) -> GeneratedBlock:
    made = _stepped(cameras, take, cancelled, following)
    start = time.perf_counter()
    frames = encode_pngs(made.frames)
    snapshot = take.snapshots.after_block(take.session)
    milliseconds = {**made.milliseconds, "png": round((time.perf_counter() - start) * 1000, 2)}
    return GeneratedBlock(block, frames, made.coverage, milliseconds, peak_mb(), snapshot)


def _previewed(
    block: int, cameras: Cameras, take: OpenTake, cancelled: threading.Event, following: Cameras | None
) -> PreviewBlock:
    made = _stepped(cameras, take, cancelled, following)
    if take.past is not None:
        take.past.keep(take.session.state)
    return PreviewBlock(
        block, take.session.next_block, made.frames, made.coverage, made.milliseconds, peak_mb()
    )


def _stepped(
    cameras: Cameras, take: OpenTake, cancelled: threading.Event, following: Cameras | None
) -> Block:
    after = None if following is None else camera_block(following)
    return take.session.step(camera_block(cameras), cancelled.is_set, after)


def _kind(asked: Asked) -> tuple[str, int, int, str]:
    return asked.preset, asked.width, asked.height, asked.quality
