"""Recover Reference: a version of the reference from the pictures behind cameras, made by the backend."""

import time

import bpy

from ..inspatio_blender import driver, listing, preferences
from ..inspatio_blender.shots import UserError
from .setting_up import carry_out

TICK_S = 0.03


class INSPATIO_OT_recover_reference(bpy.types.Operator):
    """Make a new version of the reference from the pictures behind the reference cameras, and their depth"""

    bl_idname = "inspatio.recover_reference"
    bl_label = "Recover Reference"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, _context):
        runtime = driver.get()
        if runtime.task is not None and runtime.task.running:
            cls.poll_message_set(f"{runtime.task.title} is running")
            return False
        if runtime.capturing is not None:
            cls.poll_message_set("A reference is being captured")
            return False
        if not preferences.backend_python():
            cls.poll_message_set("Set up the backend in the add-on's preferences first")
            return False
        return True

    def execute(self, context):
        """From scripts and in background: to the end."""

        def begin():
            steps = driver.get().recover_steps(context.scene, context.view_layer)
            while True:
                try:
                    next(steps)
                except StopIteration as done:
                    return done.value

        result = carry_out(self, begin)
        if bpy.app.background:
            listing.refresh(context.scene, driver.get().running_folder)
        return result

    def invoke(self, context, _event):
        """In the window: a few cameras are looked at a tick, so that Esc is heard; then the task goes on by itself."""
        self._steps = driver.get().recover_steps(context.scene, context.view_layer)
        driver.get().capturing = 0.0
        self._timer = context.window_manager.event_timer_add(TICK_S, window=context.window)
        context.window_manager.modal_handler_add(self)
        context.workspace.status_text_set("Looking at the pictures: Esc cancels")
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        if event.type == "ESC" and event.value == "PRESS":
            self.cancel(context)
            self.report({"INFO"}, "Recovery cancelled")
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"RUNNING_MODAL"}
        until = time.monotonic() + TICK_S
        try:
            while time.monotonic() < until:
                driver.get().capturing = next(self._steps)
        except StopIteration:
            self.cancel(context)
            return {"FINISHED"}
        except UserError as error:
            self.cancel(context)
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        except Exception:
            self.cancel(context)  # Or nothing could be captured any more until Blender is started anew.
            raise
        driver.redraw()
        return {"RUNNING_MODAL"}

    def cancel(self, context):
        """Also Blender ends the operator, for example to load a file."""
        self._steps.close()
        driver.get().capturing = None
        context.window_manager.event_timer_remove(self._timer)
        context.workspace.status_text_set(None)
        driver.redraw()


def register():
    bpy.utils.register_class(INSPATIO_OT_recover_reference)


def unregister():
    bpy.utils.unregister_class(INSPATIO_OT_recover_reference)
