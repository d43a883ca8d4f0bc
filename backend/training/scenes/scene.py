"""A scene: materials, lights and the items (still or moving) that the layouts put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from . import textures
from .meshes import Mesh, translate


@dataclass(frozen=True)
class Material:
    """A picture layer, a linear colour on top of it, `gloss` 0..1, `emission`, and texture repeats per metre."""

    layer: int
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gloss: float = 0.1
    emission: float = 0.0
    repeat: float = 1.0

    def tinted(self, tint, gloss: float | None = None, emission: float | None = None) -> Material:
        """The same picture in another linear colour."""
        return replace(
            self,
            tint=tuple(float(c) for c in tint),
            gloss=self.gloss if gloss is None else gloss,
            emission=self.emission if emission is None else emission,
        )


@dataclass
class Light:
    """Everything the shaders need to light a scene; colours are linear, positions in metres, z up."""

    sun_direction: np.ndarray = field(default_factory=lambda: np.array([0.4, 0.3, 0.8]))
    sun_colour: np.ndarray = field(default_factory=lambda: np.zeros(3))
    softness: float = 0.03
    lamp_position: np.ndarray = field(default_factory=lambda: np.array([0.0, 0.0, 2.5]))
    lamp_colour: np.ndarray = field(default_factory=lambda: np.zeros(3))
    points: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    ambient_low: np.ndarray = field(default_factory=lambda: np.full(3, 0.2))
    ambient_high: np.ndarray = field(default_factory=lambda: np.full(3, 0.4))
    sky_low: np.ndarray = field(default_factory=lambda: np.full(3, 0.7))
    sky_high: np.ndarray = field(default_factory=lambda: np.array([0.2, 0.4, 0.8]))
    ground_light: np.ndarray = field(default_factory=lambda: np.full(3, 0.2))
    cloud_cover: float = 0.0
    cloud_layer: float = 0.0
    fog_colour: np.ndarray = field(default_factory=lambda: np.full(3, 0.6))
    fog_density: float = 0.0
    exposure: float = 1.0
    contrast: float = 0.2
    saturation: float = 1.0
    film: float = 1.0
    bump: float = 0.01
    occlusion_radius: float = 0.7
    focus: np.ndarray = field(default_factory=lambda: np.zeros(3))
    radius: float = 20.0


@dataclass(frozen=True)
class Item:
    """Range of triangles drawn together: index range, bounding sphere, and where it is at a time if it moves."""

    first: int
    count: int
    centre: np.ndarray
    radius: float
    mover: Callable[[float], np.ndarray] | None


class Scene:
    """Grows by `material`, `add` and `block`; `buffers` gives what the rasteriser uploads.

    `cameras` are places to look from: (eye (3,), target (3,)). `closed` says that no sky can be seen.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.pictures: list[np.ndarray] = []
        self.light = Light()
        self.closed = False
        self.far = 400.0
        self.kind = ""
        self.blocked: list[tuple[np.ndarray, np.ndarray]] = []
        self.cameras: list[tuple[np.ndarray, np.ndarray]] = []
        self.bounds: tuple[np.ndarray, np.ndarray] | None = None
        self._entries: list[tuple[Mesh, Material, Callable | None]] = []
        self._layers: dict[str, int] = {}

    @property
    def dynamic(self) -> bool:
        """Whether anything moves."""
        return any(mover is not None for _, _, mover in self._entries)

    def layer(self, family: str, shared: bool = False) -> int:
        """Index of a newly drawn picture of `family`; `shared` ones are drawn once per scene."""
        if shared and family in self._layers:
            return self._layers[family]
        self.pictures.append(textures.draw(family, self.rng))
        self._layers[family] = len(self.pictures) - 1
        return len(self.pictures) - 1

    def material(
        self, family: str, gloss: float = 0.1, repeat: float = 1.0, shared: bool = False, **more
    ) -> Material:
        """Material with a picture of `family` that repeats `repeat` times a metre."""
        return Material(self.layer(family, shared), gloss=gloss, repeat=repeat, **more)

    def add(
        self, mesh: Mesh, material: Material, matrix: np.ndarray | None = None, mover: Callable | None = None
    ) -> None:
        """Put `mesh` at `matrix` (4,4); with a `mover`, time in frames -> 4x4, it moves from there."""
        self._entries.append((mesh if matrix is None else mesh.moved(matrix), material, mover))

    def block(self, low, high) -> None:
        """Keep cameras out of the axis-aligned box from `low` to `high` (3,)."""
        self.blocked.append((np.asarray(low, float), np.asarray(high, float)))

    def free(self, points: np.ndarray, margin: float = 0.25) -> bool:
        """Whether cameras at `points` (T,3) are inside the bounds and outside everything blocked."""
        if self.bounds is not None:
            low, high = self.bounds
            if np.any(points < low + margin) or np.any(points > high - margin):
                return False
        return not any(
            np.any(np.all((points > low - margin) & (points < high + margin), 1))
            for low, high in self.blocked
        )

    def buffers(self) -> tuple[np.ndarray, np.ndarray, list[Item]]:
        """Interleaved vertices (N,14) float32, indices (M,) uint32 and items, those standing still first."""
        entries = sorted(self._entries, key=lambda e: e[2] is not None)
        vertices, indices, items = [], [], []
        first, base = 0, 0
        for mesh, material, mover in entries:
            n = len(mesh.position)
            block = np.empty((n, 14), np.float32)
            block[:, 0:3], block[:, 3:6] = mesh.position, mesh.normal
            block[:, 6:8] = mesh.uv * material.repeat
            block[:, 8:11] = material.tint
            block[:, 11:14] = material.layer, material.gloss, material.emission
            vertices.append(block)
            flat = mesh.triangles.reshape(-1).astype(np.uint32) + base
            indices.append(flat)
            low, high = mesh.position.min(0), mesh.position.max(0)
            radius = float(np.linalg.norm(high - low) / 2)
            items.append(Item(first, len(flat), (low + high) / 2, radius, mover))
            first, base = first + len(flat), base + n
        return np.concatenate(vertices), np.concatenate(indices), items


def linear(srgb) -> np.ndarray:
    """sRGB colour (3,) as linear, with the shaders' gamma of 2."""
    return np.square(np.asarray(srgb, float))


class Kit:
    """The materials of one scene, drawn lazily so that a scene pays only for what it shows."""

    families = {
        "wood": (("wood", "planks"), 0.35, 1.0),
        "metal": (("brushed", "rust"), 0.7, 1.0),
        "fabric": (("weave", "stripes", "plain"), 0.02, 1.5),
        "stone": (("stone", "marble", "plaster"), 0.2, 0.6),
        "leaf": (("foliage",), 0.25, 1.0),
        "bark": (("bark",), 0.05, 1.0),
        "plain": (("plain",), 0.3, 1.0),
        "book": (("books",), 0.2, 1.0),
        "picture": (("painting", "poster"), 0.3, 1.0),
        "crate": (("planks", "rust", "wood"), 0.15, 1.0),
    }

    def __init__(self, scene: Scene) -> None:
        self.scene, self.rng = scene, scene.rng
        self._made: dict[str, list[Material]] = {}
        self.accents = [linear(textures.any_colour(self.rng)) for _ in range(6)]

    def __call__(self, kind: str, most: int = 2) -> Material:
        """A material of a kind in `families`; at most `most` different ones in a scene."""
        made = self._made.setdefault(kind, [])
        if len(made) < most and (not made or self.rng.random() < 0.4):
            families, gloss, repeat = self.families[kind]
            family = families[self.rng.integers(len(families))]
            shared = family == "plain"
            gloss = float(np.clip(gloss * self.rng.uniform(0.5, 1.5), 0, 1))
            made.append(self.scene.material(family, gloss, repeat * self.rng.uniform(0.7, 1.4), shared))
        return made[self.rng.integers(len(made))]

    def paint(self, gloss: float | None = None, colour=None) -> Material:
        """A plain painted surface in one of the scene's accent colours."""
        if colour is None:
            colour = self.accents[self.rng.integers(len(self.accents))]
        gloss = self.rng.uniform(0.05, 0.8) if gloss is None else gloss
        return self("plain", 1).tinted(colour, gloss)

    def glow(self, colour, strength: float) -> Material:
        """A surface that shines by itself."""
        return self("plain", 1).tinted(colour, 0.1, strength)

    def varied(self, kind: str, amount: float = 0.25) -> Material:
        """A material of a kind, slightly lighter or darker and warmer or cooler than the last."""
        base = self(kind)
        tint = (
            np.array(base.tint)
            * self.rng.uniform(1 - amount, 1 + amount * 0.5)
            * self.rng.uniform(0.93, 1.07, 3)
        )
        return base.tinted(tint)


def at(x: float, y: float, z: float = 0.0) -> np.ndarray:
    """4x4 translation, short for placing things."""
    return translate(x, y, z)


class Group:
    """A prop in its own frame: origin on the floor, front towards -y. Parts may move within it."""

    def __init__(self) -> None:
        self.parts: list[tuple[Mesh, Material, Callable | None]] = []

    def add(
        self, mesh: Mesh, material: Material, matrix: np.ndarray | None = None, mover: Callable | None = None
    ) -> None:
        """Add a part at `matrix`, or moved by `mover`, time in frames -> 4x4."""
        self.parts.append((mesh if matrix is None else mesh.moved(matrix), material, mover))

    def put(self, other: Group, matrix: np.ndarray) -> None:
        """Add all the parts of another group at `matrix`."""
        for mesh, material, mover in other.parts:
            if mover is None:
                self.parts.append((mesh.moved(matrix), material, None))
            else:
                self.parts.append((mesh, material, lambda t, m=mover: matrix @ m(t)))

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest corner (3,) of all parts, moving ones at time 0."""
        corners = []
        for mesh, _, mover in self.parts:
            points = mesh.position
            if mover is not None:
                matrix = mover(0.0)
                points = points @ matrix[:3, :3].T + matrix[:3, 3]
            corners += [points.min(0), points.max(0)]
        return np.min(corners, 0), np.max(corners, 0)

    def place(self, scene: Scene, matrix: np.ndarray, solid: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Put everything into `scene`; `solid` keeps cameras out of it. Returns its bounds."""
        whole = Group()
        whole.put(self, matrix)
        for part in whole.parts:
            scene.add(part[0], part[1], mover=part[2])
        low, high = whole.bounds()
        if solid:
            scene.block(low, high)
        return low, high
