"""The preview that runs: what the artist does becomes orders, what is generated becomes a picture in the viewport.

    Following   TIMELINE: the shot's cameras, read anew after an edit; shown is the picture of the scene's frame
    Flying      FLY: the camera as it is at each tick; shown is the newest block, as fast as it was made

One job of the worker generates. It is cancelled where nothing can be generated now (the camera became orthographic, a
render runs), and another is submitted afterwards: pictures stay in the store meanwhile. Nothing of it refers to
Blender's data, since such references die over undo. Main thread only.
"""

import time
from collections.abc import Callable, Mapping

import bpy

from ...backend.protocol.cameras import Cameras
from .. import jobs, preferences, shots, takes
from ..cameras import CameraError
from ..shots import UserError
from ..worker import Worker
from . import badge, changes
from .flight import Flight
from .flying import Flying, Recorded
from .following import Following, is_dragging
from .overlay import Overlay
from .plan import Plan
from .source import Shown, State
from .store import Store
from .wishes import read_wish

DISK_SHARE = 4
"""The files of pictures may take so many times the memory."""
LOOK_INTERVAL_S = 0.3
"""Between two looks at the disk: which version of the reference there is."""
PANEL_INTERVAL_S = 0.2
NO_REFERENCE = "There is no reference any more: capture or recover one"

_MOVERS = tuple(getattr(bpy.types, name) for name in ("Camera", "Action", "Curve", "Armature"))
"""Not Scene and Collection: they are updated whenever Blender sorts out dependencies, as it does for what is read
aside. What of them counts is in the wish."""


def blender_renders() -> bool:
    """Whether Blender's window renders or bakes, which needs the machine, and the scene as it is."""
    return any(bpy.app.is_job_running(kind) for kind in ("RENDER", "OBJECT_BAKE"))


class Preview:
    """From the press of Start Preview to that of Stop. Raises UserError where it cannot be started.

    message: why nothing is generated now, or what went wrong; "" where all is well. stage: what the worker does before
    the first block. fps: frames a second of the last block.
    """

    def __init__(
        self,
        scene: bpy.types.Scene,
        view_layer: bpy.types.ViewLayer,
        worker: Worker,
        setup: jobs.Setup,
        redraw: Callable[[bool], None],
    ) -> None:
        self.message, self.stage = "", ""
        self.fps: float | None = None
        self.is_rendering = False
        self._worker, self._setup, self._redraw = worker, setup, redraw
        self._scene, self._view_layer = scene.session_uid, view_layer.name
        self._reference = shots.check_shot(scene)
        self._span = takes.reference_span(self._reference)
        self._looked_at = 0.0
        self._wish: changes.Wish | None = None
        self._job: jobs.Preview | None = None
        self._held = False
        """Whether something is wrong with the scene: nothing is generated until it is not so any more."""
        self._wanted = False
        """Whether to begin again as soon as nothing is in the way."""
        self._drawn: tuple | None = None
        self._told: tuple | None = None
        self._told_at = 0.0
        self._states: tuple[int, Mapping[int, State]] = (-1, {})
        self.overlay = Overlay(self)
        memory = preferences.preview_bytes()
        self.store = Store(memory, preferences.user_folder() / "preview", DISK_SHARE * memory)
        self._drive: Following | Flying = Following(self.store)

    @property
    def scene(self) -> bpy.types.Scene | None:
        """The scene of the preview, looked up each time: references to it die over undo and load."""
        return next((scene for scene in bpy.data.scenes if scene.session_uid == self._scene), None)

    @property
    def source(self) -> Plan | Flight:
        """What is generated, and what is next."""
        return self._drive.source

    @property
    def is_flying(self) -> bool:
        return isinstance(self._drive, Flying)

    @property
    def is_recording(self) -> bool:
        return isinstance(self._drive, Flying) and self._drive.source.recording

    @property
    def is_eager(self) -> bool:
        """Whether somebody waits for the next tick: the cameras are being read after an edit."""
        return not self.is_rendering and isinstance(self._drive, Following) and self._drive.is_eager

    @property
    def awaits_a_block(self) -> bool:
        """Whether a block may arrive at any moment."""
        return self._job is not None and bool(self.source.working)

    @property
    def missing(self) -> int | None:
        """How many frames of the shot are not generated, or stale; None before its cameras were read."""
        drive = self._drive
        return drive.source.missing if isinstance(drive, Following) and len(drive.source.cameras) else None

    def is_of(self, scene: bpy.types.Scene) -> bool:
        """Whether this is the scene that is previewed."""
        return scene.session_uid == self._scene

    def pump(self, is_free: bool) -> None:
        """Do what is to be done now, for a few milliseconds. Not is_free: somebody else moves the scene's frame."""
        scene = self.scene
        if scene is None:
            return
        self.is_rendering = blender_renders()
        if self.is_rendering:
            self._cancel_job()
            return
        if not is_free:
            return
        layer = scene.view_layers.get(self._view_layer) or scene.view_layers[0]
        self._look(scene, layer)
        try:
            self._step(scene, layer)
        except (CameraError, UserError) as error:
            self._hold(str(error))
        self._show(scene)

    def note_updates(self, depsgraph: bpy.types.Depsgraph) -> None:
        """Blender has evaluated something anew, a change of frame apart: the cameras may be others now."""
        if depsgraph.mode != "VIEWPORT" or depsgraph.scene.session_uid != self._scene:
            return
        for update in depsgraph.updates:
            moved = update.is_updated_transform or update.is_updated_geometry
            if isinstance(update.id, _MOVERS) or (moved and isinstance(update.id, bpy.types.Object)):
                if self._note() and not is_dragging():
                    self._read_at_once()
                return

    def before_undo(self) -> None:
        """The scene is about to be exchanged for another."""
        if isinstance(self._drive, Following):
            self._drive.let_go()

    def after_undo(self) -> None:
        """The scene is another."""
        self._note()

    def handle(self, event: jobs.Event) -> bool:
        """Take in an event of the worker; whether it was for nobody else."""
        if isinstance(event, jobs.Ended) and isinstance(self._drive, Flying):
            self._drive.kept(event.job)
        if self._job is None or event.job != self._job.id:
            return False
        if isinstance(event, jobs.BackendChanged):
            if event.status is not None:
                self.message = ""
            return False
        if isinstance(event, jobs.Stage):
            self.stage = event.text
        elif isinstance(event, jobs.PreviewPaused):
            self.message = event.message
        elif isinstance(event, jobs.PreviewBlock):
            self.message = self.stage = ""
            self.fps = event.count / event.seconds if event.seconds > 0 else None
            if isinstance(self._drive, Flying):
                self._drive.playback.arrived(event.first, event.count, event.seconds, time.monotonic())
        elif isinstance(event, jobs.Ended):
            self._job = None
            if event.state == "failed":
                self.message = event.message
        return True

    def begin_recording(self) -> None:
        """Record what is flown from now on. Raises UserError where no keys could be written."""
        scene, drive = self.scene, self._drive
        if scene is None or not isinstance(drive, Flying):
            raise UserError("Recording is for Fly: set the preview to it first")
        drive.begin_recording(scene)

    def end_recording(self) -> Recorded | None:
        """Write what was flown as keys from the scene's frame on; None where nothing was generated meanwhile.

        Raises UserError where the keys cannot be written.
        """
        scene, drive = self.scene, self._drive
        if scene is None or not isinstance(drive, Flying):
            return None
        return drive.end_recording(scene)

    def keep_job(self, scene: bpy.types.Scene, recorded: Recorded | None) -> jobs.Keep:
        """The job that makes a take of the shot's leading frames, or of what was recorded. Raises UserError."""
        drive = self._drive
        if recorded is not None:
            sampled = recorded[1]
        elif isinstance(drive, Following):
            sampled = drive.source.cameras
        else:
            raise UserError("Nothing was recorded: press Record while you fly")
        if self._reference is None or not len(sampled):
            raise UserError("There is nothing to keep yet: wait for the first frames")
        job = jobs.Keep(
            setup=self._setup,
            source=drive.source,
            shot=shots.shot_of(scene, sampled),
            folder=takes.shot_folder(scene),
            reference=self._reference,
            recording=recorded[0] if recorded is not None else None,
        )
        if recorded is not None and isinstance(drive, Flying):
            drive.keeps(job.id, recorded[0])
        return job

    def stop(self) -> None:
        """End it: nothing is drawn and nothing is generated any more."""
        self._let_go()
        self.overlay.free()
        self.store.close()

    # What the overlay asks:

    def shown(self, scene: bpy.types.Scene, frame: int) -> Shown | None:
        """The picture of the scene's frame, or that of the flight which is to be seen now."""
        drive = self._drive
        if scene.session_uid != self._scene:
            return None
        if isinstance(drive, Flying):
            number, picture = drive.picture(time.monotonic())
        elif drive.has(frame):
            number, picture = float(frame), self.store.get(frame)
        else:
            return None
        is_there, is_stale = picture is not None, picture is not None and picture.stale
        texts = badge.words(
            frame,
            self._word(number, is_there, is_stale),
            self.fps,
            picture.coverage if picture is not None else None,
        )
        if picture is None:
            return Shown(None, None, badge=texts)
        return Shown(picture.array, (id(self.store), picture.serial, number), is_stale, texts)

    def states(self, scene: bpy.types.Scene) -> Mapping[int, State]:
        """The frames of the shot that are generated."""
        if scene.session_uid != self._scene or self.is_flying:
            return {}
        changed = self.store.changes
        if self._states[0] != changed:
            self._states = changed, {int(frame): state for frame, state in self.store.frames().items()}
        return self._states[1]

    def _word(self, number: float | None, is_there: bool, is_stale: bool) -> str:
        """The state in a word or two."""
        drive = self._drive
        if self.is_rendering:
            return "Rendering"
        if self._held:
            return "Paused"
        if self.message:
            return "Backend lost" if self._job is not None else "Stopped"
        if isinstance(drive, Flying):
            return (
                "Recording" if drive.source.recording else "Flying" if is_there else self.stage or "Waiting"
            )
        if number in drive.source.working:
            return "Generating"
        if is_there and not is_stale:
            return "Not keyed" if drive.unkeyed == number else "Live"
        return self.stage or ("Stale" if is_stale else "Waiting")

    # At each tick:

    def _look(self, scene: bpy.types.Scene, layer: bpy.types.ViewLayer) -> None:
        """Compare what the scene asks for with what it asked for at the last tick."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_INTERVAL_S:
            self._looked_at = now
            reference = takes.reference_version(scene)
            if reference != self._reference:
                self._reference = reference
                self._span = takes.reference_span(reference) if reference is not None else None
        wish = read_wish(scene, layer, self._reference)
        meaning, self._wish = wish.since(self._wish), wish
        if meaning == "begin":
            self._let_go()
            self.store.clear()
            self._drive = Flying(self.store) if wish.mode == "FLY" else Following(self.store)
            self.message, self.fps, self._held = "", None, False
        if meaning != "nothing":
            self._note()

    def _step(self, scene: bpy.types.Scene, layer: bpy.types.ViewLayer) -> None:
        drive = self._drive
        if self._reference is None:
            raise UserError(NO_REFERENCE)
        if isinstance(drive, Flying):
            drive.step(scene, layer, self._span)
            if self._wanted or self._held:
                self._go_on(scene)
            return
        is_read = drive.step(scene, layer, self._span, is_dragging())
        if drive.became_stale and self._job is not None:
            self._worker.interrupt_block(self._job)
        if is_read:
            self._go_on(scene)

    def _show(self, scene: bpy.types.Scene) -> None:
        """Have drawn again what may look different, and the panel now and then."""
        drive, now = self._drive, time.monotonic()
        if isinstance(drive, Flying):
            at, unkeyed = drive.playback.number(now), None
        else:
            at, unkeyed = float(scene.frame_current), drive.unkeyed
        said = (self.message, self.stage, self._held, self._job is None, self.is_recording, unkeyed)
        drawn = (self.store.changes, at, drive.source.working, said)
        if drawn != self._drawn:
            self._drawn = drawn
            self.overlay.tag_redraw()
        told = (said, self.missing, self.overlay.failure)
        if told != self._told and now - self._told_at >= PANEL_INTERVAL_S:
            self._told, self._told_at = told, now
            self._redraw(False)

    # The job:

    def _note(self) -> bool:
        """Something has changed: look at the cameras, and begin again where nothing is generated.

        Whether a shot is followed in which nothing had changed for a while.
        """
        self._wanted = True
        return isinstance(self._drive, Following) and self._drive.note()

    def _read_at_once(self) -> None:
        """Let what was just edited be generated before Blender draws it."""
        scene, drive, job = self.scene, self._drive, self._job
        if scene is None or job is None or not isinstance(drive, Following):
            return
        layer = scene.view_layers.get(self._view_layer) or scene.view_layers[0]
        try:
            if drive.read_at_once(scene, layer, self._span):
                self._worker.interrupt_block(job)
        except (CameraError, UserError):
            pass  # The next tick says it.

    def _hold(self, message: str) -> None:
        """Nothing can be generated now: what there is stays."""
        self.message, self._held, self._wanted = message, True, False
        self._cancel_job()

    def _go_on(self, scene: bpy.types.Scene) -> None:
        """Have it generated, where that is not done already."""
        self._held = self._wanted = False
        if self._job is not None:
            return
        self.message, self.stage = "", "Starting"
        shot = shots.shot_of(scene, Cameras((), (), (), ()))
        self._job = jobs.Preview(
            setup=self._setup,
            source=self.source,
            reference=self._reference,
            preset=shot.preset,
            width=shot.width,
            height=shot.height,
            seed=shot.seed,
            prompt=shot.prompt,
            keep_reference_detail=shot.keep_reference_detail,
            quality=shot.quality,
            remember=shot.remember,
        )
        self._worker.submit(self._job)

    def _cancel_job(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            self._worker.cancel(job)
            self._note()

    def _let_go(self) -> None:
        """There is nothing more to be done for what is driven now."""
        self._cancel_job()
        if isinstance(self._drive, Following):
            self._drive.let_go()
        self.source.close()
