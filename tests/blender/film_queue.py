"""A film from its markers to the sequencer, headless: references, queue, takes, strips; and what may happen to a queue.

Each case has a folder, and a file in it, of its own; they share a Blender and a backend.
"""

import builtins
import datetime
import io
import json
import math
import os
import random
import shutil
import signal
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import bpy
from door import changed, enable, main, part, raises
from faults import frames_of, pump
from film import film_scene

CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def ready_film(folder, shots=2, length=14):
    """A saved film whose shots all have a reference, and its queue."""
    scene = film_scene(folder, shots, length)
    assert bpy.ops.inspatio.capture_parts() == {"FINISHED"}
    queue = part("inspatio_blender.driver").get().queue
    return scene, queue


def queued_film(folder, shots=2, length=14):
    """The same with every shot in the queue."""
    scene, queue = ready_film(folder, shots, length)
    assert bpy.ops.inspatio.queue_add(all=True) == {"FINISHED"}
    assert states(queue) == ["waiting"] * shots
    return scene, queue


def states(queue):
    return [item.state for item in queue.content.items]


def start(queue):
    """Press Start and come back at once, as in the window."""
    queue.start().wait()
    return part("inspatio_blender.driver").get()


def frames_done(queue, shot=None):
    """Frames that the item has which is being made; 0 where that is not `shot`."""
    progress = queue.progress
    if progress is None or not progress.active or shot not in (None, progress.name):
        return 0
    return progress.frames_done


def to_end(runtime, queue, limit=120.0):
    pump(runtime, lambda: not queue.is_going and not runtime.busy, limit)


def take_of(folder, name, number=1):
    return Path(folder) / "inspatio" / name / f"take_{number:03d}"


def take_json(take):
    return json.loads((take / "take.json").read_text())


@case
def made_and_laid_out(folder):
    """The way of a user: capture, add all, start, lay out; handles, edits, and a newer take."""
    scene = film_scene(folder, 3, 12)
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 384, 216, 100
    scene.inspatio.film_handles = 4
    with raises(RuntimeError, "There is no reference yet"):
        bpy.ops.inspatio.queue_add(part="Shot_1")
    assert bpy.ops.inspatio.capture_parts() == {"FINISHED"}
    with raises(RuntimeError, "Every shot of the film has a reference"):
        bpy.ops.inspatio.capture_parts()
    assert bpy.ops.inspatio.queue_add(all=True) == {"FINISHED"}
    with raises(RuntimeError, "is in the queue already"):
        bpy.ops.inspatio.queue_add(part="Shot_1")
    queue = part("inspatio_blender.driver").get().queue
    assert queue.seconds_left is None, "nothing was measured yet"
    assert bpy.ops.inspatio.queue_start() == {"FINISHED"}
    assert states(queue) == ["done"] * 3
    assert [item.take for item in queue.content.items] == [1, 1, 1]
    assert queue.seconds_left == 0.0 and queue.content.paces
    spans = [[int(name[:4]) for name in frames_of(take_of(folder, f"Shot_{n}"))] for n in (1, 2, 3)]
    assert [(s[0], s[-1], len(s)) for s in spans] == [(0, 16, 17), (9, 28, 20), (21, 40, 20)]

    strips = part("inspatio_blender.film_strips")
    assert bpy.ops.inspatio.lay_out_film() == {"FINISHED"}
    shown = [where(strip) for n in (1, 2, 3) for strip in strips.find(scene, f"Shot_{n}")]
    assert shown == [(1, 12), (13, 24), (25, 36)], shown
    assert len({strip.channel for n in (1, 2, 3) for strip in strips.find(scene, f"Shot_{n}")}) == 1
    second = strips.find(scene, "Shot_2")[0]
    assert handles(second) == (4, 4) and len(second.elements) == 20
    before = [strip.as_pointer() for strip in all_strips(scene)]
    assert bpy.ops.inspatio.lay_out_film() == {"FINISHED"}
    assert [strip.as_pointer() for strip in all_strips(scene)] == before, "laid out again nothing changes"
    assert shown == [where(strip) for n in (1, 2, 3) for strip in strips.find(scene, f"Shot_{n}")]

    # An artist trims, moves and blends one; another is cut in two.
    setattr(second, strips._names(second)[1], 6)
    setattr(second, strips._names(second)[2], 1)
    second.channel += 2
    setattr(second, strips._names(second)[0], getattr(second, strips._names(second)[0]) + 100)
    second.blend_type, second.blend_alpha = "ALPHA_OVER", 0.5
    edited = (where(second), handles(second), second.channel)
    scene.inspatio.seed = 5
    for name in ("Shot_2", "Shot_3"):
        assert bpy.ops.inspatio.queue_add(part=name) == {"FINISHED"}
    assert bpy.ops.inspatio.queue_start() == {"FINISHED"}
    second, third = strips.find(scene, "Shot_2")[0], strips.find(scene, "Shot_3")[0]
    assert Path(bpy.path.abspath(second.directory)).name == "take_002", "a newer take replaces the strip"
    assert edited == (where(second), handles(second), second.channel), "with what was done to it"
    assert (second.blend_type, second.blend_alpha) == ("ALPHA_OVER", 0.5)
    assert where(third) == (25, 36) and Path(bpy.path.abspath(third.directory)).name == "take_002"
    assert len(all_strips(scene)) == 3

    # Longer handles keep what is seen; the film's own cut is followed where the artist left it alone.
    scene.inspatio.film_handles = 6
    scene.timeline_markers["Shot 3"].frame = 27
    assert bpy.ops.inspatio.queue_add(all=True) == {"FINISHED"}
    assert bpy.ops.inspatio.queue_start() == {"FINISHED"}
    second, third = strips.find(scene, "Shot_2")[0], strips.find(scene, "Shot_3")[0]
    assert where(third) == (27, 36), where(third)
    assert where(second) == edited[0] and second.channel == edited[2]
    assert second.elements[0].filename == "0007.png"

    # Plates take the place of smaller frames, and fill what these filled, as an artist may have scaled it.
    third.transform.scale_x *= 1.5
    wide = third.transform.scale_x * 256
    scene.inspatio.plate = True
    assert bpy.ops.inspatio.queue_add(part="Shot_3") == {"FINISHED"}
    assert bpy.ops.inspatio.queue_start() == {"FINISHED"}
    assert Path(bpy.path.abspath(third.directory)) == take_of(folder, "Shot_3", 4) / "plate"
    assert math.isclose(third.transform.scale_x * 384, wide, rel_tol=1e-5)
    third.transform.scale_x /= 1.5
    scene.inspatio.plate = False

    # Of a take that is deleted the strips show the one before, and go with the last one.
    use = bpy.ops.inspatio.use_part
    assert use(part="Shot_2") == {"FINISHED"}
    for number in (3, 2, 1):
        assert strips.find(scene, "Shot_2")
        assert bpy.ops.inspatio.delete_take(number=number) == {"FINISHED"}
    assert not strips.find(scene, "Shot_2") and len(all_strips(scene)) == 2
    with raises(RuntimeError, "There is no shot"):
        use(part="Shot_9")

    # What is seen is the picture on disk.
    scene.render.use_sequencer = True
    scene.view_settings.view_transform = "Standard"
    scene.render.image_settings.file_format, scene.render.dither_intensity = "PNG", 0
    scene.frame_set(30)
    scene.render.filepath = str(Path(folder) / "seen.png")
    bpy.ops.render.render(write_still=True)
    files = (scene.render.filepath, str(take_of(folder, "Shot_3", 4) / "plate" / "0030.png"))
    seen, made = (bpy.data.images.load(file).pixels[:] for file in files)
    assert max(abs(a - b) for a, b in zip(seen, made, strict=True)) < 1.5 / 255


def all_strips(scene):
    return list(part("inspatio_blender.showing").strips(scene))


def where(strip):
    """First and last frame of the timeline at which a strip is seen."""
    if hasattr(strip, "left_handle"):
        return strip.left_handle, strip.right_handle - 1
    return strip.frame_final_start, strip.frame_final_end - 1


def handles(strip):
    _, before, after = part("inspatio_blender.film_strips")._names(strip)
    return round(getattr(strip, before)), round(getattr(strip, after))


def unbroken(folder, name):
    """The frames of a shot made in one go: a done one that is retried gets another take."""
    queue = part("inspatio_blender.driver").get().queue
    item = next(item for item in queue.content.items if item.shot == name)
    before = len(takes_of(folder, name))
    assert bpy.ops.inspatio.queue_retry(item=item.id) == {"FINISHED"}
    assert bpy.ops.inspatio.queue_start() == {"FINISHED"}
    assert len(takes_of(folder, name)) == before + 1
    return frames_of(takes_of(folder, name)[-1])


def takes_of(folder, name):
    return sorted((Path(folder) / "inspatio" / name).glob("take_*"))


@contextmanager
def quick_retries():
    with changed(part("inspatio_blender.film_queue"), RETRY_WAIT_S=(0.05,) * 3, DISK_WAIT_S=0.1):
        yield


@case
def paused_skipped_retried(folder):
    _, queue = queued_film(folder, 3, 33)
    runtime = start(queue)
    pump(runtime, lambda: frames_done(queue) >= 9)
    assert queue.seconds_left is not None
    queue.pause().wait()
    assert not queue.is_going and not queue.keeper.held
    pump(runtime, lambda: not runtime.busy)
    first = queue.content.items[0]
    assert (first.state, first.take) == ("waiting", 1) and 9 <= first.frames_done < 33, first
    assert take_json(take_of(folder, "Shot_1"))["state"] == "cancelled"
    # Another goes first now; what was paused goes on in its place.
    assert bpy.ops.inspatio.queue_move(item=3, by=-2) == {"FINISHED"}
    runtime = start(queue)
    pump(runtime, lambda: frames_done(queue) >= 9)
    assert queue.content.running.shot == "Shot_3"
    with raises(RuntimeError, "pause the queue or skip it"):
        bpy.ops.inspatio.queue_remove(item=3)
    # Esc and Cancel stop the whole queue, not only the take: the next would begin at once.
    runtime.cancel()
    pump(runtime, lambda: not runtime.busy and not queue.keeper.held)
    assert states(queue) == ["waiting"] * 3 and not queue.content.going
    runtime = start(queue)
    pump(runtime, lambda: frames_done(queue) >= 21)
    queue.skip(3).wait()
    pump(runtime, lambda: queue.content.running is not None and queue.content.running.shot == "Shot_1")
    to_end(runtime, queue)
    assert states(queue) == ["skipped", "done", "done"], states(queue)
    with raises(RuntimeError, "Nothing is waiting"):
        bpy.ops.inspatio.queue_start()
    with raises(RuntimeError, "is done already"):
        bpy.ops.inspatio.queue_skip(item=1)
    assert bpy.ops.inspatio.queue_retry(item=3) == {"FINISHED"}
    assert bpy.ops.inspatio.queue_start() == {"FINISHED"}
    assert states(queue) == ["done"] * 3
    for name in ("Shot_1", "Shot_3"):
        made = frames_of(take_of(folder, name))
        assert [path.name for path in takes_of(folder, name)] == ["take_001"] and len(made) == 33
        assert made == unbroken(folder, name), name
    assert bpy.ops.inspatio.queue_remove(done=True) == {"FINISHED"}
    assert states(queue) == []
    assert sorted(path.name for path in queue.keeper.folder.iterdir()) == ["queue.json"]


@case
def backend_killed(folder):
    """The queue starts it again and goes on by itself."""
    _, queue = queued_film(folder, 2, 33)
    with quick_retries():
        runtime = start(queue)
        for shot in ("Shot_1", "Shot_2"):
            pump(runtime, lambda shot=shot: frames_done(queue, shot) >= 9)
            os.kill(runtime.worker.backend.ready.pid, signal.SIGKILL)
        to_end(runtime, queue)
    assert states(queue) == ["done"] * 2, [item.message for item in queue.content.items]
    for name in ("Shot_1", "Shot_2"):
        assert len(takes_of(folder, name)) == 1
        assert frames_of(take_of(folder, name)) == unbroken(folder, name)


@case
def nothing_helps(folder):
    """An item that never comes on fails after a few attempts, and the next one is made."""
    _, queue = queued_film(folder, 2)
    shutil.rmtree(Path(folder) / "inspatio/Shot_1/reference")
    with quick_retries(), raises(RuntimeError, "reference.json is missing"):
        bpy.ops.inspatio.queue_start()
    assert states(queue) == ["failed", "done"]
    assert "reference.json is missing" in queue.content.items[0].message
    (queue.keeper.folder / queue.content.items[1].shot_file).unlink()
    assert bpy.ops.inspatio.queue_retry(item=2) == {"FINISHED"}
    with quick_retries(), raises(RuntimeError, "000002.json is missing"):
        bpy.ops.inspatio.queue_start()


@case
def cannot_be_continued(folder):
    """What a take was begun from has changed: it is left as it is, and a new one is made of what is there now."""
    _, queue = queued_film(folder, 1, 33)
    runtime = start(queue)
    pump(runtime, lambda: frames_done(queue) >= 9)
    queue.pause().wait()
    pump(runtime, lambda: not runtime.busy)
    first = frames_of(take_of(folder, "Shot_1"))
    shutil.copy(
        take_of(folder, "Shot_1") / "0005.png", Path(folder) / "inspatio/Shot_1/reference/v001/view_0000.png"
    )
    assert bpy.ops.inspatio.queue_start() == {"FINISHED"}
    assert frames_of(take_of(folder, "Shot_1")) == first
    item = queue.content.items[0]
    assert (item.state, item.take) == ("done", 2) and len(frames_of(take_of(folder, "Shot_1", 2))) == 33


@case
def memory_released(folder):
    """Release Memory pauses the queue, which would start the backend again at once."""
    _, queue = queued_film(folder, 2, 33)
    runtime = start(queue)
    pump(runtime, lambda: frames_done(queue) >= 9)
    runtime.stop_backend()
    pump(runtime, lambda: not runtime.busy and not queue.keeper.held and runtime.backend_status is None)
    assert states(queue) == ["waiting", "waiting"] and not queue.content.going
    assert bpy.ops.inspatio.queue_start() == {"FINISHED"}
    assert len(takes_of(folder, "Shot_1")) == 1


@case
def disk_full(folder):
    """Full at a random frame, for good: what is there is kept, and Retry goes on once there is room."""
    _, queue = queued_film(folder, 2, 33)
    writing = part("backend.protocol.takes")
    whole, name = writing.write_whole, f"{random.randint(10, 33):04d}.png"
    print(f"full at {name}")  # For whoever has to see it again.

    def full(path, data, **options):
        if path.name == name or (path.parent / name).exists():
            raise OSError(28, "No space left on device")
        whole(path, data, **options)

    with changed(writing, write_whole=full), quick_retries(), raises(RuntimeError, "no space left on device"):
        bpy.ops.inspatio.queue_start()
    first, second = queue.content.items
    assert (first.state, second.state) == ("failed", "done"), "the second has no such frame"
    assert 0 < first.frames_done < 33 and "make room" in first.message, first
    kept = frames_of(take_of(folder, "Shot_1"))
    assert len(kept) == first.frames_done
    assert bpy.ops.inspatio.queue_retry(item=1) == {"FINISHED"}
    assert bpy.ops.inspatio.queue_start() == {"FINISHED"}
    made = frames_of(take_of(folder, "Shot_1"))
    assert len(made) == 33 and kept.items() <= made.items()
    assert made == unbroken(folder, "Shot_1")
    # Where not even the queue can be written, it waits for room; nothing is lost, nothing made twice.
    keeping = part("inspatio_blender.queue.keeper")
    refused, write = [], keeping.write_json

    def none_left(path, content):
        if len(refused) < 5 and content["items"][0]["state"] == "running":
            refused.append(path)
            raise OSError(28, "No space left on device")
        write(path, content)

    assert bpy.ops.inspatio.queue_retry(item=1) == {"FINISHED"}
    with changed(keeping, write_json=none_left), quick_retries():
        assert bpy.ops.inspatio.queue_start() == {"FINISHED"}
    assert len(refused) == 5 and states(queue) == ["done", "done"] and not queue.problem
    assert len(takes_of(folder, "Shot_1")) == 3


@case
def folders_removed(folder):
    """The take's, then everything: the queue says so, makes nothing in its place, and can be left."""
    _, queue = queued_film(folder, 2, 33)
    with quick_retries():
        runtime = start(queue)
        pump(runtime, lambda: frames_done(queue) >= 9)
        shutil.rmtree(queue.progress.folder)
        to_end(runtime, queue)
        assert states(queue) == ["done"] * 2, [item.message for item in queue.content.items]
        assert len(frames_of(takes_of(folder, "Shot_1")[-1])) == 33
        for number in (1, 2):
            assert bpy.ops.inspatio.queue_retry(item=number) == {"FINISHED"}
        runtime, place = start(queue), Path(folder) / "inspatio"
        pump(runtime, lambda: frames_done(queue) >= 9)
        place.rename(Path(folder) / "away")
        pump(runtime, lambda: "put it back, or press Pause" in queue.problem)
        assert queue.is_going and not place.exists()
        (Path(folder) / "away").rename(place)
        to_end(runtime, queue)
        assert states(queue) == ["done"] * 2, [item.message for item in queue.content.items]
        assert bpy.ops.inspatio.queue_retry(item=1) == {"FINISHED"}
        runtime = start(queue)
        pump(runtime, lambda: frames_done(queue) >= 9)
        shutil.rmtree(place)
        pump(runtime, lambda: "put it back, or press Pause" in queue.problem)
        queue.pause().wait()
        pump(runtime, lambda: not runtime.busy)
    assert not queue.is_going and states(queue) == [] and not place.exists() and not queue.problem
    assert bpy.ops.inspatio.capture_parts() == {"FINISHED"}
    assert bpy.ops.inspatio.queue_add(all=True) == {"FINISHED"}
    assert bpy.ops.inspatio.queue_start() == {"FINISHED"}


@case
def drive_answers_late(folder):
    """Every file of the drive takes a tenth of a second to open, on whatever thread: the window does not wait."""
    _, queue = queued_film(folder, 2)
    opened = builtins.open
    late = []

    def slow(file, *arguments, **options):
        if str(file).startswith(folder) and not str(file).startswith(os.path.join(folder, "film.blend")):
            late.append(threading.current_thread().name)
            time.sleep(0.1)
        return opened(file, *arguments, **options)

    # A path's own methods open by the second of these names.
    impatient = changed(part("inspatio_blender.driver"), FILM_INTERVAL_S=0.0)
    with changed(builtins, open=slow), changed(io, open=slow), impatient:
        runtime, longest = start(queue), 0.0
        scene = bpy.context.scene
        until = time.monotonic() + 120
        while queue.is_going or runtime.busy:
            began = time.perf_counter()
            runtime.pump()
            runtime.look_at_film(scene)
            longest = max(longest, time.perf_counter() - began)
            time.sleep(0.01)
            assert time.monotonic() < until
    assert "MainThread" not in late and len(late) > 20, set(late)
    assert longest < 0.09, longest
    assert states(queue) == ["done"] * 2
    for name in ("Shot_1", "Shot_2"):
        assert frames_of(take_of(folder, name)) == unbroken(folder, name)


@case
def clock_set_back(folder):
    """A year back in the middle of a take: time left is not moved by it, nor which take is the newest."""
    scene, queue = queued_film(folder, 2, 33)
    files, taking = part("backend.protocol.files"), part("backend.protocol.takes")
    runtime = start(queue)
    pump(runtime, lambda: frames_done(queue) >= 9)
    seen = [queue.seconds_left]

    def back():
        return "2001-01-01T00:00:00Z"

    class Earlier(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2001, 1, 1, tzinfo=tz)

    with ExitStack() as stack:
        stack.enter_context(changed(time, time=lambda: 978_307_200.0))
        stack.enter_context(changed(files, now=back, datetime=Earlier))
        stack.enter_context(changed(taking, now=back))
        while queue.is_going or runtime.busy:
            runtime.pump(budget=0.1)
            seen.append(queue.seconds_left)
            time.sleep(0.005)
        made = unbroken(folder, "Shot_1")
    assert all(0.0 <= seconds < 600.0 for seconds in seen), (min(seen), max(seen))
    assert states(queue) == ["done"] * 2
    newest = take_json(take_of(folder, "Shot_1", 2))
    assert newest["created"] < take_json(take_of(folder, "Shot_1"))["created"]
    assert made == frames_of(take_of(folder, "Shot_1"))
    assert bpy.ops.inspatio.lay_out_film() == {"FINISHED"}
    strip = part("inspatio_blender.film_strips").find(scene, "Shot_1")[0]
    assert Path(bpy.path.abspath(strip.directory)).name == "take_002"


@case
def little_covered(folder):
    """At night nobody can be asked: it is generated, and noted."""
    scene, queue = ready_film(folder)
    camera = scene.timeline_markers["Shot 1"].camera
    camera.animation_data_clear()
    camera.rotation_euler[2] = 3.0
    assert bpy.ops.inspatio.queue_add(all=True) == {"FINISHED"}
    assert bpy.ops.inspatio.queue_start() == {"FINISHED"}
    first, second = queue.content.items
    assert (first.state, first.message) == ("done", "") and "generated all the same" in first.note, first
    assert not second.note


@case
def as_it_was_when_added(folder):
    """What is changed afterwards is not in it; another file in front of the user ends nothing for good."""
    scene, queue = queued_film(folder, 2, 33)
    cameras = json.loads((queue.keeper.folder / "000002.json").read_text())["world_to_camera"]
    scene.timeline_markers["Shot 2"].camera.animation_data_clear()
    scene.inspatio.seed = 9
    bpy.ops.wm.save_mainfile()
    runtime = start(queue)
    pump(runtime, lambda: frames_done(queue) >= 9)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=False)
    pump(runtime, lambda: not runtime.busy)
    runtime.look_at_film(bpy.context.scene)
    assert queue.keeper is None and states(queue) == []
    with raises(RuntimeError, "Save the file first"):
        bpy.ops.inspatio.queue_start()
    with raises(RuntimeError, "Save the file first"):
        bpy.ops.inspatio.queue_add(all=True)
    on_disk = json.loads((Path(folder) / "inspatio/queue/queue.json").read_text())
    assert on_disk["going"] and not (Path(folder) / "inspatio/queue/lock.json").exists()
    # In a window it goes on by itself once the file is open again.
    bpy.ops.wm.open_mainfile(filepath=os.path.join(folder, "film.blend"))
    queue.look_at(part("inspatio_blender.takes").saved_place(), goes_on_by_itself=True)
    pump(runtime, lambda: queue.is_going)
    to_end(runtime, queue)
    assert states(queue) == ["done"] * 2
    take = take_json(take_of(folder, "Shot_2"))
    assert (take["shot"]["world_to_camera"], take["shot"]["seed"]) == (cameras, 0)
    assert len(takes_of(folder, "Shot_1")) == 1, "it was continued"
    assert frames_of(take_of(folder, "Shot_1")) == unbroken(folder, "Shot_1")


@case
def undone_meanwhile(folder):
    """Undo reverts the scene, not the queue."""
    scene, queue = queued_film(folder, 2, 33)
    bpy.ops.ed.undo_push(message="before")
    scene.inspatio.seed = 3
    bpy.ops.ed.undo_push(message="after")
    runtime = start(queue)
    pump(runtime, lambda: frames_done(queue) >= 9)
    bpy.ops.ed.undo()
    to_end(runtime, queue)
    assert states(queue) == ["done"] * 2
    assert take_json(take_of(folder, "Shot_2"))["shot"]["seed"] == 0


@case
def no_backend(folder):
    """Where no backend is set up the queue does not begin, and one that is going stops with a sentence."""
    _, queue = queued_film(folder)
    good = os.environ.pop("INSPATIO_PYTHON")
    try:
        with raises(RuntimeError, "The backend is not set up"):
            bpy.ops.inspatio.queue_start()
        assert states(queue) == ["waiting"] * 2
        queue.change(lambda content: content.started()).wait()
        runtime = part("inspatio_blender.driver").get()
        pump(runtime, lambda: "not set up" in queue.problem and not queue.keeper.held)
    finally:
        os.environ["INSPATIO_PYTHON"] = good
    assert states(queue) == ["waiting"] * 2 and not queue.content.going
    assert bpy.ops.inspatio.queue_start() == {"FINISHED"}


def test(folder, *names):
    enable()
    for name in names or CASES:
        place = Path(folder) / name
        place.mkdir(exist_ok=True)
        sys.stdout.write(f"CASE {name}\n")
        sys.stdout.flush()
        CASES[name](str(place))
    return {"cases": list(names)}


if __name__ == "__main__":
    main(test)
