"""What moves the runtime on: a timer in the window, a loop in background; and what Blender tells it.

The timer is persistent, so a file load does not lose it, and no exception can end it. In background timers
never fire; there `run_to_end` calls the same pump.
"""

import atexit
import logging
import time
from collections.abc import Callable

import bpy
from bpy.app.handlers import persistent

from . import listing, preferences
from .coverage import Coverage
from .progress import Progress
from .runtime import Runtime
from .task import Task

log = logging.getLogger(__name__)

EAGER_INTERVAL_S = 0.005
AWAITING_INTERVAL_S = 0.01
BUSY_INTERVAL_S = 0.02
IDLE_INTERVAL_S = 0.3
FILM_INTERVAL_S = 0.5

_runtime: Runtime | None = None
_look_at = 0.0
"""When the disk is looked at next."""
_film_at = 0.0
"""When the film and its queue are looked at next."""


def get() -> Runtime:
    """The runtime of the enabled add-on."""
    if _runtime is None:
        raise RuntimeError("InSpatio is not enabled")
    return _runtime


def run_to_end(progress: Progress | Coverage, tell: Callable[[str], None]) -> None:
    """Call the pump until a take or check is at its end, or waits for an answer. For background mode.

    `tell` gets a line about twice a second, and the last one. Ctrl-C cancels it.
    """
    runtime, told = get(), 0.0
    while progress.active and progress.state != "asking":
        try:
            runtime.pump(budget=1.0)
            if time.monotonic() - told > 0.5:
                told = time.monotonic()
                tell(progress.line())
            time.sleep(0.005)
        except KeyboardInterrupt:
            runtime.cancel()
    tell(progress.line())


def run_queue_to_end(tell: Callable[[str], None]) -> None:
    """Call the pump until the queue has nothing more to do, or cannot go on. For background mode. Ctrl-C pauses it."""
    runtime, told = get(), 0.0
    queue = runtime.queue
    while queue.is_going or runtime.busy:
        try:
            runtime.pump(budget=1.0)
            if runtime.busy and time.monotonic() - told > 0.5:
                told = time.monotonic()
                tell(runtime.progress.line())
            time.sleep(0.005)
        except KeyboardInterrupt:
            queue.pause()


def run_task_to_end(task: Task, tell: Callable[[str], None]) -> None:
    """Call the pump until a task has ended. For background mode. `tell` gets every line; Ctrl-C cancels."""
    runtime = get()
    running = True
    while running:
        try:
            running = task.running  # Before the lines are told, so that the last ones are among them.
            runtime.pump()
            while not task.lines.empty():
                tell(task.lines.get())
            time.sleep(0.05)
        except KeyboardInterrupt:
            task.cancel()


def _tick() -> float:
    global _look_at, _film_at
    runtime, busy = _runtime, False
    try:
        if runtime is not None:
            busy = runtime.pump()
            now = time.monotonic()
            if now >= _film_at and bpy.context.window_manager.windows:
                _film_at = now + FILM_INTERVAL_S
                if runtime.look_at_film(bpy.context.window_manager.windows[0].scene):
                    redraw()
            if runtime.is_idle and now >= _look_at and bpy.context.window_manager.windows:
                _look_at = now + IDLE_INTERVAL_S
                scene = bpy.context.window_manager.windows[0].scene
                changed = [
                    preferences.look(),
                    listing.refresh_if_stale(scene, runtime.running_folder),
                    runtime.plan(scene),
                ]
                if any(changed):
                    redraw()
    except Exception:  # Whatever went wrong in one tick, the next one must come.
        log.exception("a tick failed")
    if runtime is not None and runtime.preview is not None:
        if runtime.preview.is_eager:
            return EAGER_INTERVAL_S
        return AWAITING_INTERVAL_S if runtime.preview.awaits_a_block else BUSY_INTERVAL_S
    return BUSY_INTERVAL_S if busy else IDLE_INTERVAL_S


def redraw(pictures: bool = False) -> None:
    """Have sidebars and preferences drawn again, with `pictures` viewports and sequencers too, which costs more."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            whole = ("PREFERENCES", "VIEW_3D", "SEQUENCE_EDITOR") if pictures else ("PREFERENCES",)
            if area.type in whole:
                area.tag_redraw()
            elif area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


def _ask_anyway() -> None:
    """Ask whether to generate although coverage is low; in background the operator that waits says it."""
    if bpy.app.background or not bpy.context.window_manager.windows:
        return
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.inspatio.generate_anyway("INVOKE_DEFAULT")


@persistent
def _before_load(*_):
    runtime = get()
    runtime.queue.close()
    runtime.cancel()
    runtime.stop_preview()


@persistent
def _after_load(*_):
    get().forget()


@persistent
def _before_undo(*_):
    get().pause_sampling()


@persistent
def _after_undo(*_):
    get().resume_after_undo()


@persistent
def _after_update(_scene, depsgraph):
    get().note_updates(depsgraph)


_HANDLERS = {
    "load_pre": _before_load,
    "load_post": _after_load,
    "undo_pre": _before_undo,
    "undo_post": _after_undo,
    "redo_pre": _before_undo,
    "redo_post": _after_undo,
    "depsgraph_update_post": _after_update,
}


def register():
    global _runtime
    _runtime = Runtime(_ask_anyway, redraw)
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).append(handler)
    bpy.app.timers.register(_tick, first_interval=IDLE_INTERVAL_S, persistent=True)
    atexit.register(_end)


def unregister():
    atexit.unregister(_end)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    for name, handler in _HANDLERS.items():
        registered = getattr(bpy.app.handlers, name)
        if handler in registered:
            registered.remove(handler)
    _end()


def _end() -> None:
    global _runtime
    runtime, _runtime = _runtime, None
    if runtime is not None:
        runtime.shutdown()
