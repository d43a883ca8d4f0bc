"""Where the camera's frame lies in a region of the 3D viewport. Main thread only."""

import bpy

from .frame_plane import Rect, frame_plane, rect_of_plane


def frame_rect(
    region: bpy.types.Region,
    space: bpy.types.SpaceView3D,
    rv3d: bpy.types.RegionView3D,
    scene: bpy.types.Scene,
    camera: bpy.types.Object | None,
) -> Rect | None:
    """The frame of `camera` in pixels of `region`, as edges between pixels; None where it isn't looked through.

    `camera` is best the evaluated one: an animated lens counts as it is drawn.
    """
    looked_through = space.camera if space.use_local_camera else scene.camera
    if camera is None or looked_through is None or rv3d.view_perspective != "CAMERA":
        return None
    if camera.type != "CAMERA" or looked_through.original != camera.original:
        return None
    return rect_of_plane(plane_of(scene, camera), rv3d.window_matrix, region.width, region.height)


def plane_of(scene: bpy.types.Scene, camera: bpy.types.Object) -> Rect:
    """Where the frame of `camera` ends, on the plane one unit before it."""
    data, render = camera.data, scene.render
    if data.type == "ORTHO":
        sensor, lens = (data.sensor_fit, data.ortho_scale, data.ortho_scale), 1.0
    else:
        sensor, lens = (data.sensor_fit, data.sensor_width, data.sensor_height), data.lens
    return frame_plane(
        render.resolution_x * render.pixel_aspect_x,
        render.resolution_y * render.pixel_aspect_y,
        sensor,
        (data.shift_x, data.shift_y),
        lens,
    )
