"""What goes wrong around a shot: every case has to end in a sentence, with nothing lost."""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

import bpy
from door import disable, enable, main, part, raises, simple_scene

CASES = {}


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


def frames_of(folder):
    return {path.name: path.read_bytes() for path in sorted(Path(folder).glob("*.png"))}


@case
def no_camera(folder):
    scene = simple_scene()
    scene.camera = None
    with raises(RuntimeError, "has no camera"):
        bpy.ops.inspatio.capture_reference()


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
def bad_depth(folder):
    scene = saved_scene(folder)
    version = part("inspatio_blender.takes").reference_version(scene)
    (version / "view_0000.exr").write_bytes(b"this is no picture")
    with raises(RuntimeError, "view_0000.exr"):
        bpy.ops.inspatio.generate()


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
    filler.unlink()
    assert bpy.ops.inspatio.continue_take(number=take.number) == {"FINISHED"}
    assert len(frames_of(take.folder)) == 45
    filler.write_bytes(b"x" * max(0, shutil.disk_usage(folder).free - 4096))
    with raises(RuntimeError, ""):
        bpy.ops.inspatio.capture_reference()
    assert len(takes.reference_versions(scene)) == 1, "half a reference is none"


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
def backend_python(folder):
    """No Python, one that is not there, one that is none, one without torch."""
    saved_scene(folder, frames=9)
    preferences = part("inspatio_blender.preferences").get()
    good = os.environ.pop("INSPATIO_PYTHON")
    with raises(RuntimeError, "No Python is set"):
        bpy.ops.inspatio.generate()
    preferences.backend_python = os.path.join(folder, "nowhere")
    with raises(RuntimeError, "There is no Python at"):
        bpy.ops.inspatio.generate()
    preferences.backend_python = "/bin/ls"
    with raises(RuntimeError, "/bin/ls"):
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


@case
def killed_backend(folder):
    """SIGKILL in the middle: frames are kept, and Continue gives the frames of an unbroken run."""
    scene = saved_scene(folder)
    assert bpy.ops.inspatio.generate() == {"FINISHED"}
    runtime, progress = begin(scene)
    pump(runtime, lambda: progress.frames_done >= 21)
    os.kill(runtime.worker.backend.ready.pid, signal.SIGKILL)
    pump(runtime, lambda: not runtime.busy)
    assert progress.state == "failed", progress.line()
    assert "frames are kept" in progress.message, progress.message
    assert len(frames_of(progress.folder)) >= 21
    assert bpy.ops.inspatio.continue_take(number=2) == {"FINISHED"}
    takes = part("inspatio_blender.takes").list_takes(scene, None)
    assert [take.state for take in takes] == ["finished", "finished"]
    assert frames_of(takes[0].folder) == frames_of(takes[1].folder)


@case
def two_generates(folder):
    scene = saved_scene(folder)
    runtime, progress = begin(scene)
    assert not bpy.ops.inspatio.generate.poll()
    with raises(part("inspatio_blender.runtime").UserError, "is being generated"):
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
def scene_deleted(folder):
    scene = saved_scene(folder)
    bpy.data.scenes.new("Other")
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
        place = Path(folder) / name if name != "full_disk" else Path(folder)
        place.mkdir(exist_ok=True)
        sys.stdout.write(f"CASE {name}\n")
        sys.stdout.flush()
        CASES[name](str(place))
    return {"cases": list(names)}


if __name__ == "__main__":
    main(test)
