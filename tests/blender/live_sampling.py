"""A shot's cameras read aside are those that Generate reads, and the scene is as it was."""

import bpy
import numpy as np
from door import main, part, simple_scene

SIZE = 256, 144


def to_the_end(steps):
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


class Checked:
    """Compares what is read aside with what Generate reads, for one state of the scene after the other."""

    def __init__(self, scene):
        self.scene, self.layer, self.found = scene, bpy.context.view_layer, {}

    def check(self, name, tolerance):
        scene, camera, frames = self.scene, self.scene.inspatio.camera, self.scene.inspatio.frames()
        self.layer.update()
        read = part("inspatio_blender.live.sampling").sample_steps
        rows = to_the_end(read(scene, self.layer, camera, frames, SIZE))
        assert not any(o.name.startswith("InSpatio") for o in bpy.data.scenes)
        generate = part("inspatio_blender.cameras").sample_steps
        sampled = to_the_end(generate(scene, self.layer, camera, frames, SIZE))
        pairs = zip(
            zip(*rows, strict=True), (sampled.intrinsics, sampled.world_to_camera, sampled.times), strict=True
        )
        off = max(np.abs(np.array(a) - np.array(b)).max() for a, b in pairs)
        self.found[name] = float(off)
        assert off <= tolerance, (name, off)


def empty(scene, name):
    thing = bpy.data.objects.new(name, None)
    scene.collection.objects.link(thing)
    return thing


def test():
    scene = simple_scene(frames=40)
    camera, layer, checked = scene.camera, bpy.context.view_layer, Checked(scene)
    checked.check("keys", 0.0)
    data = camera.data
    for frame, lens, shift in ((1, 50, 0.0), (30, 20, 0.2)):
        data.lens, data.shift_x = lens, shift
        data.keyframe_insert("lens", frame=frame)
        data.keyframe_insert("shift_x", frame=frame)
    checked.check("lens", 0.0)
    parent = empty(scene, "Parent")
    parent.rotation_mode, parent.scale = "ZYX", (2, 2, 2)
    for frame, turn in ((3, 0.1), (35, 1.0)):
        parent.rotation_euler = (turn, 0.2, 0.3)
        parent.keyframe_insert("rotation_euler", frame=frame)
    camera.parent, camera.matrix_parent_inverse = parent, parent.matrix_world.inverted()
    camera.delta_location, camera.delta_rotation_euler = (1, 2, 3), (0.1, 0.2, 0.1)
    checked.check("parent", 1e-5)
    camera.rotation_mode, camera.rotation_quaternion = "QUATERNION", (1, 0.4, 0.2, 0.1)
    camera.delta_rotation_quaternion = (1, 0.1, 0.2, 0.3)
    checked.check("quaternion", 1e-5)
    camera.rotation_mode, camera.rotation_axis_angle = "AXIS_ANGLE", (1, 0, 0.2, 0.1)
    checked.check("axis and angle", 1e-5)
    scene.inspatio.use_reference_time = True
    for frame, moment in ((1, 4), (36, 50)):
        scene.inspatio.reference_time = moment
        scene.keyframe_insert("inspatio.reference_time", frame=frame)
    checked.check("reference time", 1e-5)
    # From here on Blender evaluates: in a scene aside.
    target = empty(scene, "Target")
    for frame, place in ((1, (0, 0, 0)), (35, (3, 2, 1))):
        target.location = place
        target.keyframe_insert("location", frame=frame)
    camera.constraints.new("TRACK_TO").target = target
    checked.check("constraint", 0.0)
    scene.animation_data.action = None
    scene.driver_add("inspatio.reference_time").driver.expression = "frame * 2 + 1"
    checked.check("driven time", 0.0)
    other = bpy.data.objects.new("Other", bpy.data.cameras.new("Other"))
    scene.collection.objects.link(other)
    for frame, bound in ((11, other), (25, camera)):
        scene.timeline_markers.new(bound.name, frame=frame).camera = bound
    checked.check("markers", 0.0)
    # A pose that has no key is left alone, and so is the frame.
    scene.frame_set(9)
    camera.constraints[0].mute = True
    camera.location = (5, 5, 5)
    layer.update()
    before = camera.matrix_world.copy()
    read = part("inspatio_blender.live.sampling").sample_steps
    for mute in (True, False):
        camera.constraints[0].mute = mute
        to_the_end(read(scene, layer, camera, scene.inspatio.frames(), SIZE))
        assert tuple(camera.location) == (5, 5, 5)
        assert scene.frame_current == 9 and scene.camera is not None
    camera.constraints[0].mute = True
    layer.update()
    assert camera.matrix_world == before
    assert len(bpy.data.scenes) == 1
    # What cannot be generated from says so.
    errors = {}
    error = part("inspatio_blender.cameras").CameraError
    for name, spoil in (
        ("orthographic", lambda: setattr(data, "type", "ORTHO")),
        ("unlinked", lambda: scene.collection.objects.unlink(camera)),
    ):
        spoil()
        layer.update()
        try:
            to_the_end(read(scene, layer, camera, [1, 2], SIZE))
        except error as raised:
            errors[name] = str(raised)
        data.type = "PERSP"
    return {"off": checked.found, "errors": errors}


main(test)
