"""Export Shot: a folder from which `inspatio shot FOLDER` generates without Blender."""

import os
import time
from pathlib import Path

import bpy

from ..backend.protocol.disk import FileFormatError
from ..inspatio_blender import export, shots, takes

ERRORS = (shots.UserError, export.ExportError, FileFormatError)
TICK_S = 0.03


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
    chosen: bpy.props.BoolProperty(
        name="Chosen", description="Don't ask for the folder", options={"HIDDEN", "SKIP_SAVE"}
    )
    _asked = False

    def invoke(self, context, _event):
        """In the window: the folder is asked for, then a few frames are sampled a tick, so that Esc is heard."""
        try:
            shots.check_shot(context.scene)  # What is wrong is said before a folder is chosen.
        except ERRORS as error:
            return self._fail(error)
        if not self.chosen:
            self._asked = True
            context.window_manager.fileselect_add(self)
            return {"RUNNING_MODAL"}
        self._steps = self._export_steps(context)
        self._timer = context.window_manager.event_timer_add(TICK_S, window=context.window)
        context.window_manager.progress_begin(0, 100)
        context.window_manager.modal_handler_add(self)
        context.workspace.status_text_set("Exporting the shot: Esc cancels")
        return {"RUNNING_MODAL"}

    def execute(self, context):
        """From scripts and in background: to the end. After the file browser: on to the modal part."""
        if self._asked:
            return bpy.ops.inspatio.export_shot("INVOKE_DEFAULT", directory=self.directory, chosen=True)
        try:
            steps = self._export_steps(context)
            while True:
                next(steps)
        except StopIteration as done:
            return self._finish(done.value)
        except ERRORS as error:
            return self._fail(error)

    def modal(self, context, event):
        if event.type == "ESC" and event.value == "PRESS":
            self.cancel(context)
            self.report({"INFO"}, "Export cancelled")
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"RUNNING_MODAL"}
        until = time.monotonic() + TICK_S
        try:
            while time.monotonic() < until:
                context.window_manager.progress_update(100 * next(self._steps))
        except StopIteration as done:
            self.cancel(context)
            return self._finish(done.value)
        except ERRORS as error:
            self.cancel(context)
            return self._fail(error)
        except Exception:
            self.cancel(context)
            raise
        return {"RUNNING_MODAL"}

    def cancel(self, context):
        """Also Blender ends the operator, for example to load a file."""
        if self._asked:
            return  # There is nothing but a file browser.
        self._steps.close()
        context.window_manager.event_timer_remove(self._timer)
        context.window_manager.progress_end()
        context.workspace.status_text_set(None)

    def _export_steps(self, context):
        """Yields the share of the frames that is sampled, returns the folder. Raises one of ERRORS."""
        if not self.directory:
            raise shots.UserError("No folder is named to export to: give one as “directory”")
        parent = Path(os.path.abspath(bpy.path.abspath(self.directory)))
        reference = shots.check_shot(context.scene)
        shot = yield from shots.shot_steps(context.scene, context.view_layer, reference)
        return export.export_shot(shot, reference, parent, takes.safe_name(shot.name))

    def _finish(self, folder):
        self.report({"INFO"}, f"Exported the shot to {folder}")
        return {"FINISHED"}

    def _fail(self, error):
        self.report({"ERROR"}, str(error))
        return {"CANCELLED"}


def register():
    bpy.utils.register_class(INSPATIO_OT_export_shot)


def unregister():
    bpy.utils.unregister_class(INSPATIO_OT_export_shot)
