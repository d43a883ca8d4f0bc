"""Capture Reference: render the views that the world is made from."""

import bpy

from ..inspatio_blender import cameras, driver, footage, listing, reference, shots, takes
from ..inspatio_blender.terminal import ProgressLine
from ..inspatio_blender.versions import REFERENCE_FOLDER

ERRORS = (reference.CaptureError, cameras.CameraError)


class INSPATIO_OT_capture_reference(bpy.types.Operator):
    """Render colour and depth of what the reference cameras see, as a new version of the reference"""

    bl_idname = "inspatio.capture_reference"
    bl_label = "Capture Reference"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, _context):
        if driver.get().capturing is not None:
            cls.poll_message_set("A reference is being captured")
            return False
        return True

    def execute(self, context):
        """In background and from scripts: capture to the end."""
        line = ProgressLine()
        try:
            steps = self._begin(context)
            while True:
                line.tell(f"capturing the reference, {next(steps):.0%}")
        except StopIteration as done:
            line.close()
            return self._finish(context, done.value)
        except ERRORS as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}

    def invoke(self, context, _event):
        """In the window: a view a step, so that progress shows and Esc is heard in between."""
        try:
            self._steps = self._begin(context)
        except ERRORS as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        driver.get().capturing = 0.0
        self._timer = context.window_manager.event_timer_add(0.05, window=context.window)
        self._ticks = 0
        context.window_manager.modal_handler_add(self)
        context.workspace.status_text_set("Capturing the reference: Esc cancels")
        driver.redraw()
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        if event.type == "ESC" and event.value == "PRESS":
            self._clear(context)
            self.report({"INFO"}, "Capture cancelled")
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"RUNNING_MODAL"}
        self._ticks += 1
        if self._ticks < 3:
            return {
                "RUNNING_MODAL"
            }  # The window draws the progress bar before the first view takes its time.
        try:
            driver.get().capturing = next(self._steps)
        except StopIteration as done:
            self._clear(context)
            return self._finish(context, done.value)
        except ERRORS as error:
            self._clear(context)
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        except Exception:
            self._clear(context)  # Or nothing could be captured any more until Blender is started anew.
            raise
        driver.redraw()
        return {"RUNNING_MODAL"}

    def cancel(self, context):
        """Blender ends the operator, for example to load a file."""
        self._clear(context)

    def _begin(self, context):
        scene = context.scene
        cameras.check_camera(scene.inspatio.camera or scene.camera, scene)
        takes.keep_unsaved_folder(scene)
        folder = takes.shot_folder(scene) / REFERENCE_FOLDER
        if scene.inspatio.reference_kind == "FOOTAGE":
            asked = footage.plan(scene, shots.frame_size(scene), folder)
            for remark in asked.remarks:
                self.report({"WARNING"}, remark)
            return footage.capture_steps(scene, context.view_layer, asked)
        plan = reference.plan(scene, shots.frame_size(scene), folder)
        return reference.capture_steps(scene, context.view_layer, plan)

    def _clear(self, context):
        self._steps.close()
        driver.get().capturing = None
        context.window_manager.event_timer_remove(self._timer)
        context.workspace.status_text_set(None)
        driver.redraw()

    def _finish(self, context, version):
        context.scene.inspatio.reference_version = ""
        listing.refresh(context.scene, driver.get().running_folder)
        said = f"Captured reference {version.name}: {takes.reference_sentence(version)}"
        if context.scene.inspatio.reference_geometry and not takes.reference_has_geometry(version):
            self.report(
                {"WARNING"}, f"{said}, without geometry: the scene has none, or over 2 million triangles"
            )
        else:
            self.report({"INFO"}, said)
        return {"FINISHED"}


class INSPATIO_OT_use_reference(bpy.types.Operator):
    """Generate from this version of the reference"""

    bl_idname = "inspatio.use_reference"
    bl_label = "Use Reference"
    bl_options = {"REGISTER", "UNDO"}

    version: bpy.props.StringProperty(name="Version", description="Name of the version, for example v001")

    def execute(self, context):
        context.scene.inspatio.reference_version = self.version
        listing.refresh(context.scene, driver.get().running_folder)
        return {"FINISHED"}


CLASSES = (INSPATIO_OT_capture_reference, INSPATIO_OT_use_reference)


def register():
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister():
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
