"""Export Shot: a folder from which `inspatio shot FOLDER` generates without Blender."""

import bpy

from ..backend.protocol.disk import FileFormatError
from ..inspatio_blender import driver, export, shots, takes
from ..inspatio_blender.task import Failed
from .stepwise import InFolder, shares, task_steps

SAMPLING = 0.3
"""The share of an export that sampling the camera is taken for."""


class INSPATIO_OT_export_shot(InFolder, bpy.types.Operator):
    """Write the shot with its cameras and reference to a folder of its own, to be generated without Blender"""

    bl_idname = "inspatio.export_shot"
    bl_label = "Export Shot"
    bl_options = {"REGISTER"}

    title = "Exporting the shot"
    errors = (shots.UserError,)

    def hint(self, context):
        return (f"A new folder “{takes.safe_name(takes.shot_name(context.scene))}” is made in this one",)

    def check(self, context):
        shots.check_shot(context.scene)

    def steps(self, context):
        parent = self.folder()
        reference = shots.check_shot(context.scene)
        sampling = shots.shot_steps(context.scene, context.view_layer, reference)
        shot = yield from shares(sampling, 0.0, SAMPLING)

        def work(task):
            try:
                folder = export.export_shot(shot, reference, parent, takes.safe_name(shot.name), task.say)
            except (export.ExportError, FileFormatError) as error:
                raise Failed(str(error)) from error
            return f"Exported the shot to {folder}"

        copying = task_steps(driver.get().begin_task(type(self).bl_label, work))
        return (yield from shares(copying, SAMPLING, 1.0))

    def done(self, _context, said):
        self.report({"INFO"}, said)


def register():
    bpy.utils.register_class(INSPATIO_OT_export_shot)


def unregister():
    bpy.utils.unregister_class(INSPATIO_OT_export_shot)
