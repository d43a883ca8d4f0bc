"""The panel of the world: the reference as something to see."""

import bpy

from ..inspatio_blender import driver, listing, world
from .shot import Tab


class INSPATIO_PT_world(Tab, bpy.types.Panel):
    bl_label = "World"
    bl_parent_id = "INSPATIO_PT_reference"

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        shot = context.scene.inspatio
        working = driver.get().working
        column = layout.column()
        column.enabled = working is None
        column.row().prop(shot, "world_form", expand=True)
        if listing.get().reference_kind == "moving":
            column.prop(shot, "world_views")
        column.prop(shot, "world_detail")
        if working is not None:
            title, share = working
            layout.progress(factor=share, text=f"{title}, Esc cancels")
            return
        row = layout.row(align=True)
        row.operator("inspatio.show_world", icon="HIDE_OFF")
        if world.collections(context.scene):
            row.operator("inspatio.hide_world", icon="X", text="")
        layout.operator("inspatio.import_scene_folder", icon="IMPORT")


def register():
    bpy.utils.register_class(INSPATIO_PT_world)


def unregister():
    bpy.utils.unregister_class(INSPATIO_PT_world)
