"""The set of the footage demo: a walled yard that is filmed, then struck, so that only a matchmove is left of it.

`python -m tests.scenes.footage_set ZIP FOLDER FRAMES` leaves in FOLDER
    film/NNNN.png    what the footage camera sees, by a pinhole camera with a margin: a lens is put before it later
    truth/NNNN.png   what the shot's camera would see: what generated frames are held against
    set/             colour and exact depth of some moments of the footage camera, captured by the add-on (ZIP)
    shot.blend       both cameras and the stand-ins, nothing of the set
"""

import math
import shutil
import sys
from pathlib import Path

import bpy
import numpy as np

from . import architecture, capture, demo_shot, figures, furniture, materials, moves, nature, props
from .solids import Point

FRAMES = np.arange(1, 46)
"""Nine frames and three blocks of twelve."""
SIZE = (416, 234)
FILM_SIZE = (480, 270)
LENS = 27.0
FOCAL = LENS / 36 * SIZE[0]
"""Of the footage, in pixels."""
MOMENTS = 11
"""Every so many frames the truth of the footage's depth is kept."""
FILMED = moves.Move((-0.7, -3.1, 1.6), (0.1, 1.6, 0.95), yaw=7, shift=(0.5, 0.05, 0.2), sway=0.025)
MOVE = moves.Move((-0.7, -3.1, 1.6), (0.1, 1.6, 0.95), yaw=-13, shift=(-0.35, 0.3, 0.45))
CART_WAY = figures.line((-1.3, 0.5, 0.0), (0.3, 0.75, 0.0))


def pushed(t: float) -> tuple[float, float, float, float]:
    """Where the cart is, its handles behind it."""
    x, y, z, turn = CART_WAY(t)
    return x, y, z, turn + math.pi


def build_set() -> list[bpy.types.Object]:
    """The yard; returns what a box stands in for."""
    rng = np.random.default_rng(404)
    architecture.floor((9, 9), materials.tiles("b9a78c", "8d8374", 0.45), (0, 1, 0))
    architecture.wall(9, 2.7, materials.bricks("a8664c"), (0, 2.8, 0))
    architecture.wall(7, 2.7, materials.plaster("d9c39a", "7a5f48", 0.55), (2.9, 0, 0), -math.pi / 2)
    boxes = [
        props.chest(rng, (1.75, 1.75, 0), -0.25, 1.15),
        props.chest(rng, (-0.35, 2.2, 0), 0.12, 0.95),
        props.crate(rng, (0.55, 2.05, 0), 0.3, 0.8),
        props.crate(rng, (-2.6, 1.5, 0), 0.5, 0.75),
        props.crate(rng, (1.35, 0.55, 0), -0.4, 0.6),
        furniture.shelf(rng, (-1.75, 2.62, 0), 0, 1.3, 1.7),
    ]
    # What nobody took the trouble to stand in for.
    props.potted_plant(rng, (2.45, 0.6, 0), 1.0)
    furniture.ladder(rng, (0.75, 2.55, 0), 0.0, 2.2)
    figures.follow(figures.handcart(rng), pushed, FRAMES)
    nature.sky("4f83bd", "e8dcc4", 0.8, 1.5, 3.0)
    nature.sun((0.74, 0, -0.5), 5.5, "ffe2b5", 0.03)
    return boxes


def bounds(thing: bpy.types.Object) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest corner of a thing and its parts in the space of `thing`, as measured on set."""
    inverse = thing.matrix_world.inverted()
    parts = [part for part in (thing, *thing.children_recursive) if part.type == "MESH"]
    corners = [inverse @ part.matrix_world @ vertex.co for part in parts for vertex in part.data.vertices]
    return np.min(corners, 0), np.max(corners, 0)


def stand_in(collection: bpy.types.Collection, name: str, low: Point, high: Point) -> bpy.types.Object:
    """A box between two corners; of no height it is a plane."""
    x, y, z = zip(low, high, strict=True)
    corners = [(i, j, k) for k in z for j in y for i in x]
    faces = [(0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5)]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(corners, [], faces[:1] if high[2] == low[2] else faces)
    thing = bpy.data.objects.new(name, mesh)
    thing.display_type = "WIRE"
    collection.objects.link(thing)
    return thing


def build_stand_ins(boxes: list[bpy.types.Object]) -> bpy.types.Collection:
    """Ground, two walls, a box for each of `boxes`, two that follow the cart."""
    collection = bpy.data.collections.new("Stand-Ins")
    bpy.context.scene.collection.children.link(collection)
    stand_in(collection, "Ground", (-6, -5, 0), (6, 6, 0))
    stand_in(collection, "Back Wall", (-4.5, 2.8, 0), (4.5, 3.0, 2.7))
    stand_in(collection, "Side Wall", (2.9, -3.5, 0), (3.1, 3.0, 2.7))
    for thing in boxes:
        stand_in(collection, f"{thing.name} Box", *bounds(thing)).matrix_world = thing.matrix_world
    cart = bpy.data.objects.new("Cart", None)
    collection.objects.link(cart)
    stand_in(collection, "Cart Bed", (-0.42, -0.6, 0.48), (0.42, 0.62, 0.72)).parent = cart
    stand_in(collection, "Cart Load", (-0.34, -0.45, 0.72), (0.3, 0.45, 0.84)).parent = cart
    for side in (-0.44, 0.44):
        stand_in(collection, "Cart Wheel", (side - 0.02, -0.2, 0.1), (side + 0.02, 0.4, 0.74)).parent = cart
    figures.follow(cart, pushed, FRAMES)
    return collection


def render(scene: bpy.types.Scene, camera: bpy.types.Object, size: tuple[int, int], folder: Path) -> None:
    scene.camera = camera
    scene.render.resolution_x, scene.render.resolution_y = size
    demo_shot.render_truth(scene, folder)


def strike(kept: set[bpy.types.ID]) -> None:
    """Take the set away: what is left is what a matchmove artist has."""
    for thing in list(bpy.data.objects):
        if thing not in kept:
            bpy.data.objects.remove(thing)
    bpy.context.scene.world = None
    bpy.ops.outliner.orphans_purge(do_recursive=True)


def main() -> None:
    extension, folder, last = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), int(sys.argv[3])
    scene = capture.empty_file()
    scene.name = "Yard"
    scene.frame_start, scene.frame_end = 1, last or int(FRAMES[-1])
    capture.use_cycles(scene, 3)
    demo_shot.say("building the set")
    boxes = build_set()
    footage, shot = (
        moves.camera(name, MOVE.at, MOVE.look, LENS) for name in ("Footage Camera", "Shot Camera")
    )
    moves.animate(footage, FILMED, 1.0, FRAMES)
    moves.animate(shot, MOVE, 1.0, FRAMES)
    scene.frame_set(1)
    stand_ins = build_stand_ins(boxes)
    stand_ins.hide_render = True
    demo_shot.say("filming")
    footage.data.lens = FOCAL / FILM_SIZE[0] * 36
    render(scene, footage, FILM_SIZE, folder / "film")
    footage.data.lens = LENS
    render(scene, shot, (256, 144), folder / "truth")

    scene.render.resolution_x, scene.render.resolution_y = SIZE
    demo_shot.install(extension)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "shot.blend"), compress=True)
    settings = scene.inspatio
    settings.shot_name, settings.reference_kind, settings.reference_camera = "Set", "MOVING", footage
    settings.reference_step, settings.reference_scale = MOMENTS, "2"
    demo_shot.press("Depth of the set", bpy.ops.inspatio.capture_reference)
    shutil.move(folder / "inspatio" / "Set" / "reference" / "v001", folder / "set")
    shutil.rmtree(folder / "inspatio")
    for name in [name for name in settings.keys() if name]:  # noqa: SIM118
        settings.property_unset(name)
    strike({footage, shot, *stand_ins.all_objects})
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "shot.blend"), compress=True)


if __name__ == "__main__":
    main()
