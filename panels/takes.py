"""The panel of the takes: which there are, and what can be done with them."""

import bpy

from ..inspatio_blender import listing
from .shot import Tab, sentence

STATE_ICONS = {"finished": "CHECKMARK", "running": "TIME", "cancelled": "PAUSE", "failed": "ERROR"}


class INSPATIO_UL_takes(bpy.types.UIList):
    def draw_item(
        self, _context, layout, _data, item, _icon, _active_data, _active_property, _index=0, _flags=0
    ):
        row = layout.row(align=True)
        row.label(text=f"Take {item.number}", icon=STATE_ICONS.get(item.state, "QUESTION"))
        frames = row.row()
        frames.alignment = "RIGHT"
        done = item.frames_done == item.frames_total
        frames.label(
            text=f"{item.frames_total} frames" if done else f"{item.frames_done} of {item.frames_total}"
        )


class INSPATIO_PT_takes(Tab, bpy.types.Panel):
    bl_label = "Takes"
    bl_order = 2

    def draw(self, context):
        layout = self.layout
        listed = listing.get()
        if not listed.takes:
            layout.label(text="No takes yet", icon="INFO")
            return
        layout.template_list("INSPATIO_UL_takes", "", listed, "takes", listed, "active", rows=4)
        if not 0 <= listed.active < len(listed.takes):
            return
        take = listed.takes[listed.active]
        if take.message:
            sentence(layout, take.message, context.region.width, STATE_ICONS.get(take.state, "INFO"))
        row = layout.row(align=True)
        row.operator("inspatio.show_take", text="Show", icon="HIDE_OFF")
        if take.state in ("cancelled", "failed"):
            row.operator("inspatio.continue_take", icon="PLAY")
        row.operator("inspatio.open_take_folder", text="", icon="FILE_FOLDER")
        row.operator("inspatio.delete_take", text="", icon="TRASH")
        if take.frames_done:
            layout.operator("inspatio.make_plates", icon="RENDER_RESULT")


def register():
    bpy.utils.register_class(INSPATIO_UL_takes)
    bpy.utils.register_class(INSPATIO_PT_takes)


def unregister():
    bpy.utils.unregister_class(INSPATIO_PT_takes)
    bpy.utils.unregister_class(INSPATIO_UL_takes)
