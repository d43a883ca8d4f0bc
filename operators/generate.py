"""Generate, Cancel, and the question whether to generate what the reference does not show."""

import textwrap

import bpy

from ..inspatio_blender import driver
from ..inspatio_blender.shots import UserError
from ..inspatio_blender.terminal import ProgressLine

_keymap_items = []


def report_end(operator, progress):
    """In background: generate to the end with a line of progress on the terminal, report how it ended."""
    line = ProgressLine()
    driver.run_to_end(progress, line.tell)
    if progress.state == "asking":
        operator.report({"WARNING"}, progress.message)
        driver.get().generate_anyway()
        driver.run_to_end(progress, line.tell)
    line.close()
    if progress.state == "failed":
        operator.report({"ERROR"}, progress.message)
        return {"CANCELLED"}
    if progress.state == "cancelled":
        operator.report({"WARNING"}, progress.message)
        return {"CANCELLED"}
    if progress.message:
        operator.report({"WARNING"}, progress.message)
    operator.report({"INFO"}, progress.outcome)
    return {"FINISHED"}


class INSPATIO_OT_generate(bpy.types.Operator):
    """Generate the shot's frames from the reference; they appear while they arrive"""

    bl_idname = "inspatio.generate"
    bl_label = "Generate"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, _context):
        if driver.get().busy:
            cls.poll_message_set("A take is being generated")
            return False
        return True

    def execute(self, context):
        try:
            progress = driver.get().generate(context.scene, context.view_layer)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if bpy.app.background:
            return report_end(self, progress)
        driver.redraw()
        return {"FINISHED"}


class INSPATIO_OT_generate_anyway(bpy.types.Operator):
    """Generate although the reference hardly reaches some of the frames"""

    bl_idname = "inspatio.generate_anyway"
    bl_label = "Low Coverage"
    bl_options = {"INTERNAL"}

    confirmed: bpy.props.BoolProperty(
        name="Confirmed", description="Go on without asking", default=False, options={"SKIP_SAVE", "HIDDEN"}
    )

    @classmethod
    def poll(cls, _context):
        progress = driver.get().progress
        return progress is not None and progress.state == "asking"

    def invoke(self, context, _event):
        if self.confirmed:
            return self.execute(context)
        options = {"confirm_text": "Generate Anyway"} if bpy.app.version >= (4, 1) else {}
        return context.window_manager.invoke_props_dialog(self, width=420, **options)

    def draw(self, _context):
        progress = driver.get().progress
        column = self.layout.column(align=True)
        lines = textwrap.wrap(progress.message if progress is not None else "", 56)
        for index, line in enumerate(lines):
            column.label(text=line, icon="BLANK1" if index else "ERROR")

    def execute(self, _context):
        driver.get().generate_anyway()
        return {"FINISHED"}

    def cancel(self, _context):
        driver.get().cancel()


class INSPATIO_OT_cancel(bpy.types.Operator):
    """Stop what is going on: the finished frames of a take are kept, and it can be continued"""

    bl_idname = "inspatio.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context):
        # Esc ends a playing animation first.
        runtime, screen = driver.get(), context.screen
        return (runtime.busy or runtime.checking) and not (screen is not None and screen.is_animation_playing)

    def execute(self, _context):
        driver.get().cancel()
        driver.redraw()
        return {"FINISHED"}


CLASSES = (INSPATIO_OT_generate, INSPATIO_OT_generate_anyway, INSPATIO_OT_cancel)


def register():
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    keyconfig = bpy.context.window_manager.keyconfigs.addon
    if keyconfig is not None:  # There is none in background.
        keymap = keyconfig.keymaps.new(name="Window", space_type="EMPTY")
        _keymap_items.append((keymap, keymap.keymap_items.new("inspatio.cancel", "ESC", "PRESS")))


def unregister():
    for keymap, item in _keymap_items:
        keymap.keymap_items.remove(item)
    _keymap_items.clear()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
