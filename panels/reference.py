"""The panel of the reference: what to capture, and the version in use."""

import bpy

from ..inspatio_blender import driver, listing, takes
from .shot import Tab, sentence


class INSPATIO_MT_reference_versions(bpy.types.Menu):
    bl_label = "Versions"

    def draw(self, context):
        layout = self.layout
        for version in takes.reference_versions(context.scene):
            text = f"{version.name}: {takes.reference_sentence(version)}"
            layout.operator("inspatio.use_reference", text=text).version = version.name


class INSPATIO_PT_reference(Tab, bpy.types.Panel):
    bl_label = "Reference"
    bl_order = 0

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        shot = context.scene.inspatio
        runtime = driver.get()
        column = layout.column()
        column.enabled = runtime.capturing is None
        column.prop(shot, "reference_kind")
        cameras = column.column(align=True)
        cameras.prop(shot, "reference_camera", placeholder="The Shot's")
        if shot.reference_kind == "STILLS":
            for number in (2, 3, 4):
                cameras.prop(shot, f"reference_camera_{number}")
        if shot.reference_kind == "MOVING":
            column.prop(shot, "reference_step")
        else:
            column.prop(shot, "reference_at")
        column.row().prop(shot, "reference_scale", expand=True)
        column.prop(shot, "reference_geometry")
        layout.separator()
        if runtime.capturing is not None:
            row = layout.row()
            row.scale_y = 1.4
            row.progress(factor=runtime.capturing, text="Capturing, Esc cancels")
        else:
            column = layout.column()
            column.scale_y = 1.4
            column.operator("inspatio.capture_reference", icon="OUTLINER_OB_CAMERA")
        self._version(context, layout)

    def _version(self, context, layout):
        listed = listing.get()
        if not listed.reference:
            layout.label(text="No reference yet", icon="INFO")
        else:
            text = f"{listed.reference}: {listed.reference_info}"
            layout.menu("INSPATIO_MT_reference_versions", text=text, icon="IMAGE_DATA")
        if listed.is_unsaved_place:
            sentence(
                layout,
                "The file is not saved: references and takes go to the user folder of the add-on",
                context.region.width,
                icon="FILE_BLANK",
            )


def register():
    bpy.utils.register_class(INSPATIO_MT_reference_versions)
    bpy.utils.register_class(INSPATIO_PT_reference)


def unregister():
    bpy.utils.unregister_class(INSPATIO_PT_reference)
    bpy.utils.unregister_class(INSPATIO_MT_reference_versions)
