"""Import Scene Folder headless: the numbers of shot.json from the scene's camera, then frames of it by Generate."""

import json
from pathlib import Path

import bpy
import numpy as np
from door import enable, main, part, raises


def end_of(steps):
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def leftovers():
    return [len(data) for data in (bpy.data.scenes, bpy.data.cameras, bpy.data.actions, bpy.data.meshes)]


def all_below(folder):
    return sorted(folder.rglob("*"))


def refused(folder, words, under):
    """The import fails with these words, and nothing is left of it in the file or on disk."""
    before, there = leftovers(), all_below(under)
    with raises(RuntimeError, words):
        bpy.ops.inspatio.import_scene_folder(directory=str(folder))
    assert leftovers() == before
    assert all_below(under) == there


def test(project, folders, generate):
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    enable()
    project = Path(project)
    bpy.ops.wm.save_as_mainfile(filepath=str(project / "scene.blend"))
    takes, files = part("inspatio_blender.takes"), part("backend.protocol.files")
    world, runtime = part("inspatio_blender.world"), part("inspatio_blender.driver").get()
    found = {}
    for folder in sorted(Path(folders).iterdir()):
        if folder.name.startswith("bad"):
            words = (folder / "words").read_text()
            refused(folder, words, project)
            continue
        assert bpy.ops.inspatio.import_scene_folder(directory=str(folder)) == {"FINISHED"}
        scene = bpy.context.window.scene
        if folder.name == "zz_release":
            continue
        shot = files.read_shot(folder)
        # What Export Shot and Generate would make of the scene; a size of its own may not be the preset's.
        version = takes.reference_version(scene)
        again = end_of(part("inspatio_blender.shots").shot_steps(scene, scene.view_layers[0], version))
        assert (again.name, again.preset, again.seed) == (shot.name, shot.preset, shot.seed)
        if scene.render.pixel_aspect_x == scene.render.pixel_aspect_y:
            assert again.plate == shot.plate
        # Pixels that are not square are generated in a picture of the frame's shape.
        same = (again.width, again.height) == (shot.width, shot.height)
        assert same == (scene.render.pixel_aspect_x == scene.render.pixel_aspect_y), folder
        assert (again.keep_reference_detail, again.cameras.frames) == (
            shot.keep_reference_detail,
            shot.cameras.frames,
        )
        assert max(abs(a - b) for a, b in zip(again.cameras.times, shot.cameras.times, strict=True)) < 1e-4
        assert abs(again.fps / shot.fps - 1) < 1e-6
        assert version.name == "v001" and version.parent.parent.parent == project / "inspatio"
        digest = part("backend.protocol.references").reference_digest
        assert digest(version) == digest(folder / shot.reference)
        reference = files.read_reference(version)
        (collection,) = world.collections(scene)
        assert collection.hide_render
        sources = [o for o in scene.objects if o.type == "CAMERA" and o.name.startswith("Reference")]
        assert len(sources) == (1 if reference.kind == "moving" else len(reference.views))
        # The cameras of the views, sampled for pictures of the reference's size.
        cameras, differences = part("inspatio_blender.cameras"), []
        for index, view in enumerate(reference.views):
            source = sorted(sources, key=lambda o: o.name)[0 if reference.kind == "moving" else index]
            cameras.set_frame(scene, view.frame)
            _, pose, _ = cameras.sample(scene, scene.view_layers[0], source, (shot.width, shot.height))
            differences.append(np.abs(pose.ravel() - view.world_to_camera).max())
            image = source.data.background_images[0].image
            assert Path(bpy.path.abspath(image.filepath)).parent.samefile(version)
            assert image.source == ("SEQUENCE" if reference.kind == "moving" else "FILE")
        size, frames = (shot.width, shot.height), scene.inspatio.frames()
        again = end_of(cameras.sample_steps(scene, scene.view_layers[0], None, frames, size))
        k, k_again = np.array(shot.cameras.intrinsics), np.array(again.intrinsics)
        poses, poses_again = np.array(shot.cameras.world_to_camera), np.array(again.world_to_camera)
        animated = scene.camera.data.animation_data is not None
        found[folder.name] = {
            "pose": float((np.abs(poses - poses_again) / np.maximum(1, np.abs(poses))).max()),
            "source": float(max(differences)),
            "intrinsics": float(np.abs(k - k_again).max() / shot.width),
            "zooms": animated,
        }
    assert not list((project / "inspatio").glob(".import*"))

    # A second import of the same folder is another shot.
    folder = sorted(Path(folders).iterdir())[-1]
    assert bpy.ops.inspatio.import_scene_folder(directory=str(folder)) == {"FINISHED"}
    scene = bpy.context.window.scene
    assert scene.name.endswith(" 2"), scene.name
    assert takes.reference_version(scene).name == "v001"
    frames, size = scene.inspatio.frames(), (64, 48)
    again = end_of(
        part("inspatio_blender.cameras").sample_steps(scene, scene.view_layers[0], None, frames, size)
    )
    found["release"] = again.world_to_camera
    if int(generate):
        assert bpy.ops.inspatio.generate() == {"FINISHED"}
        made = runtime.progress.folder
        found["take"] = json.loads((made / "take.json").read_text()) | {"folder": str(made)}
    exports = project / "exports"
    assert bpy.ops.inspatio.export_scene_folder(directory=str(exports)) == {"FINISHED"}
    assert bpy.ops.inspatio.export_scene_folder(directory=str(exports)) == {"FINISHED"}
    found["exported"] = sorted(path.name for path in exports.iterdir())
    # What was exported comes in again, and goes out again.
    first = exports / found["exported"][0]
    assert bpy.ops.inspatio.import_scene_folder(directory=str(first)) == {"FINISHED"}
    assert bpy.ops.inspatio.export_scene_folder(directory=str(project / "again")) == {"FINISHED"}

    # Of version 1, whose path lies elsewhere; out again as such a folder, but not a camera that rolls.
    old = Path(folders).parent / "old"
    with raises(RuntimeError, "trajectory"):
        bpy.ops.inspatio.import_scene_folder(directory=str(old))
    trajectory = str(old.parent / "path.txt")
    assert bpy.ops.inspatio.import_scene_folder(directory=str(old), trajectory=trajectory) == {"FINISHED"}
    scene = bpy.context.window.scene
    frames = scene.inspatio.frames()
    steps = part("inspatio_blender.cameras").sample_steps(scene, scene.view_layers[0], None, frames, (64, 48))
    found["old"] = end_of(steps).world_to_camera
    out = project / "old_again"
    assert bpy.ops.inspatio.export_scene_folder(directory=str(out), version="1") == {"FINISHED"}
    found["old_again"] = [str(path) for path in out.iterdir()]
    scene.camera.rotation_mode = "XYZ"
    scene.camera.animation_data_clear()
    scene.camera.rotation_euler.y += 0.3
    with raises(RuntimeError, "version 1.5"):
        bpy.ops.inspatio.export_scene_folder(directory=str(out), version="1")
    bpy.ops.wm.save_mainfile()
    return found


main(test)
