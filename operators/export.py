"""Export Shot: a folder from which `inspatio shot FOLDER` generates without Blender."""

import os
from pathlib import Path

import bpy

from ..backend.protocol.disk import FileFormatError
from ..inspatio_blender import export, shots, takes


class INSPATIO_OT_export_shot(bpy.types.Operator):
    """Write the shot with its cameras and reference to a folder of its own, to be generated without Blender"""

    bl_idname = "inspatio.export_shot"
    bl_label = "Export Shot"
    bl_options = {"REGISTER"}

    directory: bpy.props.StringProperty(
        name="Folder",
        description="Folder that the shot's folder is made in",
        subtype="DIR_PATH",
    )
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context, _event):
        try:
            shots.check_shot(context.scene)  # What is wrong is said before a folder is chosen.
        except shots.UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context):
        if not self.directory:
            self.report({"ERROR"}, "No folder is named to export to: give one as “directory”")
            return {"CANCELLED"}
        parent = Path(os.path.abspath(bpy.path.abspath(self.directory)))
        try:
            reference = shots.check_shot(context.scene)
            shot = self._sample(context)
            folder = export.export_shot(shot, reference, parent, takes.safe_name(shot.name))
        except (shots.UserError, export.ExportError, FileFormatError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Exported {len(shot.cameras)} frames to {folder}")
        return {"FINISHED"}

    def _sample(self, context):
        """The sampled shot; the pointer shows how far it is, as it does for Blender's own exporters."""
        manager = context.window_manager
        steps = shots.shot_steps(context.scene, context.view_layer)
        manager.progress_begin(0, 100)
        try:
            while True:
                manager.progress_update(100 * next(steps))
        except StopIteration as done:
            return done.value
        finally:
            manager.progress_end()


def register():
    bpy.utils.register_class(INSPATIO_OT_export_shot)


def unregister():
    bpy.utils.unregister_class(INSPATIO_OT_export_shot)
