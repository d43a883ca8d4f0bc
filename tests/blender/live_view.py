"""Without a window: the overlay is refused in a sentence; a camera's frame ends where Blender's own projection does."""

import itertools

import bpy
from door import main, part, raises, simple_scene


def frame_cases(scene):
    """The farthest that an edge of the frame is from the edge of what the camera renders, in halves of it."""
    camera, render = scene.camera.data, scene.render
    frame_rect = part("inspatio_blender.live.frame_rect")
    frame_plane = part("inspatio_blender.live.frame_plane")
    farthest = 0.0
    for kind, fit, size, aspect, shift in itertools.product(
        ("PERSP", "ORTHO"),
        ("AUTO", "HORIZONTAL", "VERTICAL"),
        ((832, 480), (480, 832), (512, 512)),
        ((1.0, 1.0), (2.0, 1.0), (1.0, 1.5)),
        ((0.0, 0.0), (0.2, -0.1)),
    ):
        camera.type, camera.sensor_fit, camera.ortho_scale = kind, fit, 5.0
        camera.shift_x, camera.shift_y = shift
        render.resolution_x, render.resolution_y = size
        render.pixel_aspect_x, render.pixel_aspect_y = aspect
        projection = scene.camera.calc_matrix_camera(
            bpy.context.evaluated_depsgraph_get(), x=size[0], y=size[1], scale_x=aspect[0], scale_y=aspect[1]
        )
        plane = frame_rect.plane_of(scene, scene.camera)
        rect = frame_plane.rect_of_plane(plane, projection, 2, 2)
        farthest = max(farthest, *(abs(a - b) for a, b in zip(rect, (0, 0, 2, 2), strict=True)))
    return farthest


def test():
    scene = simple_scene()
    look = scene.inspatio.live_look
    assert (look.place, look.mix, look.opacity, look.show_badge) == ("OVER", "NORMAL", 1.0, True)
    overlay = part("inspatio_blender.live.overlay")
    error = part("inspatio_blender.shots").UserError
    with raises(error, "in background mode"):
        overlay.Overlay(None)
    badge = part("inspatio_blender.live.badge")
    assert badge.words(12, "Generated", 23.94, 0.879) == ("12", "Generated", "23.9 fps", "87 % covered")
    assert badge.words(12.5, "Stale") == ("12.5", "Stale")
    return {"farthest": frame_cases(scene)}


main(test)
