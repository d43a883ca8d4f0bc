"""The render engine headless: F12 and Ctrl-F12 through takes, what is generated, what is written, what is said."""

import json
import os
import time
from pathlib import Path

import bpy
from door import changed, main, part, raises, simple_scene

FRAMES = 33
"""Three blocks: 9, 12 and 12 frames."""
CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def prepared(folder, frames=FRAMES):
    """A scene in a saved file with a reference, ours for its engine, and codes let alone."""
    scene = simple_scene(frames=frames)
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(folder, "scene.blend"))
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    scene.render.engine = "INSPATIO"
    bpy.ops.inspatio.mend_colour()
    scene.render.filepath = os.path.join(folder, "out", "still.png")
    return scene


def takes(folder, shot="Scene"):
    """What take.json says of each take, in order."""
    return [
        json.loads(file.read_text())
        for file in sorted(Path(folder, "inspatio", shot).glob("take_*/take.json"))
    ]


def blocks(folder):
    """How many blocks were generated, over all takes: a block that is generated anew has its time again."""
    return [len(take["timings"]) for take in takes(folder)]


def still(scene, frame, name):
    """F12 at a frame."""
    scene.frame_set(frame)
    scene.render.filepath = os.path.join(os.path.dirname(scene.render.filepath), name)
    assert bpy.ops.render.render(write_still=True) == {"FINISHED"}
    assert scene.frame_current == frame


@case
def stills(folder):
    """As far as the frame asked for, once; another F12 goes on from there."""
    scene = prepared(folder)
    still(scene, 5, "5.png")
    (take,) = takes(folder)
    assert (take["state"], take["frames_done"], take["blocks_done"]) == ("cancelled", 9, 1), take["state"]
    assert take["message"] == f"Generated as far as frame 9, as asked: 9 of {FRAMES} frames."
    still(scene, 7, "7.png")
    assert blocks(folder) == [1], "a frame that is there is not generated again"
    still(scene, 22, "22.png")
    assert blocks(folder) == [3] and takes(folder)[0]["state"] == "finished"
    still(scene, 1, "1.png")
    assert blocks(folder) == [3]
    # The panel knows of the take too, and the scene is as it was.
    runtime = part("inspatio_blender.driver").get()
    runtime.pump(1.0)
    assert not runtime.busy and runtime.progress.state == "finished", runtime.progress.line()
    assert not part("inspatio_blender.showing").is_shown(scene)
    # Generate's own take is the same one, picture by picture.
    assert bpy.ops.inspatio.generate() == {"FINISHED"}
    first, second = (Path(folder, "inspatio/Scene", name) for name in ("take_001", "take_002"))
    for file in sorted(second.glob("*.png")):
        assert file.read_bytes() == (first / file.name).read_bytes(), file.name
    a, b = (json.loads((take / "take.json").read_text())["shot"] for take in (first, second))
    assert a == b, "the cameras are the very numbers that Generate samples"


@case
def animation(folder):
    """Ctrl-F12: one take, each block once, the frames that are written are the take's, code by code."""
    scene = prepared(folder)
    scene.render.filepath = os.path.join(folder, "out", "")
    assert bpy.ops.render.render(animation=True) == {"FINISHED"}
    (take,) = takes(folder)
    assert (take["state"], take["frames_done"], len(take["timings"])) == ("finished", FRAMES, 3), take[
        "state"
    ]
    assert (Path(folder) / "inspatio/Scene/take_001/shot.mp4").is_file()
    # An edit of the last keys leaves what comes before them: only the blocks after it are another take's.
    client, asked = part("inspatio_blender.client").Client, []
    plain = client.raw_plates

    def counted(self, digest, cameras, *rest):
        asked.append(list(cameras.frames))
        return plain(self, digest, cameras, *rest)

    with changed(client, raw_plates=counted):
        bpy.ops.render.render(animation=True)
        assert blocks(folder) == [3]
        # The first frame alone; the others ahead, some at a time, and none twice.
        assert sorted(frame for call in asked for frame in call) == list(range(1, FRAMES + 1)), asked
        assert len(asked[0]) == 1 and (len(asked) < FRAMES or os.cpu_count() == 1), asked
        asked.clear()
        # Every third frame.
        scene.frame_step, scene.render.filepath = 3, os.path.join(folder, "third", "")
        bpy.ops.render.render(animation=True)
        assert sorted(frame for call in asked for frame in call) == list(range(1, FRAMES + 1, 3)), asked
    out = {name: os.path.join(folder, name) for name in ("out", "third")}
    return {"take": str(Path(folder) / "inspatio/Scene/take_001"), **out}


@case
def edited(folder):
    """A key moved behind a frame leaves that frame its take; one moved before it doesn't."""
    scene = prepared(folder)
    scene.camera.keyframe_insert("location", frame=10)
    still(scene, 22, "22.png")
    assert blocks(folder) == [3]
    scene.frame_set(20)
    scene.camera.location.z += 0.1
    scene.camera.keyframe_insert("location", frame=20)
    still(scene, 9, "9.png")
    assert blocks(folder) == [3], "frames up to 9 do not see frame 20"
    still(scene, 15, "15.png")
    assert blocks(folder) == [3, 2]
    # A setting that every frame depends on.
    scene.inspatio.seed = 3
    still(scene, 2, "2.png")
    assert blocks(folder) == [3, 2, 1]


@case
def outdated(folder):
    """Where weights have changed a new take is begun; a frame that was cut short is made again."""
    scene = prepared(folder)
    still(scene, 5, "5.png")
    file = Path(folder, "inspatio/Scene/take_001/take.json")
    said = json.loads(file.read_text())
    file.write_text(json.dumps({**said, "preset_digest": "of weights that were replaced"}))
    still(scene, 22, "22.png")
    assert blocks(folder) == [1, 3], "the new take is whole by itself"
    still(scene, 5, "5.png")
    assert blocks(folder) == [1, 3]
    newest = Path(folder, "inspatio/Scene/take_002")
    whole = (newest / "0004.png").read_bytes()
    (newest / "0004.png").write_bytes(whole[: len(whole) // 2])
    file.unlink()
    still(scene, 4, "4.png")
    assert blocks(folder) == [3, 1]
    assert Path(folder, "inspatio/Scene/take_003/0004.png").read_bytes() == whole


@case
def cameras(folder):
    """Cameras bound to markers, subframes' constraint targets, a driven lens and Reference Time are Generate's."""
    scene = simple_scene(frames=FRAMES)
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(folder, "scene.blend"))
    scene.inspatio.reference_kind = "MOVING"
    scene.inspatio.reference_step = 8
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    first = scene.camera
    other = first.copy()
    other.data = first.data.copy()
    scene.collection.objects.link(other)
    other.animation_data_clear()
    target = bpy.data.objects.new("Target", None)
    scene.collection.objects.link(target)
    for frame, place in ((1, (0, 0, 0)), (30, (0.5, 2, 1))):
        target.location = place
        target.keyframe_insert("location", frame=frame)
    other.constraints.new("TRACK_TO").target = target
    other.data.driver_add("lens").driver.expression = "40 + sin(frame)"
    scene.inspatio.use_reference_time, scene.inspatio.past_end = True, "BOUNCE"
    for frame, moment in ((1, 4), (30, 50)):
        scene.inspatio.reference_time = moment
        scene.keyframe_insert("inspatio.reference_time", frame=frame)
    for frame, bound in ((11, other), (25, first)):
        scene.timeline_markers.new(bound.name, frame=frame).camera = bound
    scene.render.engine = "INSPATIO"
    still(scene, 33, "33.png")
    # The reference lies with the scene's own shot, so that is what is rendered.
    assert bpy.ops.inspatio.generate() == {"FINISHED"}
    one, two = (take["shot"] for take in takes(folder))
    assert one == two
    assert len({tuple(k) for k in one["intrinsics"]}) > 12 and one["times"] != one["frames"]


@case
def said(folder):
    """What cannot be rendered says what Generate says, in a sentence; an animation ends with it."""
    scene = simple_scene(frames=9)
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(folder, "scene.blend"))
    scene.render.engine = "INSPATIO"
    with raises(RuntimeError, "There is no reference yet: capture or recover one first"):
        bpy.ops.render.render()
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}, "by Cycles, since ours renders no scene"
    source = json.loads(next(Path(folder).glob("inspatio/Scene/reference/v001/reference.json")).read_text())
    assert source["source"]["engine"] == "CYCLES" and scene.render.engine == "INSPATIO"
    scene.frame_set(12)
    with raises(RuntimeError, "Frame 12 lies outside the shot, which has the frames 1 to 9"):
        bpy.ops.render.render()
    scene.frame_set(1)
    scene.camera.data.type = "ORTHO"
    with raises(RuntimeError, "is orthographic"):
        bpy.ops.render.render()
    scene.camera.data.type = "PERSP"
    python = os.environ.pop("INSPATIO_PYTHON")
    with raises(RuntimeError, "The backend is not set up"):
        bpy.ops.render.render(animation=True)
    os.environ["INSPATIO_PYTHON"] = python
    camera, scene.camera = scene.camera, None
    with raises(RuntimeError, "camera"):
        bpy.ops.render.render()
    scene.camera = camera
    assert not takes(folder)
    preferences = part("inspatio_blender.preferences").get()
    preferences.autostart = False
    with raises(RuntimeError, "The backend does not run: start it in the panel"):
        bpy.ops.render.render()
    preferences.autostart = True
    assert bpy.ops.render.render() == {"FINISHED"}
    # A backend that was killed is started again, also where every frame is there.
    runtime = part("inspatio_blender.driver").get()
    runtime.worker.backend.stop()
    time.sleep(5)
    assert bpy.ops.render.render() == {"FINISHED"}
    assert blocks(folder) == [1]


@case
def border(folder):
    """A part of the frame, beside and cut out, is that part of the whole."""
    scene = prepared(folder, frames=9)
    still(scene, 3, "whole.png")
    render = scene.render
    render.use_border, render.border_min_x, render.border_max_x = True, 0.25, 0.6
    render.border_min_y, render.border_max_y = 0.1, 0.52
    still(scene, 3, "border.png")
    render.use_crop_to_border = True
    still(scene, 3, "crop.png")
    render.use_border, render.use_crop_to_border, render.resolution_percentage = False, False, 50
    still(scene, 3, "half.png")
    return {"out": os.path.join(folder, "out")}


@case
def shared(folder):
    """What Generate is making is waited for, not made again; with another shot being made, that is said."""
    scene = prepared(folder)
    runtime = part("inspatio_blender.driver").get()
    runtime.generate(scene, bpy.context.view_layer)
    while not takes(folder):
        time.sleep(0.02)
    scene.inspatio.seed = 8
    with raises(RuntimeError, "A take is being generated"):
        bpy.ops.render.render()
    scene.inspatio.seed = 0
    still(scene, 33, "33.png")
    assert blocks(folder) == [3]
    while runtime.busy:
        runtime.pump(0.1)
    assert takes(folder)[0]["state"] == "finished"


@case
def film(folder):
    """Each frame through the shot that it lies in, handles before and behind it."""
    scene = simple_scene(frames=24)
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(folder, "scene.blend"))
    first = scene.camera
    other = first.copy()
    other.data = first.data.copy()
    other.location.z += 0.3
    scene.collection.objects.link(other)
    scene.inspatio.film_handles = 2
    for name, frame, bound in (("A", 1, first), ("B", 13, other)):
        scene.timeline_markers.new(name, frame=frame).camera = bound
    films = part("inspatio_blender.film")
    scene.render.engine = "INSPATIO"
    scene.frame_set(3)
    with raises(RuntimeError, "Shot “A” has no reference yet"):
        bpy.ops.render.render()
    for shot in films.parts(scene):
        films.use_part(scene, shot)
        assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    scene.render.filepath = os.path.join(folder, "out", "")
    assert bpy.ops.render.render(animation=True) == {"FINISHED"}
    for name, frames in (("A", (0, 14)), ("B", (11, 26))):
        (take,) = takes(folder, name)
        seen = take["shot"]["frames"]
        assert (seen[0], seen[-1]) == frames, (name, seen)
    assert len(list(Path(folder, "out").glob("*.png"))) == 24


@case
def plates(folder):
    """With plates on the picture is the plate, at the size that is rendered."""
    scene = prepared(folder, frames=9)
    scene.render.resolution_percentage = 200
    scene.inspatio.plate, scene.inspatio.plate_strength = True, 0.8
    still(scene, 4, "plate.png")
    scene.inspatio.plate = False
    still(scene, 4, "plain.png")
    assert blocks(folder) == [1], "both are of the same take"
    return {"take": str(Path(folder) / "inspatio/Scene/take_001"), "out": os.path.join(folder, "out")}


FORMATS = {
    "png8": ("IMAGE", "PNG", "8"),
    "png16": ("IMAGE", "PNG", "16"),
    "jpeg": ("IMAGE", "JPEG", "8"),
    "half": ("IMAGE", "OPEN_EXR", "16"),
    "float": ("IMAGE", "OPEN_EXR", "32"),
    "layers": ("MULTI_LAYER_IMAGE", "OPEN_EXR_MULTILAYER", "16"),
}


@case
def formats(folder):
    """One frame in every format, and a movie; then what AgX makes of it, and the mend."""
    scene = prepared(folder, frames=9)
    scene.render.use_file_extension = True
    settings = scene.render.image_settings
    for name, (media, kind, depth) in FORMATS.items():
        if hasattr(settings, "media_type"):
            settings.media_type = media
        settings.file_format, settings.color_depth = kind, depth
        settings.quality = 95
        still(scene, 4, name)
    if hasattr(settings, "media_type"):
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    scene.render.ffmpeg.format, scene.render.ffmpeg.codec = "MPEG4", "H264"
    scene.render.ffmpeg.constant_rate_factor = "PERC_LOSSLESS"
    scene.render.filepath = os.path.join(folder, "out", "movie.mp4")
    scene.render.use_file_extension = False
    bpy.ops.render.render(animation=True)
    scene.render.use_file_extension = True
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_depth = "PNG", "8"
    scene.view_settings.view_transform = "AgX"
    still(scene, 4, "agx")
    assert part("inspatio_blender.showing").shifts_colour(scene)
    bpy.ops.inspatio.mend_colour()
    still(scene, 4, "mended")
    return {"take": str(Path(folder) / "inspatio/Scene/take_001"), "out": os.path.join(folder, "out")}


@case
def saved(folder):
    """A file as an artist leaves it, with Cycles for its engine: for the command line."""
    scene = prepared(folder)
    scene.render.engine = "CYCLES"
    scene.frame_set(7)
    bpy.ops.wm.save_mainfile()
    return bpy.data.filepath


def test(name, folder):
    return CASES[name](folder)


main(test)
