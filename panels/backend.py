"""The panel of the backend: whether it runs, what it takes up, starting and ending it."""

import bpy

from ..inspatio_blender import driver, preferences
from .shot import Tab, sentence


class INSPATIO_PT_backend(Tab, bpy.types.Panel):
    bl_label = "Backend"
    bl_order = 3
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context):
        layout = self.layout
        runtime = driver.get()
        status = runtime.backend_status
        if status is not None:
            text = "Generating" if runtime.busy else "Ready"
            layout.label(text=f"{text}, {status['memory_mb']:,.0f} MB", icon="CHECKMARK")
        elif runtime.backend_starting:
            layout.label(text="Starting", icon="TIME")
        elif runtime.backend_message:
            sentence(layout, runtime.backend_message, context.region.width)
        else:
            layout.label(text="Not running", icon="RADIOBUT_OFF")
        if not preferences.backend_python():
            sentence(layout, "No Python is set for the backend", context.region.width)
            layout.operator("preferences.addon_show", text="Open Preferences").module = preferences.ADDON
        row = layout.row(align=True)
        row.operator("inspatio.start_backend", icon="PLAY")
        row.operator("inspatio.stop_backend", icon="SNAP_FACE")
        layout.operator("inspatio.release_memory", icon="TRASH")


def register():
    bpy.utils.register_class(INSPATIO_PT_backend)


def unregister():
    bpy.utils.unregister_class(INSPATIO_PT_backend)
