"""What can be done with a take: show it, open its folder or its report, continue it, delete it."""

import bpy

from ..backend.protocol.disk import FileFormatError
from ..backend.protocol.files import REPORT_FILE
from ..inspatio_blender import driver, film_strips, listing, showing, takes
from ..inspatio_blender.shots import UserError
from .generate import report_end
from .stepwise import Stepwise, task_steps

NO_TAKE = "There is no such take"


class _OnTake:
    """An operator on one take: that with `number`, else the one chosen in the list, else the newest."""

    number: bpy.props.IntProperty(
        name="Take", description="Number of the take. 0: the one chosen in the list", default=0, min=0
    )

    def take(self, context):
        """The take, or None with a report."""
        found = self.find(context)
        if found is None:
            self.report({"ERROR"}, NO_TAKE)
        return found

    def find(self, context):
        """The take, or None."""
        found = takes.list_takes(context.scene, driver.get().running_folder)
        listed = listing.get()
        if self.number:
            chosen = [take for take in found if take.number == self.number]
        elif 0 <= listed.active < len(listed.takes):
            folder = listed.takes[listed.active].folder
            chosen = [take for take in found if str(take.folder) == folder]
        else:
            chosen = found
        return chosen[0] if chosen else None


class INSPATIO_OT_show_take(_OnTake, bpy.types.Operator):
    """Show the take in the camera's view and in the sequencer, by its plates where it has them"""

    bl_idname = "inspatio.show_take"
    bl_label = "Show Take"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context):
        take = self.take(context)
        if take is None:
            return {"CANCELLED"}
        try:
            files, first = takes.pictures(take.folder)
        except FileFormatError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if not files:
            self.report({"WARNING"}, f"{take.folder.name} has no frames")
            return {"CANCELLED"}
        showing.show(context.scene, files, first)
        return {"FINISHED"}


class INSPATIO_OT_open_take_folder(_OnTake, bpy.types.Operator):
    """Open the folder of the take in the file browser of the system"""

    bl_idname = "inspatio.open_take_folder"
    bl_label = "Open Folder"
    bl_options = {"REGISTER"}

    def execute(self, context):
        take = self.take(context)
        if take is None:
            return {"CANCELLED"}
        return bpy.ops.wm.path_open(filepath=str(take.folder))


class INSPATIO_OT_open_report(_OnTake, Stepwise, bpy.types.Operator):
    """Open the report of the take in a browser: contact sheet, coverage, timings, camera path. Made first if missing"""

    bl_idname = "inspatio.open_report"
    bl_label = "Open Report"
    bl_options = {"REGISTER"}

    title = "Making a report"
    errors = (UserError,)

    def steps(self, context):
        take = self.find(context)
        if take is None:
            raise UserError(NO_TAKE)
        path = take.folder / REPORT_FILE
        if take.state != "finished" or not path.is_file():  # What is not finished has come further since.
            yield from task_steps(driver.get().make_report(take.folder))
        return path

    def done(self, _context, path):
        self.report({"INFO"}, f"The report is {path}")
        if not bpy.app.background:
            bpy.ops.wm.path_open(filepath=str(path))


class _OnWork(_OnTake):
    """What goes on with a take in the worker."""

    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, _context):
        if driver.get().busy:
            cls.poll_message_set("A take is being generated")
            return False
        return True

    def execute(self, context):
        take = self.take(context)
        if take is None:
            return {"CANCELLED"}
        try:
            progress = self.begin(context.scene, take)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if bpy.app.background:
            return report_end(self, progress)
        driver.redraw()
        return {"FINISHED"}


class INSPATIO_OT_continue_take(_OnWork, bpy.types.Operator):
    """Go on with a take that stopped: the result is that of an unbroken run"""

    bl_idname = "inspatio.continue_take"
    bl_label = "Continue"

    def begin(self, scene, take):
        return driver.get().continue_take(scene, take)


class INSPATIO_OT_make_plates(_OnWork, bpy.types.Operator):
    """Develop the frames of the take to the resolution that the scene renders, in the strength that is set"""

    bl_idname = "inspatio.make_plates"
    bl_label = "Make Plates"

    def begin(self, scene, take):
        return driver.get().make_plates(scene, take)


class INSPATIO_OT_delete_take(_OnTake, bpy.types.Operator):
    """Delete the take and its frames from disk. This cannot be undone"""

    bl_idname = "inspatio.delete_take"
    bl_label = "Delete Take"
    bl_options = {"REGISTER"}

    def invoke(self, context, event):
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context):
        take = self.take(context)
        if take is None:
            return {"CANCELLED"}
        if take.state == "running":
            where = "" if take.folder == driver.get().running_folder else " by another Blender"
            self.report({"ERROR"}, f"{take.folder.name} is being generated{where}: cancel it first")
            return {"CANCELLED"}
        try:
            takes.delete_take(take.folder)
            showing.hide(context.scene, take.folder)
            film_strips.drop(context.scene, take.folder)
            driver.get().forget_take(take.folder)
        except OSError as error:
            self.report({"ERROR"}, f"{take.folder.name} cannot be deleted: {error.strerror or error}")
            return {"CANCELLED"}
        finally:
            listing.refresh(context.scene, driver.get().running_folder)
        return {"FINISHED"}


CLASSES = (
    INSPATIO_OT_show_take,
    INSPATIO_OT_open_take_folder,
    INSPATIO_OT_open_report,
    INSPATIO_OT_continue_take,
    INSPATIO_OT_make_plates,
    INSPATIO_OT_delete_take,
)


def register():
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister():
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
