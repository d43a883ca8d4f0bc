"""Reference from Footage in the window: its fields, a capture ended by Esc, a whole one, whose steps are timed, and
frames from another camera."""

import time
from pathlib import Path

import bpy
import window
from door import arguments, part

FRAMES, SHOWN = 40, 9


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

    # Another camera, which starts where the footage's stands and goes its own way.
    other = scene.camera.copy()
    other.data = scene.camera.data.copy()
    other.animation_data_clear()
    scene.collection.objects.link(other)
    for frame, up in ((1, 0.0), (SHOWN, 0.5)):
        other.location = (0, -6, 2 + up)
        other.keyframe_insert("location", frame=frame)
    scene.camera = shot.camera = other
    scene.frame_end = SHOWN
    take = yield from window.generate(scene, "12_footage_generated")
    return {
        "views": views,
        "cancelled": cancelled,
        "seconds": seconds,
        "longest_read_s": longest[0],
        "take": take,
        "reference": str(version),
    }


window.Steps(test(*arguments()), 300)
