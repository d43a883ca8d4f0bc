"""A Blender that is killed: makes the queue of a file, and goes on with it when run again. See tests/kill_queue.py.

"prepare" writes the file with its references and its queue, "run" opens it and makes the queue to its end.
"""

import os
import sys
import time
from pathlib import Path

import bpy
from door import enable, main, part
from film import film_scene


def say(text):
    sys.stdout.write(f"QUEUE {text}\n")
    sys.stdout.flush()


def prepare(folder, shots, frames):
    film_scene(folder, int(shots), int(frames))
    assert bpy.ops.inspatio.capture_parts() == {"FINISHED"}
    assert bpy.ops.inspatio.queue_add(all=True) == {"FINISHED"}
    return {}


def run(folder):
    """As in a window: the file is opened, and a queue that was going goes on; else Start is pressed."""
    bpy.ops.wm.open_mainfile(filepath=os.path.join(folder, "film.blend"))
    runtime = part("inspatio_blender.driver").get()
    queue = runtime.queue
    queue.look_at(Path(folder) / "inspatio", goes_on_by_itself=True)
    queue.keeper.look().wait()
    if not queue.content.going:
        queue.start().wait()
    backend, until = None, time.monotonic() + 300
    while not queue.is_going:
        runtime.pump(budget=0.1)
        assert time.monotonic() < until, queue.problem
    say("going")
    while queue.is_going or runtime.busy:
        runtime.pump(budget=0.1)
        time.sleep(0.002)
        now = runtime.worker.backend.ready if runtime.worker.backend is not None else None
        if now is not None and now.pid != backend:
            backend = now.pid
            say(f"backend {backend}")
        assert time.monotonic() < until, queue.problem
    say("over")
    return {"states": [[item.shot, item.state, item.message] for item in queue.content.items]}


def test(what, *arguments):
    enable()
    return {"prepare": prepare, "run": run}[what](*arguments)


main(test)
