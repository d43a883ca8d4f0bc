"""The panel of the coverage: the check, a strip of its colours, and the frames that lack it."""

import bpy

from ..inspatio_blender import driver, heat_strip
from ..inspatio_blender.coverage import LOW, percent
from .shot import Tab, sentence

RUNS_SHOWN = 4


class INSPATIO_PT_coverage(Tab, bpy.types.Panel):
    bl_label = "Coverage"
    bl_parent_id = "INSPATIO_PT_shot"
    bl_order = 1

    def draw(self, context):
        layout = self.layout
        scene, width = context.scene, context.region.width
        coverage = driver.get().coverage
        if coverage is not None and not coverage.is_of(scene):
            coverage = None
        row = layout.row(align=True)
        if coverage is not None and coverage.active:
            row.progress(factor=coverage.factor, text=coverage.stage)
            row.operator("inspatio.cancel", icon="X", text="")
        else:
            row.operator("inspatio.check_coverage", icon="VIEWZOOM")
            row.prop(
                scene.inspatio,
                "show_coverage",
                text="",
                icon="HIDE_OFF" if scene.inspatio.show_coverage else "HIDE_ON",
            )
        if coverage is None:
            return
        if coverage.state in ("cancelled", "failed") and coverage.message:
            sentence(layout, coverage.message, width)
        if not coverage.shares:
            return
        is_stale = coverage.is_stale(scene)
        heat_strip.draw(layout, coverage, width, is_stale)
        if is_stale:
            sentence(layout, "The camera or the shot has changed since: check again", width, "FILE_REFRESH")
        column = layout.column(align=True)
        column.active = not is_stale
        if coverage.runs:
            column.label(text=f"Under {percent(LOW)} covered", icon="ERROR")
        for run in coverage.runs[:RUNS_SHOWN]:
            row = column.row(align=True)
            row.alignment = "LEFT"
            button = row.operator("inspatio.go_to_frame", text=run.words, icon="FRAME_NEXT", emboss=False)
            button.frame = round(run.lowest)
        if len(coverage.runs) > RUNS_SHOWN:
            column.label(text=f"And {len(coverage.runs) - RUNS_SHOWN} more", icon="BLANK1")
        if not coverage.runs and coverage.state == "finished":
            column.label(text=f"{percent(min(coverage.shares))} or more covered", icon="CHECKMARK")


def register():
    bpy.utils.register_class(INSPATIO_PT_coverage)


def unregister():
    bpy.utils.unregister_class(INSPATIO_PT_coverage)
