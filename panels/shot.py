"""The panel of the shot: what to generate, Generate, and how far it has come."""

import textwrap

import bpy

from ..backend.protocol.words import slowness
from ..inspatio_blender import driver, listing, settings, shots, showing
from ..operators.export import INSPATIO_OT_export_shot
from ..operators.farm import INSPATIO_OT_export_job
from ..operators.scene_folder import INSPATIO_OT_export_scene_folder


class Tab:
    """Where all our panels are."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "InSpatio"


def sentence(layout, text, width, icon="ERROR"):
    """A sentence over as many lines as it needs in a region that is `width` pixels wide."""
    column = layout.column(align=True)
    scale = bpy.context.preferences.system.ui_scale
    letters = max(16, int((width / scale - 60) / 6.4))
    for index, line in enumerate(textwrap.wrap(text, letters)):
        column.label(text=line, icon=icon if index == 0 else "BLANK1")


def step_progress(layout, *operators):
    """The bar of the operator that works in steps, where it is one of these; whether there is one."""
    working = driver.get().working
    if working is None or working[0] not in [operator.title for operator in operators]:
        return False
    row = layout.row()
    row.scale_y = 1.4
    row.progress(factor=working[1], text=f"{working[0]}, Esc cancels")
    return True


class INSPATIO_PT_shot(Tab, bpy.types.Panel):
    bl_label = "Shot"
    bl_order = 1

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        scene = context.scene
        shot = scene.inspatio
        column = layout.column()
        column.enabled = not driver.get().busy
        column.prop(shot, "shot_name", placeholder=scene.name)
        column.prop(shot, "camera", placeholder="Active Camera")
        column.prop(shot, "use_scene_range")
        if not shot.use_scene_range:
            rows = column.column(align=True)
            rows.prop(shot, "frame_start")
            rows.prop(shot, "frame_end")
        column.separator()
        column.prop(shot, "preset")
        preset = settings.PRESETS[shot.preset]
        row = column.row()
        row.enabled = preset.draft
        row.prop(shot, "quality", expand=True)
        row = column.row()
        row.enabled = preset.text
        row.prop(shot, "prompt")
        column.prop(shot, "seed")
        column.row(heading="Keep").prop(shot, "keep_reference_detail", text="Reference Detail")
        row = column.row(heading="Remember")
        row.enabled = listing.get().reference_has_geometry
        row.prop(shot, "remember", text="Generated")
        layout.separator()
        self._action(context, layout)
        if showing.find_strip(scene) is not None and showing.shifts_colour(scene):
            self._colour(context, layout)

    def _action(self, context, layout):
        scene = context.scene
        progress = driver.get().progress
        if progress is None or not progress.active:
            width, height = shots.frame_size(scene)
            count = len(scene.inspatio.frames())
            column = layout.column()
            column.scale_y = 1.4
            column.operator(
                "inspatio.generate", icon="PLAY", text=f"Generate {count} Frames" if count else "Generate"
            )
            layout.label(text=f"{width} × {height} pixels", icon="BLANK1")
            self._plan(context, layout)
            exports = INSPATIO_OT_export_shot, INSPATIO_OT_export_job, INSPATIO_OT_export_scene_folder
            if not step_progress(layout, *exports):
                column = layout.column(align=True)
                column.operator("inspatio.export_shot", icon="EXPORT")
                column.operator("inspatio.export_job", icon="EXPORT")
                column.operator("inspatio.export_scene_folder", icon="EXPORT")
            if progress is None or progress.scene != scene:
                return
            if progress.state == "finished":
                layout.label(text=progress.summary, icon="CHECKMARK")
                self._where(context, layout)
            if progress.message:
                icon = "ERROR" if progress.state == "failed" else "INFO"
                sentence(layout, progress.message, context.region.width, icon)
            return
        if progress.state == "asking":
            sentence(layout, progress.message, context.region.width)
            row = layout.row(align=True)
            row.operator("inspatio.generate_anyway", text="Generate Anyway").confirmed = True
            row.operator("inspatio.cancel")
            return
        row = layout.row(align=True)
        row.scale_y = 1.4
        row.progress(factor=progress.factor, text=f"{progress.factor:.0%}")
        row.operator("inspatio.cancel", icon="X", text="")
        layout.label(text=progress.line(), icon="TIME")

    def _where(self, context, layout):
        """Where the frames are, for who looks through another camera."""
        camera = context.scene.inspatio.camera
        if context.scene.inspatio.show_background and camera not in (None, context.scene.camera):
            words = f"The frames lie behind “{camera.name}”: make it the active camera to see them"
            sentence(layout, words, context.region.width, "INFO")

    def _plan(self, context, layout):
        """What the take would need, and how slow the device is, where either matters."""
        planned = driver.get().planned
        if planned is None or not planned.words:
            return
        sentence(layout, planned.words, context.region.width, "MEMORY" if planned.fits else "ERROR")
        if planned.seconds_per_frame is not None:
            render = context.scene.render
            words = slowness(planned.seconds_per_frame, render.fps / render.fps_base)
            sentence(layout, words, context.region.width, "TIME")

    def _colour(self, context, layout):
        box = layout.box()
        transform = context.scene.view_settings.view_transform
        sentence(box, f"View transform “{transform}” changes the colours of the strip", context.region.width)
        box.operator("inspatio.mend_colour", icon="COLOR")


class INSPATIO_PT_plate(Tab, bpy.types.Panel):
    bl_label = "Plate"
    bl_parent_id = "INSPATIO_PT_shot"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header(self, context):
        self.layout.prop(context.scene.inspatio, "plate", text="")

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        shot = context.scene.inspatio
        layout.active = shot.plate
        layout.prop(shot, "plate_strength")
        width, height = shot.plate_size()
        layout.label(text=f"{width} × {height} pixels", icon="BLANK1")


class INSPATIO_PT_show(Tab, bpy.types.Panel):
    bl_label = "Show"
    bl_parent_id = "INSPATIO_PT_shot"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        shot = context.scene.inspatio
        layout.prop(shot, "show_background")
        row = layout.row()
        row.enabled = shot.show_background
        row.prop(shot, "background_depth", expand=True)
        layout.prop(shot, "show_strip")


def register():
    bpy.utils.register_class(INSPATIO_PT_shot)
    bpy.utils.register_class(INSPATIO_PT_plate)
    bpy.utils.register_class(INSPATIO_PT_show)


def unregister():
    bpy.utils.unregister_class(INSPATIO_PT_show)
    bpy.utils.unregister_class(INSPATIO_PT_plate)
    bpy.utils.unregister_class(INSPATIO_PT_shot)
