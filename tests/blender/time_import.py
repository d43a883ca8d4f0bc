"""In the window: how long Import Scene Folder takes, and for how long at most the window does not answer.

A timer that wants to come every 20 ms is what the window answers: between two of its calls lie a step of the import,
the drawing, and whatever else Blender does.
"""

import os
import time

import bpy
import numpy as np
import window
from door import arguments, part

INTERVAL_S = 0.02


class Answers:
    """When the window has answered, and what its main thread has computed by then."""

    def __init__(self):
        self.times = []
        self._going = True
        bpy.app.timers.register(self._answer, persistent=True)

    def _answer(self):
        self.times.append((time.perf_counter(), time.thread_time()))
        return INTERVAL_S if self._going else None

    def end(self):
        self._going = False

    def longest(self):
        """The most seconds between two answers by the clock, and of computing."""
        clock, computed = np.diff(self.times, axis=0).max(axis=0)
        return round(float(clock), 3), round(float(computed), 3)


def timed(spent):
    """Have every tick of an operator that works in steps add its seconds to a list."""
    stepwise = part("operators.stepwise").Stepwise
    modal = stepwise.modal

    def measured(self, context, event):
        began = time.perf_counter()
        try:
            return modal(self, context, event)
        finally:
            spent.append(time.perf_counter() - began)

    stepwise.modal = measured


def _spent(since, until):
    return round(until.user + until.system - since.user - since.system, 2)


def test(folder, given):
    scene = window.prepare(folder, 21)
    runtime = part("inspatio_blender.driver").get()
    yield from window.open_tab()
    yield 1.0
    steps, draws = [], []
    timed(steps)
    drawing = {
        region: bpy.types.SpaceView3D.draw_handler_add(draws.append, (region,), region, "POST_PIXEL")
        for region in ("WINDOW", "UI")
    }
    load, answers = os.getloadavg()[0], Answers()
    began, busy = time.perf_counter(), os.times()
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.import_scene_folder("INVOKE_DEFAULT", directory=given, chosen=True)
    brought = None
    while runtime.working is not None:
        yield 0.02
        if brought is None and runtime.task is not None and not runtime.task.running:
            brought, until = time.perf_counter() - began, os.times()
    seconds, ended = time.perf_counter() - began, os.times()
    yield 1.0  # The first sight of the new scene counts as well.
    answers.end()
    for region, handler in drawing.items():
        bpy.types.SpaceView3D.draw_handler_remove(handler, region)
    imported = window.viewport()["window"].scene
    assert imported != scene and runtime.task.state == "finished", runtime.task.message
    clock, computed = answers.longest()
    return {
        "frames": len(imported.inspatio.frames()),
        "seconds": round(seconds, 2),
        "of_which_backend_s": round(brought, 2),
        "blender_cpu_s": _spent(busy, ended),
        "of_which_beside_backend_s": _spent(busy, until),
        "longest_step_s": round(max(steps), 3),
        "longest_without_answer_s": clock,
        "longest_without_answer_computing_s": computed,
        "viewport_draws": draws.count("WINDOW"),
        "sidebar_draws": draws.count("UI"),
        "load_before": round(load, 1),
    }


window.Steps(test(*arguments()[:2]), 120)
