"""Shots of a film: use one, capture what they lack, queue them, lay them out; and the queue's own buttons."""

import bpy

from ..inspatio_blender import cameras, driver, film, film_listing, film_strips, reference, shots, takes
from ..inspatio_blender.queue.items import QueueError
from ..inspatio_blender.shots import UserError
from ..inspatio_blender.terminal import ProgressLine
from ..inspatio_blender.versions import REFERENCE_FOLDER
from .stepwise import Stepwise, shares

NO_FILE = "Save the file first: its queue is kept beside it"


def opened_queue(scene):
    """The queue of the file. Raises UserError while it is not saved."""
    runtime = driver.get()
    runtime.look_at_film(scene)
    if runtime.queue.keeper is None:
        raise UserError(NO_FILE)
    return runtime.queue


class INSPATIO_OT_use_part(bpy.types.Operator):
    """Make this the scene's shot: its name, camera and frames, handles included"""

    bl_idname = "inspatio.use_part"
    bl_label = "Use Shot"
    bl_options = {"REGISTER", "UNDO"}

    part: bpy.props.StringProperty(
        name="Shot", description="Name of the shot. Empty: the one chosen in the list"
    )

    @classmethod
    def poll(cls, context):
        if driver.get().busy and context.scene == driver.get().progress.scene:
            cls.poll_message_set("A take of this scene's shot is being generated")
            return False
        return True

    def execute(self, context):
        scene, listed = context.scene, film_listing.get()
        driver.get().look_at_film(scene)
        name = self.part
        if not name and 0 <= listed.active_part < len(listed.parts):
            name = listed.parts[listed.active_part].name
        part = film.find_part(scene, name)
        if part is None:
            self.report({"ERROR"}, f"There is no shot “{name}” in this film")
            return {"CANCELLED"}
        film.use_part(scene, part)
        if not part.first <= scene.frame_current <= part.last:
            scene.frame_set(part.first)
        driver.get().look_at_film(scene)
        return {"FINISHED"}


class INSPATIO_OT_capture_parts(Stepwise, bpy.types.Operator):
    """Capture a reference for every shot of the film that has none, as the Reference panel is set"""

    bl_idname = "inspatio.capture_parts"
    bl_label = "Capture References"
    bl_options = {"REGISTER"}

    title = "Capturing references"
    errors = (UserError, reference.CaptureError, cameras.CameraError)

    def steps(self, context):
        scene = context.scene
        if scene.inspatio.reference_kind in ("IMAGES", "FOOTAGE"):
            raise UserError(
                "Pictures and footage belong to one shot: use it, then bring its reference in alone"
            )
        takes.keep_unsaved_folder(scene)
        lacking = [p.name for p in film.parts(scene) if takes.reference_version(scene, p.name) is None]
        if not lacking:
            raise UserError("Every shot of the film has a reference")
        captured = []
        for number, name in enumerate(lacking):
            part = film.find_part(scene, name)
            if part is None:
                continue  # An undo took its marker away.
            cameras.check_camera(part.camera or scene.camera, scene)
            folder = takes.shot_folder(scene, name) / REFERENCE_FOLDER
            plan = reference.plan(scene, shots.frame_size(scene), folder, part)
            capturing = reference.capture_steps(scene, context.view_layer, plan)
            yield from shares(capturing, number / len(lacking), (number + 1) / len(lacking))
            captured.append(name)
        return captured

    def done(self, context, captured):
        driver.get().look_at_film(context.scene)
        count = len(captured)
        self.report({"INFO"}, f"Captured the reference{'s' * (count != 1)} of {', '.join(captured)}")


class INSPATIO_OT_queue_add(Stepwise, bpy.types.Operator):
    """Add the shot to the queue as it is now: later changes of camera and settings are not in it"""

    bl_idname = "inspatio.queue_add"
    bl_label = "Add to Queue"
    bl_options = {"REGISTER"}

    title = "Reading cameras"
    errors = (UserError,)

    part: bpy.props.StringProperty(
        name="Shot", description="Name of the shot. Empty: the one chosen in the list"
    )
    all: bpy.props.BoolProperty(
        name="All", description="Add every shot of the film that is not in the queue yet"
    )

    def steps(self, context):
        scene = context.scene
        queue = opened_queue(scene)
        if bpy.app.background:
            queue.keeper.look().wait()
        left_out, ready = [], []
        for part in self._chosen(scene):
            try:
                if queue.content.is_queued(takes.safe_name(part.name)):
                    raise UserError(f"“{part.name}” is in the queue already")
                ready.append((part.name, shots.check_shot(scene, part)))
            except UserError as error:
                if not self.all:
                    raise
                left_out.append(f"{part.name}: {error}")
        for number, (name, version) in enumerate(ready):
            part = film.find_part(scene, name)
            if part is None:
                continue  # An undo took its marker away.
            sampling = shots.shot_steps(scene, context.view_layer, version, part)
            shot = yield from shares(sampling, number / len(ready), (number + 1) / len(ready))
            change = queue.add(shot, version)
            while not change.done.is_set():
                yield None
            if change.error:
                raise UserError(change.error)
        return [name for name, _ in ready], left_out

    def _chosen(self, scene):
        parts, listed = film.parts(scene), film_listing.get()
        if self.all:
            return parts
        name = self.part
        if not name and 0 <= listed.active_part < len(listed.parts):
            name = listed.parts[listed.active_part].name
        found = [part for part in parts if part.name == name]
        if not found:
            raise UserError(f"There is no shot “{name}” in this film")
        return found

    def done(self, _context, result):
        added, left_out = result
        for sentence in left_out:
            self.report({"WARNING"}, sentence)
        if added:
            self.report({"INFO"}, f"Added {', '.join(added)} to the queue")


class _OnQueue:
    """An operator on the queue, or on one of its items: that with `item`, else the one chosen in the list."""

    bl_options = {"REGISTER"}

    item: bpy.props.IntProperty(
        name="Item", description="Number of the item. 0: the one chosen in the list", default=0, min=0
    )

    def execute(self, context):
        try:
            queue = opened_queue(context.scene)
            if bpy.app.background:
                queue.keeper.look().wait()
            change = self.ask(queue)
            if bpy.app.background:  # In the window the panel says what went wrong.
                change.wait()
        except (UserError, QueueError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return self.then(queue)

    def then(self, _queue):
        return {"FINISHED"}

    def chosen(self, queue):
        """Number of the item. Raises QueueError."""
        listed = film_listing.get()
        if self.item or not 0 <= listed.active_item < len(listed.items):
            return queue.content.find(self.item).id
        return queue.content.find(listed.items[listed.active_item].item_id).id


class INSPATIO_OT_queue_start(_OnQueue, bpy.types.Operator):
    """Generate what waits in the queue, shot after shot. It goes on by itself when the file is opened again"""

    bl_idname = "inspatio.queue_start"
    bl_label = "Start"

    def ask(self, queue):
        return queue.start()

    def then(self, queue):
        if not bpy.app.background:
            return {"FINISHED"}
        line = ProgressLine()
        driver.run_queue_to_end(line.tell)
        line.close()
        failed = [item for item in queue.content.items if item.state == "failed"]
        for item in queue.content.items:
            if item.note:
                self.report({"WARNING"}, f"{item.shot}: {item.note}")
        for item in failed:
            self.report({"ERROR"}, f"{item.shot}: {item.message}")
        if queue.problem:
            self.report({"ERROR"}, queue.problem)
        return {"CANCELLED"} if failed or queue.problem else {"FINISHED"}


class INSPATIO_OT_queue_pause(_OnQueue, bpy.types.Operator):
    """Stop the queue. The take that is being made keeps its frames, and goes on from there"""

    bl_idname = "inspatio.queue_pause"
    bl_label = "Pause"

    def ask(self, queue):
        return queue.pause()


class INSPATIO_OT_queue_skip(_OnQueue, bpy.types.Operator):
    """Pass over this shot; frames that it has are kept"""

    bl_idname = "inspatio.queue_skip"
    bl_label = "Skip"

    def ask(self, queue):
        return queue.skip(self.chosen(queue))


class INSPATIO_OT_queue_retry(_OnQueue, bpy.types.Operator):
    """Have this shot wait again: one that stopped goes on from its frames, one that is done gets a new take"""

    bl_idname = "inspatio.queue_retry"
    bl_label = "Retry"

    def ask(self, queue):
        number = self.chosen(queue)
        return queue.change(lambda content: content.retried(number))


class INSPATIO_OT_queue_remove(_OnQueue, bpy.types.Operator):
    """Take this shot out of the queue; its takes are kept"""

    bl_idname = "inspatio.queue_remove"
    bl_label = "Remove"

    done: bpy.props.BoolProperty(
        name="Done", description="Take out every shot that is done", options={"SKIP_SAVE"}
    )

    def ask(self, queue):
        if self.done:
            return queue.change(lambda content: content.cleared())
        number = self.chosen(queue)
        return queue.change(lambda content: content.removed(number))


class INSPATIO_OT_queue_move(_OnQueue, bpy.types.Operator):
    """Move this shot in the queue"""

    bl_idname = "inspatio.queue_move"
    bl_label = "Move"

    by: bpy.props.IntProperty(name="By", description="Places down, negative: up", default=1)

    def ask(self, queue):
        number, by = self.chosen(queue), self.by
        return queue.change(lambda content: content.moved(number, by))


class INSPATIO_OT_lay_out_film(bpy.types.Operator):
    """Put the newest finished take of every shot on the sequencer, in order and with its handles. Pressed again,
    newer takes go into the strips that are there"""

    bl_idname = "inspatio.lay_out_film"
    bl_label = "Lay Out Film"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context):
        laid, lacking = film_strips.lay_out(context.scene)
        if lacking:
            self.report({"WARNING"}, f"Without a finished take: {', '.join(lacking)}")
        if not laid:
            return {"CANCELLED"}
        self.report({"INFO"}, f"Laid out {laid} shot{'s' * (laid != 1)}")
        return {"FINISHED"}


CLASSES = (
    INSPATIO_OT_use_part,
    INSPATIO_OT_capture_parts,
    INSPATIO_OT_queue_add,
    INSPATIO_OT_queue_start,
    INSPATIO_OT_queue_pause,
    INSPATIO_OT_queue_skip,
    INSPATIO_OT_queue_retry,
    INSPATIO_OT_queue_remove,
    INSPATIO_OT_queue_move,
    INSPATIO_OT_lay_out_film,
)


def register():
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister():
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
