"""The evaluated camera: what moves it, what switches it, and which cameras are refused."""

import math

import bpy
import numpy as np
from door import enable, main, part, raises


def drain(steps):
    try:
        while True:
            next(steps)
    except StopIteration as done:
        return done.value


def new_camera(scene, name, location=(0, 0, 0)):
    camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    camera.location = location
    scene.collection.objects.link(camera)
    return camera


def centre(pose):
    """Where the camera stands, of a flat world-to-camera."""
    m = np.array(pose).reshape(4, 4)
    return -m[:3, :3].T @ m[:3, 3]


def test():
    enable()
    cameras = part("inspatio_blender.cameras")
    scene = bpy.context.scene
    layer = bpy.context.view_layer
    for o in list(scene.objects):
        bpy.data.objects.remove(o)

    # A parent that is animated and scaled, a driver on the lens, an animated focal length, subframes.
    parent = bpy.data.objects.new("Rig", None)
    scene.collection.objects.link(parent)
    parent.scale = (2, 2, 2)
    camera = new_camera(scene, "Camera", (0, 0, 1))
    camera.parent = parent
    scene.camera = camera
    parent.location = (0, 0, 0)
    parent.keyframe_insert("location", frame=1)
    parent.location = (10, 0, 0)
    parent.keyframe_insert("location", frame=11)
    # The names of F-curve containers changed over versions; linear interpolation through the preference did not.
    camera.data.lens = 20
    camera.data.keyframe_insert("lens", frame=1)
    camera.data.lens = 80
    camera.data.keyframe_insert("lens", frame=11)
    scene.frame_set(7, subframe=0.25)
    frames = [1.0, 3.5, 6.0, 11.0]
    sampled = drain(cameras.sample_steps(scene, layer, None, frames, (256, 144)))
    assert (scene.frame_current, round(scene.frame_subframe, 4)) == (7, 0.25)
    for frame, k, pose in zip(frames, sampled.intrinsics, sampled.world_to_camera, strict=True):
        cameras.set_frame(scene, frame)
        evaluated = camera.evaluated_get(layer.depsgraph)
        assert np.abs(centre(pose) - np.array(evaluated.matrix_world.translation)).max() < 1e-5
        assert abs(k[0] - evaluated.data.lens / evaluated.data.sensor_width * 256) < 1e-3, (frame, k[0])
    assert (
        sampled.intrinsics[0][0]
        < sampled.intrinsics[1][0]
        < sampled.intrinsics[2][0]
        < sampled.intrinsics[3][0]
    )
    assert abs(centre(sampled.world_to_camera[-1])[0] - 10) < 1e-5
    assert abs(centre(sampled.world_to_camera[-1])[2] - 2) < 1e-5, "the parent's scale moves the camera"

    # A constraint turns it, a driver lifts it.
    target = bpy.data.objects.new("Target", None)
    target.location = (0, 30, 2)
    scene.collection.objects.link(target)
    camera.parent = None
    constraint = camera.constraints.new("TRACK_TO")
    constraint.target, constraint.track_axis, constraint.up_axis = target, "TRACK_NEGATIVE_Z", "UP_Y"
    camera.driver_add("location", 2).driver.expression = "frame / 10"
    sampled = drain(cameras.sample_steps(scene, layer, None, [20.0], (256, 144)))
    pose = np.array(sampled.world_to_camera[0]).reshape(4, 4)
    assert abs(centre(sampled.world_to_camera[0])[2] - 2.0) < 1e-5
    seen = pose @ [0, 30, 2, 1]
    assert np.abs(seen[:2]).max() < 1e-4, seen
    assert seen[2] > 0, seen

    # Markers switch the camera; a camera of one's own choice is not switched.
    other = new_camera(scene, "Other", (5, 5, 5))
    scene.timeline_markers.new("a", frame=1).camera = camera
    scene.timeline_markers.new("b", frame=5).camera = other
    sampled = drain(cameras.sample_steps(scene, layer, None, [4.0, 5.0], (256, 144)))
    assert np.abs(centre(sampled.world_to_camera[1]) - 5).max() < 1e-5
    assert np.abs(centre(sampled.world_to_camera[0]) - 5).max() > 1
    sampled = drain(cameras.sample_steps(scene, layer, camera, [4.0, 5.0], (256, 144)))
    assert np.abs(centre(sampled.world_to_camera[1]) - 5).max() > 1
    assert cameras.used_cameras(scene, None, 1, 9) == [camera, other]
    assert cameras.used_cameras(scene, None, 6, 9) == [other]
    assert cameras.used_cameras(scene, camera, 6, 9) == [camera]
    scene.timeline_markers.clear()
    scene.camera = other

    # What cannot be generated from, and why.
    other.data.type = "ORTHO"
    with raises(cameras.CameraError, "orthographic"):
        drain(cameras.sample_steps(scene, layer, None, [1.0], (256, 144)))
    other.data.type = "PANO"
    with raises(cameras.CameraError, "panoramic"):
        drain(cameras.sample_steps(scene, layer, None, [1.0], (256, 144)))
    if "CUSTOM" in other.data.bl_rna.properties["type"].enum_items:  # From 5.0 on.
        other.data.type = "CUSTOM"
        with raises(cameras.CameraError, "a lens of its own"):
            drain(cameras.sample_steps(scene, layer, None, [1.0], (256, 144)))
    other.data.type = "PERSP"
    skewed = bpy.data.objects.new("Skewed", None)
    skewed.scale = (3, 1, 1)
    scene.collection.objects.link(skewed)
    other.parent = skewed
    other.rotation_euler = (0.3, 0.4, 0.5)
    layer.update()
    with raises(cameras.CameraError, "sheared"):
        drain(cameras.sample_steps(scene, layer, None, [1.0], (256, 144)))
    other.parent = None
    other.scale = (-1, 1, 1)
    layer.update()
    with raises(cameras.CameraError, "mirrored"):
        drain(cameras.sample_steps(scene, layer, None, [1.0], (256, 144)))
    other.scale = (1, 1, 1)
    hidden = bpy.data.collections.new("Hidden")
    scene.collection.children.link(hidden)
    lost = new_camera(scene, "Lost")
    scene.collection.objects.unlink(lost)
    hidden.objects.link(lost)
    layer.layer_collection.children["Hidden"].exclude = True
    layer.update()
    with raises(cameras.CameraError, "view layer"):
        cameras.sample(scene, layer, lost, (256, 144))
    scene.camera = None
    with raises(cameras.CameraError, "no camera"):
        drain(cameras.sample_steps(scene, layer, None, [1.0], (256, 144)))

    sizes = {
        aspect: cameras.generated_size(aspect, 256, 144)
        for aspect in (16 / 9, 1.0, 9 / 16, 2.39, 4 / 3, 1.85)
    }
    assert sizes[16 / 9] == (256, 144), sizes
    for aspect, (width, height) in sizes.items():
        assert width % 16 == height % 16 == 0
        assert abs(math.log(width / height / aspect)) < 0.05, sizes
        assert 0.6 < width * height / (256 * 144) < 1.6, sizes
    return {"sizes": list(sizes.values())}


main(test)
