"""The triangles that go with a reference: what renders, nothing else, instances too; of a range what stands still."""

from pathlib import Path

import bpy
import numpy as np
from door import enable, main, part, simple_scene


def cube(location, collection=None):
    bpy.ops.mesh.primitive_cube_add(size=1, location=location)
    thing = bpy.context.view_layer.objects.active
    if collection is not None:
        bpy.context.scene.collection.objects.unlink(thing)
        collection.objects.link(thing)
    return thing


def within(triangles, centre, size=1.0):
    """How many triangles lie in a box around a point."""
    return int((np.abs(triangles - np.array(centre)) <= size / 2 + 1e-4).all(axis=(1, 2)).sum())


def kept_geometry(reference, scene, *arguments):
    """Whether the world's triangles were kept; between two steps the scene is as it was."""
    steps, before = reference._keep_geometry(scene, *arguments), scene.frame_current
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
        assert scene.frame_current == before


def test(folder):
    enable()
    scene = simple_scene(frames=9)
    layer = bpy.context.view_layer
    geometry, reference = part("inspatio_blender.geometry"), part("inspatio_blender.reference")
    away = bpy.data.collections.new("Away")
    scene.collection.children.link(away)
    away.hide_render = True
    cube((20, 0, 0)).hide_render = True
    cube((24, 0, 0), away)
    cube((28, 0, 0)).visible_camera = False
    subdivided = cube((32, 0, 0)).modifiers.new("More", "SUBSURF")
    subdivided.levels, subdivided.subdivision_type = 2, "SIMPLE"
    kit = bpy.data.collections.new("Kit")  # only instanced
    cube((0, 0, 0), kit)
    for x in (36, 40):
        bpy.ops.object.empty_add(location=(x, 0, 0))
        empty = layer.objects.active
        empty.instance_type, empty.instance_collection, empty.scale = "COLLECTION", kit, (1, 1, -2)
    bpy.ops.object.text_add(location=(44, 0, 0))
    mover = cube((48, 0, 0))
    mover.keyframe_insert("location", frame=1)
    mover.location.z = 5
    mover.keyframe_insert("location", frame=9)
    scene.frame_set(1)

    found = np.concatenate(list(geometry.surfaces(layer, 10**6).values()))
    assert found.dtype == np.float32 and found.shape[1:] == (3, 3)
    counts = {x: within(found, (x, 0, 0), 2.0) for x in range(20, 52, 4)}
    text = counts.pop(44)
    assert counts == {20: 0, 24: 0, 28: 0, 32: 12 * 16, 36: 12, 40: 12, 48: 12}, counts
    assert text > 10, text
    assert within(found, (36, 0, 0), 2.0) and not within(found, (36, 0, 0), 1.9), "scaled to two high"
    try:
        geometry.surfaces(layer, len(found) - 1)
    except geometry.TooManyTriangles:
        pass
    else:
        raise AssertionError("one triangle too many")

    shot = scene.inspatio
    path = Path(folder) / "geometry.npy"
    for kind, moving in (("STILL", 12), ("MOVING", 0)):
        shot.reference_kind = kind
        asked = reference.plan(scene, (64, 48), Path(folder))
        assert asked.with_geometry
        scene.frame_set(4)
        assert kept_geometry(reference, scene, asked, path, lambda: geometry.surfaces(layer, 10**6))
        kept = np.load(path)
        assert within(kept, (48, 0, 0)) == moving, kind
        assert len(kept) == len(found) - 12 + moving
    assert not kept_geometry(reference, scene, asked, path, lambda: geometry.surfaces(layer, 5))
    return {}


main(test)
