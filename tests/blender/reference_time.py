"""Reference Time as it is sampled, its presets, and a shot with frozen time exported; then its coverage checked."""

from pathlib import Path

import bpy
from door import disable, main, part, raises, simple_scene

FRAMES = 21


def drain(steps):
    try:
        while True:
            next(steps)
    except StopIteration as done:
        return done.value


def times(scene):
    """The times that a take of the scene's shot would have."""
    reference = part("inspatio_blender.takes").reference_version(scene)
    shots = part("inspatio_blender.shots")
    return drain(shots.shot_steps(scene, bpy.context.view_layer, reference)).cameras.times


def preset(name, **options):
    assert bpy.ops.inspatio.time_preset(preset=name, **options) == {"FINISHED"}


def near(found, wanted):
    assert len(found) == len(wanted)
    assert all(abs(a - b) < 1e-4 for a, b in zip(found, wanted, strict=True)), (found, wanted)


def test(folder):
    scene = simple_scene(frames=FRAMES)
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(folder) / "scene.blend"))
    shot = scene.inspatio
    shot.reference_kind = "MOVING"
    shot.reference_step = 2
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    plain = tuple(map(float, range(1, FRAMES + 1)))
    shot.reference_time = 7.0
    assert times(scene) == plain, "what is not used does nothing"
    shot.use_reference_time = True
    near(times(scene), [7.0] * FRAMES)

    # Presets, as they are sampled: keyed straight, flat, backward, to and fro, and with a stop.
    preset("PLAY")
    near(times(scene), plain)
    scene.frame_set(9)
    preset("REVERSE")
    near(times(scene), plain[::-1])
    # What Show World shows as the current frame is what the shot shows there.
    world, reference = part("inspatio_blender.world"), part("inspatio_blender.takes").reference_version(scene)
    shot.world_views = "CURRENT"
    views = part("backend.protocol.files").read_reference(reference)
    for use, frame, seen in ((True, 3, 19.0), (False, 3, 3.0), (True, 14, 7.0)):
        shot.use_reference_time = use
        scene.frame_set(frame)
        wish = world.wish(scene, reference)
        assert [view.frame for view in world.chosen_views(views, wish.frame)] == [seen]
    scene.frame_set(9)
    preset("BOUNCE")
    near(times(scene), [*plain[:11], *plain[:10][::-1]])
    preset("FREEZE_REPEAT", hold=4)
    near(times(scene), [*plain[:9], 9, 9, 9, 9, *plain[9:17]])
    preset("FREEZE")
    near(times(scene), [9.0] * FRAMES)
    assert scene.frame_current == 9

    # The artist's own curve runs past both ends.
    curves = [c for cs in part("inspatio_blender.curves").curve_lists(scene) for c in cs]
    assert [c.data_path for c in curves] == ["inspatio.reference_time"]
    for frame, time in ((1, -9.0), (21, 31.0)):
        shot.reference_time = time
        scene.keyframe_insert("inspatio.reference_time", frame=frame)
    for key in curves[0].keyframe_points:
        key.interpolation = "LINEAR"
    curve = [-9.0 + 2 * index for index in range(FRAMES)]
    near(times(scene), [min(max(time, 1.0), 21.0) for time in curve])
    shot.past_end = "BOUNCE"
    near(times(scene), [2 - t if t < 1 else 42 - t if t > 21 else t for t in curve])
    shot.past_end = "HOLD"

    # A driver counts as it is evaluated.
    scene.animation_data_clear()
    driver = scene.driver_add("inspatio.reference_time").driver
    driver.expression = "frame * 0.5"
    near(times(scene), [max(1.0, frame * 0.5) for frame in plain])
    with raises(RuntimeError, "has a driver"):
        bpy.ops.inspatio.time_preset(preset="PLAY")
    scene.driver_remove("inspatio.reference_time")

    # A world that stands still has no time of its own.
    scene.frame_set(15)
    preset("FREEZE")
    shot.reference_kind = "STILL"
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    assert times(scene) == plain
    shot.reference_version = "v001"
    near(times(scene), [15.0] * FRAMES)
    assert bpy.ops.inspatio.export_shot(directory=folder) == {"FINISHED"}

    return {"coverage": coverage(scene)}


def coverage(scene):
    """Checked with a camera that turns away, stale after it is moved, gone with the file and the add-on."""
    driver = part("inspatio_blender.driver")
    module = part("inspatio_blender.coverage")
    scene.camera.keyframe_insert("rotation_euler", frame=10)
    scene.camera.rotation_euler.z += 2.5
    scene.camera.keyframe_insert("rotation_euler", frame=20)
    assert bpy.ops.inspatio.check_coverage() == {"FINISHED"}
    checked = driver.get().coverage
    assert checked.state == "finished", checked.message
    assert len(checked.shares) == FRAMES
    assert min(checked.shares[:10]) > 0.5 > checked.shares[-1]
    run = checked.runs[-1]
    assert (run.last, run.share) == (21.0, min(checked.shares))
    assert run.sentence.startswith(f"Frames {run.first:g} to 21 under 50 %, lowest"), run.sentence

    # Going through the frames or selecting leaves it as it is; a move of the camera does not.
    layer = bpy.context.view_layer
    for frame in (3, 12):
        scene.frame_set(frame)
    scene.camera.select_set(not scene.camera.select_get())
    scene.camera.data.background_images.new()  # as Generate lays its frames behind it
    layer.update()
    assert not checked.is_stale(scene)
    scene.frame_end += 1
    assert checked.is_stale(scene)
    scene.frame_end -= 1
    assert not checked.is_stale(scene)
    scene.camera.location.z += 0.5
    layer.update()
    assert checked.is_stale(scene)

    runs = module.low_runs([1, 2, 3, 4, 5, 6], [0.4, 0.9, 0.3, 0.1, 0.2, 0.5])
    assert [(r.first, r.last, r.lowest, r.share) for r in runs] == [(1, 1, 1, 0.4), (3, 5, 4, 0.1)]
    shares = list(checked.shares)
    assert bpy.ops.inspatio.go_to_frame(frame=14) == {"FINISHED"}
    assert scene.frame_current == 14
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    assert driver.get().coverage is None
    timeline = part("inspatio_blender.timeline")
    assert timeline._handler is not None
    disable()
    assert timeline._handler is None
    return shares


main(test)
