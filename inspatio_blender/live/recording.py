"""A flown path as keys on the camera that was flown.

What was flown is where the camera was seen: its world matrix. Keys are its own location and rotation, so the parent is
taken out of them, as it is at the frame of each key, and the delta transforms too. Rotation goes into the camera's
rotation mode, each key on the side of the one before: an Euler angle that passes 180° goes on, a quaternion keeps its
sign. Lines between the keys are straight, since there is one a frame. Main thread only.
"""

import math
from collections.abc import Sequence

import bpy
import numpy as np
from mathutils import Euler, Matrix, Quaternion, Vector

from ...backend.protocol.cameras import Cameras
from ..cameras import BLENDER_TO_OPENCV, render_frame
from ..curves import curve_lists, find_curves
from ..shots import UserError
from .sampling import parent_matrices

UNCHANGED = 1e-4
"""A lens, or a shift, that changes by less than this share was not zoomed."""

_PATHS = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}


def rotation_path(camera: bpy.types.Object) -> str:
    """The property that the camera is turned by."""
    return _PATHS.get(camera.rotation_mode, "rotation_euler")


def check_keys(camera: bpy.types.Object) -> None:
    """Raises UserError where keys on `camera` would not move it, or cannot be written."""
    if camera.library is not None or camera.data.library is not None:
        raise UserError(f"“{camera.name}” is linked from another file: no keys can be written on it here")
    over = next((c for c in camera.constraints if not c.mute and c.influence > 0), None)
    if over is not None:
        raise UserError(
            f"The constraint “{over.name}” would override the keys of “{camera.name}”: mute or apply it first"
        )
    animation = camera.animation_data
    own = ("location", "rotation", "scale", "delta_")
    if animation is not None and any(driver.data_path.startswith(own) for driver in animation.drivers):
        raise UserError(f"“{camera.name}” is moved by a driver, which would override keys: remove it first")
    if animation is not None and any(not track.mute for track in animation.nla_tracks):
        raise UserError(f"“{camera.name}” is animated by NLA tracks, which change keys: mute them first")


def write_keys(
    scene: bpy.types.Scene, camera: bpy.types.Object, cameras: Cameras, size: tuple[int, int]
) -> None:
    """Key `camera` at every frame of `cameras`, in place of the keys between, so that it goes along them.

    size: width and height of the pictures that the intrinsics are of. Raises UserError.
    """
    check_keys(camera)
    frames = [round(frame) for frame in cameras.frames]
    poses = np.array(cameras.world_to_camera).reshape(-1, 4, 4)
    worlds = [Matrix(world.tolist()) for world in np.linalg.inv(poses) @ BLENDER_TO_OPENCV]
    parents = parent_matrices(scene, camera, frames)
    own = [parent.inverted() @ world for parent, world in zip(parents, worlds, strict=True)]
    places = [matrix.to_translation() - camera.delta_location for matrix in own]
    turns = _continuous([matrix.to_quaternion() for matrix in own], camera)
    optics = _optics(cameras, camera.data, render_frame(scene), size)
    try:
        _key(camera, frames, {"location": np.array(places), rotation_path(camera): np.array(turns)})
        animated = {path for path, _ in find_curves(camera.data)}
        changed = {
            name for name, values in optics.items() if np.ptp(values) > UNCHANGED * max(1.0, abs(values[0]))
        }
        _key(
            camera.data,
            frames,
            {name: values[:, None] for name, values in optics.items() if name in changed | animated},
        )
    except RuntimeError as error:  # Blender refuses keys where nothing may be changed.
        raise UserError(str(error).strip()) from error


def _continuous(turns: Sequence[Quaternion], camera: bpy.types.Object) -> list[tuple[float, ...]]:
    """Rotations as values of the camera's rotation mode, without the delta rotation and without a jump."""
    mode = camera.rotation_mode
    values: list[tuple[float, ...]] = []
    if mode == "QUATERNION":
        delta = camera.delta_rotation_quaternion.normalized().inverted()
        before = Quaternion(camera.rotation_quaternion)
        for turn in turns:
            own = delta @ turn
            before = -own if before.dot(own) < 0 else own
            values.append(tuple(before))
    elif mode == "AXIS_ANGLE":
        angle, axis = camera.rotation_axis_angle[0], Vector(camera.rotation_axis_angle[1:])
        for turn in turns:
            new_axis, new_angle = turn.to_axis_angle()
            if new_axis.dot(axis) < 0:
                new_axis, new_angle = -new_axis, -new_angle
            new_angle += round((angle - new_angle) / math.tau) * math.tau
            angle, axis = new_angle, new_axis
            values.append((angle, *axis))
    else:
        delta = Euler(camera.delta_rotation_euler, mode).to_quaternion().inverted()
        euler = Euler(camera.rotation_euler, mode)
        for turn in turns:
            euler = (delta @ turn).to_euler(mode, euler)
            values.append(tuple(euler))
    return values


def _optics(cameras: Cameras, data: bpy.types.Camera, frame, size: tuple[int, int]) -> dict[str, np.ndarray]:
    """Lens and shift (n,) of intrinsics: the inverse of `cameras.intrinsics`, with the camera's sensor."""
    width, height = size
    across, up = frame.width * frame.aspect_x, frame.height * frame.aspect_y
    horizontal = data.sensor_fit == "HORIZONTAL" or (data.sensor_fit == "AUTO" and across >= up)
    sensor = data.sensor_height if data.sensor_fit == "VERTICAL" else data.sensor_width
    view = across if horizontal else up
    k = np.array(cameras.intrinsics).reshape(-1, 3, 3)
    return {
        "lens": k[:, 0, 0] * across / width * sensor / view,
        "shift_x": (0.5 - (k[:, 0, 2] + 0.5) / width) * across / view,
        "shift_y": ((k[:, 1, 2] + 0.5) / height - 0.5) * up / view,
    }


def _key(owner: bpy.types.ID, frames: Sequence[int], channels: dict[str, np.ndarray]) -> None:
    """Put keys (n, size) of each property at `frames`, in place of those from the first to the last."""
    linear = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["LINEAR"].value
    for path, values in channels.items():
        owner.keyframe_insert(
            path, frame=frames[0]
        )  # Where the curves are, and in which slot, is up to Blender.
        for curves in curve_lists(owner):
            for curve in curves:
                if curve.data_path != path:
                    continue
                points = curve.keyframe_points
                for point in reversed(points):
                    if frames[0] <= point.co[0] <= frames[-1]:
                        points.remove(point, fast=True)
                first = len(points)
                points.add(len(frames))
                coordinates = np.empty(2 * len(points), np.float32)
                points.foreach_get("co", coordinates)
                coordinates[2 * first :: 2], coordinates[2 * first + 1 :: 2] = (
                    frames,
                    values[:, curve.array_index],
                )
                points.foreach_set("co", coordinates)
                interpolation = np.empty(len(points), np.int32)
                points.foreach_get("interpolation", interpolation)
                interpolation[first:] = linear
                points.foreach_set("interpolation", interpolation)
                points.sort()
                points.handles_recalc()
                curve.update()
