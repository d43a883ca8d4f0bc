"""Show World and Hide World, headless: what is in the scene, and that a capture never sees it."""

from pathlib import Path

import bpy
import numpy as np
from door import enable, main, part, raises, simple_scene


def seen(scene):
    """Points (N, 3) and sRGB codes (N, 3) of everything that the world shows."""
    world = part("inspatio_blender.world")
    points, codes = [], []
    for collection in world.collections(scene):
        for thing in collection.objects:
            assert not thing.data.validate(), "the mesh is whole"
            count = len(thing.data.vertices)
            co, colour = np.empty(3 * count, np.float32), np.empty(4 * count, np.float32)
            thing.data.vertices.foreach_get("co", co)
            thing.data.color_attributes[0].data.foreach_get("color_srgb", colour)
            points.append(co.reshape(-1, 3))
            codes.append(np.round(255 * colour.reshape(-1, 4)[:, :3]))
    return np.concatenate(points), np.concatenate(codes)


def test(folder):
    enable()
    scene = simple_scene(width=128, height=72, frames=5)
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(folder) / "scene.blend"))
    world, takes = part("inspatio_blender.world"), part("inspatio_blender.takes")
    with raises(RuntimeError, "There is no reference yet"):
        bpy.ops.inspatio.show_world()
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    reference = takes.reference_version(scene)
    found = {"folder": str(reference)}

    assert bpy.ops.inspatio.show_world() == {"FINISHED"}
    points, codes = seen(scene)
    found["mesh"] = {"points": points.tolist(), "codes": codes.tolist()}
    (collection,) = world.collections(scene)
    assert collection.hide_render and collection.hide_select
    shading = next(a for a in bpy.context.window.screen.areas if a.type == "VIEW_3D").spaces.active.shading
    assert shading.color_type == "VERTEX"

    # Shown again it is replaced, as points it is as exact, and less detail is less.
    scene.inspatio.world_form = "POINTS"
    meshes = len(bpy.data.meshes)
    assert bpy.ops.inspatio.show_world() == {"FINISHED"}
    assert (len(world.collections(scene)), len(bpy.data.meshes)) == (1, meshes)
    points, codes = seen(scene)
    found["points"] = {"points": points.tolist(), "codes": codes.tolist()}
    steps = world.show_steps(scene, reference, world.Wish("MESH", 900, None))
    for _ in steps:
        pass
    assert 300 < len(seen(scene)[0]) <= 900

    # Closed half way it leaves what is there, and nothing of its own.
    before = {data.name for data in bpy.data.meshes}
    steps = world.show_steps(scene, reference, world.Wish("MESH", 20_000, None))
    while next(steps) is None:
        pass
    steps.close()
    assert {data.name for data in bpy.data.meshes} == before

    # A capture leaves it out, even where somebody has made it visible for renders.
    (collection,) = world.collections(scene)
    collection.hide_render = False
    collection.objects[0].location.z = 0.3
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    assert not collection.hide_render
    found["again"] = str(takes.reference_version(scene))

    assert bpy.ops.inspatio.hide_world() == {"FINISHED"}
    assert not world.collections(scene)
    assert not [mesh for mesh in bpy.data.meshes if mesh.get(world.MARK)]
    assert shading.color_type == "MATERIAL"

    # One that shows nothing but sky, too.
    scene.camera.rotation_euler.x = 3.0
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    with raises(RuntimeError, "all of it is sky"):
        bpy.ops.inspatio.show_world()

    # A damaged reference is said, not shown.
    view = takes.reference_version(scene) / "view_0000.exr"
    whole = view.read_bytes()
    for data, words in (
        (whole[: len(whole) // 2], "is damaged"),
        (b"", "view_0000.exr"),
        (b"nothing of the kind" * 9, "is not an OpenEXR file"),
    ):
        view.write_bytes(data)
        with raises(RuntimeError, words):
            bpy.ops.inspatio.show_world()
    view.write_bytes(whole)
    picture = view.with_suffix(".png")
    whole = picture.read_bytes()
    picture.write_bytes(b"\x89PNG")
    with raises(RuntimeError, "view_0000.png is not a PNG file"):
        bpy.ops.inspatio.show_world()
    picture.write_bytes(whole)
    return found


main(test)
