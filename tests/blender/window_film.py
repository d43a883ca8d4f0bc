"""A film in the window: shots, queue and strips, by the panel's buttons; paused, quit over, and gone on with by itself.

With a file as second argument its film is made instead of a simple one: for pictures of the documentation.
"""

import json
import time
from pathlib import Path

import bpy
import window
from door import arguments, disable, enable, part
from film import film_scene


def only_film():
    """Have the panels above ours closed, as after a click on their headers, and ours open."""
    disable()
    for module, name in (("reference", "reference"), ("shot", "shot"), ("takes", "takes"), ("live", "live")):
        getattr(part(f"panels.{module}"), f"INSPATIO_PT_{name}").bl_options = {"DEFAULT_CLOSED"}
    part("panels.coverage").INSPATIO_PT_coverage.bl_options = {"DEFAULT_CLOSED"}
    part("panels.film").INSPATIO_PT_film.bl_options = set()
    enable()


def sequencer_below():
    """The lowest part of the viewport as a sequencer."""
    place = window.viewport()
    screen = place["window"].screen
    before = set(screen.areas)
    with bpy.context.temp_override(**place):
        bpy.ops.screen.area_split(direction="HORIZONTAL", factor=0.25)
    area = next(area for area in screen.areas if area not in before)
    area.type = "SEQUENCE_EDITOR"
    area.spaces.active.view_type = "SEQUENCER"
    return area


def press(operator, *how, **options):
    with bpy.context.temp_override(**window.viewport()):
        return getattr(bpy.ops.inspatio, operator)(*how, **options)


def test(folder, blend):
    enable()
    bpy.context.preferences.view.show_splash = False
    bpy.context.preferences.system.viewport_aa = "OFF"
    if blend:
        bpy.ops.wm.open_mainfile(filepath=blend)
        scene = bpy.context.window_manager.windows[0].scene
        scene.inspatio.film_handles = 4
    else:
        scene = film_scene(folder, 4, 21)
        scene.inspatio.film_handles = 6
    shots = len(scene.timeline_markers)
    only_film()
    runtime = part("inspatio_blender.driver").get()
    yield from window.open_tab()
    yield 1.5
    yield from window.ask("shot film_1_panel")
    listed = part("inspatio_blender.film_listing").get()
    assert [row.name for row in listed.parts] == [p.name for p in part("inspatio_blender.film").parts(scene)]

    # What they lack, by the mouse.
    button = yield from window.find_button("inspatio.capture_parts")
    yield from window.ask(f"click {button}")
    yield lambda: runtime.working is None and all(row.reference == "v001" for row in listed.parts)

    # Into the queue; Start comes back at once.
    assert press("queue_add", "INVOKE_DEFAULT", all=True) == {"RUNNING_MODAL"}
    yield lambda: runtime.working is None and len(listed.items) == shots
    queue = runtime.queue
    began = time.perf_counter()
    assert press("queue_start") == {"FINISHED"}
    assert time.perf_counter() - began < 0.5
    yield lambda: queue.is_going
    yield lambda: queue.progress is not None and queue.progress.frames_done >= 9
    yield from window.ask("shot film_2_going")
    assert queue.is_going, "what is looked at goes on"

    # Paused within a second, and so it stays: nothing else begins.
    began = time.monotonic()
    assert press("queue_pause") == {"FINISHED"}
    yield lambda: not runtime.busy
    paused = time.monotonic() - began
    yield 1.5
    assert not runtime.busy and not queue.content.going
    assert "waiting" in [row.state for row in listed.items]
    yield from window.ask("shot film_3_paused")
    if not blend:
        assert press("queue_skip", item=queue.content.items[-1].id) == {"FINISHED"}
        yield lambda: listed.items[-1].state == "skipped"

    # Another file, and back: it goes on by itself, without a press.
    assert press("queue_start") == {"FINISHED"}
    yield lambda: runtime.busy and queue.progress.number
    path = bpy.data.filepath
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=False)
    yield 1.0
    assert queue.keeper is None and not queue.content.items
    bpy.ops.wm.open_mainfile(filepath=path)
    yield 0.5
    yield from window.open_tab()
    yield lambda: queue.is_going
    yield lambda: not queue.is_going and not runtime.busy
    done = [item.state for item in queue.content.items]
    assert done == ["done"] * (shots - (not blend)) + ["skipped"] * (not blend), done

    # On the sequencer.
    scene = bpy.context.window_manager.windows[0].scene
    area = sequencer_below()
    yield 0.5
    button = yield from window.find_button("inspatio.lay_out_film")
    yield from window.ask(f"click {button}")
    strips = part("inspatio_blender.film_strips")
    yield lambda: strips.is_laid_out(scene)
    region = next(r for r in area.regions if r.type == "WINDOW")
    with bpy.context.temp_override(window=window.viewport()["window"], area=area, region=region):
        bpy.ops.sequencer.view_all()
    ticks = sorted(runtime.tick_ms)
    yield 0.5
    yield from window.ask("shot film_4_laid_out")
    takes = sorted(str(path) for path in Path(path).parent.glob("inspatio/*/take_*"))
    frames = {take: len(list(Path(take).glob("*.png"))) for take in takes}
    return {
        "paused_s": paused,
        "ticks": len(ticks),
        "tick_ms_p99": ticks[int(0.99 * (len(ticks) - 1))],
        "frames": frames,
        "items": json.loads((Path(path).parent / "inspatio/queue/queue.json").read_text())["items"],
    }


window.Steps(test(*[*arguments(), ""][:2]), limit=300.0)
