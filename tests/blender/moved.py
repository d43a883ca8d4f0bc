"""A project's folder is moved: the saved file still shows its take. No backend: the frames are painted here."""

import os
from pathlib import Path

import bpy
from door import enable, main, part, simple_scene


def paint(folder, names):
    """Frames of a take: plain pictures, each of its own grey."""
    folder.mkdir(parents=True)
    for index, name in enumerate(names):
        image = bpy.data.images.new("Painted", 64, 48)
        image.generated_color = (index / 20, index / 20, index / 20, 1)
        image.filepath_raw, image.file_format = str(folder / name), "PNG"
        image.save()
        bpy.data.images.remove(image)
    return [folder / name for name in names]


def shown(scene):
    """The files that the background and the strip name."""
    showing = part("inspatio_blender.showing")
    strip = showing.find_strip(scene)
    background = scene.camera.data.background_images[0]
    return (
        Path(os.path.normpath(bpy.path.abspath(background.image.filepath))),
        Path(os.path.normpath(bpy.path.abspath(strip.directory))) / strip.elements[0].filename,
    )


def test(folder):
    enable()
    folder = Path(folder)
    project = folder / "project"
    scene = simple_scene(frames=5)
    showing = part("inspatio_blender.showing")
    files = paint(project / "takes/Scene/take_001", [f"{number:04d}.png" for number in range(1, 6)])

    # While the file is not saved there is nothing to be relative to.
    showing.show(scene, files, 1)
    assert scene.camera.data.background_images[0].image.filepath == str(files[0])
    showing.hide(scene, files[0].parent)
    assert not showing.is_shown(scene)

    (project / "scenes").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(project / "scenes/scene.blend"))
    showing.show(scene, [project / "scenes/../takes/Scene/take_001" / file.name for file in files[:3]], 1)
    showing.show(scene, files, 1)
    strip = showing.find_strip(scene)
    image = scene.camera.data.background_images[0].image
    assert image.filepath == "//../takes/Scene/take_001/0001.png", image.filepath
    assert strip.directory.startswith("//../takes/Scene/take_001"), strip.directory
    assert len(strip.elements) == 5
    assert len(showing.strips(scene)) == 1
    assert shown(scene) == (files[0], files[0])
    bpy.ops.wm.save_mainfile()

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=False)
    moved = folder / "elsewhere"
    project.rename(moved)
    bpy.ops.wm.open_mainfile(filepath=str(moved / "scenes/scene.blend"))
    scene = bpy.context.scene
    files = [moved / "takes/Scene/take_001" / file.name for file in files]
    assert shown(scene) == (files[0], files[0])
    assert files[0].is_file()

    # What is switched off and on again comes from there, and showing it again adds nothing.
    showing.show(scene, files, 1)
    assert len(showing.strips(scene)) == len(scene.camera.data.background_images) == 1
    strips = showing.strips(scene)
    strips.remove(showing.find_strip(scene))
    scene.inspatio.show_strip = True
    assert shown(scene) == (files[0], files[0])
    showing.hide(scene, files[0].parent)
    assert not showing.is_shown(scene)

    # Another drive, of which there are none here.
    relpath = bpy.path.relpath

    def no_way(path, **_):
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    bpy.path.relpath = no_way
    try:
        showing.show(scene, files, 1)
    finally:
        bpy.path.relpath = relpath
    assert scene.camera.data.background_images[0].image.filepath == str(files[0])
    assert shown(scene) == (files[0], files[0])
    return {}


if __name__ == "__main__":
    main(test)
