"""The preview of a flown camera: as it is now, tick by tick, and its recording as keys. Main thread only."""

import time

import bpy

from ...backend.protocol.cameras import Cameras
from .. import cameras, shots
from ..shots import UserError
from ..times import folded
from . import recording, sampling
from .changes import Playback
from .flight import Flight, Recording
from .store import Picture, Store

Recorded = tuple[Recording, Cameras]
"""What was recorded, and its cameras as those of scene frames."""


class Flying:
    """Feeds a flight, and says which of its pictures is to be seen now."""

    def __init__(self, store: Store) -> None:
        self.source = Flight(store)
        self.playback = Playback()
        self._last: tuple[float | None, Picture | None] = (None, None)
        self._keeping: dict[int, Recording] = {}

    def step(
        self, scene: bpy.types.Scene, layer: bpy.types.ViewLayer, span: tuple[float, float] | None
    ) -> None:
        """Take in the camera as it is evaluated. span: of the reference's time. Raises CameraError."""
        shot = scene.inspatio
        camera = sampling.check(scene, layer, self._camera(scene))
        k, pose, _ = cameras.sample(scene, layer, camera, shots.frame_size(scene))
        moment = cameras.reference_time(scene, layer.depsgraph, scene.frame_current)
        if shot.use_reference_time and span is not None:
            moment = folded(moment, *span, shot.past_end)
        self.source.add(time.monotonic(), tuple(k.ravel().tolist()), tuple(pose.ravel().tolist()), moment)

    def picture(self, now: float) -> tuple[float | None, Picture | None]:
        """Number and picture that are to be seen; the last one that was, where that one is gone: a block that took long
        is older than what a flight keeps."""
        number = self.playback.number(now)
        picture = self.source.store.get(number) if number is not None else None
        if picture is not None:
            self._last = number, picture
        return self._last

    def begin_recording(self, scene: bpy.types.Scene) -> None:
        """Record what is flown from now on. Raises UserError where no keys could be written."""
        camera = self._camera(scene)
        if camera is None:
            raise UserError("There is no camera to record")
        recording.check_keys(camera)
        self.source.begin_recording()

    def end_recording(self, scene: bpy.types.Scene) -> Recorded | None:
        """Write what was flown as keys from the scene's frame on; None where nothing was generated meanwhile.

        Raises UserError where the keys cannot be written.
        """
        kept = self.source.end_recording()
        if not kept.numbers:
            return None
        flown = kept.cameras_from(scene.frame_current)
        try:
            recording.write_keys(scene, self._camera(scene), flown, shots.frame_size(scene))
        except UserError:
            self.source.release(kept)
            raise
        return kept, flown

    def keeps(self, job: int, kept: Recording) -> None:
        """The job makes a take of the recording, whose pictures are needed until then."""
        self._keeping[job] = kept

    def kept(self, job: int) -> None:
        """The job is over."""
        kept = self._keeping.pop(job, None)
        if kept is not None:
            self.source.release(kept)

    @staticmethod
    def _camera(scene: bpy.types.Scene) -> bpy.types.Object | None:
        return sampling.camera_at(scene, scene.inspatio.camera, scene.frame_current)
