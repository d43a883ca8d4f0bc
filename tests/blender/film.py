"""Parts of a film: cut where Blender switches cameras, each with a folder of its own."""

from pathlib import Path

import bpy
from door import enable, main, part, simple_scene


def film_scene(folder, shots, length=5, start=1, name="film.blend"):
    """A saved scene in which markers bind `shots` cameras, each for `length` frames."""
    scene = simple_scene(frames=shots * length)
    first = scene.camera
    scene.frame_start, scene.frame_end = start, start + shots * length - 1
    for number in range(shots):
        camera = first.copy()
        camera.data = first.data.copy()
        camera.animation_data_clear()
        camera.name = f"Camera {number + 1}"
        scene.collection.objects.link(camera)
        frame = start + number * length
        camera.location = (0.3 * number - 0.6, -6, 2)
        camera.keyframe_insert("location", frame=frame)
        camera.location.x += 0.3
        camera.keyframe_insert("location", frame=frame + length)
        scene.timeline_markers.new(f"Shot {number + 1}", frame=frame).camera = camera
    bpy.data.objects.remove(first)
    scene.frame_set(start)
    scene.inspatio.film_handles = 0
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(folder) / name))
    return scene


def seen_through(scene):
    """The camera that Blender takes at each frame of the scene."""
    cameras = []
    for frame in range(scene.frame_start, scene.frame_end + 1):
        scene.frame_set(frame)
        cameras.append(scene.camera.name)
    return cameras


def of_parts(parts):
    return [part.camera.name for part in parts for _ in range(part.first, part.last + 1)]


def test(folder):
    enable()
    film, takes = part("inspatio_blender.film"), part("inspatio_blender.takes")
    shots, reference = part("inspatio_blender.shots"), part("inspatio_blender.reference")
    scene = film_scene(folder, 3, start=11)
    found = film.parts(scene)
    assert [(p.name, p.first, p.last) for p in found] == [
        ("Shot_1", 11, 15),
        ("Shot_2", 16, 20),
        ("Shot_3", 21, 25),
    ]
    assert seen_through(scene) == of_parts(found)

    # Handles are generated on both sides, but not below frame 0.
    scene.inspatio.film_handles = 12
    frames = [p.frames for p in film.parts(scene)]
    assert [(f[0], f[-1]) for f in frames] == [(0, 27), (4, 32), (9, 37)], frames
    scene.inspatio.film_handles = 0

    # Markers before the start, after the end, two at one frame, one on a camera that is not rendered, one without.
    markers = scene.timeline_markers
    markers.new("early", frame=3).camera = bpy.data.objects["Camera 2"]
    markers.new("late", frame=40).camera = bpy.data.objects["Camera 1"]
    markers.new("again", frame=16).camera = bpy.data.objects["Camera 3"]
    markers.new("note", frame=18)
    scene.frame_start = 9
    assert seen_through(scene) == of_parts(film.parts(scene))
    assert [p.name for p in film.parts(scene)] == ["early", "Shot_1", "Shot_2", "Shot_3"]
    bpy.data.objects["Camera 1"].hide_render = True
    assert seen_through(scene) == of_parts(film.parts(scene))
    bpy.data.objects["Camera 1"].hide_render = False
    scene.frame_start, markers[0].frame = 11, 14
    markers.remove(markers["early"])
    assert seen_through(scene) == of_parts(film.parts(scene)), (
        "what comes before the first marker is its shot's"
    )
    markers[0].frame = 11

    # Names: safe for a folder, each once.
    markers["Shot 2"].name, markers["Shot 3"].name = "a/b: c", "A b C"
    assert [p.name for p in film.parts(scene)] == ["Shot_1", "a_b_c", "A_b_C_2"]
    markers["a/b: c"].name, markers["A b C"].name = "Shot 2", "Shot 3"

    # Folders, references and takes of each.
    second = film.parts(scene)[1]
    assert takes.shot_folder(scene, second.name) == Path(folder) / "inspatio/Shot_2"
    assert takes.shot_folder(scene) == Path(folder) / "inspatio/Scene"
    plan = reference.plan(scene, (64, 32), takes.shot_folder(scene, second.name) / "reference", second)
    assert [(frame, camera.name) for frame, camera in plan.moments] == [(16.0, "Camera 2")]
    version = list(reference.capture_steps(scene, bpy.context.view_layer, plan))
    assert version and takes.reference_version(scene, "Shot_2").name == "v001"
    assert takes.reference_version(scene) is None and takes.reference_version(scene, "Shot_1") is None
    assert shots.check_shot(scene, second) == takes.reference_version(scene, "Shot_2")
    steps = shots.shot_steps(scene, bpy.context.view_layer, shots.check_shot(scene, second), second)
    try:
        while True:
            next(steps)
    except StopIteration as end:
        shot = end.value
    assert (shot.name, shot.cameras.frames) == ("Shot_2", (16.0, 17.0, 18.0, 19.0, 20.0))

    # Used, it is the scene's shot, to the last number.
    scene.inspatio.film_handles = 2
    second = film.parts(scene)[1]
    scene.inspatio.reference_version = "v007"
    film.use_part(scene, second)
    assert film.is_used(scene, second) and not film.is_used(scene, film.parts(scene)[0])
    own = film.own_part(scene)
    assert (own.name, own.camera, own.frames) == (second.name, second.camera, second.frames)
    assert shots.check_shot(scene) == takes.reference_version(scene, "Shot_2")
    assert film.find_part(scene, "Shot_3").first == 21 and film.find_part(scene, "Shot_9") is None

    # Without bound markers there is one part: the scene's shot.
    for marker in list(markers):
        markers.remove(marker)
    scene.inspatio.camera = bpy.data.objects["Camera 1"]
    assert film.parts(scene) == [film.own_part(scene)] and not film.is_cut(scene)
    return {}


if __name__ == "__main__":
    main(test)
