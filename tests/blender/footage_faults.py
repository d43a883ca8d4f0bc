"""What may be wrong with footage: a sentence each, and nothing written. Last, frames generated from good footage."""

import json
import os
from pathlib import Path

import bpy
from door import enable, held, main, part, raises, simple_scene
from footage import matchmove


def refused(words):
    with raises(RuntimeError, words):
        bpy.ops.inspatio.capture_reference()


def faults(scene, shot, chart, movie):
    footage = part("inspatio_blender.footage")
    clip, stand_ins = shot.footage_clip, shot.stand_ins
    shot.footage_clip = None
    refused("No clip is chosen")
    shot.footage_clip = bpy.data.movieclips.load(movie)
    os.rename(movie, movie + ".away")
    refused("is gone")
    Path(movie).write_text("no movie")
    shot.footage_clip = bpy.data.movieclips.load(movie)
    refused("cannot be read")
    os.replace(movie + ".away", movie)

    shot.footage_clip = clip
    missing = Path(chart).with_name("chart_0013.png")
    missing.rename(missing.with_suffix(".away"))
    refused("chart_0013.png of the sequence")
    missing.with_suffix(".away").rename(missing)
    clip.frame_start = 50
    refused("plays from frame 50 to 57, outside of 1 to 5")
    clip.frame_start = 1

    shot.stand_ins = None
    refused("no stand-ins")
    shot.stand_ins = bpy.data.collections.new("Empty")
    refused("“Empty” holds no surface")
    shot.stand_ins = stand_ins
    for thing in stand_ins.objects:
        thing.hide_viewport = True
    refused("sees no stand-in")
    for thing in stand_ins.objects:
        thing.hide_viewport = False
    scene.camera.data.type = "ORTHO"
    refused("orthographic")
    scene.camera.data.type = "PERSP"
    assert not list(Path(bpy.data.filepath).parent.glob("inspatio/*/reference/*")), "nothing was written"

    # What only has to be said.
    assert footage.remarks(scene) == []
    scene.render.fps, scene.frame_end = 30, 20
    scene.render.resolution_y = 128
    shot.footage_clip = bpy.data.movieclips.load(movie)
    said = footage.remarks(scene)
    for words in (
        "24 frames a second, the scene 30",
        "1 to 12 of 1 to 20",
        "from frame 1 to 5 only",
        "1.78 : 1",
    ):
        assert any(words in remark for remark in said), (words, said)
    scene.render.fps, scene.frame_end, scene.render.resolution_y = 24, 5, 72
    shot.footage_clip = clip


def test(folder, chart, movie):
    enable()
    scene = simple_scene(width=128, height=72, frames=5)
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(folder) / "scene.blend"))
    things = [thing for thing in scene.objects if thing.type == "MESH"]
    shot = matchmove(scene, bpy.data.movieclips.load(chart), scene.camera, things)
    faults(scene, shot, chart, movie)

    # Cancelled after a view: nothing stays, neither on disk nor in the file.
    footage, takes = part("inspatio_blender.footage"), part("inspatio_blender.takes")
    place = takes.shot_folder(scene) / "reference"
    steps = footage.capture_steps(scene, bpy.context.view_layer, footage.plan(scene, (64, 32), place))
    while next(steps) is None:
        pass
    with held(footage, "planar_depth") as drawing:
        for _ in range(20):
            assert next(steps) is None, "no step waits until the stand-ins are drawn"
            assert scene.frame_current == 1, "and the scene is as it was meanwhile"
        drawing.set()
        while next(steps) is None:
            pass
    steps.close()
    assert not list(place.iterdir()) and not bpy.data.images and not bpy.data.textures

    # Instances stand in as what they show does: an empty that brings the boxes makes the same depth.
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    boxes = shot.stand_ins
    bringer = bpy.data.objects.new("Bringer", None)
    bringer.instance_type, bringer.instance_collection = "COLLECTION", boxes
    shot.stand_ins = bpy.data.collections.new("Instances")
    scene.collection.children.link(shot.stand_ins)
    shot.stand_ins.objects.link(bringer)
    bpy.context.view_layer.layer_collection.children[boxes.name].exclude = True
    for thing in things:
        scene.collection.objects.unlink(thing)
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    first, second = sorted(place.iterdir())
    assert (first / "view_0002.npy").read_bytes() == (second / "view_0002.npy").read_bytes()

    # Another camera than the one that filmed it.
    target = bpy.data.objects.new("Target", scene.camera.data.copy())
    scene.collection.objects.link(target)
    target.matrix_world = scene.camera.matrix_world
    target.location.x += 0.5
    shot.camera, shot.reference_camera = target, scene.camera
    scene.frame_end = 9
    assert bpy.ops.inspatio.generate() == {"FINISHED"}
    take = part("inspatio_blender.driver").get().progress.folder
    return json.loads((take / "take.json").read_text()) | {"folder": str(take)}


main(test)
