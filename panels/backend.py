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
            if status.get("trouble"):
                sentence(layout, status["trouble"], context.region.width)
        elif runtime.backend_starting:
            layout.label(text="Starting", icon="TIME")
        elif runtime.backend_message:
            sentence(layout, runtime.backend_message, context.region.width)
        else:
            layout.label(text="Not running", icon="RADIOBUT_OFF")
        self._environment(context, layout)
        row = layout.row(align=True)
        row.operator("inspatio.start_backend", icon="PLAY")
        row.operator("inspatio.stop_backend", icon="SNAP_FACE")
        layout.operator("inspatio.release_memory", icon="TRASH")

    def _environment(self, context, layout):
        """Whether something is to be done in the preferences."""
        found, task = preferences.set_up_environment(), driver.get().task
        if task is not None and task.running:
            layout.label(text=task.line, icon="TIME")
            return
        if not preferences.backend_python():
            sentence(layout, "The backend is not set up", context.region.width)
        elif found is not None and not found.is_current and not preferences.own_python():
            sentence(
                layout, "This version has other packages: set up again", context.region.width, "FILE_REFRESH"
            )
        else:
            return
        layout.operator("preferences.addon_show", text="Open Preferences").module = preferences.ADDON


def register():
    bpy.utils.register_class(INSPATIO_PT_backend)


def unregister():
    bpy.utils.unregister_class(INSPATIO_PT_backend)
