"""Show World: the reference in use as something to see, coloured meshes that a camera move is blocked against.

They lie in a collection of the scene, found by its mark, so it survives renaming; showing again replaces it. It
can't be selected, isn't rendered, and Capture Reference leaves it out whatever the user sets: a reference made from
a reference would lose a little each time.

Reading and lifting go on in a thread; pictures and meshes, which are Blender's, are made a piece a step. Main thread
only.
"""

from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ..backend.protocol.disk import FileFormatError
from ..backend.protocol.files import Reference, View, read_reference
from . import takes
from .depth_files import SKY, DepthError, read_depth
from .lifting import Form, Surface, cut, lift
from .times import folded

MARK = "inspatio_world"
"""Custom property that marks our collections."""
NAME = "InSpatio World"
COLOUR = "Color"
SPREAD_VIEWS = 5
"""So many views of a moving reference are shown together."""
PULL = 0.997
"""The world is drawn so much nearer to the camera that has seen it, or it would flicker through what it was captured
from, which lies in the same place."""
PIECE_FACES = 40_000
"""Largest mesh that is made in one step: a few hundredths of a second."""

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


class WorldError(Exception):
    """The reference cannot be shown; the message says why."""


@dataclass(frozen=True)
class Wish:
    """What to show of a reference: at its `frame`, or spread over its time (None); at most so many vertices."""

    form: Form
    vertices: int
    frame: float | None


@dataclass(frozen=True)
class Shown:
    """What a world has come to: so many vertices of so many views, whose depth is known from `near` to `far`."""

    vertices: int
    views: int
    near: float
    far: float


def wish(scene: bpy.types.Scene, folder: Path) -> Wish:
    """What the scene's settings ask for of the reference in `folder`."""
    shot = scene.inspatio
    frame = _time_now(scene, folder) if shot.world_views == "CURRENT" else None
    return Wish(shot.world_form, int(shot.world_detail), frame)


def _time_now(scene: bpy.types.Scene, folder: Path) -> float:
    """The frame of the reference that the shot shows at the scene's frame."""
    shot, span = scene.inspatio, takes.reference_span(folder)
    if span is None or not shot.use_reference_time:
        return scene.frame_current + scene.frame_subframe
    return folded(shot.reference_time, *span, shot.past_end)


def chosen_views(reference: Reference, frame: float | None) -> list[View]:
    """The views to show: all of a still world, else that nearest to `frame` (the earlier of two), else a few."""
    views = reference.views
    if reference.kind != "moving":
        return list(views)
    if frame is not None:
        return [min(views, key=lambda view: abs(view.frame - frame))]
    spread = np.linspace(0, len(views) - 1, min(SPREAD_VIEWS, len(views))).round().astype(int)
    return [views[index] for index in spread]


def show_steps(scene: bpy.types.Scene, folder: Path, asked: Wish) -> Generator[float | None, None, Shown]:
    """Put the reference in `folder` into the scene, a piece a step; yields the share that is done, None to wait.

    What was shown before stays until the new world is whole; closing the generator leaves it. Raises WorldError.
    """
    try:
        reference = read_reference(folder)
    except FileFormatError as error:
        raise WorldError(str(error)) from None
    views = chosen_views(reference, asked.frame)
    asked = Wish(asked.form, max(4, asked.vertices // len(views)), asked.frame)
    meshes: list[tuple[bpy.types.Mesh, View]] = []
    near, far = np.inf, 0.0
    threads = ThreadPoolExecutor(max_workers=1)
    try:
        material = _material()
        for index, view in enumerate(views):
            lifted = threads.submit(_lift_view, folder, reference, view, asked)
            picture = _picture(folder / view.colour, reference.width, reference.height)
            pieces, low, high = yield from _waited(lifted)
            near, far = min(near, low), max(far, high)
            for number, piece in enumerate(pieces):
                meshes.append((_mesh(piece, picture, material), view))
                yield (index + (number + 1) / len(pieces)) / len(views)
        if not meshes:
            raise WorldError("There is nothing to see in the reference: all of it is sky")
        _link(scene, meshes, folder.name)
        shown = Shown(sum(len(mesh.vertices) for mesh, _ in meshes), len(views), float(near), float(far))
        meshes = []
        return shown
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        if meshes:
            bpy.data.batch_remove([mesh for mesh, _ in meshes])


def collections(scene: bpy.types.Scene) -> list[bpy.types.Collection]:
    """Our collections in the scene: one, unless the user has copied it."""
    return [collection for collection in scene.collection.children_recursive if collection.get(MARK)]


def hide(scene: bpy.types.Scene) -> None:
    """Take the world out of the scene; harmless where there is none."""
    for collection in collections(scene):
        meshes = [
            o.data for o in collection.objects if o.type == "MESH" and o.data.users == 1 and o.data.get(MARK)
        ]
        bpy.data.batch_remove([*collection.objects, *meshes, collection])


def colour_viewports(scene: bpy.types.Scene, coloured: bool) -> None:
    """Have viewports show colour attributes in Solid mode, or materials again: else the world is grey there.

    Outlines go with it, which would blacken a world of points; and where a scene has nothing but its world, the light.
    """
    before, after = ("MATERIAL", "VERTEX") if coloured else ("VERTEX", "MATERIAL")
    alone = not any(thing.type == "MESH" and not thing.data.get(MARK) for thing in scene.objects)
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas if window.scene == scene else ():
            shading = area.spaces.active.shading if area.type == "VIEW_3D" else None
            if shading is not None and shading.color_type == before:
                shading.color_type, shading.show_object_outline = after, not coloured
                if alone:
                    shading.light = "FLAT" if coloured else "STUDIO"


def _waited(work: Future) -> Generator[None, None, tuple[Sequence[Surface], float, float]]:
    while not work.done():
        yield None
    try:
        return work.result()
    except DepthError as error:
        raise WorldError(str(error)) from None


def _lift_view(
    folder: Path, reference: Reference, view: View, asked: Wish
) -> tuple[Sequence[Surface], float, float]:
    """The pieces of one view's surface, its nearest and its furthest depth. In the thread. Raises DepthError."""
    depth = read_depth(folder / view.depth, reference.width, reference.height)
    known = depth[(depth > 0) & (depth < SKY)]
    if not known.size:
        return [], np.inf, 0.0
    k, pose = np.reshape(view.intrinsics, (3, 3)), np.reshape(view.world_to_camera, (4, 4))
    surface = lift(depth, k, pose, asked.form, asked.vertices)
    return cut(surface, PIECE_FACES), float(known.min()), float(known.max())


def _picture(path: Path, width: int, height: int) -> np.ndarray:
    """(height, width, 4) float32 sRGB codes from 0 to 1, the top row first. Raises WorldError."""
    try:
        with open(path, "rb") as file:
            head = file.read(24)
    except OSError as error:
        raise WorldError(f"{path.name} cannot be read: {(error.strerror or str(error)).lower()}") from error
    size = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    if head[:8] != _PNG_MAGIC:
        raise WorldError(f"{path.name} is not a PNG file")
    if size != (width, height):
        raise WorldError(f"{path.name} is {size[0]} × {size[1]} pixels, the reference is {width} × {height}")
    image = bpy.data.images.load(str(path))
    try:
        image.colorspace_settings.name = "Non-Color"
        if len(image.pixels) != 4 * width * height:
            raise WorldError(f"{path.name} cannot be read: the file is damaged")
        pixels = np.empty(4 * width * height, np.float32)
        image.pixels.foreach_get(pixels)
    finally:
        bpy.data.images.remove(image)
    return pixels.reshape(height, width, 4)[::-1]


def _mesh(surface: Surface, picture: np.ndarray, material: bpy.types.Material) -> bpy.types.Mesh:
    mesh = bpy.data.meshes.new(NAME)
    mesh[MARK] = True
    mesh.vertices.add(len(surface.points))
    mesh.vertices.foreach_set("co", surface.points.ravel())
    mesh.loops.add(surface.faces.size)
    mesh.loops.foreach_set("vertex_index", surface.faces.ravel())
    mesh.polygons.add(len(surface.faces))
    mesh.polygons.foreach_set("loop_start", np.arange(0, surface.faces.size, 4, dtype=np.int32))
    mesh.update(calc_edges=True)
    colour = mesh.color_attributes.new(COLOUR, "BYTE_COLOR", "POINT")
    codes = picture[surface.rows, surface.columns]
    codes[:, 3] = 1.0
    colour.data.foreach_set("color_srgb", codes.ravel())
    mesh.color_attributes.active_color_index = mesh.color_attributes.render_color_index = 0
    mesh.materials.append(material)
    return mesh


def _material() -> bpy.types.Material:
    """Shows a mesh's colours as they are, lit or not."""
    found = next((m for m in bpy.data.materials if m.get(MARK) and m.library is None), None)
    if found is not None:
        return found
    material = bpy.data.materials.new(NAME)
    material[MARK] = True
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    colour = nodes.new("ShaderNodeVertexColor")
    colour.layer_name = COLOUR
    emission = nodes.new("ShaderNodeEmission")
    emission.location.x = 200
    output = nodes.new("ShaderNodeOutputMaterial")
    output.location.x = 400
    links.new(colour.outputs["Color"], emission.inputs["Color"])
    links.new(emission.outputs["Emission"], output.inputs["Surface"])
    return material


def _link(scene: bpy.types.Scene, meshes: Sequence[tuple[bpy.types.Mesh, View]], version: str) -> None:
    """Put the meshes in place of what is shown now."""
    hide(scene)
    collection = bpy.data.collections.new(NAME)
    collection[MARK] = version
    collection.hide_render = collection.hide_select = True
    for mesh, view in meshes:
        pose = np.reshape(view.world_to_camera, (4, 4))
        thing = bpy.data.objects.new(NAME, mesh)
        thing.scale = (PULL, PULL, PULL)
        thing.location = (1 - PULL) * (-pose[:3, :3].T @ pose[:3, 3])
        collection.objects.link(thing)
    scene.collection.children.link(collection)
