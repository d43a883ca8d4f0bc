"""Presets of Reference Time."""

import bpy

from ..inspatio_blender import time_keys
from ..inspatio_blender.shots import UserError


class INSPATIO_OT_time_preset(bpy.types.Operator):
    """Animate Reference Time by the keys of a preset, in place of those that it has"""

    bl_idname = "inspatio.time_preset"
    bl_label = "Time Preset"
    bl_options = {"REGISTER", "UNDO"}

    preset: bpy.props.EnumProperty(
        name="Preset",
        description="How time passes during the shot",
        items=[
            ("PLAY", "Play", "Frame for frame, from the shot's first frame on"),
            ("FREEZE", "Freeze at Current Frame", "The moment of the scene's current frame, all shot long"),
            ("REVERSE", "Reverse", "Backward to what the shot begins with otherwise"),
            ("BOUNCE", "Bounce", "To and fro, back at the beginning when the shot ends or more often"),
            (
                "FREEZE_REPEAT",
                "Freeze and Repeat",
                "Plays, stands still at the current frame while the camera moves on, then goes on",
            ),
        ],
        default="PLAY",
    )
    hold: bpy.props.IntProperty(
        name="Hold",
        description="Frames that time stands still in Freeze and Repeat",
        default=24,
        min=1,
        soft_max=250,
    )

    def draw(self, _context):
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "preset")
        row = layout.row()
        row.enabled = self.preset == "FREEZE_REPEAT"
        row.prop(self, "hold")

    def execute(self, context):
        try:
            time_keys.write_preset(context.scene, self.preset, self.hold)
        except (UserError, RuntimeError) as error:  # Blender refuses keys where nothing may be changed.
            self.report({"ERROR"}, str(error).strip())
            return {"CANCELLED"}
        return {"FINISHED"}


def register():
    bpy.utils.register_class(INSPATIO_OT_time_preset)


def unregister():
    bpy.utils.unregister_class(INSPATIO_OT_time_preset)
