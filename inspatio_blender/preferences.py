"""What is the same for every file: where the backend's Python, weights and takes are, and memory for previews.

`panels/preferences.py` shows it.
"""

import os
from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty

from ..backend import protocol
from ..backend.protocol.sources import weights_folder as default_weights_folder
from . import environment
from .task import Failed

ADDON = __package__.rpartition(".")[0]
"""The name that Blender knows the add-on by: the package of the extension's door."""

EXTENSION = Path(__file__).parent.parent
"""The folder of the extension, which holds the package `backend`."""

PYTHON_VARIABLE = "INSPATIO_PYTHON"

_found: environment.Environment | None = None


class Preferences:
    """The properties of the add-on's preferences."""

    backend_python: StringProperty(
        name="Backend Python",
        description="A Python of your own that has the backend's packages, for example .venv/bin/python. "
        f"Empty: what the environment variable {PYTHON_VARIABLE} names, else what Set Up Backend made",
        subtype="FILE_PATH",
    )
    weights_folder: StringProperty(
        name="Weights Folder",
        description="Folder that weights are downloaded to, and looked for in. Empty: what the environment variable "
        f"{protocol.WEIGHTS_VARIABLE} names, else a folder of this user's",
        subtype="DIR_PATH",
    )
    precision: EnumProperty(
        name="Precision",
        description="What the large presets compute in. Changing it starts the backend anew",
        items=[
            ("RELEASED", "As Released", "16 bits on a GPU, as the weights were made for"),
            (
                "FP8",
                "8 Bits (fp8)",
                "Faster and with half the weights' memory, on an NVIDIA GPU of the Ada or Hopper generation or "
                "later. Frames differ a little",
            ),
        ],
        default="RELEASED",
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
    preview_memory: IntProperty(
        name="Preview Memory",
        description="Memory in megabytes for the frames of a live preview. What does not fit lies on disk, up to four "
        "times as much, in the extension's folder",
        default=1024,
        min=64,
        soft_max=16384,
    )


def get() -> Preferences:
    """The add-on's preferences."""
    return bpy.context.preferences.addons[ADDON].preferences


def user_folder() -> Path:
    """The extension's own folder of this user, outside of what an update replaces."""
    return Path(bpy.utils.extension_path_user(ADDON, create=True))


def own_python() -> str:
    """The Python that the user names, in the preferences or the environment; "" where none is named."""
    chosen = get().backend_python.strip()
    return bpy.path.abspath(chosen) if chosen else os.environ.get(PYTHON_VARIABLE, "").strip()


def backend_python() -> str:
    """The Python to start the backend with: the user's own, else that of Set Up Backend; "" where there is none."""
    return own_python() or (str(_found.python) if _found is not None else "")


def wanted_list() -> environment.PackageList | None:
    """What the backend's environment is made of on this machine; None where there is no list for it."""
    try:
        return environment.wanted_list(EXTENSION)
    except Failed:
        return None


def set_up_environment() -> environment.Environment | None:
    """The environment that Set Up Backend made, as of the last look; None where there is none."""
    return _found


def look() -> bool:
    """Look for the environment that Set Up Backend made, or its commands in a terminal; whether that has changed."""
    global _found
    before, _found = _found, environment.find(user_folder(), wanted_list())
    return _found != before


def preview_bytes() -> int:
    """The memory that the frames of a preview may take."""
    return get().preview_memory * 1024**2


def weights_folder() -> Path:
    """Where weights are downloaded to, and looked for."""
    chosen = get().weights_folder.strip()
    return Path(bpy.path.abspath(chosen)) if chosen else default_weights_folder()


def backend_variables() -> dict[str, str]:
    """What the backend's process is told in its environment."""
    variables = {protocol.WEIGHTS_VARIABLE: str(weights_folder())}
    if get().precision == "FP8":
        variables[protocol.PRECISION_VARIABLE] = "fp8"
    if not bpy.app.online_access:
        variables["HF_HUB_OFFLINE"] = "1"
    return variables


def register():
    look()


def unregister():
    global _found
    _found = None
