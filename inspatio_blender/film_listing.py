"""What the film's panel shows: the parts of the scene's film and the items of the queue, kept with the window manager.

Panels read nothing from disk, and lists of Blender's need properties to draw: here is what was found last.
"""

import bpy
from bpy.props import BoolProperty, CollectionProperty, IntProperty, PointerProperty, StringProperty

from . import film, takes
from .queue.items import Content
from .shot_files import Folders, Found


class InSpatioPartItem(bpy.types.PropertyGroup):
    """A row of the film: a part, its newest reference and finished take."""

    frames: IntProperty()
    first: IntProperty()
    last: IntProperty()
    reference: StringProperty()
    take: IntProperty()
    is_used: BoolProperty()


class InSpatioQueueItem(bpy.types.PropertyGroup):
    """A row of the queue."""

    item_id: IntProperty()
    state: StringProperty()
    frames: IntProperty()
    frames_done: IntProperty()
    take: IntProperty()
    message: StringProperty()
    note: StringProperty()


class InSpatioFilm(bpy.types.PropertyGroup):
    """The film of the scene in front of the user, and the queue of the file."""

    parts: CollectionProperty(type=InSpatioPartItem)
    active_part: IntProperty(name="Shot", description="Shot of the film that the buttons below are for")
    items: CollectionProperty(type=InSpatioQueueItem)
    active_item: IntProperty(name="Shot", description="Shot in the queue that the buttons are for")


def get() -> InSpatioFilm:
    """What the panel shows."""
    return bpy.context.window_manager.inspatio_film


def folders(parts: list[film.Part], scene: bpy.types.Scene) -> Folders:
    """Where to look for what the parts have."""
    return {part.name: tuple(takes.shot_folders(scene, part.name)) for part in parts}


def show_parts(scene: bpy.types.Scene, parts: list[film.Part], found: dict[str, Found]) -> bool:
    """Show the parts of the scene's film; whether that is anything new."""
    shown, rows = get(), get().parts
    wanted = []
    for part in parts:
        has = found.get(part.name, Found())
        used = film.is_used(scene, part)
        wanted.append((part.name, len(part.frames), part.first, part.last, has.reference, has.take, used))
    if wanted == [
        (row.name, row.frames, row.first, row.last, row.reference, row.take, row.is_used) for row in rows
    ]:
        return False
    _resize(rows, len(wanted))
    for row, values in zip(rows, wanted, strict=True):
        row.name, row.frames, row.first, row.last, row.reference, row.take, row.is_used = values
    shown.active_part = max(0, min(shown.active_part, len(rows) - 1))
    return True


def show_queue(content: Content) -> None:
    """Show the items; the active row stays on its item."""
    shown, rows = get(), get().items
    at = rows[shown.active_item].item_id if 0 <= shown.active_item < len(rows) else 0
    _resize(rows, len(content.items))
    for row, item in zip(rows, content.items, strict=True):
        row.name, row.item_id, row.state = item.shot, item.id, item.state
        row.frames, row.frames_done, row.take = item.frames, item.frames_done, item.take
        row.message, row.note = item.message, item.note
    ids = [item.id for item in content.items]
    shown.active_item = ids.index(at) if at in ids else max(0, min(shown.active_item, len(ids) - 1))


def _resize(rows, count: int) -> None:
    while len(rows) > count:
        rows.remove(len(rows) - 1)
    while len(rows) < count:
        rows.add()


CLASSES = (InSpatioPartItem, InSpatioQueueItem, InSpatioFilm)


def register():
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.WindowManager.inspatio_film = PointerProperty(type=InSpatioFilm, options={"SKIP_SAVE"})


def unregister():
    del bpy.types.WindowManager.inspatio_film
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
