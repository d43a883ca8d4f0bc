"""In the window: what a take needs is said before it starts, and again when the shot changes; draw() asks nobody."""

import bpy
import window
from door import arguments, part


def test(folder):
    scene = window.prepare(folder, 21)
    runtime = part("inspatio_blender.driver").get()
    yield from window.open_tab()
    assert runtime.planned is None
    bpy.ops.inspatio.capture_reference("EXEC_DEFAULT")
    yield lambda: runtime.working is None
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.start_backend()
    yield lambda: runtime.backend_status is not None
    yield 1.0
    assert runtime.planned is None, "Tiny needs no such line"

    scene.inspatio.preset = "inspatio-1.5-1.3b"
    yield lambda: runtime.planned is not None
    final = runtime.planned
    assert final.shape.quality == scene.inspatio.quality
    yield from window.ask("shot plan_1")
    scene.inspatio.quality = "draft" if final.shape.quality == "final" else "final"
    yield lambda: runtime.planned is not None and runtime.planned.shape.quality == scene.inspatio.quality
    draft = runtime.planned
    yield from window.ask("shot plan_2")
    assert draft.words != final.words
    assert draft.words.startswith("Needs ") and draft.words.endswith(" GB free"), draft.words
    scene.inspatio.preset = "tiny"
    yield lambda: runtime.planned is None
    runtime.stop_backend()
    yield lambda: runtime.backend_status is None
    scene.inspatio.preset = "inspatio-1.3b"
    yield 1.0
    assert runtime.planned is None
    return {"words": [final.words, draft.words], "seconds": final.seconds_per_frame}


window.Steps(test(*arguments()))
