"""Recover Reference: a version of the reference from the pictures behind cameras, made by the backend."""

import bpy

from ..inspatio_blender import driver, listing, preferences
from ..inspatio_blender.shots import UserError
from .stepwise import Stepwise, task_steps


class INSPATIO_OT_recover_reference(Stepwise, bpy.types.Operator):
    """Make a new version of the reference from the pictures behind the reference cameras, and their depth"""

    bl_idname = "inspatio.recover_reference"
    bl_label = "Recover Reference"
    bl_options = {"REGISTER"}

    title = "Looking at the pictures"
    errors = (UserError,)

    @classmethod
    def poll(cls, context):
        task = driver.get().task
        if task is not None and task.running:
            cls.poll_message_set(f"{task.title} is running")
            return False
        if not preferences.backend_python():
            cls.poll_message_set("Set up the backend in the add-on's preferences first")
            return False
        return super().poll(context)

    def steps(self, context):
        """In the window it is done once the task is begun, which goes on beside the artist's work."""
        task = yield from driver.get().recover_steps(context.scene, context.view_layer)
        return (yield from task_steps(task)) if bpy.app.background else ""

    def done(self, context, said):
        if said:
            listing.refresh(context.scene, driver.get().running_folder)
            self.report({"INFO"}, said)


def register():
    bpy.utils.register_class(INSPATIO_OT_recover_reference)


def unregister():
    bpy.utils.unregister_class(INSPATIO_OT_recover_reference)
