"""The panel of the shot's time: which moment of a moving reference each frame shows."""

import bpy

from ..inspatio_blender import driver, listing
from .shot import Tab, sentence


class INSPATIO_PT_time(Tab, bpy.types.Panel):
    bl_label = "Reference Time"
    bl_parent_id = "INSPATIO_PT_shot"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 0

    def draw_header(self, context):
        row = self.layout.row()
        row.enabled = not driver.get().busy
        row.prop(context.scene.inspatio, "use_reference_time", text="")

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        shot = context.scene.inspatio
        column = layout.column()
        column.enabled = not driver.get().busy
        rows = column.column()
        rows.active = shot.use_reference_time
        rows.prop(shot, "reference_time", text="Frame")
        row = rows.row()
        row.use_property_decorate = False
        row.prop(shot, "past_end", expand=True)
        column.operator_menu_enum("inspatio.time_preset", "preset", icon="PRESET")
        kind = listing.get().reference_kind
        if shot.use_reference_time and kind and kind != "moving":
            sentence(
                layout,
                "The reference stands still: capture a Frame Range for a world that has time",
                context.region.width,
                "INFO",
            )


def register():
    bpy.utils.register_class(INSPATIO_PT_time)


def unregister():
    bpy.utils.unregister_class(INSPATIO_PT_time)
