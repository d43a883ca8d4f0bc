"""In the window: time frozen by a preset, coverage checked, its graph over the timeline and its strip in the panel."""

import bpy
import window
from door import arguments, disable, part

FRAMES = 97


def wide_area(kind):
    """The lowest part of the viewport as an editor of this kind."""
    place = window.viewport()
    screen = place["window"].screen
    before = set(screen.areas)
    with bpy.context.temp_override(**place):
        bpy.ops.screen.area_split(direction="HORIZONTAL", factor=0.19)
    area = next(area for area in screen.areas if area not in before)
    area.ui_type = kind
    return area


def open_or_close(panel, options, within=()):
    """Register a panel anew with these `bl_options`, and those that lie within it.

    Under another name, since Blender remembers of one that was drawn whether it was open.
    """
    for one in (*reversed(within), panel):
        bpy.utils.unregister_class(one)
    panel.bl_options, panel.bl_idname = options, f"{panel.__name__}_anew"
    for one in within:
        one.bl_parent_id = panel.bl_idname
    for one in (panel, *within):
        bpy.utils.register_class(one)


def view_all(area, operator):
    place = {"window": window.viewport()["window"], "area": area}
    with bpy.context.temp_override(**place, region=next(r for r in area.regions if r.type == "WINDOW")):
        operator()


def test(folder):
    scene = window.prepare(folder, FRAMES)
    runtime = part("inspatio_blender.driver").get()
    # As after a click on the header of Reference, which holds World.
    reference, *within = (
        part("panels.reference").INSPATIO_PT_reference,
        part("panels.world").INSPATIO_PT_world,
    )
    open_or_close(reference, {"DEFAULT_CLOSED"}, within)
    camera = scene.camera
    for frame, turn in ((25, 0.0), (45, 1.3), (62, 0.1), (80, 0.0), (97, -0.75)):
        camera.rotation_euler.z = turn
        camera.keyframe_insert("rotation_euler", frame=frame)
    scene.frame_set(1)
    yield from window.open_tab()
    bpy.ops.inspatio.capture_reference("EXEC_DEFAULT")
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.start_backend()
    yield lambda: runtime.backend_status is not None
    with bpy.context.temp_override(**window.viewport()):
        assert bpy.ops.inspatio.check_coverage() == {"FINISHED"}
    assert runtime.checking, "the window must not wait"
    yield lambda: not runtime.checking
    checked = runtime.coverage
    assert checked.state == "finished", checked.message
    assert len(checked.runs) == 2, checked.runs
    yield 0.5
    yield from window.ask("shot coverage_1_low")
    area = wide_area("DOPESHEET")
    yield 0.5
    view_all(area, bpy.ops.action.view_all)
    yield 0.5
    yield from window.ask("shot coverage_1")
    scene.frame_set(44)
    yield 0.5
    assert not checked.is_stale(scene), "drawing and scrubbing change nothing"
    camera.location.z += 0.3
    yield lambda: checked.is_stale(scene)
    yield 0.5
    yield from window.ask("shot coverage_2_stale")
    scene.frame_set(25)
    scene.inspatio.reference_kind, scene.inspatio.reference_step = "MOVING", 24
    open_or_close(part("panels.time").INSPATIO_PT_time, set())
    bpy.ops.inspatio.capture_reference("EXEC_DEFAULT")
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.ed.undo_push(message="moved")
        bpy.ops.inspatio.time_preset(preset="FREEZE_REPEAT", hold=30)
    camera.select_set(False)
    area.ui_type = "FCURVES"
    yield 0.5
    view_all(area, bpy.ops.graph.view_all)
    yield 0.5
    yield from window.ask("shot time_1")
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.ed.undo_push(message="time")
        bpy.ops.ed.undo()
    area.ui_type = "TIMELINE"
    yield 0.5
    yield from window.ask("shot coverage_3_undone")
    # Esc ends a check.
    scene = window.viewport()["window"].scene
    scene.frame_end = 2500
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.check_coverage()
    assert runtime.checking
    yield from window.ask("move 600 400")
    yield from window.ask("key Escape")
    yield lambda: not runtime.checking
    assert runtime.coverage.state == "cancelled", runtime.coverage.message
    disable()
    yield 1.0
    yield from window.ask("shot coverage_4_disabled")
    return {"runs": [run.sentence for run in checked.runs]}


window.Steps(test(arguments()[0]), 200)
