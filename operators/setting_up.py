"""Set Up Backend, Download and Cancel: what needs the network, and only where Blender allows it."""

import bpy

from ..inspatio_blender import driver, environment, preferences
from ..inspatio_blender.shots import UserError
from ..inspatio_blender.task import Failed


def _may_begin(cls):
    """Whether something may be downloaded now; Blender shows why not."""
    if not bpy.app.online_access:
        cls.poll_message_set(
            "Blender was started in offline mode"
            if bpy.app.online_access_override
            else "Allow Online Access in Preferences > System > Network first"
        )
        return False
    task = driver.get().task
    if task is not None and task.running:
        cls.poll_message_set(f"{task.title} is running")
        return False
    return True


def carry_out(operator, begin):
    """Begin a task; in background see it through with its lines on the terminal."""
    try:
        task = begin()
    except UserError as error:
        operator.report({"ERROR"}, str(error))
        return {"CANCELLED"}
    driver.redraw()
    if not bpy.app.background:
        return {"FINISHED"}
    driver.run_task_to_end(task, lambda line: print(f"InSpatio: {line}", flush=True))  # noqa: T201
    if task.state != "finished":
        operator.report({"ERROR"}, task.message)
        return {"CANCELLED"}
    operator.report({"INFO"}, task.message)
    return {"FINISHED"}


class INSPATIO_OT_set_up_backend(bpy.types.Operator):
    """Make the backend's own Python environment in the extension's user folder. Blender's Python gets nothing"""

    bl_idname = "inspatio.set_up_backend"
    bl_label = "Set Up Backend"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, _context):
        return _may_begin(cls)

    def execute(self, _context):
        return carry_out(self, driver.get().set_up_backend)


class INSPATIO_OT_copy_set_up_commands(bpy.types.Operator):
    """Copy the commands that Set Up Backend runs, to run them in a terminal (PowerShell on Windows)"""

    bl_idname = "inspatio.copy_set_up_commands"
    bl_label = "Copy Commands"
    bl_options = {"REGISTER"}

    def execute(self, context):
        try:
            making = environment.plan(preferences.EXTENSION, preferences.user_folder())
        except Failed as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        context.window_manager.clipboard = making.as_text()
        self.report({"INFO"}, f"Copied {len(making.commands) + 1} commands")
        return {"FINISHED"}


class INSPATIO_OT_download_weights(bpy.types.Operator):
    """Download the weights of the preset into the weights folder, or go on with a download that stopped"""

    bl_idname = "inspatio.download_weights"
    bl_label = "Download"
    bl_options = {"REGISTER"}

    preset: bpy.props.StringProperty(
        name="Preset", description="Name of the preset, for example inspatio-1.3b"
    )

    @classmethod
    def poll(cls, _context):
        if not _may_begin(cls):
            return False
        if not preferences.backend_python():
            cls.poll_message_set("Set up the backend first")
            return False
        return True

    def execute(self, _context):
        return carry_out(self, lambda: driver.get().download_weights(self.preset))


class INSPATIO_OT_cancel_task(bpy.types.Operator):
    """End the set-up, download or recovery that is running. What was downloaded is kept for another attempt"""

    bl_idname = "inspatio.cancel_task"
    bl_label = "Cancel"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, _context):
        task = driver.get().task
        return task is not None and task.running

    def execute(self, _context):
        driver.get().task.cancel()
        return {"FINISHED"}


CLASSES = (
    INSPATIO_OT_set_up_backend,
    INSPATIO_OT_copy_set_up_commands,
    INSPATIO_OT_download_weights,
    INSPATIO_OT_cancel_task,
)


def register():
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister():
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
