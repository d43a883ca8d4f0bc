"""What is the same for every file: the backend's Python, the folder for takes, starting the backend by itself."""

import os

import bpy
from bpy.props import BoolProperty, StringProperty

ADDON = __package__.rpartition(".")[0]
"""The name that Blender knows the add-on by: the package of the extension's door."""

PYTHON_VARIABLE = "INSPATIO_PYTHON"


class InSpatioPreferences(bpy.types.AddonPreferences):
    bl_idname = ADDON

    backend_python: StringProperty(
        name="Backend Python",
        description="Python that has the backend's packages, for example .venv/bin/python. "
        f"Empty: what the environment variable {PYTHON_VARIABLE} names",
        subtype="FILE_PATH",
    )
    take_folder: StringProperty(
        name="Take Folder",
        description="Folder for references and takes, in it a folder for each blend file. "
        "Empty: the folder “inspatio” beside the blend file",
        subtype="DIR_PATH",
    )
    autostart: BoolProperty(
        name="Start Backend by Itself",
        description="Start the backend when something needs it",
        default=True,
    )

    def draw(self, _context):
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "backend_python")
        layout.prop(self, "take_folder")
        layout.prop(self, "autostart")


def get() -> InSpatioPreferences:
    """The add-on's preferences."""
    return bpy.context.preferences.addons[ADDON].preferences


def backend_python() -> str:
    """The Python to start the backend with, or "" where none is named."""
    chosen = get().backend_python.strip()
    return bpy.path.abspath(chosen) if chosen else os.environ.get(PYTHON_VARIABLE, "").strip()


def register():
    bpy.utils.register_class(InSpatioPreferences)


def unregister():
    bpy.utils.unregister_class(InSpatioPreferences)
