"""What is running now: one object outside Blender's data, and the pump that moves it on.

Undo must not revert a running take and a file load must end it cleanly, so nothing of this lives in a scene.
One persistent timer calls `Runtime.pump` in the window; in background, where timers never fire, the operator
calls the same pump in a loop. A tick does a few milliseconds of work at most:

    sampling    the camera, a frame a step
    events      of the worker: the backend's state, a block on disk, the end of a take
    showing     what has arrived, in the cameras and the sequencer

Main thread only.
"""

import logging
import queue
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import bpy

from ..backend.protocol.cameras import Cameras
from ..backend.protocol.files import Shot
from . import cameras, jobs, listing, preferences, settings, showing, takes
from .progress import Progress
from .worker import Worker

log = logging.getLogger(__name__)

TICK_BUDGET_S = 0.004
FIRST_SLICE_S = 0.3
"""A short shot is sampled while the button is pressed; a longer one goes on in the timer."""
TICKS_KEPT = 20_000


class UserError(Exception):
    """What the user asked for cannot be done; the message says why and what to do, in one line."""


class Runtime:
    """The worker, the take that is being made, and what is known of the backend."""

    def __init__(self, ask_anyway: Callable[[], None], redraw: Callable[[bool], None]) -> None:
        self._ask_anyway = ask_anyway
        self._redraw = redraw
        self.worker = Worker()
        self.progress: Progress | None = None
        """The take that is being made, or the last one."""
        self.capturing: float | None = None
        """The share of a reference that is captured, while the window does so."""
        self.backend_status: dict | None = None
        self.backend_message = ""
        self.backend_starting = False
        self.tick_ms: deque[float] = deque(maxlen=TICKS_KEPT)
        self._sampling = None
        self._view_layer = ""

    @property
    def busy(self) -> bool:
        """Whether a take is being made, or waits for an answer."""
        return self.progress is not None and self.progress.active

    @property
    def running_folder(self) -> Path | None:
        """The folder of the take that is being made."""
        return self.progress.folder if self.busy else None

    def generate(self, scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer) -> Progress:
        """Begin a take of the scene's shot. Raises UserError."""
        self._check_free()
        shot = scene.inspatio
        frames = shot.frames()
        if not frames:
            raise UserError("The frame range is empty: its end lies before its start")
        reference = takes.reference_version(scene)
        if reference is None:
            raise UserError("There is no reference yet: press Capture Reference first")
        setup = self.setup()
        try:
            cameras.check_camera(shot.camera or scene.camera, scene)
        except cameras.CameraError as error:
            raise UserError(str(error)) from None
        takes.keep_unsaved_folder(scene)
        self.progress = Progress(scene, takes.shot_name(scene), len(frames), setup, reference)
        self._view_layer = view_layer.name
        self._begin_sampling(scene)
        if self.progress.state == "failed":
            raise UserError(self.progress.message)
        return self.progress

    def generate_anyway(self) -> None:
        """Go on with a take whose coverage is low."""
        progress = self.progress
        if progress is not None and progress.state == "asking":
            self._submit(progress, check_coverage=False)

    def continue_take(self, scene: bpy.types.Scene, take: takes.TakeInfo) -> Progress:
        """Go on with a stopped take. Raises UserError."""
        self._check_free()
        if not take.can_continue:
            raise UserError(f"{take.folder.name} is {take.state}: there is nothing to continue")
        setup = self.setup()
        self.progress = progress = Progress(scene, takes.shot_name(scene), take.frames_total, setup, None)
        folders = tuple(takes.reference_versions(scene))
        progress.begin(self.worker.submit(jobs.Continue(setup=setup, folder=take.folder, references=folders)))
        return progress

    def start_backend(self) -> None:
        """Start the backend by hand. Raises UserError where no Python is named."""
        setup = self.setup()
        self.backend_message, self.backend_starting = "", True
        self.worker.submit(jobs.Start(setup=setup))

    def stop_backend(self) -> None:
        """End the backend's process, and a take that is being made."""
        self.cancel()
        self.backend_message = ""
        self.worker.submit(jobs.Stop(setup=self.setup(named=False)))

    def cancel(self) -> None:
        """End the take that is being made; what is finished of it stays. Returns at once."""
        progress = self.progress
        if progress is None or not progress.active:
            return
        self._drop_sampling()
        if progress.job is not None:
            self.worker.cancel(progress.job)
        if progress.folder is None:
            progress.end("cancelled", "Cancelled")
        else:
            progress.stage = "Cancelling"

    def setup(self, named: bool = True) -> jobs.Setup:
        """How to start the backend, by the preferences. Raises UserError where no Python is named."""
        python = preferences.backend_python()
        if named and not python:
            raise UserError("No Python is set for the backend: choose it in the add-on's preferences")
        user = Path(bpy.utils.extension_path_user(preferences.ADDON, create=True))
        folder = Path(__file__).parent.parent
        return jobs.Setup(python, folder, user / "backend.log", preferences.get().autostart)

    def pump(self, budget: float = TICK_BUDGET_S) -> bool:
        """Do what is to be done now, for about `budget` seconds; whether anything is going on."""
        began = time.perf_counter()
        was_busy = self.busy
        self._watch_scene()
        self._watch_backend()
        if self._sampling is not None:
            self._step_sampling(self.progress.scene, budget)
        while time.perf_counter() - began < budget:
            try:
                event = self.worker.events.get_nowait()
            except queue.Empty:
                break
            self._handle(event)
        if was_busy or self.busy:
            self.tick_ms.append((time.perf_counter() - began) * 1000.0)
        return self.busy or self.backend_starting

    def forget(self) -> None:
        """Another file was loaded: what was being made belongs to the one before."""
        self.progress = None

    def forget_take(self, folder: Path) -> None:
        """The take in `folder` was deleted: there is nothing to show of it after an undo."""
        if self.progress is not None and self.progress.folder == folder:
            self.progress = None

    def pause_sampling(self) -> None:
        """An undo is about to exchange the scene under the camera that is being read."""
        self._drop_sampling()

    def resume_after_undo(self) -> None:
        """Read the camera from the start again where it was interrupted; show again what the undo took away."""
        progress = self.progress
        scene = progress.scene if progress is not None else None
        if scene is None:
            return
        if progress.state == "sampling":
            self._begin_sampling(scene)
        elif progress.active or not showing.is_shown(scene):
            self.show_progress()

    def shutdown(self) -> None:
        """End everything: the take is cancelled on disk, thread and process are gone afterwards."""
        self._drop_sampling()
        job = self.progress.job if self.busy else None
        self.worker.shutdown(job, timeout=2.0)

    def _check_free(self) -> None:
        if self.busy:
            raise UserError("A take is being generated: wait for it or cancel it first")

    def _begin_sampling(self, scene: bpy.types.Scene) -> None:
        shot = scene.inspatio
        view_layer = scene.view_layers.get(self._view_layer) or scene.view_layers[0]
        self._sampling = cameras.sample_steps(
            scene, view_layer, shot.camera, shot.frames(), frame_size(scene)
        )
        self._step_sampling(scene, FIRST_SLICE_S)

    def _step_sampling(self, scene: bpy.types.Scene | None, budget: float) -> None:
        progress, began = self.progress, time.perf_counter()
        try:
            while True:
                progress.share = next(self._sampling)
                if time.perf_counter() - began >= budget:
                    return
        except StopIteration as done:
            self._sampling = None
            progress.share = 0.0
            progress.shot = _shot(scene, done.value)
            progress.frames_total = len(progress.shot.cameras)
            progress.takes_folder = takes.shot_folder(scene)
            self._submit(progress, check_coverage=True)
        except cameras.CameraError as error:
            self._sampling = None
            progress.end("failed", str(error))

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
                )
            )
        )

    def _watch_scene(self) -> None:
        if self.busy and self.progress.scene is None:
            log.info("the scene of the take is gone")
            self.cancel()

    def _watch_backend(self) -> None:
        backend = self.worker.backend
        if self.backend_status is not None and (backend is None or not backend.running):
            self.backend_status = None
            self.backend_message = backend.failure if backend is not None else ""
            self._redraw(False)

    def _handle(self, event: jobs.Event) -> None:
        progress = self.progress
        if isinstance(event, jobs.BackendChanged):
            self.backend_status, self.backend_starting = event.status, False
            if event.status is not None:
                self.backend_message = ""
        elif progress is None or progress.job is None or progress.job.id != event.job:
            if isinstance(event, jobs.Ended):
                self.backend_starting = False
                if event.state == "failed":
                    self.backend_message = event.message
        else:
            progress.handle(event)
            if isinstance(event, (jobs.TakeStarted, jobs.BlockDone)):
                self.show_progress()
            if isinstance(event, (jobs.TakeStarted, jobs.Ended)) and progress.scene is not None:
                listing.refresh(progress.scene, self.running_folder)
            if isinstance(event, jobs.BlockDone):
                listing.note_frames(progress.folder, progress.frames_done)
            if isinstance(event, jobs.CoverageLow):
                self._ask_anyway()
        self._redraw(isinstance(event, jobs.BlockDone))

    def show_progress(self) -> None:
        """Show what has arrived of the take. Harmless to repeat, for example after an undo."""
        progress = self.progress
        if progress is None or progress.scene is None or not progress.frames_done:
            return
        show_take(progress.scene, progress.files())


def show_take(scene: bpy.types.Scene, files: list[Path]) -> None:
    """Show the finished frames of a take in the scene that it was made in."""
    first, last = int(files[0].stem), int(files[-1].stem)
    used = cameras.used_cameras(scene, scene.inspatio.camera, first, last)
    showing.show(scene, used, files, first)


def frame_size(scene: bpy.types.Scene) -> tuple[int, int]:
    """Width and height of the shot's frames."""
    preset = settings.PRESETS[scene.inspatio.preset]
    return cameras.generated_size(cameras.render_frame(scene).aspect, preset.width, preset.height)


def _shot(scene: bpy.types.Scene, sampled: Cameras) -> Shot:
    shot = scene.inspatio
    preset = settings.PRESETS[shot.preset]
    width, height = frame_size(scene)
    return Shot(
        name=takes.shot_name(scene),
        preset=preset.id,
        seed=shot.seed,
        width=width,
        height=height,
        cameras=sampled,
        prompt=shot.prompt if preset.text else "",
        keep_reference_detail=shot.keep_reference_detail,
        fps=scene.render.fps / scene.render.fps_base,
    )
