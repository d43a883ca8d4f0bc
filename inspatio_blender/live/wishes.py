"""What a scene asks of its preview at each tick, as far as Blender does not tell when it changes. Main thread only."""

from pathlib import Path

import bpy

from .. import cameras, shots, time_keys
from . import sampling
from .changes import Wish

MADE = ("preset", "quality", "prompt", "seed", "keep_reference_detail", "remember")


def read_wish(scene: bpy.types.Scene, layer: bpy.types.ViewLayer, reference: Path | None) -> Wish:
    """The wish of the scene, with this version of its reference."""
    shot = scene.inspatio
    camera, frames = sampling.camera_at(scene, shot.camera, scene.frame_current), shot.frames()
    markers = [(m.frame, m.camera.session_uid) for m in scene.timeline_markers if m.camera is not None]
    sees = None
    if camera is not None and camera.type == "CAMERA":
        sees = camera.session_uid, camera.data.type, layer.objects.get(camera.name) == camera
    return Wish(
        shot.live_mode,
        str(reference),
        (shots.frame_size(scene), *(getattr(shot, name) for name in MADE)),
        (
            (frames[0], frames[-1]) if frames else None,
            sees,
            tuple(markers) if shot.camera is None else None,
            cameras.render_frame(scene),
            _clock(scene) if shot.use_reference_time else None,
        ),
    )


def _clock(scene: bpy.types.Scene) -> tuple:
    """What moves Reference Time, besides its F-curve."""
    shot, animation = scene.inspatio, scene.animation_data
    if animation is None:
        return shot.past_end, shot.reference_time
    drivers = [d.driver.expression for d in animation.drivers if d.data_path == time_keys.PATH]
    return shot.past_end, animation.action is None and not drivers and shot.reference_time, *drivers
