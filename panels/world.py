"""The panel of the world: the reference as something to see."""

import bpy

from ..inspatio_blender import driver, listing, world
from ..operators.scene_folder import INSPATIO_OT_import_scene_folder
from ..operators.world import INSPATIO_OT_show_world
from .shot import Tab, step_progress


class INSPATIO_PT_world(Tab, bpy.types.Panel):
    bl_label = "World"
    bl_parent_id = "INSPATIO_PT_reference"

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        shot = context.scene.inspatio
        column = layout.column()
        column.enabled = driver.get().working is None
        column.row().prop(shot, "world_form", expand=True)
        if listing.get().reference_kind == "moving":
            column.prop(shot, "world_views")
        column.prop(shot, "world_detail")
        if step_progress(layout, INSPATIO_OT_show_world, INSPATIO_OT_import_scene_folder):
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
