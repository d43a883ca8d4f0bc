"""The panel of the film: its shots, the queue, and how long that will take."""

import bpy

from ..inspatio_blender import driver, film_listing
from ..inspatio_blender.progress import duration
from ..operators.film import NO_FILE, INSPATIO_OT_capture_parts, INSPATIO_OT_queue_add
from .shot import Tab, sentence, step_progress

STATE_ICONS = {
    "waiting": "SORTTIME",
    "running": "PLAY",
    "done": "CHECKMARK",
    "failed": "ERROR",
    "skipped": "FORWARD",
}


class INSPATIO_UL_parts(bpy.types.UIList):
    def draw_item(
        self, _context, layout, _data, item, _icon, _active_data, _active_property, _index=0, _flags=0
    ):
        icon = "CHECKMARK" if item.take else "IMAGE_DATA" if item.reference else "BLANK1"
        row = layout.row(align=True)
        row.label(text=item.name, icon=icon)
        right = row.row()
        right.alignment = "RIGHT"
        if item.take:
            right.label(text=f"Take {item.take}")
        elif not item.reference:
            right.label(text="No reference")
        else:
            right.label(text=f"{item.frames} frames")
        row.label(text="", icon="RADIOBUT_ON" if item.is_used else "BLANK1")


class INSPATIO_UL_queue(bpy.types.UIList):
    def draw_item(
        self, _context, layout, _data, item, _icon, _active_data, _active_property, _index=0, _flags=0
    ):
        row = layout.row(align=True)
        row.label(text=item.name, icon=STATE_ICONS.get(item.state, "QUESTION"))
        progress = driver.get().queue.progress
        right = row.row()
        if item.state == "running" and progress is not None and progress.active:
            right.progress(factor=progress.factor, text=f"{progress.factor:.0%}")
            return
        right.alignment = "RIGHT"
        if item.note:
            right.label(text="", icon="INFO")
        if item.state == "done":
            right.label(text=f"Take {item.take}")
        elif 0 < item.frames_done < item.frames:
            right.label(text=f"{item.frames_done} of {item.frames}")
        else:
            right.label(text=f"{item.frames} frames")


class INSPATIO_PT_film(Tab, bpy.types.Panel):
    bl_label = "Film"
    bl_order = 3
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context):
        layout = self.layout
        listed = film_listing.get()
        layout.template_list("INSPATIO_UL_parts", "", listed, "parts", listed, "active_part", rows=3)
        row = layout.row(align=True)
        row.operator("inspatio.use_part", icon="RADIOBUT_ON").part = ""
        if len(listed.parts) < 2:
            sentence(layout, "Bind cameras to markers, and each becomes a shot", context.region.width, "INFO")
        column = layout.column()
        column.enabled = len(listed.parts) > 1
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(context.scene.inspatio, "film_handles")
        if not step_progress(layout, INSPATIO_OT_capture_parts, INSPATIO_OT_queue_add):
            if any(not row.reference for row in listed.parts):
                layout.operator("inspatio.capture_parts", icon="OUTLINER_OB_CAMERA")
            row = layout.row(align=True)
            add = row.operator("inspatio.queue_add", icon="ADD")
            add.all, add.part = False, ""
            row.operator("inspatio.queue_add", text="Add All").all = True
        layout.operator("inspatio.lay_out_film", icon="SEQ_SEQUENCER")


class INSPATIO_PT_queue(Tab, bpy.types.Panel):
    bl_label = "Queue"
    bl_parent_id = "INSPATIO_PT_film"

    def draw(self, context):
        layout = self.layout
        width, queue, listed = context.region.width, driver.get().queue, film_listing.get()
        if queue.keeper is None:
            sentence(layout, NO_FILE, width, "FILE_BLANK")
            return
        if not listed.items:
            layout.label(text="Nothing in the queue", icon="INFO")
        else:
            self._items(layout, listed, queue)
        if queue.problem:
            sentence(layout, queue.problem, width)

    def _items(self, layout, listed, queue):
        row = layout.row()
        row.template_list("INSPATIO_UL_queue", "", listed, "items", listed, "active_item", rows=4)
        side = row.column(align=True)
        side.operator("inspatio.queue_remove", icon="REMOVE", text="").done = False
        side.separator()
        side.operator("inspatio.queue_move", icon="TRIA_UP", text="").by = -1
        side.operator("inspatio.queue_move", icon="TRIA_DOWN", text="").by = 1
        chosen = listed.items[listed.active_item] if 0 <= listed.active_item < len(listed.items) else None
        if chosen is not None:
            row = layout.row(align=True)
            part = row.row(align=True)
            part.enabled = chosen.state in ("failed", "skipped", "done")
            part.operator("inspatio.queue_retry", icon="FILE_REFRESH")
            part = row.row(align=True)
            part.enabled = chosen.state in ("waiting", "running", "failed")
            part.operator("inspatio.queue_skip", icon="FORWARD")
            for text, icon in ((chosen.message, STATE_ICONS.get(chosen.state)), (chosen.note, "INFO")):
                if text:
                    sentence(layout, text, bpy.context.region.width, icon)
        row = layout.row()
        row.scale_y = 1.4
        if queue.is_going:
            row.operator("inspatio.queue_pause", icon="PAUSE")
        else:
            row.operator("inspatio.queue_start", icon="PLAY")
        self._left(layout, queue)

    def _left(self, layout, queue):
        waiting = [item for item in queue.content.items if item.state in ("waiting", "running")]
        if not waiting:
            return
        seconds, count = queue.seconds_left, len(waiting)
        text = f"{count} shot{'s' * (count != 1)}"
        layout.label(text=f"{text}, {duration(seconds)} left" if seconds else text, icon="TIME")


CLASSES = (INSPATIO_UL_parts, INSPATIO_UL_queue, INSPATIO_PT_film, INSPATIO_PT_queue)


def register():
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister():
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
