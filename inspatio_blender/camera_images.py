"""Camera Images: cameras of the scene with pictures behind them become the views of a reference.

What is read here, on the main thread, is a views file's content (docs/stills.md): which picture, which camera, which
depth. The backend's command reads the pictures and makes the reference.
"""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bpy
import numpy as np

from ..backend.protocol.disk import write_whole
from . import cameras
from .backgrounds import background_at, numbered
from .camera_settings import FILE, STAND_INS
from .footage import NO_STAND_INS, awaited, encode_npy, stand_in_depth
from .reference import CaptureError
from .shots import EMPTY_RANGE, UserError

RIM = 0.1
"""Share of its length that is left out at each end of an object of known size: at a rim lies what is behind it."""
NO_SCALE = {"known_pixels": [], "known_distance": 0.0}
"""The depth is taken as it is, or follows the first view's."""


def view_steps(
    scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer, size: tuple[int, int], folder: Path
) -> Generator[float | None, None, dict]:
    """The content of a views file for the chosen cameras, a view a step; yields the share that is done, None to wait.

    Pictures without a file are written to `folder`. The scene is as it was between two steps. Raises
    UserError, also where two cameras want different networks.
    """
    shot = scene.inspatio
    frames = shot.frames()
    if not frames:
        raise UserError(EMPTY_RANGE)
    size = shot.reference_size(size)
    chosen = shot.reference_cameras() or [shot.camera or scene.camera]
    if shot.is_camera_movie():
        kind, moments = "moving", [(float(frame), chosen[0]) for frame in frames[:: shot.reference_step]]
    else:
        current = scene.frame_current + scene.frame_subframe
        at = float(current if shot.reference_at == "CURRENT" else frames[0])
        kind, moments = "stills" if len(chosen) > 1 else "still", [(at, camera) for camera in chosen]
    found = []
    # It reckons with arrays: Blender's data is for this one.
    threads = ThreadPoolExecutor(max_workers=1)
    try:
        for frame, camera in moments:
            with cameras.kept_frame(scene):
                cameras.set_frame(scene, frame)
                view, network, draw = _view(
                    scene, view_layer, camera, frame, int(frame - moments[0][0]), size, folder
                )
            if draw is not None:
                depth = yield from awaited(threads.submit(draw))
                view["depth"] = _keep_depth(depth, shot.backdrop, camera, folder)
            found.append((view, network))
            yield len(found) / len(moments)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
    networks = list(dict.fromkeys(network for _, network in found if network))
    if len(networks) > 1:
        raise UserError("The cameras name different depth networks: choose one for all")
    return {
        "format": "inspatio-views",
        "version": 1,
        "kind": kind,
        "width": size[0],
        "height": size[1],
        "aspect": cameras.render_frame(scene).aspect,
        "network": networks[0] if networks else "",
        "solve": shot.is_camera_movie() and shot.reference_find_camera,
        "source": {"scene": scene.name, "cameras": list(dict.fromkeys(view["camera"] for view, _ in found))},
        "views": [view for view, _ in found],
    }


def asked_of(scene: bpy.types.Scene) -> tuple:
    """What gives the pictures their depth, as it is set now: what a recovery said holds as long as it stays so."""
    shot = scene.inspatio
    found = [scene.session_uid, shot.backdrop, _uid(shot.stand_ins)]
    for camera in shot.reference_cameras() or [shot.camera or scene.camera]:
        if camera is not None:
            settings = camera.data.inspatio
            points = _uid(settings.known_from), _uid(settings.known_to)
            depth = settings.depth_from, settings.depth_file, settings.encoding
            found += [_uid(camera), *depth, settings.range_low, settings.range_high, *points]
    return tuple(found)


def _uid(thing: bpy.types.ID | None) -> int:
    return 0 if thing is None else thing.session_uid


def _view(scene, view_layer, camera, at, ahead, size, folder):
    """A view of the file, the name of the network that gives its depth, and what draws that of its stand-ins."""
    try:
        k, pose, name = cameras.sample(scene, view_layer, camera, size)
    except cameras.CameraError as error:
        raise UserError(str(error)) from None
    background = background_at(scene, camera, at, folder)
    settings = camera.data.inspatio
    is_file, stood_in = settings.depth_from == FILE, settings.depth_from == STAND_INS
    view = {
        "frame": at,
        "camera": name,
        "picture": str(background.file),
        "picture_frame": background.frame,
        "picture_fit": background.fit,
        "pixel_aspect": background.pixel_aspect,
        "intrinsics": k.ravel().tolist(),
        "world_to_camera": pose.ravel().tolist(),
        "depth": _depth_file(camera, ahead) if is_file else "",
        "depth_of": "view" if stood_in else "picture",
        "encoding": settings.encoding if is_file else "planar",
        "range": [settings.range_low, settings.range_high] if is_file else [],
        **(NO_SCALE if stood_in or ahead else _known(view_layer, camera, k, pose, size)),
    }
    network = "" if is_file or stood_in else settings.depth_from
    return view, network, _stand_ins(scene, view_layer, camera, k, pose, size) if stood_in else None


def _stand_ins(scene, view_layer, camera, k, pose, size):
    """What draws the depth of the scene's stand-ins, as they are now, in the camera's frame."""
    shot = scene.inspatio
    if shot.stand_ins is None and shot.backdrop == 0:
        raise UserError(NO_STAND_INS)
    try:
        return stand_in_depth(view_layer, shot.stand_ins, camera, k, pose, size)
    except CaptureError as error:
        raise UserError(str(error)) from None


def _keep_depth(depth, backdrop, camera, folder):
    """Write the depth that the stand-ins have to a file, with the backdrop where there are none; returns its name."""
    depth[depth == 0] = backdrop
    if not depth.any():
        raise UserError(f"“{camera.name}” sees no stand-in: move them into view, or give a backdrop distance")
    file = folder / f"depth_{len(list(folder.iterdir())):04d}.npy"
    try:
        write_whole(file, encode_npy(depth))
    except OSError as error:
        raise UserError(f"No depth can be written to {folder}: {error.strerror or error}") from None
    return str(file)


def _depth_file(camera, ahead):
    """The depth map of the camera, or of a sequence the one that is `ahead` frames after it."""
    chosen = camera.data.inspatio.depth_file.strip()
    if not chosen:
        raise UserError(f"“{camera.name}” has no depth: name a depth map, or choose stand-ins or a network")
    file = Path(bpy.path.abspath(chosen, library=camera.data.library))
    file = numbered(file, ahead) if ahead else file
    if not file.is_file():
        raise UserError(f"The depth map of “{camera.name}” is missing: {file}")
    return str(file)


def _known(view_layer, camera, k, pose, size):
    """The pixels of two places whose distance gives the scale, and that distance: two objects, or the ends of one."""
    settings = camera.data.inspatio
    chosen = list(dict.fromkeys(one for one in (settings.known_from, settings.known_to) if one is not None))
    if not chosen:
        return NO_SCALE
    evaluated = [one.evaluated_get(view_layer.depsgraph) for one in chosen]
    if len(chosen) == 1:
        places = _ends(evaluated[0])
    else:
        places = [np.array(one.matrix_world.translation) for one in evaluated]
    distance = float(np.linalg.norm(places[0] - places[1]))
    if distance < 1e-9 and len(chosen) == 1:
        raise UserError(f"“{chosen[0].name}” has no size: choose one that has, or another to measure to")
    if distance < 1e-9:
        raise UserError(f"“{chosen[0].name}” and “{chosen[1].name}” lie in one place: lay them on two things")
    pixels = []
    for place, of in zip(places, (chosen[0], chosen[-1]), strict=True):
        seen = pose[:3, :3] @ place + pose[:3, 3]
        u, v = (k @ seen)[:2] / seen[2] if seen[2] > 1e-6 else (-1.0, -1.0)
        if not (0 <= u <= size[0] - 1 and 0 <= v <= size[1] - 1):
            raise UserError(
                f"“{of.name}” is not in the frame of “{camera.name}”: lay it on something in its picture"
            )
        pixels += [float(u), float(v)]
    return {"known_pixels": pixels, "known_distance": distance}


def _ends(thing):
    """Two places on the longest side of an object's box, near its ends."""
    corners = np.array([tuple(corner) for corner in thing.bound_box])
    low, high = corners.min(0), corners.max(0)
    world = np.array(thing.matrix_world)
    sides = world[:3, :3] * (high - low)
    middle = world[:3, :3] @ ((low + high) / 2) + world[:3, 3]
    half = (0.5 - RIM) * sides[:, np.linalg.norm(sides, axis=0).argmax()]
    return [middle - half, middle + half]
