"""One of two Blenders that have the same file open and press Start."""

import os
import time
from pathlib import Path

import bpy
from door import enable, main, part, raises


def test(folder):
    enable()
    bpy.ops.wm.open_mainfile(filepath=os.path.join(folder, "film.blend"))
    runtime, (ready, others) = part("inspatio_blender.driver").get(), rendezvous(Path(folder))
    runtime.look_at_film(bpy.context.scene)
    queue, refused, until = runtime.queue, False, time.monotonic() + 100
    ready.touch()
    while not others():
        time.sleep(0.01)
    try:
        queue.start().wait()
    except part("inspatio_blender.queue.items").QueueError:
        refused = True
        assert "Another Blender (process " in queue.problem, queue.problem
        for press in (bpy.ops.inspatio.queue_start, lambda: bpy.ops.inspatio.queue_skip(item=1)):
            with raises(RuntimeError, "Another Blender (process "):
                press()
    while queue.is_going or runtime.busy or (refused and queue.content.next is not None):
        runtime.pump(budget=0.1)
        runtime.look_at_film(bpy.context.scene)
        time.sleep(0.01)
        assert time.monotonic() < until, queue.problem
    return {"refused": refused, "states": [item.state for item in queue.content.items]}


def rendezvous(folder):
    """A file that says this one is ready, and whether both are."""
    return folder / f"ready.{os.getpid()}", lambda: len(list(folder.glob("ready.*"))) == 2


main(test)
