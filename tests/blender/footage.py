"""References from footage, as the test outside has drawn it; and Blender's own undistortion beside ours."""

from pathlib import Path

import bpy
import numpy as np
from door import enable, main, part, simple_scene

LENSES = {
    "POLYNOMIAL": {"k1": -0.12, "k2": 0.05, "k3": -0.01},
    "DIVISION": {"division_k1": -0.15, "division_k2": 0.02},
    "NUKE": {"nuke_k1": 0.1, "nuke_k2": 0.05, "nuke_p1": 0.02, "nuke_p2": -0.03},
    "BROWN": {"brown_k1": -0.1, "brown_k2": 0.03, "brown_k3": -0.01, "brown_p1": 0.004, "brown_p2": -0.003},
}


def set_lens(clip, model, focal=None, **coefficients):
    """The clip's tracking camera; Nuke's tangential terms are not in every Blender."""
    camera = clip.tracking.camera
    camera.distortion_model = model
    camera.units = "PIXELS"
    if focal is not None:
        camera.focal_length_pixels = focal
    for name, value in coefficients.items():
        if hasattr(camera, name):
            setattr(camera, name, value)


def undistorted_by_blender(scene, clip, path):
    """What the compositor's Movie Distortion makes of the clip's first frame: float32 (rows, columns, 4)."""
    if hasattr(scene, "compositing_node_group"):
        tree = bpy.data.node_groups.new("Undistort", "CompositorNodeTree")
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        scene.compositing_node_group = tree
        end = tree.nodes.new("NodeGroupOutput")
    else:
        scene.use_nodes = True
        tree = scene.node_tree
        tree.nodes.clear()
        end = tree.nodes.new("CompositorNodeComposite")
    footage = tree.nodes.new("CompositorNodeMovieClip")
    distortion = tree.nodes.new("CompositorNodeMovieDistortion")
    footage.clip = distortion.clip = clip
    if hasattr(distortion, "distortion_type"):
        distortion.distortion_type = "UNDISTORT"
    else:
        distortion.inputs["Type"].default_value = "Undistort"
    tree.links.new(footage.outputs["Image"], distortion.inputs["Image"])
    tree.links.new(distortion.outputs["Image"], end.inputs[0])
    scene.render.use_compositing = True
    picture = scene.render.image_settings
    if hasattr(picture, "media_type"):
        picture.media_type = "IMAGE"
    picture.file_format, picture.color_depth = "OPEN_EXR", "32"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    width, height = image.size
    pixels = np.empty((height, width, 4), np.float32)
    image.pixels.foreach_get(pixels.ravel())
    bpy.data.images.remove(image)
    return pixels


def lens_against_blender(folder, ramp):
    """How far apart, in pixels, our way through each lens and Blender's own are: the ramp holds its own positions.

    Blender's node shifts its picture as a whole, by half a pixel in 5.2 and by some whole ones in 4.5; what it shifts
    at the lens's centre, where nothing is distorted, is taken out.
    """
    scene = simple_scene()
    clip = bpy.data.movieclips.load(str(ramp))
    scene.render.resolution_x, scene.render.resolution_y = width, height = clip.size
    footage = part("inspatio_blender.footage")
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    column, row = width // 2 + 6, height // 2 - 4
    found = {}
    for model, coefficients in LENSES.items():
        set_lens(clip, model, 0.9 * width, **coefficients)
        clip.tracking.camera.principal_point_pixels = (column, row)
        pixels = undistorted_by_blender(scene, clip, Path(folder) / f"{model}.exr")
        theirs = pixels[..., 0] * width, pixels[..., 1] * height
        lens = footage.lens(clip)
        ours = lens.distort(x, y)
        shifts = [round(2 * float((a - b)[row, column])) / 2 for a, b in zip(theirs, ours, strict=True)]
        moved = max(np.nanmax(np.abs(a - b)[8:-8, 8:-8]) for a, b in zip(ours, (x, y), strict=True))
        ours = lens.distort(x + shifts[0], y + shifts[1])
        margin = 8
        inside = (
            (ours[0] > margin) & (ours[0] < width - margin) & (ours[1] > margin) & (ours[1] < height - margin)
        )
        assert inside.mean() > 0.5
        apart = max(np.abs(a - b)[inside].max() for a, b in zip(theirs, ours, strict=True))
        found[model] = {"apart": float(apart), "moved": float(moved), "shifts": shifts}
    return found


def solve(clip, focal, path):
    """Track points that a camera on `path`, a place for every frame, sees, and have Blender solve that camera."""
    set_lens(clip, "POLYNOMIAL", focal)
    width, height = clip.size
    points = np.random.default_rng(0).uniform((-2, -1.2, 4), (2, 1.2, 8), (30, 3))
    for number, point in enumerate(points):
        track = clip.tracking.tracks.new(name=str(number), frame=1)
        for frame, place in enumerate(path, 1):
            x, y, z = point - place
            track.markers.insert_frame(frame, co=(0.5 + focal * x / z / width, 0.5 + focal * y / z / height))
    tracked = clip.tracking.objects[0]
    tracked.keyframe_a, tracked.keyframe_b = 1, len(path)
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = "CLIP_EDITOR"
    area.spaces.active.clip = clip
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        assert bpy.ops.clip.solve_camera() == {"FINISHED"}


def matchmove(scene, clip, camera, things):
    """Settings of a reference from `clip` with `things` as stand-ins."""
    collection = bpy.data.collections.new("Stand-Ins")
    scene.collection.children.link(collection)
    for thing in things:
        collection.objects.link(thing)
    shot = scene.inspatio
    shot.reference_kind, shot.reference_camera = "FOOTAGE", camera
    shot.footage_clip, shot.stand_ins = clip, collection
    return shot


def captured(scene):
    before = len(bpy.data.images), len(bpy.data.textures), scene.frame_current
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    assert (len(bpy.data.images), len(bpy.data.textures), scene.frame_current) == before, "as it was found"
    return str(part("inspatio_blender.takes").reference_version(scene))


def test(folder, ramp, chart, movie, bent, focal, k1, k2, k3):
    enable()
    found = {"lenses": lens_against_blender(folder, ramp)}

    scene = simple_scene(width=128, height=72, frames=5)
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(folder) / "scene.blend"))
    camera = scene.camera
    things = [thing for thing in scene.objects if thing.type == "MESH"]
    # A sequence that begins late and is shifted; all that the scene shows stands in.
    clip = bpy.data.movieclips.load(chart)
    clip.frame_start, clip.frame_offset = 3, 1
    shot = matchmove(scene, clip, camera, things)
    found["chart"] = captured(scene)
    # The truth of its depth: the same scene by Cycles.
    shot.reference_kind = "MOVING"
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    found["cycles"] = str(part("inspatio_blender.takes").reference_version(scene))

    # A movie, with a backdrop, of the current frame alone; nothing stands in.
    shot.reference_kind = "FOOTAGE"
    shot.footage_clip = bpy.data.movieclips.load(movie)
    shot.stand_ins, shot.backdrop, shot.footage_frames = None, 12.5, "CURRENT"
    scene.frame_set(4)
    found["movie"] = captured(scene)

    # A camera that Blender's tracker has solved; its world has a scale of its own.
    path = np.array([(0.06 * frame, 0.02 * np.sin(frame), 0.01 * frame) for frame in range(12)])
    solve(shot.footage_clip, 250.0, path)
    solved = bpy.data.objects.new("Solved", bpy.data.cameras.new("Solved"))
    scene.collection.objects.link(solved)
    constraint = solved.constraints.new("CAMERA_SOLVER")
    constraint.use_active_clip, constraint.clip = False, shot.footage_clip
    shot.reference_camera, shot.footage_frames, scene.frame_end = solved, "RANGE", 15
    found["remarks"] = list(part("inspatio_blender.footage").remarks(scene))
    found["solved"], found["path"] = captured(scene), path.tolist()
    shot.reference_camera, shot.footage_frames, scene.frame_end = camera, "CURRENT", 5
    scene.frame_set(4)

    # The frame that Blender itself plays then.
    scene.render.resolution_x, scene.render.resolution_y = clip.size
    pixels = undistorted_by_blender(scene, clip, Path(folder) / "played.exr")
    found["played"] = pixels[::-1][18::36, 16::32, :3].tolist()

    # What a lens has bent is straight again.
    shot.footage_clip = bpy.data.movieclips.load(bent)
    set_lens(shot.footage_clip, "POLYNOMIAL", float(focal), k1=float(k1), k2=float(k2), k3=float(k3))
    scene.render.resolution_x, scene.render.resolution_y = 128, 72
    shot.reference_scale = "2"
    scene.frame_set(1)
    found["bent"] = captured(scene)
    return found


if __name__ == "__main__":
    main(test)
