"""A film from its markers to the sequencer, headless: references, queue, takes, strips; and what may happen to a queue.

Each case has a folder, and a file in it, of its own; they share a Blender and a backend.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import bpy
from door import enable, main, part, raises
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


def frames_done(queue):
    """Frames that the item has which is being made."""
    return queue.progress.frames_done if queue.progress is not None and queue.progress.active else 0


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
    strips._names(second)
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
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 256, 144, 100
    scene.render.image_settings.file_format, scene.render.dither_intensity = "PNG", 0
    scene.frame_set(30)
    scene.render.filepath = str(Path(folder) / "seen.png")
    bpy.ops.render.render(write_still=True)
    seen, made = (
        bpy.data.images.load(str(path)).pixels[:] for path in (scene.render.filepath, take_of(folder, "Shot_3", 3) / "0030.png")
    )
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
