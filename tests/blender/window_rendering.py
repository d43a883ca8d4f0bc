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
    scene.inspatio.plate = True
    shot = scene.inspatio
    shot.camera = scene.camera = bpy.data.objects["Shot Camera"]
    shot.reference_camera = bpy.data.objects["Reference Camera"]
    shot.reference_scale = "PLATE"
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


def test(folder):
    enable()
    bpy.context.preferences.view.show_splash = False
    yield 0.5
    file = render(folder)
    picture = compositor(file)
    sockets = [socket.name for socket in picture.outputs]
    assert all(name in sockets for name in PASSES), sockets
    screen = bpy.context.window_manager.windows[0].screen
    area = max(screen.areas, key=lambda area: area.width * area.height)
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area):
        bpy.ops.screen.area_split(direction="HORIZONTAL", factor=0.45)
    yield 0.5
    largest = sorted(screen.areas, key=lambda area: area.width * area.height)[-2:]
    lower, upper = sorted(largest, key=lambda area: area.y)
    lower.type = "NODE_EDITOR"
    lower.ui_type = "CompositorNodeTree"
    lower.spaces.active.show_region_ui = lower.spaces.active.show_region_asset_shelf = False
    upper.type = "IMAGE_EDITOR"
    upper.spaces.active.image = picture.image
    yield 1.0
    for area, view in ((lower, "node"), (upper, "image")):
        region = next(region for region in area.regions if region.type == "WINDOW")
        with bpy.context.temp_override(
            window=bpy.context.window_manager.windows[0], area=area, region=region
        ):
            getattr(bpy.ops, view).view_all()
    yield 1.5
    yield from window.ask("shot rendering")
    return {"sockets": sockets, "file": file}


window.Steps(test(arguments()[0]), 500)
