"""Recover Reference: a version of the reference from the pictures behind cameras, made by the backend."""

import bpy

from ..inspatio_blender import driver, listing, preferences
from .setting_up import carry_out


class INSPATIO_OT_recover_reference(bpy.types.Operator):
    """Make a new version of the reference from the pictures behind the reference cameras, and their depth"""

    bl_idname = "inspatio.recover_reference"
    bl_label = "Recover Reference"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, _context):
        task = driver.get().task
        if task is not None and task.running:
            cls.poll_message_set(f"{task.title} is running")
            return False
        if not preferences.backend_python():
            cls.poll_message_set("Set up the backend in the add-on's preferences first")
            return False
        return True

    def execute(self, context):
        result = carry_out(self, lambda: driver.get().recover_reference(context.scene, context.view_layer))
        if bpy.app.background:
            listing.refresh(context.scene, driver.get().running_folder)
        return result


def register():
    bpy.utils.register_class(INSPATIO_OT_recover_reference)


def unregister():
    bpy.utils.unregister_class(INSPATIO_OT_recover_reference)
