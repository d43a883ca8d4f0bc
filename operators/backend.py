"""Starting and ending the backend by hand."""

import bpy

from ..inspatio_blender import driver
from ..inspatio_blender.shots import UserError


class INSPATIO_OT_start_backend(bpy.types.Operator):
    """Start the backend now, so that the first frame comes sooner"""

    bl_idname = "inspatio.start_backend"
    bl_label = "Start"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, _context):
        runtime = driver.get()
        return runtime.backend_status is None and not runtime.backend_starting

    def execute(self, _context):
        try:
            driver.get().start_backend()
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        driver.redraw()
        return {"FINISHED"}


class INSPATIO_OT_stop_backend(bpy.types.Operator):
    """End the backend, also while it generates: a running take is cancelled and keeps its frames"""

    bl_idname = "inspatio.stop_backend"
    bl_label = "Stop"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, _context):
        return driver.get().backend_status is not None

    def execute(self, _context):
        driver.get().stop_backend()
        driver.redraw()
        return {"FINISHED"}


class INSPATIO_OT_release_memory(bpy.types.Operator):
    """Give all memory of the backend back by ending its process; it starts again when it is needed"""

    bl_idname = "inspatio.release_memory"
    bl_label = "Release Memory"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, _context):
        runtime = driver.get()
        if runtime.busy:
            cls.poll_message_set("A take is being generated")
            return False
        return runtime.backend_status is not None

    def execute(self, _context):
        driver.get().stop_backend()
        driver.redraw()
        return {"FINISHED"}


CLASSES = (INSPATIO_OT_start_backend, INSPATIO_OT_stop_backend, INSPATIO_OT_release_memory)


def register():
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister():
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
