"""Reference from Footage in the window: its fields, a capture ended by Esc, then a whole one, whose steps are timed."""

import time
from pathlib import Path

import bpy
import window
from door import arguments, part

FRAMES = 40


def test(folder, movie):
    scene = window.prepare(folder, FRAMES)
    runtime, takes = part("inspatio_blender.driver").get(), part("inspatio_blender.takes")
    clips = part("inspatio_blender.clips")
    shot = scene.inspatio
    shot.reference_kind, shot.reference_camera = "FOOTAGE", scene.camera
    yield from window.open_tab()
    yield from window.ask("shot 8_footage_empty")
    shot.footage_clip = bpy.data.movieclips.load(movie)
    collection = bpy.data.collections.new("Stand-Ins")
    scene.collection.children.link(collection)
    for thing in [thing for thing in scene.objects if thing.type == "MESH"]:
        collection.objects.link(thing)
    shot.stand_ins = collection
    yield 1.0
    yield from window.ask("shot 9_footage")

    place = takes.shot_folder(scene) / "reference"
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.capture_reference("INVOKE_DEFAULT")
    yield lambda: runtime.working
    yield from window.ask("move 600 400")
    yield from window.ask("shot 10_footage_capturing")
    yield from window.ask("key Escape")
    yield lambda: runtime.working is None
    cancelled = takes.reference_version(scene) is None
    assert not [path for path in place.iterdir() if path.name.endswith(".tmp")]
    assert not bpy.data.textures

    longest = [0.0]
    read = clips.Frames.read

    def timed(frames, at):
        began = time.perf_counter()
        try:
            return read(frames, at)
        finally:
            longest[0] = max(longest[0], time.perf_counter() - began)

    clips.Frames.read = timed
    began = time.monotonic()
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.inspatio.capture_reference("INVOKE_DEFAULT")
    yield lambda: runtime.working is None
    seconds = time.monotonic() - began
    yield 2.0
    yield from window.ask("shot 11_footage_done")
    version = takes.reference_version(scene)
    views = len(part("backend.protocol.files").read_reference(Path(version)).views)
    return {"views": views, "cancelled": cancelled, "seconds": seconds, "longest_read_s": longest[0]}


window.Steps(test(*arguments()), 300)
