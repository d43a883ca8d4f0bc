"""A flown path becomes keys: read back, the camera goes exactly along it, without a jump in any rotation mode."""

import math

import bpy
import numpy as np
from door import main, part, raises, simple_scene

SIZE, FRAMES = (256, 144), list(range(5, 41))


def read_back(scene, camera):
    steps = part("inspatio_blender.cameras").sample_steps(scene, bpy.context.view_layer, camera, FRAMES, SIZE)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def flown(scene, zoom):
    """Cameras along a spiral that turns twice around, as the backend was given them."""
    plane = bpy.data.objects.new("Flown", bpy.data.cameras.new("Flown"))
    scene.collection.objects.link(plane)
    rows = []
    for index, _ in enumerate(FRAMES):
        plane.location = (math.cos(index / 3), math.sin(index / 3), index / 10)
        plane.rotation_euler = (1.2 + index / 60, 0.1, 0.36 * index + 3)
        if zoom:
            plane.data.lens, plane.data.shift_x = 30 + index, index / 100
        bpy.context.view_layer.update()
        k, pose, _ = part("inspatio_blender.cameras").sample(scene, bpy.context.view_layer, plane, SIZE)
        rows.append((tuple(k.ravel().tolist()), tuple(pose.ravel().tolist())))
    bpy.data.objects.remove(plane)
    frames = tuple(map(float, FRAMES))
    return part("backend.protocol.cameras").Cameras(frames, *zip(*rows, strict=True), frames)


def test():
    scene = simple_scene(frames=60)
    camera, recording = scene.camera, part("inspatio_blender.live.recording")
    find_curves = part("inspatio_blender.curves").find_curves
    parent = bpy.data.objects.new("Parent", None)
    scene.collection.objects.link(parent)
    parent.scale = (2, 2, 2)
    for frame, place, turn in ((1, (0, 0, 0), (0, 0, 0.2)), (40, (3, 2, 1), (0.3, 0, 2))):
        parent.location, parent.rotation_euler = place, turn
        parent.keyframe_insert("location", frame=frame)
        parent.keyframe_insert("rotation_euler", frame=frame)
    camera.delta_location, camera.delta_rotation_euler = (1, 0, 0.5), (0.1, 0.2, 0.3)
    camera.delta_rotation_quaternion = (1, 0.1, 0.2, 0.3)
    found = {}
    for mode in ("XYZ", "ZYX", "QUATERNION", "AXIS_ANGLE"):
        for parented in (False, True):
            camera.rotation_mode = mode
            camera.parent = parent if parented else None
            if parented:
                scene.frame_set(7)
                camera.matrix_parent_inverse = parent.matrix_world.inverted()
            path = flown(scene, zoom=parented)
            recording.write_keys(scene, camera, path, SIZE)
            got = read_back(scene, camera)
            off = np.abs(np.array(got.world_to_camera) - np.array(path.world_to_camera)).max()
            zoomed_off = np.abs(np.array(got.intrinsics) - np.array(path.intrinsics)).max()
            assert off < 5e-5 and zoomed_off < 1e-3, (mode, parented, off, zoomed_off)
            turns = [
                [point.co[1] for point in curve.keyframe_points if point.co[0] in FRAMES]
                for (name, _), curve in find_curves(camera).items()
                if name == recording.rotation_path(camera)
            ]
            jump = float(np.abs(np.diff(turns)).max())
            assert jump < 2.0, (mode, parented, jump)
            found[f"{mode} {'parented' if parented else 'alone'}"] = {"off": float(off), "jump": jump}
    points = find_curves(camera)["location", 0].keyframe_points
    assert [round(p.co[0]) for p in points] == [1, *FRAMES, 60], "the keys around stay"
    assert {p.interpolation for p in points if p.co[0] in FRAMES} == {"LINEAR"}
    assert len(find_curves(camera.data)["lens", 0].keyframe_points) == len(FRAMES)
    path = flown(scene, zoom=False)
    for spoil, mend, words in (
        (lambda: camera.constraints.new("TRACK_TO"), camera.constraints.clear, "would override the keys"),
        (lambda: camera.driver_add("location", 0), lambda: camera.driver_remove("location", 0), "a driver"),
    ):
        spoil()
        with raises(part("inspatio_blender.shots").UserError, words):
            recording.write_keys(scene, camera, path, SIZE)
        mend()
    recording.write_keys(scene, camera, path, SIZE)
    return found


main(test)
