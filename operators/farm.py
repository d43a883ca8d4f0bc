"""Export Job: the shots of a film as a job for a render farm."""

from pathlib import Path

import bpy

from ..backend.protocol.disk import FileFormatError
from ..inspatio_blender import driver, farm, film, settings, shots, takes
from ..inspatio_blender.export import ExportError
from ..inspatio_blender.task import Failed
from .stepwise import InFolder, say_lost, shares, task_steps

SAMPLING = 0.4
"""The share of an export that sampling the cameras is taken for."""


class INSPATIO_OT_export_job(InFolder, bpy.types.Operator):
    """Write a job for a render farm: a folder that AWS Deadline Cloud, or another runner of Open Job Description, generates the shots from"""  # noqa: E501

    bl_idname = "inspatio.export_job"
    bl_label = "Export Job"
    bl_options = {"REGISTER"}

    which: bpy.props.EnumProperty(
        name="Shots",
        description="Which shots the job generates",
        items=[
            ("ALL", "All Shots", "Every shot of the film that has a reference"),
            ("ACTIVE", "Active Shot", "The shot that is in front of you"),
        ],
        default="ALL",
    )
    every: bpy.props.IntProperty(
        name="Cut Every",
        description="Most frames of a shot in one task; the next one goes on where it ended. 0: a shot is one task",
        default=0,
        min=0,
        soft_max=1000,
    )

    title = "Exporting the job"
    errors = (shots.UserError,)

    def hint(self, context):
        return (
            f"A new folder “{self._name(context)}” is made in this one",
            "A shot is one task. A long one can be cut, its pieces run one after another",
        )

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        if film.is_cut(context.scene):
            layout.prop(self, "which")
        layout.prop(self, "every")
        super().draw(context)

    def check(self, context):
        self._ready(context.scene)

    def steps(self, context):
        parent, scene, name = self.folder(), context.scene, self._name(context)
        ready, lost = self._ready(scene)
        works = []
        for number, (part, reference) in enumerate(ready):
            sampling = shots.shot_steps(scene, context.view_layer, reference, part)
            first, last = (SAMPLING * share / len(ready) for share in (number, number + 1))
            shot = yield from shares(sampling, first, last)
            preset = settings.PRESETS[shot.preset]
            keeps_state = not preset.draft or shot.quality == "draft"
            works.append(farm.Work(takes.safe_name(part.name), shot, reference, preset.draft, keeps_state))
            if self.every and not keeps_state:
                lost.append(
                    f"{part.name} is not cut: what a piece of Final quality ends with is too large to be kept"
                )

        def work(task):
            try:
                folder = farm.export_job(name, works, parent, self.every, task.say)
            except (ExportError, FileFormatError) as error:
                raise Failed(str(error)) from error
            return f"Exported a job of {len(works)} shot{'s' * (len(works) != 1)} to {folder}"

        writing = task_steps(driver.get().begin_task(type(self).bl_label, work))
        said = yield from shares(writing, SAMPLING, 1.0)
        return said, lost

    def done(self, _context, result):
        said, lost = result
        say_lost(self, "The job is not all that was asked for", lost)
        self.report({"INFO"}, said)

    def _name(self, context):
        file = Path(bpy.data.filepath).stem if bpy.data.filepath else context.scene.name
        return f"{takes.safe_name(file)}_job"

    def _ready(self, scene):
        """The parts that can be generated, each with its reference, and sentences about the others.

        Raises UserError where there is none.
        """
        wanted = film.parts(scene) if self.which == "ALL" else [film.own_part(scene)]
        ready, lost = [], []
        for part in wanted:
            try:
                ready.append((part, shots.check_shot(scene, part)))
            except shots.UserError as error:
                lost.append(f"{part.name} is left out: {str(error)[:1].lower()}{str(error)[1:]}")
                reason = error
        if not ready:
            raise reason if len(wanted) == 1 else shots.UserError(lost[0])
        return ready, lost


def register():
    bpy.utils.register_class(INSPATIO_OT_export_job)


def unregister():
    bpy.utils.unregister_class(INSPATIO_OT_export_job)
