"""What goes wrong around a live preview. A stand-in takes the overlay's place: nothing can be drawn here."""

import os
import signal
import threading
import time
from itertools import pairwise

import bpy
from door import disable, enable, main, part, raises, simple_scene

CASES = {}
FRAMES = 33


def case(function):
    CASES[function.__name__] = function
    return function


class FakeOverlay:
    """Stands in for the overlay: draws nothing, counts what it would have drawn."""

    def __init__(self, source):
        self.source, self.failure, self.redraws, self.is_free = source, "", 0, False

    def tag_redraw(self):
        self.redraws += 1

    def free(self):
        self.is_free = True


def runtime():
    return part("inspatio_blender.driver").get()


def pump(until, limit=90.0):
    """Pump, and have Blender evaluate what was changed, as its window does, until something is the case."""
    end = time.monotonic() + limit
    while not until():
        bpy.context.view_layer.update()
        runtime().pump()
        time.sleep(0.005)
        preview = runtime().preview
        assert time.monotonic() < end, preview and (preview.message, preview.stage, preview.missing)


def previewed(folder, generated=True):
    """A scene in a saved file with a reference, and its preview."""
    scene = simple_scene(frames=FRAMES)
    part("inspatio_blender.live.preview").Overlay = FakeOverlay
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(folder, "scene.blend"))
    bpy.ops.inspatio.capture_reference()
    straight(scene.camera, (1, 0.0), (21, 0.4), (FRAMES, 0.8))
    assert bpy.ops.inspatio.preview_start() == {"FINISHED"}
    if generated:
        pump(is_whole)
    return scene, runtime().preview


def is_whole():
    return runtime().preview.missing == 0


def straight(camera, *keys):
    camera.animation_data_clear()
    for frame, x in keys:
        camera.location.x = x
        camera.keyframe_insert("location", frame=frame)
    for curve in part("inspatio_blender.curves").find_curves(camera).values():
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"


def move_last_key(scene, x):
    curve = part("inspatio_blender.curves").find_curves(scene.camera)["location", 0]
    curve.keyframe_points[-1].co.y = x
    curve.update()
    scene.camera.animation_data.action.update_tag()


def seen(scene, preview, frame):
    return preview.shown(scene, frame)


def threads():
    return sorted(t.name for t in threading.enumerate() if t.name.startswith("inspatio"))


@case
def background(folder):
    scene = simple_scene(frames=9)
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(folder, "scene.blend"))
    with raises(RuntimeError, "no reference yet"):
        bpy.ops.inspatio.preview_start()
    bpy.ops.inspatio.capture_reference()
    before = threads()
    with raises(RuntimeError, "background mode"):
        bpy.ops.inspatio.preview_start()
    assert runtime().preview is None and threads() == before
    scene.inspatio.live_mode = "FLY"
    assert not bpy.ops.inspatio.preview_record.poll()


@case
def edits(folder):
    """An edit costs the blocks from the changed one on; a pose without a key costs none and survives."""
    scene, preview = previewed(folder)
    assert preview.source.blocks_generated == 3
    assert preview.states(scene) == dict.fromkeys(range(1, FRAMES + 1), "fresh")
    before = seen(scene, preview, 5).array
    for x, blocks in ((1.2, 1), (0.8, 1)):
        generated = preview.source.blocks_generated
        move_last_key(scene, x)
        pump(lambda generated=generated: preview.source.blocks_generated > generated and is_whole())
        assert preview.source.blocks_generated == generated + blocks
    assert seen(scene, preview, 5).array is before
    generated = preview.source.blocks_generated
    scene.frame_set(12)
    scene.camera.location = (3, 3, 3)
    pump(lambda: "Not keyed" in seen(scene, preview, 12).badge)
    assert tuple(scene.camera.location) == (3, 3, 3)
    assert (is_whole(), preview.source.blocks_generated) == (True, generated)
    # Its own reading of the cameras is no change.
    scene.camera.constraints.new("LIMIT_ROTATION")
    scene.frame_set(1)
    end = time.monotonic() + 1
    pump(lambda: time.monotonic() > end)
    noted = []
    note, preview._note = preview._note, lambda: (noted.append(1), note())
    preview._note()
    end = time.monotonic() + 2
    pump(lambda: time.monotonic() > end)
    assert len(noted) == 1, f"{len(noted)} changes in 2 s, while nothing changes"
    with bpy.context.temp_override():
        assert bpy.ops.inspatio.preview_keep() == {"FINISHED"}
    pump(lambda: not runtime().busy)
    assert runtime().progress.state == "finished", runtime().progress.message
    bpy.ops.inspatio.preview_stop()
    assert runtime().preview is None and preview.overlay.is_free


@case
def killed_backend(folder):
    scene, preview = previewed(folder)
    heard = []
    handle = preview.handle
    preview.handle = lambda event: (heard.append(event), handle(event))[1]
    # While it has nothing to do: it is started when there is something.
    os.kill(runtime().worker.backend.ready.pid, signal.SIGKILL)
    pump(lambda: runtime().backend_status is None)
    assert seen(scene, preview, 20).array is not None, "the last frames stay"
    generated = preview.source.blocks_generated
    move_last_key(scene, 1.4)
    pump(lambda: preview.source.blocks_generated > generated and is_whole())
    # While it generates: what was seen stays, the badge says it, and it goes on.
    move_last_key(scene, 1.0)
    pump(lambda: preview.source.working and runtime().backend_status is not None)
    os.kill(runtime().worker.backend.ready.pid, signal.SIGKILL)
    pump(lambda: any(isinstance(event, part("inspatio_blender.jobs").PreviewPaused) for event in heard))
    shown = seen(scene, preview, 30)
    assert "Backend lost" in shown.badge and shown.stale and shown.array is not None, shown.badge
    pump(is_whole)
    assert preview.message == "", preview.message
    assert "Live" in seen(scene, preview, 20).badge


@case
def cameras(folder):
    """Whatever happens to the camera: a sentence, the frames stay, and it goes on once the camera can be used again."""
    scene, preview = previewed(folder)
    camera = scene.camera
    scene.inspatio.frame_start, scene.inspatio.frame_end = 9, 8
    for spoil, mend, words in (
        (
            lambda: setattr(camera.data, "type", "ORTHO"),
            lambda: setattr(camera.data, "type", "PERSP"),
            "orthographic",
        ),
        (
            lambda: scene.collection.objects.unlink(camera),
            lambda: scene.collection.objects.link(camera),
            "include its collection",
        ),
        (lambda: setattr(scene, "camera", None), lambda: setattr(scene, "camera", camera), "has no camera"),
        (
            lambda: setattr(scene.inspatio, "use_scene_range", False),
            lambda: setattr(scene.inspatio, "use_scene_range", True),
            "frame range is empty",
        ),
    ):
        spoil()
        pump(lambda words=words: words in preview.message)
        shown = seen(scene, preview, 20)
        assert shown is None or "Paused" in shown.badge
        if "empty" not in words:
            assert shown.array is not None, words
        generated = preview.source.blocks_generated
        mend()
        pump(lambda: not preview.message and is_whole())
        if "empty" not in words:
            assert preview.source.blocks_generated == generated, "nothing is generated again"
    bpy.data.objects.remove(camera)
    pump(lambda: "has no camera" in preview.message)
    bpy.ops.object.camera_add(location=(0, -6, 2), rotation=(1.4, 0, 0))
    scene.camera = bpy.context.view_layer.objects.active
    pump(lambda: not preview.message and is_whole())


@case
def settings(folder):
    """Another size, reference or seed: every picture is dropped. Another range: those of the shot are generated."""
    scene, preview = previewed(folder)
    shape = seen(scene, preview, 5).array.shape
    scene.render.resolution_x, scene.render.resolution_y = 144, 256
    pump(lambda: seen(scene, preview, 5) is None or seen(scene, preview, 5).array is None)
    pump(is_whole)
    assert seen(scene, preview, 5).array.shape == (shape[1], shape[0], 3)
    for change in (
        lambda: setattr(scene.inspatio, "seed", 3),
        lambda: bpy.ops.inspatio.capture_reference(),
    ):
        source = preview.source
        change()
        pump(lambda source=source: preview.source is not source)
        pump(is_whole)
    scene.frame_end = 21
    pump(lambda: len(preview.source.cameras) == 21 and is_whole())
    assert seen(scene, preview, 30) is None
    assert max(preview.states(scene)) == 21
    scene.frame_end = FRAMES
    pump(lambda: len(preview.source.cameras) == FRAMES and is_whole())


@case
def undo(folder):
    scene, preview = previewed(folder)
    bpy.ops.ed.undo_push(message="before")
    move_last_key(scene, 1.5)
    bpy.ops.ed.undo_push(message="after")
    pump(lambda: preview.source.blocks_generated == 4 and is_whole())
    preview._note()
    runtime().pump()
    bpy.ops.ed.undo()
    scene = preview.scene
    assert scene is not None
    pump(lambda: preview.source.blocks_generated == 5 and is_whole())
    bpy.ops.ed.redo()
    pump(lambda: preview.source.blocks_generated == 6 and is_whole())


@case
def generate_beside(folder):
    scene, preview = previewed(folder, generated=False)
    pump(lambda: preview.source.blocks_generated >= 1)
    assert bpy.ops.inspatio.generate() == {"FINISHED"}
    pump(is_whole)
    assert runtime().preview is preview and preview.message == ""
    assert scene.frame_current == 1


@case
def render(folder):
    scene, preview = previewed(folder)
    bpy.ops.render.render()
    module = part("inspatio_blender.live.preview")
    asked, module.blender_renders = module.blender_renders, lambda: True  # In background no render is a job.
    runtime().pump()
    assert "Rendering" in seen(scene, preview, 5).badge
    generated = preview.source.blocks_generated
    move_last_key(scene, 1.1)
    end = time.monotonic() + 1
    pump(lambda: time.monotonic() > end)
    assert preview.source.blocks_generated == generated
    module.blender_renders = asked
    pump(lambda: preview.source.blocks_generated > generated and is_whole())


@case
def fly(folder):
    scene, preview = previewed(folder)
    camera = scene.camera
    camera.animation_data_clear()
    scene.inspatio.live_mode = "FLY"
    began = time.monotonic()

    def fly_on():
        camera.location.x = 0.1 * (time.monotonic() - began)
        return preview.is_flying and preview.source.blocks_generated >= blocks

    blocks = 2
    pump(fly_on)
    assert seen(scene, preview, 1).array is not None
    camera.constraints.new("LIMIT_LOCATION")
    with raises(RuntimeError, "would override the keys"):
        bpy.ops.inspatio.preview_record()
    camera.constraints.clear()
    # A camera that cannot be used: paused, and on again.
    camera.data.type = "ORTHO"
    pump(lambda: "orthographic" in preview.message)
    camera.data.type = "PERSP"
    blocks = preview.source.blocks_generated + 1
    pump(fly_on)
    assert not preview.message
    bpy.ops.inspatio.preview_record()
    blocks = preview.source.blocks_generated + 3
    pump(fly_on)
    scene.frame_set(10)
    # Its backend is lost while it records: what was flown before is kept, and it goes on.
    os.kill(runtime().worker.backend.ready.pid, signal.SIGKILL)
    blocks = preview.source.blocks_generated + 2
    pump(fly_on)
    assert bpy.ops.inspatio.preview_record() == {"FINISHED"}
    pump(lambda: not runtime().busy)
    progress = runtime().progress
    assert progress.state == "finished", progress.message
    points = part("inspatio_blender.curves").find_curves(camera)["location", 0].keyframe_points
    assert len(points) == progress.frames_done and points[0].co[0] == 10
    assert all(a.co[1] <= b.co[1] for a, b in pairwise(points)), "the camera went one way"


@case
def scene_deleted(folder):
    scene, preview = previewed(folder)
    bpy.data.scenes.new("Other")
    bpy.data.scenes.remove(scene)
    runtime().pump()
    assert runtime().preview is None and preview.overlay.is_free


@case
def backend_stopped(folder):
    _, preview = previewed(folder)
    assert bpy.ops.inspatio.stop_backend() == {"FINISHED"}
    assert runtime().preview is None and preview.overlay.is_free
    pump(lambda: not runtime().worker.backend.running)


@case
def file_load(folder):
    _, preview = previewed(folder, generated=False)
    pump(lambda: preview.source.blocks_generated >= 1)
    bpy.ops.wm.open_mainfile(filepath=os.path.join(folder, "scene.blend"))
    assert runtime().preview is None and preview.overlay.is_free
    runtime().pump()


@case
def disabled(folder):
    _, preview = previewed(folder, generated=False)
    pump(lambda: preview.source.blocks_generated >= 1)
    store, backend = preview.store, runtime().worker.backend
    disable()
    assert preview.overlay.is_free and not backend.running
    end = time.monotonic() + 5
    while threads() and time.monotonic() < end:
        time.sleep(0.05)
    assert not threads(), threads()
    assert not store.frames()
    enable()
    assert runtime().preview is None


def test(folder, *names):
    for name in names or CASES:
        place = os.path.join(folder, name)
        os.makedirs(place)
        began = time.monotonic()
        CASES[name](place)
        print(f"case {name}: {time.monotonic() - began:.1f} s", flush=True)
        if runtime().preview is not None:
            runtime().stop_preview()
    return {}


main(test)
