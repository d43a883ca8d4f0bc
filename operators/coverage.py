"""Check Coverage, and the way to the frames that lack it."""

import bpy

from ..inspatio_blender import driver
from ..inspatio_blender.shots import UserError
from ..inspatio_blender.terminal import ProgressLine


class INSPATIO_OT_check_coverage(bpy.types.Operator):
    """Measure how much of each frame the reference reaches, before anything is generated"""

    bl_idname = "inspatio.check_coverage"
    bl_label = "Check Coverage"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, _context):
        runtime = driver.get()
        if runtime.busy:
            cls.poll_message_set("A take is being generated")
            return False
        if runtime.checking:
            cls.poll_message_set("Coverage is being checked")
            return False
        return True

    def execute(self, context):
        try:
            coverage = driver.get().check_coverage(context.scene, context.view_layer)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if not bpy.app.background:
            driver.redraw()
            return {"FINISHED"}
        line = ProgressLine()
        driver.run_to_end(coverage, line.tell)
        line.close()
        if coverage.state != "finished":
            self.report({"ERROR" if coverage.state == "failed" else "WARNING"}, coverage.message)
            return {"CANCELLED"}
        for run in coverage.runs:
            self.report({"WARNING"}, run.sentence)
        return {"FINISHED"}


class INSPATIO_OT_go_to_frame(bpy.types.Operator):
    """Go to the frame of which the reference reaches least"""

    bl_idname = "inspatio.go_to_frame"
    bl_label = "Go to Frame"
    bl_options = {"INTERNAL"}

    frame: bpy.props.IntProperty(name="Frame", description="Frame to go to")

    def execute(self, context):
        context.scene.frame_set(self.frame)
        return {"FINISHED"}


CLASSES = (INSPATIO_OT_check_coverage, INSPATIO_OT_go_to_frame)


def register():
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister():
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
