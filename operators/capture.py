"""Capture Reference: render the views that the world is made from."""

import bpy

from ..inspatio_blender import cameras, driver, footage, listing, reference, shots, takes
from ..inspatio_blender.versions import REFERENCE_FOLDER
from .stepwise import Stepwise


class INSPATIO_OT_capture_reference(Stepwise, bpy.types.Operator):
    """Render colour and depth of what the reference cameras see, as a new version of the reference"""

    bl_idname = "inspatio.capture_reference"
    bl_label = "Capture Reference"
    bl_options = {"REGISTER"}

    title = "Capturing the reference"
    errors = (reference.CaptureError, cameras.CameraError)

    def steps(self, context):
        scene = context.scene
        cameras.check_camera(scene.inspatio.camera or scene.camera, scene)
        takes.keep_unsaved_folder(scene)
        folder = takes.shot_folder(scene) / REFERENCE_FOLDER
        if scene.inspatio.reference_kind == "FOOTAGE":
            asked = footage.plan(scene, shots.frame_size(scene), folder)
            for remark in asked.remarks:
                self.report({"WARNING"}, remark)
            return (yield from footage.capture_steps(scene, context.view_layer, asked))
        plan = reference.plan(scene, shots.frame_size(scene), folder)
        return (yield from reference.capture_steps(scene, context.view_layer, plan))

    def done(self, context, version):
        context.scene.inspatio.reference_version = ""
        listing.refresh(context.scene, driver.get().running_folder)
        said = f"Captured reference {version.name}: {takes.reference_sentence(version)}"
        if context.scene.inspatio.reference_geometry and not takes.reference_has_geometry(version):
            self.report(
                {"WARNING"}, f"{said}, without geometry: the scene has none, or over 2 million triangles"
            )
        else:
            self.report({"INFO"}, said)


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
