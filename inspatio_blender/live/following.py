"""The preview of a shot follows the timeline: what is edited becomes cameras of a plan, the scene's frame its playhead.

The cameras are read a little at a time, some milliseconds a tick, once nothing was changed for a moment; as far as they
are known they go to the plan at once, so that the first block that changed is generated while the others are read.
The first change after quiet is read as soon as Blender tells of it.
Main thread only.
"""

import time

import bpy
import numpy as np

from ...backend.protocol.cameras import Cameras
from .. import cameras, shots
from ..shots import UserError
from . import changes, sampling
from .plan import Plan
from .store import Store

COMPARE_INTERVAL_S = 0.3
UNKEYED = 1e-4
"""Largest difference between a pose and its keys that is none."""


class Following:
    """Feeds a plan. unkeyed: the frame at which the camera stands elsewhere than its keys say, if it does."""

    def __init__(self, store: Store) -> None:
        self.source = Plan(store)
        self.unkeyed: int | None = None
        self.became_stale = False
        """Whether the block that is being generated shows what is not so any more, by what was read last."""
        self._debounce = changes.Debounce()
        self._debounce.note(time.monotonic())
        self._frames: list[int] = []
        self._sampling = None
        self._playhead: tuple[int, bool] | None = None
        self._compared = 0.0

    @property
    def is_eager(self) -> bool:
        """Whether cameras are being read, or about to be."""
        return self._debounce.waiting or self._sampling is not None

    def note(self) -> bool:
        """Something has changed; whether that is the first change after quiet."""
        return self._debounce.note(time.monotonic())

    def read_at_once(
        self, scene: bpy.types.Scene, layer: bpy.types.ViewLayer, span: tuple[float, float] | None
    ) -> bool:
        """Read the first cameras now, where that takes no time; whether the block in flight became stale.

        For the handler that hears of an edit: Blender draws the edit before the next tick comes, which a heavy scene
        takes long for. All cameras are read afterwards as after any other edit. Raises as `step`.
        """
        if scene.inspatio.frames() != self._frames or not self._frames:
            return False
        self.let_go()
        camera, size = scene.inspatio.camera, shots.frame_size(scene)
        rows = sampling.first_rows(scene, layer, camera, self._frames, size)
        if not rows:
            return False
        self._take_in(scene, rows, span)
        return self.became_stale

    def let_go(self) -> None:
        """The scene under the cameras that are being read is about to be exchanged."""
        if self._sampling is not None:
            self._sampling.close()
            self._sampling = None

    def step(
        self,
        scene: bpy.types.Scene,
        layer: bpy.types.ViewLayer,
        span: tuple[float, float] | None,
        dragging: bool,
    ) -> bool:
        """Do a little; whether all cameras were read just now. span: of the reference's time.

        Raises UserError or CameraError where the shot cannot be generated as it is.
        """
        self.became_stale = False
        read = False
        if self._debounce.due(time.monotonic(), dragging):
            self.let_go()
            self._frames = scene.inspatio.frames()
            if not self._frames:
                raise UserError(shots.EMPTY_RANGE)
            size = shots.frame_size(scene)
            self._sampling = sampling.sample_steps(scene, layer, scene.inspatio.camera, self._frames, size)
        if self._sampling is not None:
            read = self._read_some(scene, layer, span)
        playhead = scene.frame_current, _is_playing(scene)
        if playhead != self._playhead:
            self._playhead = playhead
            self.source.set_playhead(*playhead)
        self._compare(scene, layer, playhead[1])
        return read

    def has(self, frame: int) -> bool:
        """Whether the frame is one of the shot's."""
        return bool(self._frames) and self._frames[0] <= frame <= self._frames[-1]

    def _read_some(
        self, scene: bpy.types.Scene, layer: bpy.types.ViewLayer, span: tuple[float, float] | None
    ) -> bool:
        reading, self._sampling = self._sampling, None
        try:
            rows = next(reading)
        except StopIteration as done:
            self._take_in(scene, done.value, span)
            self._compared = 0.0
            return True
        self._sampling = reading
        self._take_in(scene, rows, span)
        return False

    def _take_in(
        self, scene: bpy.types.Scene, rows: list[sampling.Row], span: tuple[float, float] | None
    ) -> None:
        """Give the plan the cameras that are known; no block of those that are not read yet is begun."""
        frames, count = tuple(map(float, self._frames)), len(rows)
        ks, poses, moments = zip(*rows, strict=True)
        new = shots.timed(scene, Cameras(frames[:count], ks, poses, moments), span)
        before = self.source.cameras
        if count < len(frames):
            if before.frames != frames:
                return
            new = Cameras(
                frames,
                new.intrinsics + before.intrinsics[count:],
                new.world_to_camera + before.world_to_camera[count:],
                new.times + before.times[count:],
            )
        self.became_stale = self.source.set_cameras(new, unknown=range(count, len(frames)))

    def _compare(self, scene: bpy.types.Scene, layer: bpy.types.ViewLayer, is_playing: bool) -> None:
        """A few times a second, find out whether the camera stands where its keys say."""
        frame, now = scene.frame_current, time.monotonic()
        if is_playing or self.is_eager or now - self._compared < COMPARE_INTERVAL_S:
            return
        self._compared, self.unkeyed, sampled = now, None, self.source.cameras
        if not self.has(frame) or len(sampled) != len(self._frames):
            return
        camera = sampling.camera_at(scene, scene.inspatio.camera, frame)
        _, pose, _ = cameras.sample(scene, layer, camera, shots.frame_size(scene))
        if np.abs(pose.ravel() - sampled.world_to_camera[frame - self._frames[0]]).max() > UNKEYED:
            self.unkeyed = frame


def is_dragging() -> bool:
    """Whether something is moved by the mouse in one of Blender's windows."""
    windows = bpy.context.window_manager.windows
    return changes.dragging(
        operator.bl_idname for window in windows for operator in getattr(window, "modal_operators", ())
    )


def _is_playing(scene: bpy.types.Scene) -> bool:
    windows = bpy.context.window_manager.windows
    return any(window.screen.is_animation_playing for window in windows if window.scene == scene)
