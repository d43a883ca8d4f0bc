"""One render, from F12 or Ctrl-F12 to its end: the shot is sampled once, its takes give a picture a frame.

    sample      the cameras of the shot that the frame lies in, in the render's own dependency graph
    look        for a take that has the frame, is on its way to it, or can be continued
    generate    a job of the worker, as far as it is needed: up to the frame, or up to the animation's end
    develop     the frame to the size of the render, with its passes, by the backend; of an animation
                the next ones, too, while Blender writes this one

Blender calls this in a thread of its own in the window and in the main one in background. Neither may wait for the main
thread's timer: events of the worker are followed here, and takes are looked at on disk.
"""

import logging
import math
import os
import queue
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import bpy
import mathutils
import numpy as np

from ...backend.protocol.blocks import block_start
from ...backend.protocol.files import Shot
from ...backend.protocol.references import reference_digest
from .. import cameras, film, jobs, shots, takes
from ..client import BackendError, Client, ConnectionLost, RawPlates
from ..film import Part
from ..progress import Progress
from ..runtime import Runtime
from ..shots import UserError
from . import passes
from .matching import Found, Takes

log = logging.getLogger(__name__)

WAIT_S = 0.05
"""Between two looks at what is awaited, and at Esc."""
TOGETHER = max(1, min(4, os.cpu_count() or 1))
"""Frames of an animation that are developed at once, each by a thread of the backend; nearly twice as many are kept."""


class Stopped(Exception):
    """Esc was pressed."""


@dataclass(frozen=True)
class Asked:
    """A shot that is rendered: as it was sampled, and what it is made from."""

    shot: Shot
    reference: Path
    digest: str
    folder: Path
    """Where new takes go."""
    takes: Takes
    references: tuple[Path, ...]


@dataclass(frozen=True)
class Plain:
    """A frame to be developed, and to what: equal ones give equal plates. written: when its picture was, in ns."""

    digest: str
    index: int
    picture: Path
    written: int
    size: tuple[int, int]
    strength: float


@dataclass(frozen=True)
class Coming:
    """The place of a frame in an answer that is on its way, and who has asked for it."""

    answer: Future[RawPlates]
    place: int
    client: Client


class Rendering:
    """What one render knows from frame to frame. For the thread that renders."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._asked: dict[str, Asked] = {}
        self._heard: queue.SimpleQueue[jobs.Event] = queue.SimpleQueue()
        self._progress: Progress | None = None
        """The take that this render has begun, while it is being made."""
        self._pool = ThreadPoolExecutor(1, "inspatio-render")
        self._coming: dict[Plain, Coming] = {}
        """Frames of an animation that are developed ahead."""

    def passes(
        self, engine: bpy.types.RenderEngine, depsgraph: bpy.types.Depsgraph
    ) -> Mapping[str, np.ndarray]:
        """The passes of the scene's current frame. Raises UserError, BackendError and OSError; Stopped after Esc."""
        scene, frame = depsgraph.scene, depsgraph.scene.frame_current
        part = part_at(scene, frame)
        asked = self._asked.get(part.name) or self._sample(engine, depsgraph, part)
        self._asked[part.name] = asked
        last = max(frame, min(scene.frame_end, part.last)) if engine.is_animation else frame
        index = asked.shot.cameras.frames.index(float(frame))
        picture = self._picture(engine, scene, asked, index, last)
        engine.update_stats("", f"Frame {frame}: developing")
        plates = self._develop(engine, asked, self._plain(scene, asked, index, picture))
        if engine.is_animation:
            self._look_ahead(scene, asked, index, last)
        return passes.make(plates, asked.shot.plate is not None, window(scene), primaries())

    def end(self) -> None:
        """The render is over: what still goes on for it is cancelled, and its frames are kept. Harmless to repeat."""
        progress = self._progress
        if progress is not None:
            self._runtime.worker.cancel(progress.job)
            while self._progress is not None and self._runtime.worker.running:
                with suppress(UserError):
                    self._listen(WAIT_S)
        for coming in self._coming.values():
            coming.client.interrupt()
        self._coming.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _sample(self, engine: bpy.types.RenderEngine, depsgraph: bpy.types.Depsgraph, part: Part) -> Asked:
        scene = depsgraph.scene
        reference = shots.check_shot(scene, part)
        self._runtime.setup()  # Where the backend is not set up, that is said first.
        with evaluated_by(engine, depsgraph) as evaluate:
            steps = shots.shot_with(evaluate, scene, reference, part)
            try:
                while True:
                    _check(engine)
                    engine.update_stats("", f"Reading the camera: {next(steps):.0%}")
            except StopIteration as done:
                shot = done.value
        return Asked(
            shot,
            reference,
            reference_digest(reference),
            takes.shot_folder(scene, part.name),
            Takes(takes.shot_folders(scene, part.name)),
            tuple(takes.reference_versions(scene, part.name)),
        )

    def _picture(
        self, engine: bpy.types.RenderEngine, scene: bpy.types.Scene, asked: Asked, index: int, last: int
    ) -> Path:
        """The PNG file of a frame. Where it isn't there yet its take is made, up to scene frame `last`.

        With the last frame the take has ended, and says so on disk.
        """
        is_last, began = asked.shot.cameras.frames[index] >= last, False
        while True:
            _check(engine)
            found = asked.takes.find(asked.shot, asked.digest, index)
            if found.picture is not None and not (is_last and self._progress is not None):
                return found.picture
            if self._progress is not None:
                self._show_progress(engine, asked.shot.blocks_until(last))
                self._listen(WAIT_S)
            elif found.running is not None:
                engine.update_stats("", f"Waiting for {found.running.name}")
                time.sleep(WAIT_S)
            elif began:
                raise UserError(f"No take has frame {asked.shot.cameras.frames[index]:g}, though it was made")
            else:
                self._begin(scene, asked, found, last)
                began = True

    def _begin(self, scene: bpy.types.Scene, asked: Asked, found: Found, last: float) -> None:
        runtime, setup = self._runtime, self._runtime.setup()
        if runtime.progress is None or not runtime.progress.is_render:
            runtime.check_free()
        new = jobs.Generate(
            setup=setup,
            shot=asked.shot,
            folder=asked.folder,
            reference=asked.reference,
            check_coverage=False,
            until=last,
        )
        job: jobs.Continue | jobs.Generate = new
        if found.stopped is not None:
            stopped = {"folder": found.stopped, "references": asked.references, "until": last}
            job = jobs.Continue(setup=setup, instead=new, **stopped)
        self._progress = _progress(scene, asked, setup, job)
        # The panel's own hears the same events, in the main thread.
        runtime.announce(_progress(scene, asked, setup, job))
        runtime.worker.submit(job, self._heard.put)

    def _show_progress(self, engine: bpy.types.RenderEngine, blocks: int) -> None:
        progress = self._progress
        wanted = min(progress.frames_total, block_start(blocks))
        engine.update_progress(progress.frames_done / wanted)
        engine.update_stats("", progress.line())

    def _listen(self, seconds: float) -> None:
        """Wait for an event of the take that is made, at most so long.

        Raises UserError where that ended before its time.
        """
        try:
            event = self._heard.get(timeout=seconds)
        except queue.Empty:
            if not self._runtime.worker.running:
                raise UserError("InSpatio was disabled") from None
            return
        progress = self._progress
        if progress is None or event.job != progress.job.id:
            return
        progress.handle(event)
        if isinstance(event, jobs.Ended):
            self._progress = None
            if event.state != "finished":
                raise UserError(event.message)

    def _plain(self, scene: bpy.types.Scene, asked: Asked, index: int, picture: Path) -> Plain:
        size = cameras.render_frame(scene)
        strength = asked.shot.plate.strength if asked.shot.plate is not None else 1.0
        written = picture.stat().st_mtime_ns
        return Plain(asked.digest, index, picture, written, (size.width, size.height), strength)

    def _develop(self, engine: bpy.types.RenderEngine, asked: Asked, plain: Plain) -> RawPlates:
        """A frame brought to the size of the render by the backend."""
        coming = self._coming.pop(plain, None)
        if coming is None:
            self._coming.clear()  # What was looked for ahead is not what comes.
        else:
            try:
                return self._wait(engine, coming.answer, coming.client).part(coming.place)
            except (BackendError, OSError, CancelledError) as error:
                log.info("a frame was not developed ahead (%s): once more", error)
        try:
            return self._call(engine, asked, plain)
        except ConnectionLost:
            log.info("the backend went away while a frame was developed: once more")
            return self._call(engine, asked, plain)

    def _look_ahead(self, scene: bpy.types.Scene, asked: Asked, index: int, last: int) -> None:
        """Have some of the frames after this one developed, as far as they are there: Blender writes it meanwhile."""
        client = self._runtime.worker.client()
        if client is None or len(self._coming) >= TOGETHER:
            return
        frames, step, new = asked.shot.cameras.frames, scene.frame_step, []
        begin = max((plain.index for plain in self._coming), default=index) + step
        for place in range(begin, len(frames), step)[:TOGETHER]:
            picture = None
            if frames[place] <= last:
                picture = asked.takes.find(asked.shot, asked.digest, place).picture
            if picture is None:
                break
            new.append(self._plain(scene, asked, place, picture))
        if new:
            answer = self._pool.submit(_develop, client, asked, new)
            self._coming |= {plain: Coming(answer, place, client) for place, plain in enumerate(new)}

    def _call(self, engine: bpy.types.RenderEngine, asked: Asked, plain: Plain) -> RawPlates:
        """A frame at once. The backend is started where it does not run; Esc ends the call."""
        client = self._runtime.worker.client() or self._start(engine)
        return self._wait(engine, self._pool.submit(_develop, client, asked, [plain]), client)

    def _wait(self, engine: bpy.types.RenderEngine, answer: Future[RawPlates], client: Client) -> RawPlates:
        while True:
            try:
                return answer.result(WAIT_S)
            except TimeoutError:
                if engine.test_break():
                    client.interrupt()
                    raise Stopped from None

    def _start(self, engine: bpy.types.RenderEngine) -> Client:
        runtime, setup = self._runtime, self._runtime.setup()
        if not setup.autostart:
            raise UserError("The backend does not run: start it in the panel")
        heard: queue.SimpleQueue[jobs.Event] = queue.SimpleQueue()
        job = runtime.worker.submit(jobs.Start(setup=setup), heard.put)
        engine.update_stats("", "Starting backend")
        while runtime.worker.running:
            if engine.test_break():
                runtime.worker.cancel(job)
                raise Stopped
            with suppress(queue.Empty):
                event = heard.get(timeout=WAIT_S)
                if isinstance(event, jobs.Ended):
                    client = runtime.worker.client()
                    if client is not None:
                        return client
                    raise UserError(event.message or "The backend ended again at once: look at its log")
        raise UserError("InSpatio was disabled")


def _progress(scene: bpy.types.Scene, asked: Asked, setup: jobs.Setup, job: jobs.Job) -> Progress:
    progress = Progress(scene, asked.shot.name, len(asked.shot.cameras), setup, asked.reference)
    progress.is_render = True
    progress.begin(job)
    return progress


def _develop(client: Client, asked: Asked, plain: Sequence[Plain]) -> RawPlates:
    """Frames of one shot, size and strength, brought to that size. In a thread of its own."""
    if not client.has_reference(asked.digest):
        client.put_reference(asked.digest, asked.reference)
    indices, first = [each.index for each in plain], plain[0]
    step = indices[1] - indices[0] if len(indices) > 1 else 1
    chosen = asked.shot.cameras.part(slice(indices[0], indices[-1] + 1, step))
    frames = [each.picture.read_bytes() for each in plain]
    return client.raw_plates(asked.digest, chosen, frames, *first.size, first.strength)


def _check(engine: bpy.types.RenderEngine) -> None:
    """Raises Stopped after Esc."""
    if engine.test_break():
        raise Stopped


def part_at(scene: bpy.types.Scene, frame: int) -> Part:
    """The shot that a frame of the scene lies in: a part of its film that has a reference, else the scene's own.

    Raises UserError where it lies in none.
    """
    own = film.own_part(scene)
    parts = [part for part in film.parts(scene) if part.first <= frame <= part.last]
    if any(takes.reference_version(scene, part.name) is not None for part in parts):
        return parts[0]
    if takes.reference_version(scene) is None and film.is_cut(scene) and parts:
        raise UserError(f"Shot “{parts[0].name}” has no reference yet: capture or recover one first")
    if not own.frames:
        raise UserError(shots.EMPTY_RANGE)
    if not own.first <= frame <= own.last:
        raise UserError(
            f"Frame {frame} lies outside the shot, which has the frames {own.first} to {own.last}"
        )
    return own


@contextmanager
def evaluated_by(
    engine: bpy.types.RenderEngine, depsgraph: bpy.types.Depsgraph
) -> Iterator[cameras.Evaluate]:
    """Evaluates the scene as the render does; afterwards it is back at its own frame."""
    scene = depsgraph.scene
    frame, subframe = scene.frame_current, scene.frame_subframe

    def evaluate(at: float) -> bpy.types.Depsgraph:
        whole = math.floor(at)
        engine.frame_set(whole, at - whole)
        return depsgraph

    try:
        yield evaluate
    finally:
        engine.frame_set(frame, subframe)


def window(scene: bpy.types.Scene) -> passes.Window:
    """The part of the frame that is rendered, as Blender rounds it."""
    frame, render = cameras.render_frame(scene), scene.render
    if not render.use_border:
        return passes.Window(0, 0, frame.width, frame.height)
    return passes.Window(
        int(render.border_min_x * frame.width),
        int(render.border_min_y * frame.height),
        int(render.border_max_x * frame.width),
        int(render.border_max_y * frame.height),
    )


def primaries() -> np.ndarray:
    """From linear Rec.709 to the linear space that this file's scenes are rendered in, (3, 3)."""
    light = [mathutils.Color(axis).from_rec709_linear_to_scene_linear() for axis in np.eye(3)]
    matrix = np.array([tuple(colour) for colour in light]).T
    return np.eye(3) if np.allclose(matrix, np.eye(3), atol=1e-4) else matrix  # Blender 4 is off by 1e-5.
