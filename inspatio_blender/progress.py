"""How far the take that is being made has come: what the panel and the terminal show of it."""

import time
from pathlib import Path

import bpy

from ..backend.protocol.files import Shot, frame_names
from ..backend.protocol.plates import shown_pictures
from . import jobs


class Progress:
    """One take, from the press of the button to its end.

    state   "sampling" the camera, "working" (backend, reference, blocks), "asking" whether low coverage is
            meant, then "finished", "cancelled" or "failed"
    """

    def __init__(
        self,
        scene: bpy.types.Scene | None,
        name: str,
        frames: int,
        setup: jobs.Setup,
        reference: Path | None,
        until: float | None = None,
    ) -> None:
        self.name = name
        self.frames_total = frames
        self.setup = setup
        self.reference = reference
        self.is_render = False
        """Whether a render makes the take: it leaves the scene alone, and shows the picture itself."""
        self.until = until
        """The scene frame that it goes to, where that is not the last one."""
        self.state = "sampling"
        self.stage = "Reading the camera"
        self.message = ""
        self.share = 0.0
        self.began = time.monotonic()
        self.job: jobs.Job | None = None
        self.shot: Shot | None = None
        self.takes_folder: Path | None = None
        self.folder: Path | None = None
        self.number = 0
        self.frames_done = 0
        self.first_frame_s: float | None = None
        self.ended: float | None = None
        self._scene = scene.session_uid if scene is not None else 0
        self._generating_since = 0.0
        self._generated: float | None = None
        self._frames_before = 0

    @property
    def active(self) -> bool:
        """Whether the take is not at its end yet."""
        return self.state in ("sampling", "working", "asking")

    @property
    def scene(self) -> bpy.types.Scene | None:
        """The scene of the take, looked up each time: references to it die over undo and load."""
        return next((scene for scene in bpy.data.scenes if scene.session_uid == self._scene), None)

    @property
    def is_orphan(self) -> bool:
        """Whether the scene that the take is made for is gone."""
        return self.scene is None

    @property
    def fps(self) -> float:
        """Frames a second since generating began, without the movie's making; 0 before the first ones."""
        seconds = (self._generated or self.ended or time.monotonic()) - self._generating_since
        return (
            (self.frames_done - self._frames_before) / seconds
            if self._generating_since and seconds > 0
            else 0.0
        )

    @property
    def factor(self) -> float:
        """Share of the work that is done, 0 to 1."""
        return self.share if self.state == "sampling" else self.frames_done / self.frames_total

    def begin(self, job: jobs.Job) -> None:
        """The worker has the job now."""
        self.job = job
        self.state, self.stage, self.message = "working", "Starting", ""

    def end(self, state: str, message: str) -> None:
        """The take is over."""
        self.state, self.message = state, message
        self.ended = time.monotonic()

    def handle(self, event: jobs.Event) -> None:
        """Take in an event of this take's job."""
        if isinstance(event, jobs.Stage):
            self.stage = event.text
        elif isinstance(event, jobs.CoverageLow):
            self.state, self.message = "asking", coverage_sentence(event.frames)
        elif isinstance(event, jobs.TakeStarted):
            self.folder, self.number, self.shot = event.folder, event.number, event.shot
            self.frames_done = self._frames_before = event.frames_done
            self.stage = "Generating"
            self._generating_since = time.monotonic()
        elif isinstance(event, jobs.BlockDone):
            self.frames_done = event.frames_done
            if self.first_frame_s is None:
                self.first_frame_s = time.monotonic() - self.began
            if self.frames_done == self.frames_total:
                self._generated = time.monotonic()
        elif isinstance(event, jobs.Ended) and self.active and self.state != "asking":
            self.end(event.state, event.message)

    @property
    def summary(self) -> str:
        """What came of it, in a few words."""
        return f"Take {self.number}: {self.frames_done} frames"

    @property
    def outcome(self) -> str:
        """The same as a sentence."""
        return f"Generated {self.frames_done} frames in {self.folder}"

    def files(self) -> list[Path]:
        """The pictures to show of what is on disk, in order: frames, and at the end plates where there are any."""
        if self.folder is None or self.shot is None:
            return []
        names = frame_names(self.shot.cameras.frames)[: self.frames_done]
        return [self.folder / name for name in names] if self.active else shown_pictures(self.folder, names)

    def line(self) -> str:
        """The state in one line."""
        if self.state == "sampling":
            return f"{self.stage}: {self.share:.0%}"
        if self.state != "working":
            return self.message or f"take {self.number}, {self.frames_done} frames, {self.fps:.1f} fps"
        if not self.frames_done:
            return self.stage
        text = f"{self.frames_done} of {self.frames_total} frames"
        if self.fps > 0 and self.stage == "Generating":
            left = (self.frames_total - self.frames_done) / self.fps
            return f"{text}, {self.fps:.1f} fps, {duration(left)} left"
        return f"{text}, {self.stage.lower()}"


class Developing(Progress):
    """The plates of a take that is there, counted as its frames are."""

    def __init__(
        self, scene: bpy.types.Scene, name: str, frames: int, setup: jobs.Setup, number: int
    ) -> None:
        super().__init__(scene, name, frames, setup, None)
        self.number = number

    def handle(self, event: jobs.Event) -> None:
        """Take in an event of the plates' job."""
        if not isinstance(event, jobs.PlatesDone):
            super().handle(event)
            return
        if not self._generating_since:
            self._generating_since, self._frames_before = time.monotonic(), event.done
        self.frames_done = event.done

    @property
    def summary(self) -> str:
        return f"Take {self.number}: {self.frames_total} plates"

    @property
    def outcome(self) -> str:
        return f"Take {self.number} has {self.frames_total} plates"

    def line(self) -> str:
        """The state in one line."""
        if self.state != "working":
            return self.message or self.summary
        if not self.frames_done:
            return self.stage
        text = f"{self.frames_done} of {self.frames_total} plates"
        return (
            f"{text}, {duration((self.frames_total - self.frames_done) / self.fps)} left"
            if self.fps
            else text
        )


def duration(seconds: float) -> str:
    """Seconds as a person says them: 42 s, 3:05, 1:02:03."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d}"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def coverage_sentence(frames: tuple[float, ...]) -> str:
    """What is wrong with a shot of which these frames are hardly covered."""
    first, last = round(frames[0]), round(frames[-1])
    where = f"at frame {first}" if first == last else f"between frames {first} and {last}"
    return f"The reference hardly reaches what the camera sees {where}: most of it would be invented"
