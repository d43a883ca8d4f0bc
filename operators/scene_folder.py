"""Import Scene Folder and Export Scene Folder: shots from elsewhere as Blender scenes, and back."""

import os
from pathlib import Path

import bpy

from ..inspatio_blender import driver, importing, listing, scene_folders, shots, takes, world
from .stepwise import InFolder, say_lost, shares, task_steps

BRINGING = 0.6
"""The share of an import that bringing its files is taken for."""
SAMPLING = 0.3
"""The share of an export that sampling the camera is taken for."""


class INSPATIO_OT_import_scene_folder(InFolder, bpy.types.Operator):
    """Make a scene of a scene folder of InSpatio World, or of an exported shot: cameras, pictures and the world"""

    bl_idname = "inspatio.import_scene_folder"
    bl_label = "Import Scene Folder"
    bl_options = {"UNDO"}

    trajectory: bpy.props.StringProperty(
        name="Trajectory",
        description="File with the three lines of a version 1 camera, where the folder has no trajectory.txt",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    title = "Importing a scene folder"
    errors = (shots.UserError,)

    def draw(self, context):
        super().draw(context)
        self.layout.prop(self, "trajectory")

    def hint(self, _context):
        return (
            "Open the folder that holds scene.json (version 1.5 of the release), intrinsics.txt (version 1), "
            "or shot.json (an exported shot)",
        )

    def steps(self, _context):
        folder, runtime = self.folder(), driver.get()
        trajectory = Path(os.path.abspath(bpy.path.abspath(self.trajectory))) if self.trajectory else None
        setup = runtime.setup(named=not scene_folders.is_shot_folder(folder))
        scene, whole = bpy.data.scenes.new(folder.name), False
        try:
            brought = scene_folders.Import(folder, importing.place(scene), setup, trajectory)
            try:
                bringing = task_steps(runtime.begin_task(type(self).bl_label, brought.work))
                yield from shares(bringing, 0.0, BRINGING)
                version, lost = yield from shares(importing.scene_steps(scene, brought), BRINGING, 1.0)
            finally:
                brought.discard()
            whole = True
            return scene, version, lost
        finally:
            if not whole:
                importing.discard(scene)

    def done(self, context, result):
        scene, version, lost = result
        context.window.scene = scene
        world.colour_viewports(scene, True)
        for area in context.window.screen.areas:
            if area.type == "VIEW_3D":
                area.spaces.active.region_3d.view_perspective = "CAMERA"
        listing.refresh(scene, driver.get().running_folder)
        say_lost(self, "Blender cannot hold all of the folder", lost)
        frames = len(scene.inspatio.frames())
        self.report(
            {"INFO"}, f"Imported “{scene.name}”: {frames} frames, {takes.reference_sentence(version)}"
        )


class INSPATIO_OT_export_scene_folder(InFolder, bpy.types.Operator):
    """Write the shot as a scene folder of InSpatio World, which the release generates from"""

    bl_idname = "inspatio.export_scene_folder"
    bl_label = "Export Scene Folder"
    bl_options = {"REGISTER"}

    version: bpy.props.EnumProperty(
        name="Version",
        description="Which of the release's scene folders it is",
        items=[
            ("1.5", "1.5", "Any camera, seen through one lens"),
            ("1", "1", "A path of three lines: turned around a point ahead, and straight at it"),
        ],
        default="1.5",
    )
    title = "Exporting a scene folder"
    errors = (shots.UserError,)

    def draw(self, context):
        super().draw(context)
        self.layout.prop(self, "version")

    def hint(self, context):
        return (f"A new folder “{takes.safe_name(takes.shot_name(context.scene))}” is made in this one",)

    def check(self, context):
        shots.check_shot(context.scene)
        driver.get().setup()

    def steps(self, context):
        parent, runtime = self.folder(), driver.get()
        setup = runtime.setup()
        reference = shots.check_shot(context.scene)
        sampling = shots.shot_steps(context.scene, context.view_layer, reference)
        shot = yield from shares(sampling, 0.0, SAMPLING)
        out, number = parent / takes.safe_name(shot.name), 1
        while os.path.lexists(out):
            number += 1
            out = parent / f"{takes.safe_name(shot.name)}_{number:03d}"
        written = scene_folders.Export(shot, reference, out, setup, self.version)
        writing = task_steps(runtime.begin_task(type(self).bl_label, written.work))
        yield from shares(writing, SAMPLING, 1.0)
        return out, written.lost

    def done(self, _context, result):
        out, lost = result
        say_lost(self, "A scene folder cannot hold all of the shot", lost)
        self.report({"INFO"}, f"Exported a scene folder to {out}")


def _draw_import(self, _context):
    self.layout.operator(INSPATIO_OT_import_scene_folder.bl_idname, text="InSpatio Scene Folder")


def _draw_export(self, _context):
    self.layout.operator(INSPATIO_OT_export_scene_folder.bl_idname, text="InSpatio Scene Folder")


CLASSES = (INSPATIO_OT_import_scene_folder, INSPATIO_OT_export_scene_folder)


def register():
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.TOPBAR_MT_file_import.append(_draw_import)
    bpy.types.TOPBAR_MT_file_export.append(_draw_export)


def unregister():
    bpy.types.TOPBAR_MT_file_export.remove(_draw_export)
    bpy.types.TOPBAR_MT_file_import.remove(_draw_import)
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
