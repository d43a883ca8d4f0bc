"""Camera Images: photographs behind cameras, with depth maps, become a reference; what is refused is said."""

import json
from pathlib import Path

import bpy
import numpy as np
from door import enable, held, main, part, raises, simple_scene
from mathutils import Matrix, Vector


def behind(camera, picture, method="STRETCH"):
    """Lay a picture behind a camera; returns the background."""
    camera.data.background_images.clear()
    background = camera.data.background_images.new()
    background.image = bpy.data.images.load(str(picture))
    background.frame_method = method
    camera.data.show_background_images = True
    return background


def other_camera(scene, location):
    camera = scene.camera.copy()
    camera.data = scene.camera.data.copy()
    camera.animation_data_clear()
    camera.location = location
    scene.collection.objects.link(camera)
    return camera


def refused(words, **arguments):
    with raises(RuntimeError, words):
        bpy.ops.inspatio.recover_reference(**arguments)


def test(folder):
    enable()
    scene = simple_scene(frames=9)
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(folder) / "scene.blend"))
    takes, backgrounds = part("inspatio_blender.takes"), part("inspatio_blender.backgrounds")
    shot = scene.inspatio
    first, second = scene.camera, other_camera(scene, (1.0, -5.0, 3.0))

    # The photographs: what Capture Reference renders of the scene.
    shot.reference_kind = "STILLS"
    shot.reference_camera, shot.reference_camera_2 = first, second
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    captured = takes.reference_version(scene)

    shot.reference_kind = "IMAGES"
    with raises(RuntimeError, "press Recover Reference"):
        bpy.ops.inspatio.capture_reference()
    refused("has no picture behind it")
    for index, camera in enumerate((first, second)):
        behind(camera, captured / f"view_{index:04d}.png")
    refused("has no depth: name a depth map")
    for index, camera in enumerate((first, second)):
        camera.data.inspatio.depth_file = str(captured / f"view_{index:04d}.exr")
    for mesh in [one for one in scene.objects if one.type == "MESH"]:
        bpy.data.objects.remove(mesh)
    shot.reference_version = "v001"
    assert bpy.ops.inspatio.recover_reference() == {"FINISHED"}
    recovered = takes.reference_version(scene)
    assert recovered.name == "v002", recovered
    assert sorted(path.name for path in recovered.parent.iterdir()) == ["v001", "v002"]

    # Frames of it, by the real backend. The newest Blender is enough: the backend is the same.
    take = None
    if bpy.app.version >= (5, 0):
        assert bpy.ops.inspatio.generate() == {"FINISHED"}
        take = str(part("inspatio_blender.driver").get().progress.folder)
        first.data.background_images.remove(first.data.background_images[-1])

    # A packed picture, then one that is painted over; behind the same camera lies a take's frame, which is not taken.
    shot.reference_camera_2 = None
    image = first.data.background_images[0].image
    background = first.data.background_images[0]
    background.image = bpy.data.images.load(str(captured / "view_0001.png"))
    background.image["inspatio"] = True
    refused("has no picture behind it")
    first.data.background_images.new().image = image
    image.pack()
    packed = backgrounds.background_at(scene, first, 1.0, Path(folder)).file
    assert packed.parent == Path(folder)
    assert packed.read_bytes() == (captured / "view_0000.png").read_bytes()
    pixels = np.ones(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_set(pixels)
    assert bpy.ops.inspatio.recover_reference() == {"FINISHED"}
    first.data.background_images.remove(first.data.background_images[0])
    painted = takes.reference_version(scene)

    # Scale from two objects on what is seen: the depth is twice what the file says.
    depth_file = Path(folder) / "half.npy"
    np.save(depth_file, np.full((144, 256), 2.0, np.float32))
    first.data.inspatio.depth_file = str(depth_file)
    ends = [bpy.data.objects.new(f"End {number}", None) for number in range(2)]
    matrix = first.matrix_world
    for end, across in zip(ends, (-0.5, 0.5), strict=True):
        scene.collection.objects.link(end)
        end.location = matrix @ Vector((across, 0.2, -4.0))
    first.data.inspatio.known_from = ends[0]
    refused("has no size")
    first.data.inspatio.known_to = ends[1]
    assert bpy.ops.inspatio.recover_reference() == {"FINISHED"}
    scaled = takes.reference_version(scene)
    ends[1].location = ends[0].location
    refused("lie in one place")
    ends[1].location = matrix @ Vector((0.0, 0.0, 4.0))
    refused("is not in the frame of")

    # The same from one object as large as what it covers: the inner four fifths of its longest side are 1 long.
    size = Vector((0.1, 1.25, 0.1))
    corners = [Vector((x, y, z)) / 2 for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
    mesh = bpy.data.meshes.new("Yardstick")
    mesh.from_pydata([corner * 4 for corner in corners], [], [])
    yardstick = bpy.data.objects.new("Yardstick", mesh)
    scene.collection.objects.link(yardstick)
    yardstick.matrix_world = (
        matrix
        @ Matrix.Translation((0.0, 0.2, -4.0))
        @ Matrix.Rotation(np.pi / 2, 4, "Z")
        @ Matrix.Diagonal((*(size / 4), 1))
    )
    first.data.inspatio.known_from, first.data.inspatio.known_to = yardstick, None
    assert bpy.ops.inspatio.recover_reference() == {"FINISHED"}
    measured = takes.reference_version(scene)
    yardstick.location = matrix @ Vector((2.0, 0.2, -4.0))
    refused("is not in the frame of")
    first.data.inspatio.known_from = first.data.inspatio.known_to = None

    # What cannot be: each in a sentence, and nothing is left on disk.
    background = first.data.background_images[0]
    for name, value, words in (
        ("rotation", 0.5, "turned or mirrored"),
        ("use_flip_x", True, "turned or mirrored"),
        ("scale", 2.0, "moved or scaled"),
        ("offset", (0.1, 0.0), "moved or scaled"),
        ("show_background_image", False, "has no picture behind it"),
    ):
        before = getattr(background, name)
        before = tuple(before) if name == "offset" else before
        setattr(background, name, value)
        refused(words)
        setattr(background, name, before)
    first.data.inspatio.depth_file = "//gone.exr"
    refused("is missing")
    first.data.inspatio.depth_from = "depth"
    refused("download them in the preferences")
    driver = part("inspatio_blender.driver")
    assert driver.get().is_recovery_of(scene)
    first.data.inspatio.depth_from = "FILE"
    assert not driver.get().is_recovery_of(scene), "the panel would go on to ask for weights"
    first.data.inspatio.depth_from = "depth"
    shot.reference_camera_2 = second
    second.data.inspatio.depth_from = "depth-indoor"
    refused("name different depth networks")
    first.data.type = "ORTHO"
    refused("orthographic")
    first.data.type = "PERSP"
    names = sorted(path.name for path in recovered.parent.iterdir())
    assert names == [f"v{number:03d}" for number in range(1, 6)], names

    # The moments of movies and sequences, as Blender counts them.
    moments = {}
    first.data.inspatio.depth_from = "FILE"
    frames = Path(folder) / "frames"
    frames.mkdir()
    for number in range(5, 12):
        (frames / f"shot_{number:03d}.png").write_bytes((captured / "view_0000.png").read_bytes())
    # A sequence at every second frame, with the depth of each: a world that moves, from the camera as it is animated.
    background = behind(first, frames / "shot_005.png")
    background.image.source = "SEQUENCE"
    background.image_user.frame_start, background.image_user.frame_duration = 1, 5
    background.image_user.frame_offset = 4
    for number in range(31, 36):
        np.save(Path(folder) / f"depth_{number}.npy", np.full((144, 256), number - 25.0, np.float32))
    first.data.inspatio.depth_file = str(Path(folder) / "depth_31.npy")
    shot.reference_camera, shot.reference_every_frame, shot.reference_step = first, True, 2
    shot.use_scene_range, shot.frame_start, shot.frame_end = False, 1, 5
    assert bpy.ops.inspatio.recover_reference() == {"FINISHED"}
    footage = takes.reference_version(scene)
    shot.frame_end = 9
    refused("is missing")
    shot.reference_every_frame = False

    # Geometry of the scene in place of a depth map; beside a picture that leaves some of the frame empty there is none.
    behind(first, captured / "view_0000.png").image.scale(144, 144)
    first.data.background_images[0].frame_method = "FIT"
    first.data.inspatio.depth_from, shot.reference_camera_2 = "STAND_INS", None
    refused("There are no stand-ins")
    shot.stand_ins = bpy.data.collections.new("Stand-Ins")
    scene.collection.children.link(shot.stand_ins)
    refused("sees no stand-in")
    scene.frame_set(1)
    wall = bpy.data.meshes.new("Wall")
    wall.from_pydata([(-9, -9, -5), (9, -9, -5), (9, 9, -5), (-9, 9, -5)], [], [(0, 1, 2, 3)])
    shot.stand_ins.objects.link(bpy.data.objects.new("Wall", wall))
    shot.stand_ins.objects[0].matrix_world = first.matrix_world
    camera_images, drawer = part("inspatio_blender.camera_images"), part("inspatio_blender.footage")
    work = Path(folder) / "work"
    work.mkdir()
    scene.frame_set(4)
    shot.reference_at = "FIRST"
    steps = camera_images.view_steps(scene, bpy.context.view_layer, (256, 144), work)
    with held(drawer, "planar_depth") as drawing:
        for _ in range(20):
            assert next(steps) is None, "no step waits until the stand-ins are drawn"
            assert scene.frame_current == 4, "and the scene is as it was meanwhile"
        drawing.set()
        while next(steps) is None:
            pass
    steps.close()
    assert bpy.ops.inspatio.recover_reference() == {"FINISHED"}
    stood_in = takes.reference_version(scene)

    background = behind(first, frames / "shot_005.png")
    background.image.source = "SEQUENCE"
    user = background.image_user
    user.frame_start, user.frame_duration, user.frame_offset = 3, 7, 4
    for at in (1, 3, 6, 40):
        found = backgrounds.background_at(scene, first, float(at), Path(folder))
        moments[f"sequence {at}"] = found.file.name
    clip = bpy.data.movieclips.load(str(frames / "shot_005.png"))
    clip.frame_start = 2
    background.source, background.clip, background.use_camera_clip = "MOVIE_CLIP", clip, False
    found = backgrounds.background_at(scene, first, 4.0, Path(folder))
    moments["clip 4"] = found.file.name
    with raises(part("inspatio_blender.shots").UserError, "none at frame"):
        backgrounds.background_at(scene, first, 40.0, Path(folder))
    clip.tracking.camera.k1 = 0.1
    with raises(part("inspatio_blender.shots").UserError, "is bent by its lens"):
        backgrounds.background_at(scene, first, 4.0, Path(folder))

    found = {
        "captured": str(captured),
        "recovered": str(recovered),
        "take": take,
        "painted": str(painted),
        "scaled": str(scaled),
        "measured": str(measured),
        "moments": moments,
        "footage": str(footage),
        "stood_in": str(stood_in),
    }
    assert json.dumps(found)
    return found


main(test)
