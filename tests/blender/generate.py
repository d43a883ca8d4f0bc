"""Capture and Generate as a user does in a new scene, headless; then what shows the take."""

import json
from pathlib import Path

import bpy
from door import enable, main, part, raises, simple_scene


def test(folder, frames):
    enable()
    scene = simple_scene(frames=int(frames))
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(folder) / "scene.blend"))
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    driver, showing = part("inspatio_blender.driver"), part("inspatio_blender.showing")
    # What is switched off while frames arrive is made when it is switched on.
    scene.inspatio.show_strip = False
    assert bpy.ops.inspatio.generate() == {"FINISHED"}
    assert showing.find_strip(scene) is None
    scene.inspatio.show_strip = True
    progress = driver.get().progress
    assert progress.state == "finished"
    assert progress.frames_done == int(frames)

    background = scene.camera.data.background_images[0]
    assert scene.camera.data.show_background_images
    user = background.image_user
    assert (user.frame_start, user.frame_duration, user.frame_offset) == (1, int(frames), 0)
    assert (background.frame_method, background.alpha, background.display_depth) == ("STRETCH", 1.0, "FRONT")
    strip = showing.find_strip(scene)
    assert strip.frame_final_duration == int(frames), strip.frame_final_duration
    assert strip.frame_final_start == 1
    assert [e.filename for e in strip.elements] == [path.name for path in progress.files()]
    assert not scene.render.use_sequencer, "rendering must still give the scene"
    background.image = None
    scene.camera.data.background_images.remove(background)
    scene.inspatio.show_background = False
    assert bpy.ops.inspatio.show_take(number=1) == {"FINISHED"}
    assert not scene.camera.data.background_images
    scene.inspatio.show_background = True
    background = scene.camera.data.background_images[0]
    user = background.image_user
    assert (user.frame_start, user.frame_duration, user.frame_offset) == (1, int(frames), 0)

    # The switches follow at once, and showing again adds nothing.
    scene.inspatio.show_strip = scene.inspatio.show_background = False
    assert strip.mute
    assert not background.show_background_image
    scene.inspatio.show_strip = scene.inspatio.show_background = True
    assert bpy.ops.inspatio.show_take(number=1) == {"FINISHED"}
    assert len(scene.camera.data.background_images) == 1
    assert len(showing.strips(scene)) == 1

    # The report came with the take; a lost one is made again, and is the same.
    report = progress.folder / "report.html"
    before = report.read_bytes()
    assert bpy.ops.inspatio.open_report(number=1) == {"FINISHED"}
    report.unlink()
    assert bpy.ops.inspatio.open_report(number=1) == {"FINISHED"}
    assert report.read_bytes() == before
    frame = progress.files()[0].rename(progress.folder / "kept")
    report.unlink()
    with raises(RuntimeError, "0001.png is missing in"):
        bpy.ops.inspatio.open_report(number=1)
    frame.rename(progress.files()[0])
    with raises(RuntimeError, "There is no such take"):
        bpy.ops.inspatio.open_report(number=9)
    report.write_bytes(before)

    # Another seed is another take, and takes the place of the one before on the screen.
    scene.inspatio.seed = 5
    assert bpy.ops.inspatio.generate() == {"FINISHED"}
    assert len(showing.strips(scene)) == 1
    assert Path(showing.find_strip(scene).directory).name == "take_002"
    assert len([i for i in bpy.data.images if i.get("inspatio")]) == 1

    # The strip is the picture on disk, once the colour management lets it be.
    assert showing.shifts_colour(scene)
    bpy.ops.inspatio.mend_colour()
    assert not showing.shifts_colour(scene)
    scene.render.use_sequencer = True
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 256, 144, 100
    scene.frame_set(4)
    scene.render.image_settings.file_format = "PNG"
    scene.render.dither_intensity = 0
    scene.render.filepath = str(Path(folder) / "strip.png")
    bpy.ops.render.render(write_still=True)

    # The saved file opens with everything in place.
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)
    scene = bpy.context.scene
    assert showing.find_strip(scene) is not None
    assert scene.camera.data.background_images[0].image.source == "SEQUENCE"
    takes = part("inspatio_blender.takes")
    listed = takes.list_takes(scene, None)
    assert [(take.number, take.state, take.frames_done) for take in listed] == [
        (2, "finished", int(frames)),
        (1, "finished", int(frames)),
    ]
    assert bpy.ops.inspatio.delete_take(number=2) == {"FINISHED"}
    assert showing.find_strip(scene) is None
    assert not scene.camera.data.background_images
    first = listed[1].folder
    return json.loads((first / "take.json").read_text()) | {"folder": str(first)}


main(test)
