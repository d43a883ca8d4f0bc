"""From a request to a reference folder, a view at a time; whole, or not at all.

picture  ->  placed in the view  ->  view_0000.png
depth map or network  ->  planar  ->  placed  ->  scaled to what is known  ->  view_0000.npy
pose     ->  as given, or found by following the first camera
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..pictures import encode_png
from ..protocol.cameras import CameraError, check_pose
from ..protocol.disk import write_json, write_whole
from ..protocol.files import REFERENCE_FILE, Reference, View
from .align import align_scale
from .depths import check_shape, planar_depth, read_values
from .error import RecoverError
from .focal import find_focal
from .lens import Lens, found_lens
from .networks import DepthNetwork
from .pictures import Picture, Pictures
from .placing import Placement, rectangle_of
from .request import Request, ViewRequest
from .tracking import Tracker, still_factor

COMPARED, SEARCHED = 6, 240
"""So many pictures of the first views are compared with the first one, where the lens has to be found."""
Show = Callable[[str, float | None], None]
"""Is given a line for the user, and the share that is done where that is known."""


def recover(request: Request, out: Path, show: Show = lambda line, share: None) -> Reference:
    """Recover a reference into the new folder `out`. Raises RecoverError.

    The folder appears when it is whole; what is interrupted, KeyboardInterrupt too, leaves nothing.
    """
    if out.exists():
        raise RecoverError(f"{out} exists already: nothing is overwritten.")
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        reference = _Recovery(request, temporary, show).run()
        write_json(temporary / REFERENCE_FILE, reference.to_json())
        os.rename(temporary, out)
        return reference
    except OSError as error:
        raise RecoverError(f"{out} cannot be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class _Recovery:
    """What is the same for all views of one reference."""

    def __init__(self, request: Request, folder: Path, show: Show) -> None:
        self._request, self._folder, self._show = request, folder, show
        self._pictures = Pictures(request.upright)
        self._network: DepthNetwork | None = None
        self._tracker: Tracker | None = None
        self._first: np.ndarray | None = None
        """Depth of the first view, which a camera that stands still measures again and again."""
        self._scale = 1.0
        """Of the depth of views that follow the first, which is aligned to a known distance."""

    def run(self) -> Reference:
        request = self._request
        source = dict(request.source)
        if any(view.depth is None for view in request.views):
            self._show("Loading the depth network", None)
            self._network = DepthNetwork(request.network)
            self._show(f"Depth: {self._network.words}", None)
            source["depth"] = self._network.words
        asked = request.views
        if request.lens is not None:
            lens = self._lens(request.lens)
            self._show(f"Lens: {lens.words}", None)
            source["lens"] = lens.words
            intrinsics = tuple(lens.intrinsics(request.width, request.height).ravel().tolist())
            asked = tuple(replace(view, intrinsics=intrinsics) for view in asked)
        views = []
        for index, view in enumerate(asked):
            self._show(
                f"{view.picture.name}: view {index + 1} of {len(request.views)}", index / len(request.views)
            )
            views.append(self._view(view, f"view_{index:04d}"))
        count = f"{len(views)} view{'s' * (len(views) != 1)}"
        self._show(f"Recovered {count}, {request.width} x {request.height}", 1.0)
        return Reference(request.kind, request.width, request.height, tuple(views), source)

    def _lens(self, stated: Lens) -> Lens:
        """The lens of all views: what is stated, or what the pictures tell where that is a guess."""
        views = self._request.views
        if not (stated.is_guess and self._request.solve):
            return stated
        if self._network is not None and not self._network.is_metric:
            return stated  # Depth of unknown contrast suits a wrong lens as well.
        self._show("Looking for the lens", None)
        last = min(len(views), SEARCHED) - 1
        numbers = sorted({0, *(round(last * share / COMPARED) for share in range(1, COMPARED + 1))})
        placed = [self._placed(views[number]) for number in numbers]
        pictures = [placement.colour(picture.pixels) for picture, placement in placed]

        def depth_of(intrinsics: np.ndarray) -> np.ndarray:
            return self._depth(views[0], *placed[0], intrinsics)

        # Only distances along rays become another depth under another lens.
        if views[0].depth is None or views[0].form.encoding != "ray":
            depth = depth_of(np.array(views[0].intrinsics).reshape(3, 3))
            focal = find_focal(pictures, lambda intrinsics: depth)
        else:
            focal = find_focal(pictures, depth_of)
        return stated if focal is None else found_lens(focal)

    def _placed(self, asked: ViewRequest) -> tuple[Picture, Placement]:
        """The picture of a view, and where it lies in there."""
        request = self._request
        picture = self._pictures.read(asked.picture, asked.picture_frame)
        shape = picture.size[0] / picture.size[1] * asked.pixel_aspect
        rectangle = rectangle_of(asked.fit, shape, request.aspect)
        if request.upright:
            check_shape("The view", (request.width, request.height), picture.name, picture.size)
        return picture, Placement(*picture.size, request.width, request.height, rectangle)

    def _view(self, asked: ViewRequest, name: str) -> View:
        picture, placement = self._placed(asked)
        k = np.array(asked.intrinsics).reshape(3, 3)
        colour = placement.colour(picture.pixels)
        depth = self._depth(asked, picture, placement, k)
        if not (np.isfinite(depth) & (depth > 0)).any():
            raise RecoverError(f"Nothing of the depth of {picture.name} lies in the view of its camera.")
        pose, depth = self._stand(asked, picture.name, colour, depth)
        try:
            write_whole(self._folder / f"{name}.png", encode_png(colour))
            np.save(self._folder / f"{name}.npy", depth.astype("<f4"))
            known = check_pose(pose.ravel().tolist(), picture.name)
        except CameraError as error:
            raise RecoverError(f"{error}.") from None
        return View(asked.frame, asked.camera, f"{name}.png", f"{name}.npy", asked.intrinsics, known)

    def _depth(self, asked: ViewRequest, picture: Picture, placement: Placement, k: np.ndarray) -> np.ndarray:
        """(H, W) planar depth of a view."""
        if asked.depth is None:
            assert self._network is not None
            depth = placement.depth(self._network.depth(picture.pixels))
        else:
            values = read_values(asked.depth, asked.form)
            size = values.shape[1], values.shape[0]
            if asked.depth_of == "view":
                frame = self._request.width, self._request.height
                check_shape(asked.depth.name, size, "the view", frame)
                own = Placement(*size, *frame)
            else:
                check_shape(asked.depth.name, size, picture.name, picture.size)
                own = placement.of_size(*size)
            depth = own.depth(planar_depth(asked.depth.name, values, asked.form.encoding, own.intrinsics(k)))
            # Where the picture shows nothing, there is nothing to give a depth to.
            depth = depth * placement.depth(np.ones(picture.pixels.shape[:2], np.float32))
        return depth

    def _stand(
        self, asked: ViewRequest, name: str, colour: np.ndarray, depth: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Pose and depth of a view, the depth in the scale of the world."""
        k, pose = np.array(asked.intrinsics).reshape(3, 3), np.array(asked.world_to_camera).reshape(4, 4)
        request, is_first = self._request, self._first is None
        scale = self._scale
        if asked.known is not None:
            pixels, distance = asked.known
            scale = align_scale(depth, k, np.array(pixels).reshape(2, 2), distance)
            self._show(f"Scale: depth times {scale:.4g}, so that the two points are {distance:g} apart", None)
        if request.kind == "moving" or request.solve:
            self._scale = scale
        if not request.solve and not request.still_camera:
            return pose, depth * np.float32(scale)
        # Views that follow the first have its scale: a network's is measured against it, that of files is the same.
        rescale = asked.depth is None and not is_first
        factor = 1.0
        if not rescale:
            depth = depth * np.float32(scale)
        if self._first is None:
            self._first = depth
        if request.solve:
            self._tracker = self._tracker or Tracker(k)
            # The tracker's world is the first camera, which stands in the world where it was said to.
            turned, factor = self._tracker.follow(name, colour, depth, rescale)
            pose = turned @ np.array(request.views[0].world_to_camera).reshape(4, 4)
        elif rescale:
            factor = still_factor(self._first, depth)
        return pose, depth * np.float32(factor)
