"""What goes wrong around a shot: every case has to end in a sentence, with nothing lost."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import bpy
from door import disable, enable, main, part, raises, simple_scene

CASES = {}
WHOLE_DISK = ("full_disk", "read_only")
"""Cases whose folder is a file system."""


def case(function):
    CASES[function.__name__] = function
    return function


def saved_scene(folder, frames=45):
    """A scene in a saved file, with a reference."""
    scene = simple_scene(frames=frames)
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(folder, "scene.blend"))
    bpy.ops.inspatio.capture_reference()
    return scene


def begin(scene):
    """Press Generate and come back at once, as in the window."""
    runtime = part("inspatio_blender.driver").get()
    return runtime, runtime.generate(scene, bpy.context.view_layer)


def pump(runtime, until, limit=120.0):
    """Pump until something is the case."""
    end = time.monotonic() + limit
    while not until():
        runtime.pump(budget=0.1)
        time.sleep(0.005)
        assert time.monotonic() < end, runtime.progress and runtime.progress.line()


@contextmanager
def slow_sampling():
    """The camera is read by the timer, as that of a long shot is, and not while the button is pressed."""
    module = part("inspatio_blender.runtime")
    before, module.FIRST_SLICE_S = module.FIRST_SLICE_S, 0.0
    try:
        yield
    finally:
        module.FIRST_SLICE_S = before


def frames_of(folder):
    return {path.name: path.read_bytes() for path in sorted(Path(folder).glob("*.png"))}


@case
def no_camera(folder):
    scene = simple_scene()
    scene.camera = None
    with raises(RuntimeError, "has no camera"):
        bpy.ops.inspatio.capture_reference()
    scene = saved_scene(folder, frames=9)
    scene.camera = None
    with raises(RuntimeError, "has no camera"):
        bpy.ops.inspatio.generate()
    assert not list((Path(folder) / "inspatio/Scene").glob("take_*"))


@case
def no_reference(folder):
    simple_scene()
    with raises(RuntimeError, "no reference yet"):
        bpy.ops.inspatio.generate()


@case
def no_coverage(folder):
    """The camera turns away: a warning in background, a question in the window."""
    scene = saved_scene(folder, frames=9)
    scene.camera.animation_data_clear()
    scene.camera.rotation_euler[2] = 3.0
    runtime, progress = begin(scene)
    pump(runtime, lambda: progress.state == "asking")
    assert "hardly reaches" in progress.message, progress.message
    runtime.cancel()
    assert progress.state == "cancelled"
    assert not list((Path(folder) / "inspatio/Scene").glob("take_*")), "nothing was generated"
    assert bpy.ops.inspatio.generate() == {"FINISHED"}, "in background it warns and goes on"


@case
def camera_in_geometry(folder):
    """Within a box and towards its bottom the camera sees what no view from outside reaches."""
    scene = saved_scene(folder, frames=9)
    scene.camera.animation_data_clear()
    scene.camera.location, scene.camera.rotation_euler = (-1.5, 2, 1), (0, 0, 0)
    runtime, progress = begin(scene)
    pump(runtime, lambda: progress.state == "asking")
    assert "hardly reaches" in progress.message, progress.message
    runtime.cancel()
    # Captured from there it is a world like any other.
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    runtime, progress = begin(scene)
    pump(runtime, lambda: not runtime.busy)
    assert progress.state == "finished", progress.line()


@case
def bad_reference(folder):
    """Files of the reference that were edited to something else, or are gone."""
    scene = saved_scene(folder)
    version = part("inspatio_blender.takes").reference_version(scene)
    for name, sentence in (("view_0000.exr", "view_0000.exr"), ("reference.json", "reference.json")):
        before = (version / name).read_bytes()
        (version / name).write_bytes(b"this is no picture and no JSON")
        with raises(RuntimeError, sentence):
            bpy.ops.inspatio.generate()
        (version / name).write_bytes(before)
    (version / "view_0000.png").unlink()
    with raises(RuntimeError, "view_0000.png is missing"):
        bpy.ops.inspatio.generate()
    version.rename(Path(folder) / "elsewhere")
    with raises(RuntimeError, "no reference yet"):
        bpy.ops.inspatio.generate()
    assert not list((Path(folder) / "inspatio/Scene").glob("take_*"))


@case
def reference_gone(folder):
    scene = saved_scene(folder)
    version = part("inspatio_blender.takes").reference_version(scene)
    runtime, progress = begin(scene)
    pump(runtime, lambda: progress.frames_done >= 9)
    runtime.cancel()
    pump(runtime, lambda: not runtime.busy)
    # Moved: found by what is in it, under whatever version.
    version.rename(version.with_name("v009"))
    assert bpy.ops.inspatio.continue_take(number=1) == {"FINISHED"}
    # Edited: the take cannot go on as it began, and says so.
    runtime, progress = begin(scene)
    pump(runtime, lambda: progress.frames_done >= 9)
    runtime.cancel()
    pump(runtime, lambda: not runtime.busy)
    picture = version.with_name("v009") / "view_0000.png"
    shutil.copy(progress.folder / "0005.png", picture)
    with raises(RuntimeError, "has changed"):
        bpy.ops.inspatio.continue_take(number=2)
    shutil.rmtree(version.with_name("v009"))
    with raises(RuntimeError, "not there any more"):
        bpy.ops.inspatio.continue_take(number=2)
    assert len(frames_of(progress.folder)) == progress.frames_done


@case
def unsaved(folder):
    """Without a file everything goes to the user folder; after saving nothing of it is lost."""
    scene = simple_scene(frames=9)
    takes = part("inspatio_blender.takes")
    assert takes.in_unsaved_place(scene)
    bpy.ops.inspatio.capture_reference()
    assert bpy.ops.inspatio.generate() == {"FINISHED"}
    before = takes.list_takes(scene, None)
    assert "unsaved" in str(before[0].folder)
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(folder, "late.blend"))
    assert [take.folder for take in takes.list_takes(scene, None)] == [before[0].folder]
    assert bpy.ops.inspatio.generate() == {"FINISHED"}, "the reference from before saving is still good"
    after = takes.list_takes(scene, None)
    assert str(after[0].folder).startswith(folder)
    assert (Path(folder) / "inspatio/Scene/reference/v001/reference.json").is_file()
    assert len(after) == 2


@case
def full_disk(folder):
    """`folder` is a file system too small for the take. What was written stays, and Continue goes on."""
    scene = saved_scene(folder, frames=45)
    filler = Path(folder) / "filler"
    free = shutil.disk_usage(folder).free
    filler.write_bytes(b"x" * max(0, free - 900_000))
    with raises(RuntimeError, "no space left"):
        bpy.ops.inspatio.generate()
    takes = part("inspatio_blender.takes")
    take = takes.list_takes(scene, None)[0]
    assert take.state == "failed", take
    assert 0 < take.frames_done < 45, take
    assert json.loads((take.folder / "take.json").read_text())["state"] == "failed", "also for other Blenders"
    filler.unlink()
    assert bpy.ops.inspatio.continue_take(number=take.number) == {"FINISHED"}
    assert len(frames_of(take.folder)) == 45
    filler.write_bytes(b"x" * max(0, shutil.disk_usage(folder).free - 4096))
    with raises(RuntimeError, "is the disk full"):
        bpy.ops.inspatio.capture_reference()
    assert len(takes.reference_versions(scene)) == 1, "half a reference is none"


@case
def disk_fills_up(folder):
    """The take says on disk that it failed, so that another Blender may continue it while this one still runs."""
    saved_scene(folder, frames=21)
    writing = part("backend.protocol.takes")
    write_whole = writing.write_whole

    def full(path, data, **options):
        if path.name == "0015.png":
            raise OSError(28, "No space left on device")
        write_whole(path, data, **options)

    writing.write_whole = full
    try:
        with raises(RuntimeError, "no space left on device. 9 frames are kept"):
            bpy.ops.inspatio.generate()
    finally:
        writing.write_whole = write_whole
    take = part("backend.protocol.files").read_take(Path(folder) / "inspatio/Scene/take_001")
    assert (take.state, take.writer, take.frames_done) == ("failed", 0, 9), take
    assert "no space left" in take.message, take.message
    assert bpy.ops.inspatio.continue_take(number=1) == {"FINISHED"}
    assert len(frames_of(Path(folder) / "inspatio/Scene/take_001")) == 21


@case
def read_only(folder):
    """`folder` is a file system of its own that becomes read-only: root may write to any other folder."""
    scene = saved_scene(folder, frames=9)
    assert bpy.ops.inspatio.generate() == {"FINISHED"}
    takes, showing = part("inspatio_blender.takes"), part("inspatio_blender.showing")
    before = takes.list_takes(scene, None)
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    try:
        with raises(RuntimeError, "No reference can be written"):
            bpy.ops.inspatio.capture_reference()
        with raises(RuntimeError, "No take can be written"):
            bpy.ops.inspatio.generate()
        with raises(RuntimeError, "cannot be deleted: Read-only"):
            bpy.ops.inspatio.delete_take(number=1)
        assert takes.list_takes(scene, None) == before
        assert showing.is_shown(scene), "what was not deleted is still shown"
    finally:
        subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
    assert bpy.ops.inspatio.generate() == {"FINISHED"}


@case
def folder_not_writable(folder):
    """A plain file where the folder should be stands for a folder that may not be written: tests run as root."""
    scene = saved_scene(folder)
    root = Path(folder) / "inspatio"
    root.rename(Path(folder) / "moved")
    root.write_text("in the way")
    with raises(RuntimeError, "No reference can be written"):
        bpy.ops.inspatio.capture_reference()
    root.unlink()
    (Path(folder) / "moved").rename(root)
    assert part("inspatio_blender.takes").reference_version(scene) is not None


@case
def take_folder(folder):
    """The folder of the preferences is used, and one that cannot be made is said."""
    scene = simple_scene(frames=9)
    preferences = part("inspatio_blender.preferences")
    takes = part("inspatio_blender.takes")
    chosen = Path(folder) / "chosen"
    preferences.get().take_folder = str(chosen)
    try:
        assert not takes.in_unsaved_place(scene)
        assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
        assert bpy.ops.inspatio.generate() == {"FINISHED"}
        assert (chosen / "Scene/take_001/0009.png").is_file()
        unsaved = takes.list_takes(scene, None)
        # Saved, each file has a folder of its own in it, and what was made before is not lost.
        bpy.ops.wm.save_as_mainfile(filepath=os.path.join(folder, "first file.blend"))
        assert takes.shot_folder(scene) == chosen / "first_file" / "Scene"
        assert takes.list_takes(scene, None) == unsaved
        assert takes.reference_version(scene) == chosen / "Scene/reference/v001"
        assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
        assert takes.reference_version(scene) == chosen / "first_file/Scene/reference/v001"
        saved_scene(folder, frames=9)
        scene = bpy.context.scene
        assert takes.reference_versions(scene) == [chosen / "scene/Scene/reference/v001"]
        assert not takes.list_takes(scene, None)
        preferences.get().take_folder = "//beside"
        assert takes.shot_folder(scene) == Path(folder) / "beside/scene/Scene"
        scene = simple_scene(frames=9)
        assert takes.in_unsaved_place(scene)
        takes.keep_unsaved_folder(scene)
        assert takes.shot_folder(scene) == Path(scene.inspatio.unsaved_folder) / "Scene"
        assert "unsaved" in scene.inspatio.unsaved_folder
        (Path(folder) / "file").write_text("in the way")
        preferences.get().take_folder = str(Path(folder) / "file")
        with raises(RuntimeError, "No reference can be written"):
            bpy.ops.inspatio.capture_reference()
    finally:
        preferences.get().take_folder = ""


@case
def backend_python(folder):
    """No Python, one that is not there, one that is none, one that is too old, one without torch."""
    saved_scene(folder, frames=9)
    preferences = part("inspatio_blender.preferences").get()
    good = os.environ.pop("INSPATIO_PYTHON")
    with raises(RuntimeError, "The backend is not set up"):
        bpy.ops.inspatio.generate()
    preferences.backend_python = os.path.join(folder, "nowhere")
    with raises(RuntimeError, "There is no Python at"):
        bpy.ops.inspatio.generate()
    preferences.backend_python = "/bin/ls"
    with raises(RuntimeError, "/bin/ls"):
        bpy.ops.inspatio.generate()
    preferences.backend_python = os.environ["INSPATIO_FAKE_OLD_PYTHON"]
    with raises(RuntimeError, "needs Python 3.11 or newer"):
        bpy.ops.inspatio.generate()
    preferences.backend_python = os.environ["INSPATIO_BARE_PYTHON"]
    with raises(RuntimeError, "install"):
        bpy.ops.inspatio.generate()
    preferences.backend_python = good
    preferences.autostart = False
    with raises(RuntimeError, "does not run"):
        bpy.ops.inspatio.generate()
    preferences.autostart = True
    assert bpy.ops.inspatio.generate() == {"FINISHED"}


def killed_in_the_middle(scene):
    """Begin a take and end its backend by SIGKILL; the runtime, and how far the take had come."""
    runtime, progress = begin(scene)
    pump(runtime, lambda: progress.frames_done >= 21)
    os.kill(runtime.worker.backend.ready.pid, signal.SIGKILL)
    pump(runtime, lambda: not runtime.busy)
    assert progress.state == "failed", progress.line()
    return runtime, progress


@case
def killed_backend(folder):
    """SIGKILL in the middle: frames are kept, and Continue gives the frames of an unbroken run."""
    scene = saved_scene(folder)
    assert bpy.ops.inspatio.generate() == {"FINISHED"}
    _, progress = killed_in_the_middle(scene)
    assert "frames are kept" in progress.message, progress.message
    assert len(frames_of(progress.folder)) >= 21
    assert bpy.ops.inspatio.continue_take(number=2) == {"FINISHED"}
    takes = part("inspatio_blender.takes").list_takes(scene, None)
    assert [take.state for take in takes] == ["finished", "finished"]
    assert frames_of(takes[0].folder) == frames_of(takes[1].folder)


@case
def killed_without_states(folder):
    """As killed_backend, of a preset whose state is too large to be kept: Continue catches up first."""
    scene = saved_scene(folder)
    assert bpy.ops.inspatio.generate() == {"FINISHED"}
    runtime, progress = killed_in_the_middle(scene)
    kept = frames_of(progress.folder)
    assert len(kept) >= 21 and not list(progress.folder.glob("state_*"))
    take = part("inspatio_blender.takes").list_takes(scene, None)[0]
    progress = runtime.continue_take(scene, take)
    lines = set()
    pump(runtime, lambda: lines.add(progress.line()) or not runtime.busy)
    assert progress.state == "finished", progress.line()
    assert any("catching up, block 1 of 2" in line for line in lines), lines
    takes = part("inspatio_blender.takes").list_takes(scene, None)
    assert frames_of(takes[0].folder) == frames_of(takes[1].folder)


@case
def two_generates(folder):
    scene = saved_scene(folder)
    runtime, progress = begin(scene)
    assert not bpy.ops.inspatio.generate.poll()
    with raises(part("inspatio_blender.shots").UserError, "is being generated"):
        runtime.generate(scene, bpy.context.view_layer)
    assert not bpy.ops.inspatio.release_memory.poll()
    pump(runtime, lambda: progress.frames_done >= 9)
    with raises(RuntimeError, "cancel it first"):
        bpy.ops.inspatio.delete_take(number=1)
    runtime.cancel()
    began = time.monotonic()
    pump(runtime, lambda: not runtime.busy)
    assert time.monotonic() - began < 1.0


@case
def another_blender(folder):
    """A take that another process writes is neither deleted nor continued here."""
    scene = saved_scene(folder)
    runtime, progress = begin(scene)
    pump(runtime, lambda: progress.frames_done >= 9)
    runtime.cancel()
    pump(runtime, lambda: not runtime.busy)
    path = progress.folder / "take.json"
    mine = path.read_text()
    other = {"state": "running", "message": "", "writer": runtime.worker.backend.ready.pid}
    path.write_text(json.dumps(json.loads(mine) | other))
    with raises(RuntimeError, "by another Blender"):
        bpy.ops.inspatio.delete_take(number=1)
    with raises(RuntimeError, "by another Blender"):
        bpy.ops.inspatio.continue_take(number=1)
    assert len(frames_of(progress.folder)) >= progress.frames_done > 0
    path.write_text(mine)
    assert bpy.ops.inspatio.continue_take(number=1) == {"FINISHED"}


@case
def undone(folder):
    """Undo and redo during a take: it goes on, shows what it has, and has the frames of an undisturbed one."""
    scene = saved_scene(folder)
    bpy.ops.ed.undo_push(message="captured")
    scene.inspatio.seed = 7
    bpy.ops.ed.undo_push(message="seed")
    assert bpy.ops.inspatio.generate() == {"FINISHED"}
    runtime, progress = begin(scene)
    pump(runtime, lambda: progress.frames_done >= 9)
    bpy.ops.ed.undo()
    scene = progress.scene
    assert scene.inspatio.seed == 0, "the undo did something"
    assert runtime.busy, progress.line()
    showing = part("inspatio_blender.showing")
    pump(runtime, lambda: progress.frames_done >= 21)
    assert len(showing.find_strip(scene).elements) >= 21
    bpy.ops.ed.redo()
    scene = progress.scene
    assert scene.inspatio.seed == 7
    pump(runtime, lambda: not runtime.busy)
    assert progress.state == "finished", progress.line()
    strip = showing.find_strip(scene)
    assert [element.filename for element in strip.elements] == [path.name for path in progress.files()]
    assert Path(strip.directory).name == "take_002"
    assert scene.camera.data.background_images[0].image_user.frame_duration == progress.frames_total
    assert progress.shot.seed == 7, "the take is that of the moment when Generate was pressed"
    assert frames_of(progress.folder) == frames_of(progress.folder.with_name("take_001"))


@case
def undone_while_sampling(folder):
    """While the camera is being read: it is read again, of the scene that the undo left."""
    scene = saved_scene(folder, frames=21)
    scene.frame_set(5)
    bpy.ops.ed.undo_push(message="before")
    scene.inspatio.seed, scene.inspatio.use_scene_range, scene.inspatio.frame_end = 7, False, 12
    bpy.ops.ed.undo_push(message="after")
    with slow_sampling():
        runtime, progress = begin(scene)
        assert (progress.state, progress.frames_total) == ("sampling", 12)
        bpy.ops.ed.undo()
        assert progress.state == "sampling"
    pump(runtime, lambda: not runtime.busy)
    assert progress.state == "finished", progress.line()
    assert (progress.shot.seed, progress.frames_done) == (0, 21)
    assert progress.scene.frame_current == 5
    # Back to a range that is none.
    scene = progress.scene
    scene.inspatio.use_scene_range, scene.inspatio.frame_start, scene.inspatio.frame_end = False, 5, 2
    bpy.ops.ed.undo_push(message="reversed")
    scene.inspatio.frame_end = 9
    bpy.ops.ed.undo_push(message="mended")
    with slow_sampling():
        runtime, progress = begin(scene)
        bpy.ops.ed.undo()
    assert (progress.state, progress.message[:26]) == ("failed", "The frame range is empty: ")


@case
def scene_deleted(folder):
    scene = saved_scene(folder)
    bpy.data.scenes.new("Other")
    copy = scene.copy()
    copy.inspatio.shot_name = scene.name
    with slow_sampling():
        runtime, progress = begin(copy)
        assert progress.state == "sampling"
        bpy.data.scenes.remove(progress.scene)
        pump(runtime, lambda: not runtime.busy)
    assert progress.state == "cancelled", progress.line()
    runtime, progress = begin(scene)
    pump(runtime, lambda: progress.frames_done >= 9)
    bpy.data.scenes.remove(scene)
    pump(runtime, lambda: not runtime.busy)
    assert progress.state == "cancelled", progress.line()
    assert part("backend.protocol.files").read_take(progress.folder).state == "cancelled"


@case
def file_loaded(folder):
    scene = saved_scene(folder)
    runtime, progress = begin(scene)
    pump(runtime, lambda: progress.frames_done >= 9)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=False)
    assert not runtime.busy
    read_take = part("backend.protocol.files").read_take
    pump(runtime, lambda: read_take(progress.folder).state == "cancelled")
    assert runtime.backend_status is not None, "the backend stays warm"


@case
def disabled(folder):
    """Disabled in the middle: the take says so, thread and process are gone."""
    import threading

    scene = saved_scene(folder)
    runtime, progress = begin(scene)
    pump(runtime, lambda: progress.frames_done >= 9)
    pid = runtime.worker.backend.ready.pid
    read_take, process_alive = (
        part("backend.protocol.files").read_take,
        part("backend.protocol.disk").process_alive,
    )
    disable()
    assert read_take(progress.folder).state == "cancelled"
    assert not process_alive(pid)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("inspatio")]
    enable()
    assert bpy.ops.inspatio.continue_take(number=1) == {"FINISHED"}


@case
def left_behind(folder):
    """The file of a Blender that was killed during a take (quit.py): the take says so and is continued."""
    bpy.ops.wm.open_mainfile(filepath=os.path.join(folder, "scene.blend"))
    scene = bpy.context.scene
    takes = part("inspatio_blender.takes")
    take = takes.list_takes(scene, None)[0]
    assert (take.state, take.can_continue) == ("failed", True), take
    assert take.message == f"Stopped after {take.frames_done} of {take.frames_total} frames", take
    assert 0 < take.frames_done < take.frames_total
    assert bpy.ops.inspatio.continue_take(number=take.number) == {"FINISHED"}
    assert bpy.ops.inspatio.generate() == {"FINISHED"}
    unbroken, continued = takes.list_takes(scene, None)
    assert frames_of(unbroken.folder) == frames_of(continued.folder)


@case
def memory_released(folder):
    scene = saved_scene(folder)
    runtime = part("inspatio_blender.driver").get()
    bpy.ops.inspatio.start_backend()
    pump(runtime, lambda: runtime.backend_status is not None)
    pid = runtime.worker.backend.ready.pid
    bpy.ops.inspatio.release_memory()
    process_alive = part("backend.protocol.disk").process_alive
    pump(runtime, lambda: runtime.backend_status is None and not process_alive(pid))
    assert not runtime.backend_message
    runtime, progress = begin(scene)
    pump(runtime, lambda: progress.frames_done >= 9)
    bpy.ops.inspatio.stop_backend()
    pump(runtime, lambda: not runtime.busy and runtime.backend_status is None)
    assert progress.state == "cancelled"


def test(folder, *names):
    """The cases share a Blender and a backend; each gets a folder for its files."""
    enable()
    for name in names:
        place = Path(folder) if name in WHOLE_DISK else Path(folder) / name
        place.mkdir(exist_ok=True)
        sys.stdout.write(f"CASE {name}\n")
        sys.stdout.flush()
        CASES[name](str(place))
    return {"cases": list(names)}


if __name__ == "__main__":
    main(test)
