"""The scene's surfaces as triangles, as they stand at the scene's frame: what gives depth where no view looked.

They are what the viewport evaluates of everything that renders: modifiers, instances, text and curves count; hair,
volumes and what is hidden from renders, or from the viewport, do not. Main thread only.
"""

import hashlib
from collections.abc import Iterator

import bpy
import numpy as np

SURFACES = {"MESH", "CURVE", "SURFACE", "FONT", "META"}


class TooManyTriangles(Exception):
    """There are more triangles than a reference may have."""


def surfaces(
    view_layer: bpy.types.ViewLayer, most: int, collection: bpy.types.Collection | None = None
) -> dict[bytes, np.ndarray]:
    """Triangles (T, 3, 3), float32 corners in world space, of each surface that renders, under what they are told by.

    Of a `collection`, those of each that the viewport shows instead. What stands still has the same key at every
    frame. Raises TooManyTriangles for more than `most` of all together.
    """
    view_layer.update()
    if collection is None:
        wanted = {thing for thing in _rendered(view_layer.layer_collection) if not thing.hide_render}
    else:
        wanted = set(collection.all_objects)
    found: dict[bytes, np.ndarray] = {}
    count = 0
    for instance in view_layer.depsgraph.object_instances:
        thing = instance.object.original
        owner = (instance.parent if instance.is_instance else instance.object).original
        if owner not in wanted:
            continue
        if collection is None and (thing.hide_render or not thing.visible_camera):
            continue
        if instance.show_self and thing.type in SURFACES:
            corners = triangles_of(instance)
            count += len(corners)
            if count > most:
                raise TooManyTriangles
            found[hashlib.sha256(corners).digest()] = corners
    return found


def triangles_of(instance: bpy.types.DepsgraphObjectInstance) -> np.ndarray:
    """Triangles (T, 3, 3) of an evaluated instance of a surface: float32 corners in world space, all finite."""
    thing = instance.object
    mesh = thing.to_mesh()
    if mesh is None:
        return np.empty((0, 3, 3), np.float32)
    try:
        mesh.calc_loop_triangles()
        places = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", places)
        corners = np.empty(3 * len(mesh.loop_triangles), np.int32)
        mesh.loop_triangles.foreach_get("vertices", corners)
    finally:
        thing.to_mesh_clear()
    world = np.array(instance.matrix_world)
    places = (places.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3]).astype(np.float32)
    triangles = places[corners].reshape(-1, 3, 3)
    return triangles[np.isfinite(triangles).all(axis=(1, 2))]


def _rendered(layer: bpy.types.LayerCollection) -> Iterator[bpy.types.Object]:
    """The objects of a layer's collections that are not hidden from renders."""
    if layer.exclude or layer.collection.hide_render:
        return
    yield from layer.collection.objects
    for child in layer.children:
        yield from _rendered(child)
