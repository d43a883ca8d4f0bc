"""Show World and Hide World: the reference in use, as something to see in the scene."""

import bpy

from ..inspatio_blender import driver, shots, takes, world
from .stepwise import Stepwise


class INSPATIO_OT_show_world(Stepwise, bpy.types.Operator):
    """Put the reference in use into the scene, to block the camera's move against. It is never rendered"""

    bl_idname = "inspatio.show_world"
    bl_label = "Show World"
    bl_options = {"UNDO"}

    title = "Showing the world"
    errors = (world.WorldError, shots.UserError)

    def steps(self, context):
        version = takes.reference_version(context.scene)
        if version is None:
            raise shots.UserError("There is no reference yet: press Capture Reference first")
        shown = yield from world.show_steps(context.scene, version, world.wish(context.scene, version))
        return version.name, shown

    def done(self, context, result):
        version, shown = result
        world.colour_viewports(context.scene, True)
        count = f"{shown.views} view{'s' * (shown.views != 1)}, {shown.vertices:,} vertices"
        self.report({"INFO"}, f"Showing {version}: {count}")


class INSPATIO_OT_hide_world(bpy.types.Operator):
    """Take the world out of the scene"""

    bl_idname = "inspatio.hide_world"
    bl_label = "Hide World"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context):
        return driver.get().working is None and bool(world.collections(context.scene))

    def execute(self, context):
        world.hide(context.scene)
        world.colour_viewports(context.scene, False)
        return {"FINISHED"}


CLASSES = (INSPATIO_OT_show_world, INSPATIO_OT_hide_world)


def register():
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister():
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
