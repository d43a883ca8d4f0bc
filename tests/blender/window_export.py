"""Export Shot and Export Job in the window: the folder chosen in Blender's file browser; long ones, ended by Esc."""

from pathlib import Path

import bpy
import window
from door import arguments, part

FRAMES = 12
LONG = 20_000


def export_job(scene, folder):
    """A film of two shots: that without a reference is left out, and the options of the file browser count."""
    film = part("inspatio_blender.film")
    scene.frame_end = 40
    for name, frame in (("A", 1), ("B", 7)):
        scene.timeline_markers.new(name, frame=frame).camera = scene.camera
    scene.inspatio.film_handles = 0
    film.use_part(scene, film.parts(scene)[1])
    bpy.ops.inspatio.capture_reference()
    folder.mkdir()
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.export_job("INVOKE_DEFAULT", directory=f"{folder}/", every=12)
    yield 1.5
    yield from window.ask("shot 6_export_job")
    yield from window.ask("move 600 400")
    yield from window.ask("key Return")
    yield lambda: any(folder.iterdir()) and not running()
    yield 0.5
    yield from window.ask("shot 6_exported_job")
    (job,) = folder.iterdir()
    assert [path.name for path in (job / "shots").iterdir()] == ["B"]
    assert "B, to frame 15" in (job / "template.yaml").read_text()
    yield from window.ask("key Escape")

    scene.frame_end = LONG
    scene.frame_set(3)
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.export_job("INVOKE_DEFAULT", directory=f"{folder}/", chosen=True)
    yield 0.5
    assert running() == ["INSPATIO_OT_export_job"], running()
    yield from window.ask("shot 7_exporting_job")
    yield from window.ask("key Escape")
    yield lambda: not running()
    assert scene.frame_current == 3
    assert list(folder.iterdir()) == [job], "nothing is left of it"
    scene.frame_end = FRAMES


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

    yield from export_job(scene, folder / "jobs")

    # Esc ends a long one, and nothing is left of it.
    scene.inspatio.use_scene_range, scene.frame_end = True, LONG
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
