"""The panel of the reference: what to capture, and the version in use."""

import bpy

from ..backend.protocol.sources import DEPTH_NETWORKS
from ..inspatio_blender import driver, footage, listing, takes
from ..inspatio_blender.camera_settings import FILE, STAND_INS
from ..inspatio_blender.engine import ENGINE
from ..operators.capture import INSPATIO_OT_capture_reference
from ..operators.recover import INSPATIO_OT_recover_reference
from .preferences import task_outcome, task_progress
from .shot import Tab, sentence, step_progress

BOX = 16
"""Pixels that a box takes of a panel's width."""
RECOVER = "Recover Reference"
"""Title of the task that its operator begins."""


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
        column.enabled = runtime.working is None
        column.prop(shot, "reference_kind")
        cameras = column.column(align=True)
        cameras.prop(shot, "reference_camera", placeholder="The Shot's")
        if shot.reference_kind in ("STILLS", "IMAGES") and not shot.is_camera_movie():
            for number in (2, 3, 4):
                cameras.prop(shot, f"reference_camera_{number}")
        if shot.reference_kind == "IMAGES":
            column.prop(shot, "reference_every_frame")
        if shot.is_camera_movie():
            column.prop(shot, "reference_find_camera")
        if shot.reference_kind == "FOOTAGE":
            self._footage(context, column)
        elif shot.reference_kind == "MOVING" or shot.is_camera_movie():
            column.prop(shot, "reference_step")
        else:
            column.prop(shot, "reference_at")
        column.row().prop(shot, "reference_scale", expand=True)
        if shot.reference_kind == "IMAGES":
            for camera in shot.reference_cameras() or [shot.camera or context.scene.camera]:
                if camera is not None:
                    self._depth(shot, layout.box().column(), camera, context.region.width)
        if shot.reference_kind != "IMAGES":
            column.prop(shot, "reference_geometry")
        if context.scene.render.engine == ENGINE and shot.reference_kind in ("STILL", "STILLS", "MOVING"):
            column.row().prop(shot, "reference_engine", expand=True)
        layout.separator()
        if step_progress(layout, INSPATIO_OT_capture_reference, INSPATIO_OT_recover_reference):
            pass
        elif shot.reference_kind == "IMAGES":
            self._recover(context, layout, runtime)
        else:
            column = layout.column()
            column.scale_y = 1.4
            if shot.reference_kind == "FOOTAGE":
                column.operator("inspatio.capture_reference", text="Reference from Footage", icon="TRACKER")
            else:
                column.operator("inspatio.capture_reference", icon="OUTLINER_OB_CAMERA")
        self._version(context, layout)

    def _depth(self, shot, column, camera, width):
        """Where the depth of the picture behind a camera comes from."""
        settings = camera.data.inspatio
        column.label(text=camera.name, icon="CAMERA_DATA")
        column.prop(settings, "depth_from")
        if settings.depth_from == FILE:
            # Across the whole panel: the end of a path is what tells one from another.
            row = column.row()
            row.use_property_split = False
            row.prop(settings, "depth_file", text="")
            column.prop(settings, "encoding")
            if settings.depth_file.lower().endswith((".png", ".npy")):
                rows = column.column(align=True)
                rows.prop(settings, "range_low")
                rows.prop(settings, "range_high")
        elif settings.depth_from == STAND_INS:
            column.prop(shot, "stand_ins")
            column.prop(shot, "backdrop")
            return
        else:
            sentence(column, DEPTH_NETWORKS[settings.depth_from].licence, width - BOX, "INFO")
            column.operator("inspatio.download_weights", icon="IMPORT").preset = settings.depth_from
        rows = column.column(align=True)
        rows.prop(settings, "known_from")
        rows.prop(settings, "known_to")

    def _recover(self, context, layout, runtime):
        """The button, how far it is, and how the last attempt ended, as long as nothing else is asked for."""
        column, task = layout.column(), runtime.task
        # A task that an operator waits for is shown where that operator is.
        if task is not None and task.running and runtime.working is None:
            task_progress(column, task)
            return
        row = column.row()
        row.scale_y = 1.4
        row.operator("inspatio.recover_reference", icon="IMAGE_REFERENCE")
        if runtime.is_recovery_of(context.scene):
            task_outcome(column, task, RECOVER, context.region.width)

    def _footage(self, context, column):
        shot = context.scene.inspatio
        # Without a label, which would leave no room for its name.
        column.template_ID(shot, "footage_clip", open="clip.open")
        column.prop(shot, "stand_ins")
        column.prop(shot, "backdrop")
        column.prop(shot, "footage_frames")
        if shot.footage_frames == "RANGE":
            column.prop(shot, "reference_step")
        for remark in footage.remarks(context.scene):
            sentence(column, remark, context.region.width, "INFO")

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
