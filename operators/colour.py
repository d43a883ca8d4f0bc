"""The one-click mend for a view transform that shows the frames in wrong colours."""

import bpy

from ..inspatio_blender import showing


class INSPATIO_OT_mend_colour(bpy.types.Operator):
    """Set the scene's view transform to Standard, so that the frames look as they are on disk. \
Renders of the scene look different then"""

    bl_idname = "inspatio.mend_colour"
    bl_label = "Use Standard"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context):
        showing.mend_colour(context.scene)
        return {"FINISHED"}


def register():
    bpy.utils.register_class(INSPATIO_OT_mend_colour)


def unregister():
    bpy.utils.unregister_class(INSPATIO_OT_mend_colour)
