"""Export Shot in the window: the folder chosen in Blender's file browser; then a long shot, ended by Esc."""

from pathlib import Path

import bpy
import window
from door import arguments, part

FRAMES = 12
LONG = 20_000


def running():
    return [operator.bl_idname for operator in window.viewport()["window"].modal_operators]


def test(folder):
    scene = window.prepare(folder, FRAMES)
    folder = Path(folder)
    bpy.context.preferences.view.filebrowser_display_type = "SCREEN"
    yield from window.open_tab()
    bpy.ops.inspatio.capture_reference()
    exports = folder / "exports"
    exports.mkdir()
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.export_shot("INVOKE_DEFAULT", directory=f"{exports}/")
    yield 1.5
    yield from window.ask("shot 6_export")
    yield from window.ask("move 600 400")
    yield from window.ask("key Return")
    yield lambda: any(exports.iterdir()) and not running()
    shot = part("backend.protocol.files").read_shot(next(exports.iterdir()))
    assert len(shot.cameras.frames) == FRAMES

    # Esc ends a long one, and nothing is left of it.
    scene.frame_end = LONG
    scene.frame_set(3)
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.export_shot("INVOKE_DEFAULT", directory=f"{folder / 'long'}/", chosen=True)
    yield 0.5
    assert running() == ["INSPATIO_OT_export_shot"], running()
    yield from window.ask("shot 7_exporting")
    yield from window.ask("key Escape")
    yield lambda: not running()
    assert scene.frame_current == 3
    assert not (folder / "long").exists()
    return {"exported": [path.name for path in exports.iterdir()]}


window.Steps(test(arguments()[0]), 200)
