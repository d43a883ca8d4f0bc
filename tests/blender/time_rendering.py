"""How long Ctrl-F12 takes a frame at 1080p with plates, of a take that is there; and developed one after the other."""

import os
import time
from pathlib import Path

import bpy
from door import changed, main, part, simple_scene

FRAMES = 33


def render(scene, folder, name):
    """Seconds that an animation takes after its first frame, which brings the reference to the backend."""
    written = []

    def note(*_):
        written.append(time.perf_counter())

    scene.render.filepath = os.path.join(folder, name, "")
    bpy.app.handlers.render_write.append(note)
    assert bpy.ops.render.render(animation=True) == {"FINISHED"}
    bpy.app.handlers.render_write.remove(note)
    assert len(written) == FRAMES
    return (written[-1] - written[0]) / (FRAMES - 1)


def test(folder):
    scene = simple_scene(1920, 1080, FRAMES)
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(folder) / "scene.blend"))
    scene.inspatio.plate, scene.inspatio.reference_scale = True, "PLATE"
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    scene.render.engine = "INSPATIO"
    bpy.ops.inspatio.mend_colour()
    render(scene, folder, "made")
    rendering = part("inspatio_blender.engine.rendering")
    ahead = [render(scene, folder, "ahead_1")]
    with changed(rendering.Rendering, _look_ahead=lambda *_: None):
        alone = [render(scene, folder, f"alone_{turn}") for turn in (1, 2)]
    ahead.append(render(scene, folder, "ahead_2"))
    return {
        "frame_s": round(min(ahead), 3),
        "frame_s_one_after_the_other": round(min(alone), 3),
        "frames": FRAMES,
        "together": rendering.TOGETHER,
    }


main(test)
