"""The panel of how the live picture lies in the viewport."""

import bpy

from .shot import Tab


class INSPATIO_PT_live_view(Tab, bpy.types.Panel):
    bl_label = "View"
    bl_parent_id = "INSPATIO_PT_live"
    bl_order = 0
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        look = context.scene.inspatio.live_look
        layout.prop(look, "mix")
        column = layout.column()
        column.enabled = look.mix != "DIFFERENCE"
        column.prop(look, "place")
        layout.prop(look, "opacity")
        if look.mix == "WIPE":
            layout.prop(look, "wipe")
        column = layout.column(heading="Show")
        column.prop(look, "show_badge")
        column.prop(look, "show_frames", text="Frames in Timeline")
        column.prop(look, "dim_stale")


def register():
    bpy.utils.register_class(INSPATIO_PT_live_view)


def unregister():
    bpy.utils.unregister_class(INSPATIO_PT_live_view)
