"""“InSpatio World” in the render properties: what a render makes, and which of Blender's own panels go with it."""

import bpy

from ..inspatio_blender import driver, listing, settings, shots, showing
from ..inspatio_blender.engine import ENGINE
from .shot import sentence

FOR_ANY_ENGINE = "BLENDER_RENDER"
"""What Blender's panels name as an engine where they are for each."""
LOOKS = ("BLENDER_EEVEE_NEXT", "BLENDER_EEVEE")
"""Whose panels of materials, lights and worlds are shown too: references are rendered from these."""
OF_NO_USE = ("VIEWLAYER_PT_freestyle", "RENDER_PT_freestyle", "MATERIAL_PT_freestyle", "DATA_PT_camera_dof")
"""Beginnings of the names of panels whose settings a generated frame does not follow."""


class INSPATIO_PT_render(bpy.types.Panel):
    bl_label = "InSpatio World"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"

    @classmethod
    def poll(cls, context):
        return context.scene.render.engine == ENGINE

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        scene, shot = context.scene, context.scene.inspatio
        preset = settings.PRESETS[shot.preset]
        column = layout.column()
        column.enabled = not driver.get().busy
        column.prop(shot, "preset")
        row = column.row()
        row.enabled = preset.draft
        row.prop(shot, "quality", expand=True)
        column.prop(shot, "seed")
        column.row(heading="Plates").prop(shot, "plate", text="")
        row = column.row()
        row.active = shot.plate
        row.prop(shot, "plate_strength")
        self._state(context, layout)
        if showing.shifts_colour(scene) or scene.render.dither_intensity > 0.0:
            self._colour(context, layout)

    def _state(self, context, layout):
        scene, width = context.scene, context.region.width
        progress, listed = driver.get().progress, listing.get()
        if progress is not None and progress.active:
            layout.progress(factor=progress.factor, text=progress.line())
        elif not listed.reference:
            sentence(layout, "No reference yet: capture one in the tab InSpatio of the 3D viewport", width)
        elif listed.takes:
            newest = listed.takes[0]
            text = f"Take {newest.number}: {newest.frames_done} of {newest.frames_total} frames"
            layout.label(text=text, icon="RENDER_ANIMATION")
        else:
            across, up = shots.frame_size(scene)
            layout.label(text=f"Generated at {across} × {up} pixels", icon="INFO")

    def _colour(self, context, layout):
        scene, box = context.scene, layout.box()
        transform = scene.view_settings.view_transform
        if showing.shifts_colour(scene):
            words = f"View transform “{transform}” changes the colours of what is generated"
        else:
            words = "Dither changes the colours of 8-bit files by a step"
        sentence(box, words, context.region.width)
        box.operator("inspatio.mend_colour", icon="COLOR")


def _panels_for_us():
    """Blender's panels that are shown where our engine is chosen."""
    for panel in bpy.types.Panel.__subclasses__():
        engines = getattr(panel, "COMPAT_ENGINES", ())
        look = getattr(panel, "bl_context", "") in ("material", "world", "data") and any(
            engine in engines for engine in LOOKS
        )
        name = panel.__name__
        # Lights have two of one kind, of which the other says more.
        if (FOR_ANY_ENGINE in engines or look) and not name.startswith(OF_NO_USE) and name != "DATA_PT_light":
            yield panel


def register():
    bpy.utils.register_class(INSPATIO_PT_render)
    for panel in _panels_for_us():
        panel.COMPAT_ENGINES.add(ENGINE)


def unregister():
    for panel in bpy.types.Panel.__subclasses__():
        if ENGINE in getattr(panel, "COMPAT_ENGINES", ()):
            panel.COMPAT_ENGINES.discard(ENGINE)
    bpy.utils.unregister_class(INSPATIO_PT_render)
