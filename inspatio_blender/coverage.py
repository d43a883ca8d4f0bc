"""How much of each frame the reference reaches, checked before anything is generated. Main thread only.

A check samples the shot as Generate does and asks the backend, which measures at low resolution. Its result is kept
until another check, another file or the end of the add-on. What it was made for may change meanwhile; it is marked as
stale rather than made anew: sampling a heavy scene takes longer than an artist wants to wait after every move.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..backend.protocol.files import Shot
from . import cameras, jobs, listing, shots

LOW = 0.5
"""Frames of which the reference reaches less than this share are marked."""
RAMP = ((0.15, (0.80, 0.16, 0.13)), (0.5, (0.87, 0.70, 0.16)), (0.85, (0.30, 0.64, 0.25)))
"""Colours of a share: red, yellow, green, and what lies between."""


@dataclass(frozen=True)
class Run:
    """Frames one after another that are all marked; `share` is the lowest, at frame `lowest`."""

    first: float
    last: float
    lowest: float
    share: float

    @property
    def words(self) -> str:
        """In a few words, below a heading that says what is counted."""
        share = percent(self.share)
        if self.first == self.last:
            return f"{self.first:g}: {share}"
        return f"{self.first:g} to {self.last:g}, {share} at {self.lowest:g}"

    @property
    def sentence(self) -> str:
        """In words that stand alone."""
        if self.first == self.last:
            return f"Frame {self.first:g} under {percent(LOW)}: {percent(self.share)}"
        lowest = f"lowest {percent(self.share)} at {self.lowest:g}"
        return f"Frames {self.first:g} to {self.last:g} under {percent(LOW)}, {lowest}"


def percent(share: float) -> str:
    """A share as it is shown. Rounded down, so that what is marked is not called 50 %."""
    return f"{math.floor(100 * share)} %"


def low_runs(frames: Sequence[float], shares: Sequence[float]) -> list[Run]:
    """The frames that are marked, run by run."""
    runs: list[Run] = []
    goes_on = False
    for frame, share in zip(frames, shares, strict=False):  # There are fewer shares while a check goes on.
        if share >= LOW:
            goes_on = False
            continue
        if not goes_on:
            runs.append(Run(frame, frame, frame, share))
        else:
            run = runs[-1]
            lowest = (frame, share) if share < run.share else (run.lowest, run.share)
            runs[-1] = Run(run.first, frame, *lowest)
        goes_on = True
    return runs


def colour(share: float) -> tuple[float, float, float]:
    """The colour of a share, sRGB."""
    low, first = RAMP[0]
    if share <= low:
        return first
    for high, second in RAMP[1:]:
        if share < high:
            part = (share - low) / (high - low)
            red, green, blue = (a + part * (b - a) for a, b in zip(first, second, strict=True))
            return red, green, blue
        low, first = high, second
    return first


class Coverage:
    """One check, from the press of the button to its end.

    state   "sampling" the camera, "working" (backend, reference, measuring), then "finished", "cancelled" or "failed"
    """

    def __init__(self, scene: bpy.types.Scene, setup: jobs.Setup, reference: Path) -> None:
        self.setup = setup
        self.reference = reference
        self.frames: tuple[float, ...] = tuple(map(float, scene.inspatio.frames()))
        self.shares: list[float] = []
        self.runs: list[Run] = []
        self.state = "sampling"
        self.stage = "Reading the camera"
        self.message = ""
        self.share = 0.0
        self.job: jobs.Job | None = None
        self._is_stale = False
        self._scene = scene.session_uid
        self._made_for = _settings(scene)
        self._watched = set(_watched(scene))
        self._optics = {data.session_uid: _optics(data) for data in bpy.data.cameras}

    @property
    def active(self) -> bool:
        """Whether the check goes on."""
        return self.state in ("sampling", "working")

    @property
    def scene(self) -> bpy.types.Scene | None:
        """The scene of the check, looked up each time: references to it die over undo and load."""
        return next((scene for scene in bpy.data.scenes if scene.session_uid == self._scene), None)

    @property
    def factor(self) -> float:
        """Share of the work that is done, 0 to 1: half of it is sampling."""
        if self.state == "sampling":
            return 0.5 * self.share
        return 0.5 + 0.5 * len(self.shares) / len(self.frames)

    def is_of(self, scene: bpy.types.Scene) -> bool:
        """Whether this is the scene that was checked."""
        return scene.session_uid == self._scene

    def is_stale(self, scene: bpy.types.Scene) -> bool:
        """Whether camera, settings or reference are others than those that were checked."""
        return self._is_stale or self._made_for != _settings(scene)

    def note(self, updates: Iterable[bpy.types.DepsgraphUpdate]) -> bool:
        """Blender has evaluated something anew, a change of frame apart; whether that makes the result stale."""
        if self._is_stale:
            return False
        for update in updates:
            is_object = isinstance(update.id, bpy.types.Object)  # Selecting one is an update, too.
            if isinstance(update.id, bpy.types.Camera):
                data = update.id.original
                if self._optics.get(data.session_uid) == _optics(data):
                    continue  # A picture was laid behind it, by Generate most of all.
            if update.id.original.session_uid in self._watched and (
                update.is_updated_transform or not is_object
            ):
                self._is_stale = True
        return self._is_stale

    def begin(self, job: jobs.Job) -> None:
        """The worker has the job now."""
        self.job, self.state, self.stage = job, "working", "Starting"

    def end(self, state: str, message: str) -> None:
        """The check is over."""
        self.state, self.message = state, message

    def sampled(self, shot: Shot) -> None:
        """The cameras that are measured."""
        self.frames = shot.cameras.frames

    def handle(self, event: jobs.Event) -> None:
        """Take in an event of this check's job."""
        if isinstance(event, jobs.Stage):
            self.stage = event.text
        elif isinstance(event, jobs.Covered):
            self.shares += event.shares
            self.runs = low_runs(self.frames, self.shares)
        elif isinstance(event, jobs.Ended) and self.active:
            self.end(event.state, event.message)

    def line(self) -> str:
        """The state in one line."""
        if self.active:
            return f"{self.stage}: {self.factor:.0%}"
        return self.message or (self.runs[0].sentence if self.runs else "Every frame is covered")


def _settings(scene: bpy.types.Scene) -> tuple:
    """What of the shot's settings its coverage depends on."""
    shot = scene.inspatio
    frames = shot.frames()
    camera = shot.camera or scene.camera
    return (
        (frames[0], frames[-1]) if frames else None,
        shots.frame_size(scene),
        camera.session_uid if camera is not None else 0,
        (shot.use_reference_time, shot.past_end),
        listing.get().reference,
    )


def _optics(data: bpy.types.Camera) -> tuple:
    """What of a camera's data decides what it sees, as it is now."""
    return (
        data.type,
        data.lens,
        (data.sensor_fit, data.sensor_width, data.sensor_height),
        (data.shift_x, data.shift_y),
        data.ortho_scale,
    )


def _watched(scene: bpy.types.Scene) -> Iterable[int]:
    """The datablocks whose change may move what the shot's cameras see."""
    frames = scene.inspatio.frames()
    used = cameras.used_cameras(scene, scene.inspatio.camera, frames[0], frames[-1])
    datablocks = [one for camera in used for one in (camera, camera.data)]
    yield from (one.session_uid for one in datablocks)
    for one in (*datablocks, scene):
        if one.animation_data is not None and one.animation_data.action is not None:
            yield one.animation_data.action.session_uid
