"""What the panels show of the disk: the takes of the shot and the reference in use, kept with the window manager.

Undo leaves the window manager alone, so this tells what is on disk now, not what was there once. Panels read
nothing from disk: they draw often.
"""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, CollectionProperty, IntProperty, PointerProperty, StringProperty

from . import takes
from .versions import REFERENCE_FOLDER


class InSpatioTakeItem(bpy.types.PropertyGroup):
    """A row of the list."""

    folder: StringProperty()
    number: IntProperty()
    state: StringProperty()
    message: StringProperty()
    frames_done: IntProperty()
    frames_total: IntProperty()


class InSpatioListing(bpy.types.PropertyGroup):
    """The takes of the shot in front of the user, newest first, and its reference."""

    takes: CollectionProperty(type=InSpatioTakeItem)
    active: IntProperty(name="Take", description="Take that the buttons below are for")
    reference: StringProperty()
    reference_info: StringProperty()
    reference_kind: StringProperty()
    reference_views: IntProperty()
    reference_has_geometry: BoolProperty()
    folder: StringProperty()
    is_unsaved_place: BoolProperty()
    stamp: StringProperty()
    """Which shot this is of, and when its folders were changed last."""


def get() -> InSpatioListing:
    """What the panels show."""
    return bpy.context.window_manager.inspatio


def refresh(scene: bpy.types.Scene, running: Path | None) -> None:
    """Read the disk; the active row stays on its take, and goes to a take that is new."""
    listed = get()
    rows = listed.takes
    at = rows[listed.active].folder if 0 <= listed.active < len(rows) else ""
    newest = rows[0].folder if rows else ""
    found = takes.list_takes(scene, running)
    rows.clear()
    for take in found:
        row = rows.add()
        row.folder, row.number, row.state, row.message = (
            str(take.folder),
            take.number,
            take.state,
            take.message,
        )
        row.frames_done, row.frames_total = take.frames_done, take.frames_total
    folders = [row.folder for row in rows]
    is_new = bool(folders) and folders[0] != newest
    listed.active = 0 if is_new or at not in folders else folders.index(at)
    version = takes.reference_version(scene)
    listed.reference = version.name if version is not None else ""
    listed.reference_info = takes.reference_sentence(version) if version is not None else ""
    listed.reference_kind, listed.reference_views = (
        takes.reference_kind(version) if version is not None else ("", 0)
    )
    listed.reference_has_geometry = version is not None and takes.reference_has_geometry(version)
    listed.folder = str(takes.shot_folder(scene))
    listed.is_unsaved_place = takes.in_unsaved_place(scene)
    listed.stamp = _stamp(scene)


def note_frames(folder: Path, frames_done: int) -> None:
    """A block of the take in `folder` has arrived."""
    for row in get().takes:
        if row.folder == str(folder):
            row.frames_done = frames_done


def refresh_if_stale(scene: bpy.types.Scene, running: Path | None) -> bool:
    """Read the disk again if another shot is in front of the user, or its folder has changed."""
    if get().stamp == _stamp(scene):
        return False
    refresh(scene, running)
    return True


def _stamp(scene: bpy.types.Scene) -> str:
    parts = [scene.inspatio.reference_version]
    for shot in takes.shot_folders(scene):
        for folder in (shot, shot / REFERENCE_FOLDER):
            try:
                parts.append(f"{folder}:{folder.stat().st_mtime_ns}")
            except OSError:
                parts.append(f"{folder}:")
    return "|".join(parts)


def register():
    bpy.utils.register_class(InSpatioTakeItem)
    bpy.utils.register_class(InSpatioListing)
    bpy.types.WindowManager.inspatio = PointerProperty(type=InSpatioListing, options={"SKIP_SAVE"})


def unregister():
    del bpy.types.WindowManager.inspatio
    bpy.utils.unregister_class(InSpatioListing)
    bpy.utils.unregister_class(InSpatioTakeItem)
