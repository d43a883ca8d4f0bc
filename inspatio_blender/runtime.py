"""What is running now: one object outside Blender's data, and the pump that moves it on.

Undo must not revert a running take and a file load must end it cleanly, so nothing of this lives in a scene.
One persistent timer calls `Runtime.pump` in the window; in background, where timers never fire, the operator
calls the same pump in a loop. A tick does a few milliseconds of work at most:

    sampling    the camera, a frame a step
    events      of the worker: the backend's state, a block on disk, the end of a take
    showing     what has arrived, in the cameras and the sequencer
    preview     the live one, which pumps itself (live/preview.py)
    queue       of the file's film, an item after the other (film_queue.py)
    task        how far a set-up or a download has come, which goes on beside takes

Main thread only.
"""

import logging
import queue
import time
from collections import deque
from collections.abc import Callable, Generator
from pathlib import Path

import bpy

from ..backend.protocol.files import Shot
from . import (
    camera_images,
    download,
    environment,
    film,
    film_listing,
    jobs,
    listing,
    preferences,
    presenting,
    recovery,
    reports,
    shots,
    showing,
    takes,
)
from .coverage import Coverage
from .film_queue import FilmQueue, QueueProgress
from .live.preview import Preview, Recorded
from .progress import Developing, Progress
from .shot_files import ShotFiles
from .shots import UserError
from .task import Task
from .versions import REFERENCE_FOLDER
from .worker import Worker

log = logging.getLogger(__name__)

TICK_BUDGET_S = 0.004
FIRST_SLICE_S = 0.3
"""A short shot is sampled while the button is pressed; a longer one goes on in the timer."""
TICKS_KEPT = 20_000
TASK_REDRAW_S = 0.1


class Runtime:
    """The worker, the take that is being made, and what is known of the backend."""

    def __init__(self, ask_anyway: Callable[[], None], redraw: Callable[[bool], None]) -> None:
        self._ask_anyway = ask_anyway
        self._redraw = redraw
        self.worker = Worker()
        self.progress: Progress | None = None
        """The take that is being made, or the last one."""
        self.coverage: Coverage | None = None
        """The check of coverage that goes on, or the last one."""
        self.working: tuple[str, float] | None = None
        """What an operator does in steps in the window, and the share that is done."""
        self.backend_status: dict | None = None
        self.backend_message = ""
        self.backend_starting = False
        self.preview: Preview | None = None
        """The live preview, while there is one."""
        self.queue = FilmQueue(self.worker, self.setup, redraw)
        """The queue of the file that is open."""
        self.shot_files = ShotFiles()
        """What lies in the folders of the film's shots."""
        self.task: Task | None = None
        """The set-up or download that goes on, or the last one."""
        self._recovery_asked: tuple = ()
        self.planned: jobs.Planned | None = None
        """What a take of the shot in front of the user would need; None where nothing is known."""
        self._asked: jobs.Shape | None = None
        self._announced: queue.SimpleQueue[Progress] = queue.SimpleQueue()
        self.tick_ms: deque[float] = deque(maxlen=TICKS_KEPT)
        self.is_idle = True
        """Whether nothing goes on, but a preview."""
        self._sampling = None
        self._sampled: Progress | Coverage | None = None
        """What the camera is sampled for: one at a time, or they would disagree on the frame to come back to."""
        self._view_layer = ""
        self._task_shown = (0, 0.0)

    @property
    def busy(self) -> bool:
        """Whether a take is being made, or waits for an answer."""
        return self.progress is not None and self.progress.active

    @property
    def checking(self) -> bool:
        """Whether coverage is being checked."""
        return self.coverage is not None and self.coverage.active

    @property
    def running_folder(self) -> Path | None:
        """The folder of the take that is being made."""
        return self.progress.folder if self.busy else None

    def generate(
        self, scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer, until: float | None = None
    ) -> Progress:
        """Begin a take of the scene's shot, as far as the block of scene frame `until`. Raises UserError."""
        self._claim()
        reference = shots.check_shot(scene)
        setup = self.setup()
        takes.keep_unsaved_folder(scene)
        self.progress = Progress(
            scene, takes.shot_name(scene), len(scene.inspatio.frames()), setup, reference, until
        )
        if self.coverage is not None and self.coverage.state == "sampling":
            self._cancel_coverage()
        self._begin_sampling(self.progress, view_layer.name)
        if self.progress.state == "failed":
            raise UserError(self.progress.message)
        return self.progress

    def check_coverage(self, scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer) -> Coverage:
        """Begin to measure how much of the scene's shot its reference reaches. Raises UserError."""
        self._claim()
        if self.checking:
            raise UserError("Coverage is being checked: wait for it or cancel it first")
        reference = shots.check_shot(scene)
        setup = self.setup()
        listing.refresh(scene, self.running_folder)
        self.coverage = Coverage(scene, setup, reference)
        self._begin_sampling(self.coverage, view_layer.name)
        if self.coverage.state == "failed":
            raise UserError(self.coverage.message)
        return self.coverage

    def generate_anyway(self) -> None:
        """Go on with a take whose coverage is low."""
        progress = self.progress
        if progress is not None and progress.state == "asking":
            self._submit(progress, check_coverage=False)

    def continue_take(
        self, scene: bpy.types.Scene, take: takes.TakeInfo, until: float | None = None
    ) -> Progress:
        """Go on with a stopped take, as far as the block of scene frame `until`. Raises UserError."""
        self._claim()
        if take.state == "running":
            raise UserError(f"{take.folder.name} is being generated by another Blender")
        if not take.can_continue:
            raise UserError(f"{take.folder.name} is {take.state}: there is nothing to continue")
        setup = self.setup()
        self.progress = progress = Progress(scene, takes.shot_name(scene), take.frames_total, setup, None)
        folders = tuple(takes.reference_versions(scene))
        job = jobs.Continue(setup=setup, folder=take.folder, references=folders, until=until)
        progress.begin(self.worker.submit(job))
        return progress

    def make_plates(self, scene: bpy.types.Scene, take: takes.TakeInfo) -> Progress:
        """Develop the frames of a take as the scene is set. Raises UserError."""
        self._claim()
        if take.state == "running":
            raise UserError(f"{take.folder.name} is being generated by another Blender")
        if not take.frames_done:
            raise UserError(f"{take.folder.name} has no frames yet")
        settings, setup = shots.plate_settings(scene), self.setup()
        self.progress = progress = Developing(
            scene, takes.shot_name(scene), take.frames_done, setup, take.number
        )
        folders = tuple(takes.reference_versions(scene))
        job = jobs.Develop(setup=setup, folder=take.folder, references=folders, settings=settings)
        presenting.show_again(scene, take.folder, with_plates=False)  # Plates of other settings go.
        progress.begin(self.worker.submit(job))
        return progress

    def start_preview(self, scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer) -> None:
        """Begin a live preview of the scene's shot, in place of another. Raises UserError."""
        self.stop_preview()
        self.preview = Preview(scene, view_layer, self.worker, self.setup(), self._redraw)

    def stop_preview(self) -> None:
        """End the live preview, where there is one."""
        preview, self.preview = self.preview, None
        if preview is not None:
            preview.stop()

    def keep_preview(self, scene: bpy.types.Scene, recorded: Recorded | None = None) -> None:
        """Make a take of what the preview has generated, or of what was recorded. Raises UserError."""
        self._claim()
        if self.preview is None:
            raise UserError("There is no preview: start it first")
        takes.keep_unsaved_folder(scene)
        job = self.preview.keep_job(scene, recorded)
        self.progress = Progress(scene, job.shot.name, len(job.shot.cameras), job.setup, job.reference)
        self.progress.begin(self.worker.submit(job))

    def start_backend(self) -> None:
        """Start the backend by hand. Raises UserError where no Python is named."""
        setup = self.setup()
        self.backend_message, self.backend_starting = "", True
        self.worker.submit(jobs.Start(setup=setup))

    def stop_backend(self) -> None:
        """End the backend's process, and a take that is being made; a queue is paused."""
        self.cancel()
        if self.queue.is_going:
            self.queue.pause()  # It may be between two items.
        self.stop_preview()
        self.backend_message = ""
        self.worker.submit(jobs.Stop(setup=self.setup(named=False)))

    def cancel(self) -> None:
        """End the take that is being made; what is finished of it stays. Also a check of coverage. Returns at once.

        A queue that makes it is paused.
        """
        self._cancel_coverage()
        progress = self.progress
        if progress is None or not progress.active:
            return
        if isinstance(progress, QueueProgress) and self.queue.keeper is not None:
            self.queue.pause()
            return
        if self._sampled is progress:
            self._drop_sampling()
            self._sampled = None
        if progress.job is not None:
            self.worker.cancel(progress.job)
        if progress.folder is None:
            progress.end("cancelled", "Cancelled")
        else:
            progress.stage = "Cancelling"

    def set_up_backend(self) -> Task:
        """Begin to make the backend's environment. Raises UserError."""
        backend, user = self.worker.backend, preferences.user_folder()
        # The environment that a backend runs from is left to it.
        folder = Path(backend.python).parent.parent if backend is not None and backend.running else None
        return self.begin_task(
            "Set Up Backend", lambda task: environment.make(task, preferences.EXTENSION, user, folder)
        )

    def download_weights(self, preset: str) -> Task:
        """Begin to download a preset's weights, or go on with it. Raises UserError."""
        setup = self.setup()
        return self.begin_task(f"Download {preset}", lambda task: download.download(task, setup, preset))

    def make_report(self, folder: Path) -> Task:
        """Begin to make the report of the take in a folder. Raises UserError."""
        setup = self.setup()
        return self.begin_task("Make Report", lambda task: reports.make_report(task, setup, folder))

    def recover_steps(
        self, scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer
    ) -> Generator[float | None, None, Task]:
        """Look at the pictures behind the shot's cameras, one a step, then begin a version of the reference from them.

        Yields the share that is looked at, None to wait. Closing the generator cancels. Raises UserError.
        """
        setup = self.setup()
        self._check_no_task()
        self._recovery_asked = camera_images.asked_of(scene)
        takes.keep_unsaved_folder(scene)
        folder = takes.shot_folder(scene) / REFERENCE_FOLDER
        try:
            work = recovery.work_folder(folder)
        except OSError as error:
            raise UserError(f"No reference can be written to {folder}: {error.strerror or error}") from error
        try:
            views = yield from camera_images.view_steps(scene, view_layer, shots.frame_size(scene), work)
            self._check_no_task()
        except BaseException:
            recovery.discard(work)
            raise
        scene.inspatio.reference_version = ""
        return self.begin_task("Recover Reference", lambda task: recovery.recover(task, setup, views, work))

    def is_recovery_of(self, scene: bpy.types.Scene) -> bool:
        """Whether the last recovery was asked for with what is set now: else what it said is no news any more."""
        return self._recovery_asked == camera_images.asked_of(scene)

    def _check_no_task(self) -> None:
        if self.task is not None and self.task.running:
            raise UserError(f"{self.task.title} is running: wait for it or cancel it first")

    def begin_task(self, title: str, work: Callable[[Task], str]) -> Task:
        """Begin something long beside takes, of which there is one at a time. Raises UserError."""
        self._check_no_task()
        self._task_shown = (0, 0.0)
        self.task = Task(title, work, preferences.user_folder() / "set_up.log")
        return self.task

    def setup(self, named: bool = True) -> jobs.Setup:
        """How to start the backend, by the preferences. Raises UserError where no Python is named."""
        python = preferences.backend_python()
        if named and not python:
            raise UserError("The backend is not set up: press Set Up Backend in the add-on's preferences")
        return jobs.Setup(
            python,
            preferences.EXTENSION,
            preferences.user_folder() / "backend.log",
            preferences.get().autostart,
            preferences.backend_variables(),
        )

    def pump(self, budget: float = TICK_BUDGET_S) -> bool:
        """Do what is to be done now, for about `budget` seconds; whether anything is going on."""
        began = time.perf_counter()
        was_busy = self.busy
        self._watch_scene()
        self._watch_backend()
        self._watch_task()
        self._take_in_announced()
        if self._sampling is not None:
            self._step_sampling(budget)
        while time.perf_counter() - began < budget:
            try:
                event = self.worker.events.get_nowait()
            except queue.Empty:
                break
            self._handle(event)
        self.queue.pump(is_free=not self.busy)
        queued = self.queue.progress
        if queued is not None and queued.active:
            self.progress = queued
        if self.preview is not None:
            self.preview.pump(is_free=self._sampling is None)
            if self.preview.scene is None:
                self.stop_preview()
        if was_busy or self.busy or self.preview is not None:
            self.tick_ms.append((time.perf_counter() - began) * 1000.0)
        tasked = self.task is not None and self.task.running
        self.is_idle = not (
            self.busy or self.checking or self.backend_starting or tasked or self.queue.is_going
        )
        return not self.is_idle or self.preview is not None

    def plan(self, scene: bpy.types.Scene) -> bool:
        """Ask what a take of the scene's shot would need, once for each shape; whether what is known has changed.

        Only a backend that runs is asked, and not while it has other work.
        """
        if self.backend_status is None or self.busy:
            known, self._asked = self.planned, None
            self.planned = None if self.backend_status is None else known
            return known is not self.planned
        shape = shots.shape(scene)
        if shape == self._asked:
            return False
        known, self._asked, self.planned = self.planned, shape, None
        if shape is not None:
            self.worker.submit(jobs.Plan(setup=self.setup(named=False), shape=shape))
        return known is not None

    def announce(self, progress: Progress) -> None:
        """A render begins a take: show how far it is from the next tick on. From any thread."""
        self._announced.put(progress)

    def look_at_film(self, scene: bpy.types.Scene) -> bool:
        """Look after the queue of the file and the parts of the scene's film; whether there is anything new to show.

        A queue that was going when Blender ended goes on, in a window and where the backend may start by itself.
        """
        goes_on = not bpy.app.background and preferences.get().autostart
        self.queue.look_at(takes.saved_place(), goes_on)
        parts = film.parts(scene)
        self.shot_files.look(film_listing.folders(parts, scene))
        return film_listing.show_parts(scene, parts, self.shot_files.found)

    def forget(self) -> None:
        """Another file is loaded: what was being made belongs to the one before."""
        self.progress = self.coverage = None

    def forget_take(self, folder: Path) -> None:
        """The take in `folder` was deleted: there is nothing to show of it after an undo."""
        if self.progress is not None and self.progress.folder == folder:
            self.progress = None

    def pause_sampling(self) -> None:
        """An undo is about to exchange the scene under the camera that is being read."""
        self._drop_sampling()
        if self.preview is not None:
            self.preview.before_undo()

    def resume_after_undo(self) -> None:
        """Read the camera from the start again where it was interrupted; show again what the undo took away."""
        if self.preview is not None:
            self.preview.after_undo()
        sampled = self._sampled
        if sampled is not None and sampled.scene is not None:
            self._begin_sampling(sampled, self._view_layer)
        progress = self.progress
        scene = progress.scene if progress is not None else None
        if scene is None or progress.state == "sampling":
            return
        if progress.active or not showing.is_shown(scene):
            presenting.show(progress)

    def note_updates(self, depsgraph: bpy.types.Depsgraph) -> None:
        """Blender has evaluated something anew: the checked coverage may be stale now, and the preview."""
        if self.preview is not None:
            self.preview.note_updates(depsgraph)
        if self.coverage is not None and self.coverage.note(depsgraph.updates):
            self._redraw(False)
            showing.redraw_timelines()

    def shutdown(self) -> None:
        """End everything: the take is cancelled on disk, thread and process are gone afterwards.

        A queue that is going stays so on disk.
        """
        self.queue.close()
        self.shot_files.close()
        self.stop_preview()
        self._drop_sampling()
        self._cancel_coverage()
        if self.task is not None:
            self.task.shutdown(timeout=3.0)
        job = self.progress.job if self.busy else None
        self.worker.shutdown(job, timeout=2.0)

    def check_free(self) -> None:
        """Raises UserError where a take is being made. From any thread."""
        if self.busy:
            raise UserError("A take is being generated: wait for it or cancel it first")

    def _claim(self) -> None:
        """Raises UserError where a take is being made, also where a render has begun one since the last tick."""
        self._take_in_announced()
        self.check_free()

    def _take_in_announced(self) -> None:
        while not self._announced.empty():
            self.progress = self._announced.get()

    def _begin_sampling(self, sampled: Progress | Coverage, view_layer: str) -> None:
        scene = sampled.scene
        layer = scene.view_layers.get(view_layer) or scene.view_layers[0]
        self._sampled, self._view_layer = sampled, view_layer
        self._sampling = shots.shot_steps(scene, layer, sampled.reference)
        self._step_sampling(FIRST_SLICE_S)

    def _step_sampling(self, budget: float) -> None:
        sampled, began = self._sampled, time.perf_counter()
        try:
            while True:
                sampled.share = next(self._sampling)
                if time.perf_counter() - began >= budget:
                    return
        except StopIteration as done:
            self._sampling = self._sampled = None
            sampled.share = 0.0
            if isinstance(sampled, Coverage):
                self._submit_check(sampled, done.value)
            else:
                sampled.shot = done.value
                sampled.frames_total = len(sampled.shot.cameras)
                sampled.takes_folder = takes.shot_folder(sampled.scene)
                self._submit(sampled, check_coverage=True)
        except UserError as error:  # An undo may also have brought an old, empty range back.
            self._sampling = self._sampled = None
            sampled.end("failed", str(error))

    def _drop_sampling(self) -> None:
        if self._sampling is not None:
            self._sampling.close()
            self._sampling = None

    def _submit(self, progress: Progress, check_coverage: bool) -> None:
        progress.begin(
            self.worker.submit(
                jobs.Generate(
                    setup=progress.setup,
                    began=progress.began if check_coverage else time.monotonic(),
                    shot=progress.shot,
                    folder=progress.takes_folder,
                    reference=progress.reference,
                    check_coverage=check_coverage,
                    until=progress.until,
                )
            )
        )

    def _submit_check(self, coverage: Coverage, shot: Shot) -> None:
        coverage.sampled(shot)
        job = jobs.CheckCoverage(setup=coverage.setup, shot=shot, reference=coverage.reference)
        coverage.begin(self.worker.submit(job))

    def _cancel_coverage(self) -> None:
        coverage = self.coverage
        if coverage is None or not coverage.active:
            return
        if coverage is self._sampled:
            self._drop_sampling()
            self._sampled = None
        if coverage.job is not None:
            self.worker.cancel(coverage.job)
        coverage.end("cancelled", "Cancelled")

    def _watch_scene(self) -> None:
        if self.busy and self.progress.is_orphan:
            log.info("the scene of the take is gone")
            self.cancel()
        if self.checking and self.coverage.scene is None:
            self._cancel_coverage()

    def _watch_backend(self) -> None:
        backend = self.worker.backend
        if self.backend_status is not None and (backend is None or not backend.running):
            self.backend_status = None
            self.backend_message = backend.failure if backend is not None else ""
            self._redraw(False)

    def _watch_task(self) -> None:
        """Show what a task has to say, a few times a second; where one has ended, look at what came of it.

        While an operator waits for it, that shows how far it is.
        """
        task = self.task
        shown, when = self._task_shown
        if (
            task is None
            or task.changes == shown
            or (task.running and (self.working or time.monotonic() - when < TASK_REDRAW_S))
        ):
            return
        self._task_shown = task.changes, time.monotonic()
        if not task.running:
            preferences.look()
        self._redraw(False)

    def _handle(self, event: jobs.Event) -> None:
        if self.preview is not None and self.preview.handle(event):
            return
        progress = self.progress
        if isinstance(event, jobs.BackendChanged):
            self.backend_status, self.backend_starting = event.status, False
            if event.status is not None:
                self.backend_message = ""
        elif isinstance(event, jobs.Planned):
            self.planned = event if event.shape == self._asked else None
        elif (
            self.coverage is not None and self.coverage.job is not None and self.coverage.job.id == event.job
        ):
            self.coverage.handle(event)
            showing.redraw_timelines()
        elif progress is None or progress.job is None or progress.job.id != event.job:
            if isinstance(event, jobs.Ended):
                self.backend_starting = False
                if event.state == "failed":
                    self.backend_message = event.message
        else:
            progress.handle(event)
            presenting.follow(progress, event)
            if isinstance(event, (jobs.TakeStarted, jobs.Ended)) and progress.scene is not None:
                listing.refresh(progress.scene, self.running_folder)
            if isinstance(event, jobs.BlockDone):
                listing.note_frames(progress.folder, progress.frames_done)
            if isinstance(event, jobs.CoverageLow) and progress.state == "asking":
                self._ask_anyway()
        self._redraw(isinstance(event, jobs.BlockDone))
