"""A take that begins below frame 0: its pictures are counted from 1 and shown where they belong."""

from pathlib import Path

import bpy
from door import enable, main, part, simple_scene
from moved import paint

POSE = [1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
LENS = [60.0, 0, 31.5, 0, 60, 23.5, 0, 0, 1]


def write_take(scene, folder):
    """A take of frames -2 to 2, as `inspatio shot` writes one."""
    cameras = part("backend.protocol.cameras").Cameras.checked(
        [-2.0, -1.0, 0.0, 1.0, 2.0], [LENS] * 5, [POSE] * 5
    )
    shot = part("backend.protocol.files").Shot(scene.name, "tiny", 0, 64, 48, cameras)
    writer = part("backend.protocol.takes").TakeWriter.create(folder, shot, "reference", "preset", "0.1.0")
    painted = paint(folder.parent / "painted", [f"{number}.png" for number in range(5)])
    frames = [file.read_bytes() for file in painted]
    writer.write_block(frames, b"state", [1.0] * 5, seconds=1.0, milliseconds={}, peak_mb=1.0)
    writer.finish()
    return writer.folder


def sequencer_at(scene, frame, path):
    """How bright the sequencer's picture is at a frame."""
    scene.render.use_sequencer = True
    scene.render.resolution_x, scene.render.resolution_y = 64, 48
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(path)
    scene.frame_set(frame)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    value = image.pixels[0]
    bpy.data.images.remove(image)
    return value


def lines_up(scene, folder):
    showing = part("inspatio_blender.showing")
    (background,) = scene.camera.data.background_images
    user = background.image_user
    assert Path(background.image.filepath_from_user()).parent == folder
    assert (user.frame_start, user.frame_duration, user.frame_offset) == (-2, 5, 0)
    strip = showing.find_strip(scene)
    assert (strip.frame_final_start, strip.frame_final_duration) == (-2, 5)
    assert [element.filename for element in strip.elements] == [f"{n:04d}.png" for n in range(1, 6)]


def test(folder):
    enable()
    folder = Path(folder)
    scene = simple_scene(frames=5)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "scene.blend"))
    showing = part("inspatio_blender.showing")
    take = write_take(scene, part("inspatio_blender.takes").shot_folder(scene))
    assert bpy.ops.inspatio.show_take(number=1) == {"FINISHED"}
    lines_up(scene, take)
    showing.mend_colour(scene)
    for frame, grey in ((-2, 0), (0, 2), (2, 4)):
        seen = sequencer_at(scene, frame, folder / "seen.png")
        assert abs(seen - grey / 20) < 0.01, (frame, seen)

    # Each switch makes from the other what is not there, also where the strip was moved in the edit.
    showing.find_strip(scene).frame_start += 100
    background = scene.camera.data.background_images[0]
    background.image = None
    scene.camera.data.background_images.remove(background)
    scene.inspatio.show_background = True
    showing.strips(scene).remove(showing.find_strip(scene))
    scene.inspatio.show_strip = True
    lines_up(scene, take)
    return {}


main(test)
