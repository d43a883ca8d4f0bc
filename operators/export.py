"""Export Shot: a folder from which `inspatio shot FOLDER` generates without Blender."""

import bpy

from ..backend.protocol.disk import FileFormatError
from ..inspatio_blender import export, shots, takes
from .stepwise import InFolder


class INSPATIO_OT_export_shot(InFolder, bpy.types.Operator):
    """Write the shot with its cameras and reference to a folder of its own, to be generated without Blender"""

    bl_idname = "inspatio.export_shot"
    bl_label = "Export Shot"
    bl_options = {"REGISTER"}

    title = "Exporting the shot"
    errors = (shots.UserError, export.ExportError, FileFormatError)

    def hint(self, context):
        return (f"A new folder “{takes.safe_name(takes.shot_name(context.scene))}” is made in this one",)

    def check(self, context):
        shots.check_shot(context.scene)

    def steps(self, context):
        parent = self.folder()
        reference = shots.check_shot(context.scene)
        shot = yield from shots.shot_steps(context.scene, context.view_layer, reference)
        return export.export_shot(shot, reference, parent, takes.safe_name(shot.name))

    def done(self, _context, folder):
        self.report({"INFO"}, f"Exported the shot to {folder}")


def register():
    bpy.utils.register_class(INSPATIO_OT_export_shot)


def unregister():
    bpy.utils.unregister_class(INSPATIO_OT_export_shot)
