"""Shots of a film: where markers bind cameras, each of these cameras is a shot from its marker to the next.

    markers     F_01        F_15              F_40
    frames      1 ........ 14 15 ........... 39 40 ........ 60
    parts       [  F_01     ] [   F_15        ] [   F_40     ]

Together they are what Blender would render from the scene's start to its end, cut where it switches cameras. A part
is the scene's shot in everything (preset, prompt, seed, what its reference is captured from) but its name, camera and
range; so it has a folder of its own for references and takes. A scene without bound markers has one part: its shot.

Parts are read off the scene whenever they are asked for. Main thread only.
"""

from dataclasses import dataclass

import bpy

from . import takes


@dataclass(frozen=True)
class Part:
    """One shot of a film.

    name: safe for a folder, and no other part's. camera: None for the scene's active one, markers included.
    first, last: the frames that the film shows of it. handles: how many more are generated before and after these,
    for the cut; there are none below frame 0.
    """

    name: str
    camera: bpy.types.Object | None
    first: int
    last: int
    handles: int = 0

    @property
    def frames(self) -> list[int]:
        """The scene frames that are generated, handles included; empty where the end lies before the start."""
        if self.last < self.first:
            return []
        return list(range(min(self.first, max(0, self.first - self.handles)), self.last + self.handles + 1))


def own_part(scene: bpy.types.Scene) -> Part:
    """The scene's shot as its settings say; its range has no handles beside it."""
    shot = scene.inspatio
    start, end = shot.frame_range()
    return Part(takes.shot_name(scene), shot.camera, start, end)


def is_cut(scene: bpy.types.Scene) -> bool:
    """Whether markers cut the scene's range into parts."""
    return bool(_cuts(scene))


def parts(scene: bpy.types.Scene) -> list[Part]:
    """The shots of the scene's film, in order."""
    cuts = _cuts(scene)
    if not cuts:
        return [own_part(scene)]
    handles = scene.inspatio.film_handles
    ends = [marker.frame - 1 for marker in cuts[1:]] + [scene.frame_end]
    # What comes before the first marker is seen through its camera too.
    starts = [scene.frame_start] + [marker.frame for marker in cuts[1:]]
    found: list[Part] = []
    for marker, start, end in zip(cuts, starts, ends, strict=True):
        found.append(Part(_unused(marker.name, found), marker.camera, start, end, handles))
    return found


def find_part(scene: bpy.types.Scene, name: str) -> Part | None:
    """The part of this name; None where there is none."""
    return next((part for part in parts(scene) if part.name == name), None)


def is_used(scene: bpy.types.Scene, part: Part) -> bool:
    """Whether the part is the scene's active shot."""
    return takes.safe_name(takes.shot_name(scene)) == takes.safe_name(part.name)


def use_part(scene: bpy.types.Scene, part: Part) -> None:
    """Make a part the scene's active shot: its name, its camera, and the frames that are generated of it.

    The version of the reference is the newest of that shot again.
    """
    shot = scene.inspatio
    frames = part.frames
    shot.shot_name, shot.camera, shot.reference_version = part.name, part.camera, ""
    shot.use_scene_range, shot.frame_start, shot.frame_end = False, frames[0], frames[-1]


def _cuts(scene: bpy.types.Scene) -> list[bpy.types.TimelineMarker]:
    """The markers at which a part begins, in order: those that decide which camera Blender takes in the scene's range.

    Of two at one frame the first counts, as it does for Blender; a camera that is not rendered is passed over.
    """
    bound: dict[int, bpy.types.TimelineMarker] = {}
    for marker in scene.timeline_markers:
        if marker.camera is not None and not marker.camera.hide_render:
            bound.setdefault(marker.frame, marker)
    inside = [bound[frame] for frame in sorted(bound) if frame <= scene.frame_end]
    before = [marker for marker in inside if marker.frame <= scene.frame_start]
    return before[-1:] + inside[len(before) :]


def _unused(name: str, found: list[Part]) -> str:
    """The marker's name as a folder's, with a number where it is another part's already."""
    safe = takes.safe_name(name)
    used = {part.name.casefold() for part in found}  # Some file systems take A and a for the same.
    number, unused = 1, safe
    while unused.casefold() in used:
        number += 1
        unused = f"{safe}_{number}"
    return unused
