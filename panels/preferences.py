"""The page of the add-on's preferences: the backend's environment, the weights, where takes go.

Also what is downloaded is looked at while it draws: a few files, in a page that is seldom open.
"""

import bpy

from ..backend.protocol.sources import DEPTH_NETWORKS, DEPTH_SOURCES, SOURCES
from ..inspatio_blender import driver, preferences, settings
from ..inspatio_blender.installing import size
from .shot import sentence


class InSpatioPreferences(preferences.Preferences, bpy.types.AddonPreferences):
    bl_idname = preferences.ADDON

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        # The page shares its region with a list of categories.
        width = context.region.width * 0.8
        task = driver.get().task
        if not bpy.app.online_access:
            sentence(layout, _offline_sentence(), width, icon="INTERNET_OFFLINE")
        self._backend(layout.box().column(), task, width)
        self._weights(layout.box().column(), task, width)
        column = layout.box().column()
        column.label(text="Takes")
        column.prop(self, "take_folder", placeholder="Beside the Blend File")
        column.prop(self, "preview_memory")

    def _backend(self, column, task, width):
        wanted = preferences.wanted_list()
        setting_up = _is_about(task, "Set Up Backend") and task.running
        _heading(column, "Backend", *(("Setting up", "TIME") if setting_up else _backend_state()))
        if setting_up:
            task_progress(column, task)
        elif wanted is None:
            sentence(
                column, "There are no packages for this kind of machine: choose a Python of your own", width
            )
        else:
            row = column.row(align=True)
            row.scale_y = 1.3
            found = preferences.set_up_environment()
            again = found is not None and found.is_current
            row.operator(
                "inspatio.set_up_backend", text="Set Up Again" if again else "Set Up Backend", icon="IMPORT"
            )
            row.operator("inspatio.copy_set_up_commands", text="", icon="COPYDOWN")
            text = f"{wanted.packages} packages for {wanted.device}, {size(wanted.bytes)} to download"
            column.label(text=text, icon="BLANK1")
            task_outcome(column, task, "Set Up Backend", width)
        column.separator()
        column.prop(self, "backend_python", placeholder="Made by Set Up Backend")
        column.prop(self, "autostart")

    def _weights(self, column, task, width):
        _heading(column, "Weights", "Tiny comes with the extension, the others are downloaded", "BLANK1")
        column.prop(self, "weights_folder", placeholder=str(preferences.weights_folder()))
        column.prop(self, "precision")
        folder = preferences.weights_folder()
        labels = {preset: settings.PRESETS[preset].label for preset in SOURCES}
        labels |= {name: network.label for name, network in DEPTH_NETWORKS.items()}
        for preset, sources in (SOURCES | DEPTH_SOURCES).items():
            column.separator()
            title = f"Download {preset}"
            there = [source.is_there(folder) for source in sources]
            row = column.row()
            row.label(text=labels[preset], icon="CHECKMARK" if all(there) else "RADIOBUT_OFF")
            side = row.row()
            side.alignment = "RIGHT"
            side.label(text=_amount(sources, there, folder))
            side.operator("inspatio.download_weights", icon="IMPORT").preset = preset
            if _is_about(task, title) and task.running:
                task_progress(column, task)
            else:
                task_outcome(column, task, title, width)
            rows = column.column(align=True)
            rows.scale_y = 0.8
            for source, is_there in zip(sources, there, strict=True):
                row = rows.split(factor=0.5)
                row.label(
                    text=source.purpose[:1].upper() + source.purpose[1:], icon="DOT" if is_there else "BLANK1"
                )
                row.label(text=source.licence)


def _heading(column, title, state, icon):
    row = column.row()
    row.label(text=title)
    side = row.row()
    side.alignment = "RIGHT"
    side.label(text=state, icon=icon)


def _backend_state():
    """What there is to say of the backend's environment, and its icon."""
    if preferences.own_python():
        return "Uses a Python of your own", "CHECKMARK"
    found = preferences.set_up_environment()
    if found is None:
        return "Not set up", "ERROR"
    if not found.is_current:
        return "Needs an update: this version has other packages", "FILE_REFRESH"
    return "Set up", "CHECKMARK"


def _offline_sentence():
    if bpy.app.online_access_override:
        return "Blender was started in offline mode: nothing can be set up or downloaded"
    return "To set up the backend or download weights, allow Online Access in System > Network"


def _amount(sources, there, folder):
    """How much of a preset is there, and how large it is once the hub has said so."""
    if all(there):
        state = "Downloaded"
    elif any(there):
        state = f"{sum(there)} of {len(sources)} parts"
    else:
        state = "Not downloaded"
    listed = [file.size for source in sources for file in source.listed(folder)]
    return f"{state}, {size(sum(listed))}" if listed else state


def _is_about(task, title):
    return task is not None and task.title == title


def task_progress(column, task):
    row = column.row(align=True)
    row.scale_y = 1.3
    factor = task.factor
    row.progress(factor=factor or 0.0, text=task.title if factor is None else f"{task.title}: {factor:.0%}")
    row.operator("inspatio.cancel_task", text="", icon="X")
    column.label(text=task.line, icon="BLANK1")


def task_outcome(column, task, title, width):
    """How the last attempt ended, where that is not seen anyway."""
    if not _is_about(task, title) or task.state == "finished":
        return
    sentence(column, task.message, width, "PAUSE" if task.state == "cancelled" else "ERROR")
    if task.state == "failed":
        column.operator("wm.path_open", text="Open Log", icon="TEXT").filepath = str(task.log_file)


def register():
    bpy.utils.register_class(InSpatioPreferences)


def unregister():
    bpy.utils.unregister_class(InSpatioPreferences)
