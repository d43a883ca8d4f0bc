"""Operators whose work is done in steps, so that the window lives: a progress bar, and Esc between two of them.

    class INSPATIO_OT_something(Stepwise, bpy.types.Operator):
        title = "Doing something"
        errors = (SomethingError,)          what is the user's to hear; each is one sentence
        def steps(self, context):           a generator: the share that is done, or None while it waits for others
        def done(self, context, result):    what the generator returned, when all is well

`InFolder` asks for a folder first; `task_steps` makes steps of a task; `say_lost` shows a list of sentences.
"""

import os
import textwrap
import time
from pathlib import Path

import bpy

from ..inspatio_blender import driver
from ..inspatio_blender.shots import UserError
from ..inspatio_blender.terminal import ProgressLine

TICK_S = 0.03
DRAWN_AFTER = 3
"""Ticks after which the progress bar is drawn: the first step may take its time."""
WAIT_S = 0.005
REDRAW_S, REDRAW_AT_MOST_S = 0.2, 2.0
"""Seconds from a redraw of the progress bar to the next: the least, and the most however long it takes."""
DRAWING = 0.05
"""Share of the time that drawing the progress bar may take: what a GPU does at once takes software 0.1 s."""
SHOWS_IN = 3
"""Ticks after a redraw before one of which its drawing lies: others may have been due already."""
TELL_S = 0.5
HINT_LETTERS = 32
LIST_LETTERS = 90


class Stepwise:
    """In the window a few steps a tick; from scripts and in background to the end."""

    title = ""
    errors: tuple[type[Exception], ...] = ()

    @classmethod
    def poll(cls, _context):
        working = driver.get().working
        if working is not None:
            cls.poll_message_set(f"{working[0]}: wait for it, or press Esc over the window")
            return False
        return True

    def execute(self, context):
        line, told = ProgressLine(), float("-inf")
        try:
            steps = self.steps(context)
            while True:
                share = next(steps)
                if share is None:
                    time.sleep(WAIT_S)
                elif time.monotonic() - told > TELL_S:
                    told = time.monotonic()
                    line.tell(f"{self.title[:1].lower()}{self.title[1:]}, {share:.0%}")
        except StopIteration as end:
            result = end.value
        except self.errors as error:
            return self.fail(error)
        finally:
            line.close()
        self.done(context, result)
        return {"FINISHED"}

    def invoke(self, context, _event):
        return self.begin(context)

    def begin(self, context):
        """Begin the modal part."""
        self._steps = self.steps(context)
        self._ticks, self._left = 0, time.monotonic()
        self._drawn, self._drawn_in, self._draw_at = 0.0, 0, 0.0
        self._timer = context.window_manager.event_timer_add(TICK_S, window=context.window)
        driver.get().working = (self.title, 0.0)
        context.window_manager.progress_begin(0, 100)
        context.window_manager.modal_handler_add(self)
        context.workspace.status_text_set(f"{self.title}: Esc cancels")
        driver.redraw()
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        if event.type == "ESC" and event.value == "PRESS":
            self.cancel(context)
            self.report({"INFO"}, f"{self.title}: cancelled")
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"RUNNING_MODAL"}
        self._ticks += 1
        if self._ticks < DRAWN_AFTER:
            return {"RUNNING_MODAL"}
        now = time.monotonic()
        until = now + TICK_S
        if self._ticks - self._drawn_in <= SHOWS_IN:
            pause = min((now - self._left) / DRAWING, REDRAW_AT_MOST_S)
            self._draw_at = max(self._draw_at, self._drawn + pause)
        try:
            while time.monotonic() < until:
                share = next(self._steps)
                if share is None:
                    break
                driver.get().working = (self.title, share)
                context.window_manager.progress_update(100 * share)
            if now >= self._draw_at:
                driver.redraw()
                self._drawn, self._drawn_in, self._draw_at = now, self._ticks, now + REDRAW_S
            self._left = time.monotonic()
        except StopIteration as end:
            self.cancel(context)
            self.done(context, end.value)
            return {"FINISHED"}
        except self.errors as error:
            self.cancel(context)
            return self.fail(error)
        except Exception:
            self.cancel(context)  # Or nothing of ours could be begun any more until Blender is started anew.
            raise
        return {"RUNNING_MODAL"}

    def cancel(self, context):
        """Also Blender ends the operator, for example to load a file."""
        self._steps.close()
        driver.get().working = None
        context.window_manager.event_timer_remove(self._timer)
        context.window_manager.progress_end()
        context.workspace.status_text_set(None)
        driver.redraw()

    def fail(self, error):
        self.report({"ERROR"}, str(error))
        return {"CANCELLED"}


class InFolder(Stepwise):
    """One that asks for a folder in Blender's file browser first."""

    directory: bpy.props.StringProperty(name="Folder", subtype="DIR_PATH")
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    chosen: bpy.props.BoolProperty(
        name="Chosen", description="Don't ask for the folder", options={"HIDDEN", "SKIP_SAVE"}
    )
    _asked = False

    def hint(self, context):
        """Sentences beside the file browser: what the folder is."""
        return ()

    def draw(self, context):
        if context.area.type != "FILE_BROWSER":  # The settings of what was done last.
            self.layout.prop(self, "directory")
            return
        column = self.layout.column(align=True)
        for index, text in enumerate(self.hint(context)):
            for number, line in enumerate(textwrap.wrap(text, HINT_LETTERS)):
                column.label(text=line, icon="BLANK1" if index or number else "INFO")

    def check(self, context):
        """What is wrong is said before a folder is asked for, by one of `errors`."""

    def invoke(self, context, _event):
        try:
            self.check(context)
        except self.errors as error:
            return self.fail(error)
        if self.chosen:
            return self.begin(context)
        self._asked = True
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context):
        if not self._asked:
            return super().execute(context)
        # The file browser is done: on to the modal part.
        module, name = type(self).bl_idname.split(".")
        operator = getattr(getattr(bpy.ops, module), name)
        return operator("INVOKE_DEFAULT", **{**self.as_keywords(), "chosen": True})

    def cancel(self, context):
        if not self._asked:  # Else there is nothing but a file browser.
            super().cancel(context)

    def folder(self):
        """The folder that was chosen. Raises UserError."""
        if not self.directory:
            raise UserError("No folder is named: give one as “directory”")
        return Path(os.path.abspath(bpy.path.abspath(self.directory)))


def say_lost(operator, title, sentences):
    """Report sentences about what could not be kept, and show them together: the status bar has room for one."""
    for sentence in sentences:
        operator.report({"WARNING"}, sentence)
    if not sentences or bpy.app.background:
        return

    def draw(menu, _context):
        for sentence in sentences:
            column = menu.layout.column(align=True)
            for number, line in enumerate(textwrap.wrap(sentence, LIST_LETTERS)):
                column.label(text=line, icon="BLANK1" if number else "DOT")

    bpy.context.window_manager.popup_menu(draw, title=title, icon="INFO")


def task_steps(task):
    """See a task to its end: yields the share that is done, and None to wait; returns what it has to say.

    Raises UserError with what went wrong. Closing it cancels the task.
    """
    try:
        while task.running:
            yield task.factor or 0.0
            yield None
    finally:
        task.cancel()
    if task.state != "finished":
        raise UserError(task.message)
    return task.message


def shares(steps, first, last):
    """The steps of a part of the whole, whose shares run from `first` to `last`."""
    try:
        while True:
            share = next(steps)
            yield None if share is None else first + (last - first) * share
    except StopIteration as end:
        return end.value
    finally:
        steps.close()
