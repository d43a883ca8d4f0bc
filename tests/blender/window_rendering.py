"""In the window: the demo's square rendered by our engine to a multi-layer EXR file, opened in Blender's compositor."""

import os

import bpy
import window
from door import arguments, enable

FRAMES = 33
PASSES = ("Combined", "Generated", "Mask", "Coverage", "Depth")


def render(folder):
    """The EXR file of the last frame, away from where the reference's camera stands."""
    bpy.ops.wm.open_mainfile(filepath=os.path.join(folder, "square.blend"), load_ui=False)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, FRAMES
    scene.render.resolution_percentage = 75
    shot = scene.inspatio
    shot.camera = scene.camera = bpy.data.objects["Shot Camera"]
    shot.reference_camera = bpy.data.objects["Reference Camera"]
    shot.reference_scale = "2"
    scene.render.engine = "INSPATIO"
    bpy.ops.inspatio.mend_colour()
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    settings = scene.render.image_settings
    settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format, settings.color_depth = "OPEN_EXR_MULTILAYER", "16"
    scene.render.filepath = os.path.join(folder, "square")
    scene.frame_set(FRAMES)
    assert bpy.ops.render.render(write_still=True) == {"FINISHED"}
    return os.path.join(folder, "square.exr")


def compositor(file):
    """A node tree that shows every pass of the file."""
    tree = bpy.data.node_groups.new("InSpatio", "CompositorNodeTree")
    bpy.context.scene.compositing_node_group = tree
    picture = tree.nodes.new("CompositorNodeImage")
    picture.image = bpy.data.images.load(file)
    picture.location, picture.width = (-420, 180), 260
    viewer = tree.nodes.new("CompositorNodeViewer")
    viewer.location = (120, 120)
    tree.links.new(picture.outputs["Mask"], viewer.inputs[0])
    return picture


def editors():
    """Steps: the viewport cut into three; returns the lower one and, above it, the left and the right one."""
    screen = bpy.context.window_manager.windows[0].screen
    for direction in ("HORIZONTAL", "VERTICAL"):
        area = max(screen.areas, key=lambda area: (area.width * area.height, area.y))
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area):
            bpy.ops.screen.area_split(direction=direction, factor=0.5)
        yield 0.5
    largest = sorted(screen.areas, key=lambda area: area.width * area.height)[-3:]
    lower = min(largest, key=lambda area: area.y)
    return lower, *sorted((area for area in largest if area != lower), key=lambda area: area.x)


def test(folder):
    enable()
    bpy.context.preferences.view.show_splash = False
    yield 0.5
    file = render(folder)
    picture = compositor(file)
    sockets = [socket.name for socket in picture.outputs]
    assert all(name in sockets for name in PASSES), sockets
    lower, left, right = yield from editors()
    lower.type = "NODE_EDITOR"
    lower.ui_type = "CompositorNodeTree"
    lower.spaces.active.show_region_ui = lower.spaces.active.show_region_asset_shelf = False
    for area in (left, right):
        area.type = "IMAGE_EDITOR"
    left.spaces.active.image = picture.image
    yield lambda: "Viewer Node" in bpy.data.images
    right.spaces.active.image = bpy.data.images["Viewer Node"]
    yield 1.0
    for area, view in ((lower, "node"), (left, "image"), (right, "image")):
        region = next(region for region in area.regions if region.type == "WINDOW")
        with bpy.context.temp_override(
            window=bpy.context.window_manager.windows[0], area=area, region=region
        ):
            getattr(bpy.ops, view).view_all()
    yield 1.5
    yield from window.ask("shot rendering")
    return {"sockets": sockets, "file": file}


window.Steps(test(arguments()[0]), 500)
