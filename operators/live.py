"""The live preview: start, stop, record a flight, keep what was generated."""

import bpy

from ..inspatio_blender import driver
from ..inspatio_blender.shots import UserError


class INSPATIO_OT_preview_start(bpy.types.Operator):
    """Generate in the viewport while the camera moves: the frames of the shot, or what a flown camera sees"""

    bl_idname = "inspatio.preview_start"
    bl_label = "Start Preview"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, _context):
        if driver.get().preview is not None:
            cls.poll_message_set("The preview is running")
            return False
        return True

    def execute(self, context):
        try:
            driver.get().start_preview(context.scene, context.view_layer)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        driver.redraw()
        return {"FINISHED"}


class INSPATIO_OT_preview_stop(bpy.types.Operator):
    """End the preview: its frames are let go, a recording becomes keys and a take first"""

    bl_idname = "inspatio.preview_stop"
    bl_label = "Stop Preview"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, _context):
        return driver.get().preview is not None

    def execute(self, context):
        end_recording(self)
        driver.get().stop_preview()
        driver.redraw(pictures=True)
        return {"FINISHED"}


class INSPATIO_OT_preview_record(bpy.types.Operator):
    """Record how the camera is flown. Pressed again, it becomes keys from the current frame on, and a take"""

    bl_idname = "inspatio.preview_record"
    bl_label = "Record"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, _context):
        preview = driver.get().preview
        if preview is None or not preview.is_flying:
            cls.poll_message_set("Start the preview with Fly first")
            return False
        return True

    def execute(self, context):
        preview = driver.get().preview
        if preview.is_recording:
            return {"FINISHED"} if end_recording(self) else {"CANCELLED"}
        try:
            preview.begin_recording()
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        driver.redraw()
        return {"FINISHED"}


class INSPATIO_OT_preview_keep(bpy.types.Operator):
    """Make a take of the shot's frames that are generated, from the first one on, without generating them again"""

    bl_idname = "inspatio.preview_keep"
    bl_label = "Keep"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, _context):
        runtime = driver.get()
        if runtime.preview is None or runtime.preview.is_flying:
            cls.poll_message_set("Start the preview of the timeline first")
            return False
        if runtime.busy:
            cls.poll_message_set("A take is being generated")
            return False
        return True

    def execute(self, context):
        runtime = driver.get()
        try:
            runtime.keep_preview(runtime.preview.scene)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


def end_recording(operator) -> bool:
    """Write what was recorded as keys, and have its frames made a take; whether all of that went well."""
    runtime = driver.get()
    preview = runtime.preview
    if not preview.is_recording:
        return True
    try:
        recorded = preview.end_recording()
        if recorded is None:
            operator.report({"WARNING"}, "Nothing was generated while you recorded: there is nothing to keep")
            return False
        runtime.keep_preview(preview.scene, recorded)
    except UserError as error:
        operator.report({"ERROR"}, str(error))
        return False
    frames = recorded[1].frames
    operator.report({"INFO"}, f"Keys from frame {frames[0]:g} to {frames[-1]:g}")
    return True


CLASSES = (
    INSPATIO_OT_preview_start,
    INSPATIO_OT_preview_stop,
    INSPATIO_OT_preview_record,
    INSPATIO_OT_preview_keep,
)


def register():
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister():
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
