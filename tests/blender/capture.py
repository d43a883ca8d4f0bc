"""Capture Reference, for one view, several cameras and a frame range; the scene is afterwards as it was before."""

import json
from pathlib import Path
from types import SimpleNamespace

import bpy
from door import enable, main, part, raises, simple_scene


def settings_of(scene):
    """Everything of the scene that a capture touches, as text."""
    owners = [
        scene.render,
        scene.render.image_settings,
        scene.cycles,
        scene.view_layers[0],
        scene.camera.data,
        scene.camera.data.dof,
    ]
    values = {}
    for owner in owners:
        for name, property in owner.bl_rna.properties.items():
            if property.type in {"INT", "FLOAT", "BOOLEAN", "STRING", "ENUM"}:
                value = getattr(owner, name)
                values[f"{owner.bl_rna.identifier}.{name}"] = (
                    list(value) if getattr(property, "is_array", False) else str(value)
                )
    values["frame"] = (scene.frame_current, scene.frame_subframe, scene.camera.name)
    values["markers"] = [(m.frame, m.camera and m.camera.name) for m in scene.timeline_markers]
    return values


class FakeWindowCapture:
    """The operator as it stands in a window, whose first view fails in a way that nobody foresaw."""

    def __init__(self, operator):
        self.title, self.errors = operator.title, operator.errors
        for name in ("begin", "modal", "cancel"):
            setattr(self, name, getattr(operator, name).__get__(self))

    @staticmethod
    def steps(context):
        raise ReferenceError("the scene is gone")
        yield


def nothing(*arguments, **named):
    pass


def a_failed_capture_in_the_window_is_not_the_last():
    runtime = part("inspatio_blender.driver").get()
    manager = ("event_timer_add", "event_timer_remove", "progress_begin", "progress_end", "modal_handler_add")
    context = SimpleNamespace(
        window=None,
        window_manager=SimpleNamespace(**dict.fromkeys(manager, nothing)),
        workspace=SimpleNamespace(status_text_set=nothing),
    )
    operator = FakeWindowCapture(part("operators.capture").INSPATIO_OT_capture_reference)
    operator.begin(context)
    assert not bpy.ops.inspatio.capture_reference.poll()
    with raises(ReferenceError, "the scene is gone"):
        for _ in range(9):
            operator.modal(context, SimpleNamespace(type="TIMER", value="NOTHING"))
    assert runtime.working is None
    assert bpy.ops.inspatio.capture_reference.poll()


def test(folder):
    enable()
    scene = simple_scene(width=128, height=72, frames=5)
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(folder) / "scene.blend"))
    shot = scene.inspatio
    scene.render.image_settings.file_format = "TIFF"
    scene.render.image_settings.color_depth = "16"
    scene.render.filepath = "//somewhere"
    scene.camera.data.dof.use_dof = True
    scene.render.use_motion_blur = True
    scene.frame_set(3, subframe=0.5)
    before = settings_of(scene)
    found = {}

    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    assert settings_of(scene) == before, {
        k: (v, before[k]) for k, v in settings_of(scene).items() if v != before[k]
    }
    takes = part("inspatio_blender.takes")
    found["still"] = str(takes.reference_version(scene))

    first = scene.camera
    others = []
    for number in range(3):
        camera = scene.camera.copy()
        camera.data = scene.camera.data.copy()
        camera.animation_data_clear()
        camera.location = (number - 1, -5, 3)
        camera.name = f"Other {number}"
        scene.collection.objects.link(camera)
        others.append(camera)
    # A marker binds another camera to the very frame that is captured.
    scene.timeline_markers.new("cut", frame=1).camera = others[2]
    shot.reference_kind = "STILLS"
    shot.reference_camera, shot.reference_camera_2, shot.reference_camera_3 = (
        first,
        others[0],
        others[1],
    )
    shot.reference_at = "CURRENT"
    before = settings_of(scene)
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    assert settings_of(scene) == before, {
        k: (v, before[k]) for k, v in settings_of(scene).items() if v != before[k]
    }
    found["stills"] = str(takes.reference_version(scene))

    scene.timeline_markers.clear()
    scene.camera = first
    shot.reference_kind = "MOVING"
    shot.reference_step = 2
    shot.reference_scale = "2"
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    found["moving"] = str(takes.reference_version(scene))
    assert len(takes.reference_versions(scene)) == 3

    # Another version can be chosen; a new capture is the one in use again.
    bpy.ops.inspatio.use_reference(version="v001")
    assert takes.reference_version(scene).name == "v001"

    # Cancelled half way: nothing stays on disk.
    reference = part("inspatio_blender.reference")
    steps = reference.capture_steps(
        scene,
        bpy.context.view_layer,
        reference.plan(scene, (128, 64), takes.shot_folder(scene) / "reference"),
    )
    next(steps)
    steps.close()
    left = sorted(path.name for path in (takes.shot_folder(scene) / "reference").iterdir())
    assert left == ["v001", "v002", "v003"], left

    # What lies beyond the clip end is sky.
    shot.reference_kind, shot.reference_at, shot.reference_scale = "STILL", "FIRST", "1"
    before, first.data.clip_end = first.data.clip_end, 8.0
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    first.data.clip_end = before
    found["clipped"] = str(takes.reference_version(scene))

    a_failed_capture_in_the_window_is_not_the_last()

    # An orthographic camera is refused before anything is rendered, an empty range too.
    scene.camera.data.type = "ORTHO"
    with raises(RuntimeError, "orthographic"):
        bpy.ops.inspatio.capture_reference()
    scene.camera.data.type = "PERSP"
    shot.use_scene_range, shot.frame_start, shot.frame_end = False, 5, 2
    with raises(RuntimeError, "range is empty"):
        bpy.ops.inspatio.capture_reference()
    with raises(RuntimeError, "range is empty"):
        bpy.ops.inspatio.generate()

    # The camera of each view as Blender has it, and where the boxes' corners are: the test outside compares.
    assert json.dumps(found)
    return found


main(test)
