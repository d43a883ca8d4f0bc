"""The reference seen from the target cameras: its pixels joined to a surface, cut where depth jumps, and rasterised.

Beside `splat`, which the released generators were trained on, this leaves no flying pixels at edges and no cracks
where the camera comes close. One view of h x w pixels into one target camera of H x W:

    joins.py    links (h, w): which neighbouring pixels are one surface. A quad lies between four that are; where they
                are not, and along the picture's border, a cell: the pixel's own square, in the plane that the
                neighbours it is joined to tell
    raster.py   nearest (H, W): the polygon that is nearest in every pixel; and finer, four to a pixel, at edges
    resolve.py  colour, depth, known (H, W): the polygon's plane is met with the pixel's ray

Everything is done in disparity w = 1 / depth. With A = K' R K^-1 and t = K' (translation), a pixel s = (x, y, 1) of
the view lands at p ~ A s + w t, so the sky (w = 0) is a surface like any other, at infinity, that turns with the
camera and loses to everything. A plane is w = G s, so that its rays are met without a division by depth. A surface
seen from behind hides what is behind it, and what it shows itself is unknown: a hole.

As with the micropolygons of REYES (Cook, Carpenter, Catmull 1987), a polygon has one depth where it competes with
others, its farthest corner's; what is handed out is exact.

All of it is compiled for the CPU (`compiled.py`), wherever the networks are: a frame of `tiny`'s size takes a few
milliseconds, in which a GPU could hardly be told what to do. No result depends on the order of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .splat import HOLE, Render

if TYPE_CHECKING:
    from .compiled import Array

TWICE = np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]])
"""From a target's pixels to those of one twice as wide and high."""


def surface_views(
    colour: Tensor,
    depth: Tensor,
    intrinsics: Tensor,
    world_to_camera: Tensor,
    target_intrinsics: Tensor,
    target_world_to_camera: Tensor,
    size: tuple[int, int] | None = None,
) -> Render:
    """Render V views into F target cameras: what `splat_views` takes and gives, word for word.

    A pixel is known where the nearest surface of some view is seen from its front. Views may be of any size beside
    the targets': they need not be magnified. The first call in a process compiles, see `compile_loops`.
    """
    height, width = size or (depth.shape[-2], depth.shape[-1])
    frames, views = len(target_world_to_camera), len(depth)
    pictures = np.full((frames, 3, height, width), HOLE, np.float32)
    known = np.zeros((frames, height, width), np.bool_)
    distance = np.full((frames, height, width), np.inf, np.float32)
    reached = np.zeros((frames, views, height, width), np.bool_)
    surfaces = Surfaces.of(colour, depth, intrinsics, world_to_camera)
    targets, lenses = (
        x.to("cpu", torch.float64).numpy() for x in (target_world_to_camera, target_intrinsics)
    )
    spare: list[Planes] = []

    def render_frame(frame: int) -> None:
        try:  # A thread goes on with planes that are in its cache.
            planes = spare.pop()
        except IndexError:
            planes = Planes.of(height, width)
        surfaces.draw(
            lenses[frame],
            targets[frame],
            planes,
            pictures[frame],
            distance[frame],
            known[frame],
            reached[frame],
        )
        spare.append(planes)

    with ThreadPoolExecutor(max_workers=min(torch.get_num_threads(), max(frames, 1))) as pool:
        list(pool.map(render_frame, range(frames)))
    return Render(*(torch.from_numpy(x).to(colour.device) for x in (pictures, known, distance, reached)))


def _float(x: Array) -> Array:
    return x.astype(np.float32)


def compile_loops(slowly: Callable[[], None] = lambda: None) -> None:
    """Have everything compiled that `surface_views` needs: seconds once on a machine, moments later on, see `compiled`.

    Another thread that needs it meanwhile waits for it. `slowly` is called first where it takes seconds.
    """
    from .compiled import is_kept

    if not is_kept():
        slowly()
    eye = torch.eye(4)[None]
    surface_views(torch.zeros(1, 3, 2, 2), torch.ones(1, 2, 2), eye[:, :3, :3], eye, eye[:, :3, :3], eye)


@dataclass(frozen=True)
class Surface:
    """A view's polygons, the same for every target: picture (h, w, 3), w (h, w) disparity and links (h, w) as in
    `joins`, lens (3, 3) float64."""

    picture: Array
    w: Array
    links: Array
    lens: Array

    @staticmethod
    def of(colour: Tensor, depth: Tensor, intrinsics: Tensor) -> Surface:
        """The polygons of a view: colour (3, h, w), depth (h, w), intrinsics (3, 3)."""
        from . import joins

        picture = colour.permute(1, 2, 0).to("cpu", torch.float32).contiguous().numpy()
        distance = depth.to("cpu", torch.float32).contiguous().numpy()
        lens = intrinsics.to("cpu", torch.float64).numpy()
        w, links = np.empty_like(distance), np.empty(distance.shape, np.uint8)
        joins.disparity_of(distance, w)
        joins.join(w, np.float32(lens[0, 0]), np.float32(lens[1, 1]), joins.GRAZING, links)
        return Surface(picture, w, links, lens)


@dataclass(frozen=True)
class Planes:
    """What a target of H x W pixels is drawn in: as in `raster`, and `seen` as in `resolve`."""

    nearest: Array
    edges: Array
    finer: Array
    seen: Array
    whole: Array

    @staticmethod
    def of(height: int, width: int) -> Planes:
        return Planes(
            np.empty((height, width), np.int64),
            np.empty((height, width), np.bool_),
            np.empty((2 * height, 2 * width), np.int64),
            np.empty((height, width), np.float32),
            np.ones((height, width), np.bool_),
        )


@dataclass(frozen=True)
class Surfaces:
    """V views' polygons, and where they were seen from: cameras (V, 4, 4) float64, world to camera."""

    views: list[Surface]
    cameras: Array

    @staticmethod
    def of(colour: Tensor, depth: Tensor, intrinsics: Tensor, world_to_camera: Tensor) -> Surfaces:
        """What `surface_views` is given, made ready for any number of targets."""
        views = [Surface.of(*view) for view in zip(colour, depth, intrinsics, strict=True)]
        return Surfaces(views, world_to_camera.to("cpu", torch.float64).numpy())

    def draw(
        self,
        lens: Array,
        camera: Array,
        planes: Planes,
        colour: Array,
        depth: Array,
        known: Array,
        reached: Array,
    ) -> None:
        """Draw them into one target: lens (3, 3), camera (4, 4), float64.

        colour (3, H, W) float32, depth (H, W) float32, known (H, W) bool and reached (V, H, W) bool come as holes:
        `HOLE`, inf, False and False.
        """
        # numba takes a while to import, which the backend's start need not wait for.
        from .raster import EMPTY, draw, find_edges
        from .resolve import resolve

        nearest, edges, finer, seen, whole = vars(planes).values()
        seen.fill(-1)
        for view, (surface, source) in enumerate(zip(self.views, self.cameras, strict=True)):
            motion = camera @ np.linalg.inv(source)
            forth = lens @ motion[:3, :3] @ np.linalg.inv(surface.lens)
            shift, back = lens @ motion[:3, 3], np.linalg.inv(forth)
            epipole = back @ shift
            nearest.fill(EMPTY)
            edges.fill(False)
            draw(surface.w, surface.links, _float(forth), _float(shift), whole, nearest)
            find_edges(nearest, edges, finer)
            draw(surface.w, surface.links, _float(TWICE @ forth), _float(TWICE @ shift), edges, finer)
            resolve(
                nearest,
                edges,
                finer,
                surface.picture,
                surface.w,
                surface.links,
                _float(back),
                _float(epipole),
                seen,
                colour,
                depth,
                known,
                reached[view],
            )
