"""The panel of the live preview: what drives it, start and stop, record and keep."""

import bpy

from ..inspatio_blender import driver
from .shot import Tab, sentence


class INSPATIO_PT_live(Tab, bpy.types.Panel):
    bl_label = "Live"
    bl_order = 1

    def draw(self, context):
        layout = self.layout
        runtime, scene = driver.get(), context.scene
        preview = runtime.preview
        layout.row().prop(scene.inspatio, "live_mode", expand=True)
        column = layout.column()
        column.scale_y = 1.4
        if preview is None:
            column.operator("inspatio.preview_start", icon="PLAY")
            return
        column.operator("inspatio.preview_stop", icon="PAUSE", depress=True)
        if not preview.is_of(scene):
            other = preview.scene
            layout.label(text=f"Of scene “{other.name}”" if other is not None else "", icon="SCENE_DATA")
            return
        row = layout.row()
        if preview.is_flying:
            recording = preview.is_recording
            row.operator(
                "inspatio.preview_record",
                text="Stop Recording" if recording else "Record",
                icon="REC",
                depress=recording,
            )
        else:
            row.operator("inspatio.preview_keep", icon="FILE_TICK")
        message = preview.overlay.failure or preview.message
        if message:
            sentence(layout, message, context.region.width)
        elif preview.missing:
            layout.label(text=f"{preview.missing} frames to generate", icon="TIME")


def register():
    bpy.utils.register_class(INSPATIO_PT_live)


def unregister():
    bpy.utils.unregister_class(INSPATIO_PT_live)
