"""The film on the sequencer: the newest finished take of every part as a strip, in order, with its handles.

    frames of the take        17 ............................... 47
    strip, handles hidden              25 ............ 39
    scene frame               17       25              39        47

A strip is found again by its mark, so that a newer take goes into the strip that is there: what the artist did to it
(moved, cut, trimmed, effects, blending) stays, but a trim for which the new take has no frames. Of a strip that was cut
in two each piece is kept so. Main thread only.
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..backend.protocol.disk import FileFormatError
from ..backend.protocol.files import frame_names, read_take
from ..backend.protocol.plates import shown_pictures
from . import film, png, showing, takes

log = logging.getLogger(__name__)

PART = "inspatio_part"
"""Custom property that marks the strips of a film: the part's name."""
CUT = "inspatio_cut"
"""Custom property of theirs: first and last scene frame that were shown when it was laid."""
SIZE = "inspatio_size"
"""Custom property of theirs: width and height of the pictures that their scale is meant for."""
NAMES = ("content_start", "left_handle_offset", "right_handle_offset")
"""Where a strip's content begins, and how much of it is hidden before and after; since 5.2."""
MAX_CHANNEL = 128
OLD_NAMES = ("frame_start", "frame_offset_start", "frame_offset_end")


@dataclass(frozen=True)
class Footage:
    """The frames of a take, or their plates: one a scene frame, the first at `start`. size: width and height."""

    folder: Path
    names: Sequence[str]
    start: int
    size: tuple[int, int]

    @property
    def end(self) -> int:
        """Scene frame of the last one."""
        return self.start + len(self.names) - 1

    def within(self, first: int, last: int) -> tuple[int, int] | None:
        """The frames from `first` to `last` that are there; None without any."""
        first, last = max(first, self.start), min(last, self.end)
        return (first, last) if first <= last else None


def newest_footage(scene: bpy.types.Scene, part: film.Part) -> Footage | None:
    """Of the newest finished take of a part that has frames of it; None where there is none."""
    for info in takes.list_takes(scene, None, part.name):
        if info.state != "finished":
            continue
        try:
            frames = read_take(info.folder).shot.cameras.frames
            names = frame_names(frames)
            first = shown_pictures(info.folder, names)[0]
            size = png.size_of(first)
        except (FileFormatError, OSError, ValueError) as error:
            log.warning("%s", error)
            continue
        start = int(frames[0])
        if list(frames) != list(range(start, start + len(frames))):
            continue  # Frames between whole ones have no place of their own on the sequencer.
        footage = Footage(first.parent, names, start, size)
        if footage.within(part.first, part.last):
            return footage
    return None


def find(scene: bpy.types.Scene, name: str) -> list:
    """The strips of a part, more than one where it was cut."""
    if scene.sequence_editor is None:
        return []
    return [strip for strip in showing.strips(scene) if strip.get(PART) == name]


def is_laid_out(scene: bpy.types.Scene) -> bool:
    """Whether there is a strip of a film."""
    return scene.sequence_editor is not None and any(strip.get(PART) for strip in showing.strips(scene))


def lay_out(scene: bpy.types.Scene) -> tuple[int, list[str]]:
    """Lay the newest finished take of every part; how many there are, and the names of parts that have none.

    The strip of the single take is switched off: it would hide the film.
    """
    laid, lacking = 0, []
    scene.inspatio.show_strip = False
    with showing.without_prefetch(scene):
        for part in film.parts(scene):
            footage = newest_footage(scene, part)
            if footage is None:
                lacking.append(part.name)
                continue
            laid += 1
            _lay(scene, part, footage)
    return laid, lacking


def follow(scene: bpy.types.Scene, name: str) -> bool:
    """Put the newest finished take of a part into its strips, where the film is laid out; whether it is."""
    part = film.find_part(scene, name) if is_laid_out(scene) else None
    footage = newest_footage(scene, part) if part is not None else None
    if footage is None:
        return False
    with showing.without_prefetch(scene):
        _lay(scene, part, footage)
    return True


def drop(scene: bpy.types.Scene, folder: Path) -> None:
    """The take in `folder` is gone: its strips show the newest one that is left of their part, or go too."""
    if scene.sequence_editor is None:
        return
    orphans = {
        s[PART]
        for s in showing.strips(scene)
        if s.get(PART) and showing.is_of(showing.absolute(s.directory), folder)
    }
    for name in orphans:
        follow(scene, name)
    with showing.without_prefetch(scene):
        for strip in [strip for name in orphans for strip in find(scene, name)]:
            if showing.is_of(showing.absolute(strip.directory), folder):
                showing.strips(scene).remove(strip)


def _lay(scene: bpy.types.Scene, part: film.Part, footage: Footage) -> None:
    found = find(scene, part.name)
    for strip in found:
        _replace(scene, strip, part, footage)
    if not found:
        _new(scene, part, footage)


def _new(scene: bpy.types.Scene, part: film.Part, footage: Footage) -> None:
    others = [strip for strip in showing.strips(scene) if strip.get(PART)]
    free = _free_channel(scene)
    strip = showing.new_strip(scene, part.name, footage.folder / footage.names[0], free, footage.start)
    for name in footage.names[1:]:
        strip.elements.append(name)
    strip[PART] = part.name
    strip[SIZE] = footage.size
    first, last = footage.within(part.first, part.last)
    _trim(strip, part, footage, first, last, 0)
    # Whole, it would lie over its neighbours, and Blender would move it aside: it goes to their channel once trimmed.
    if others:
        strip.channel = others[0].channel


def _replace(scene: bpy.types.Scene, strip, part: film.Part, footage: Footage) -> None:
    """Show another take in a strip; the frames that are to be seen stay, unless the film's cut itself has moved."""
    start = strip[showing.START]
    content, before, after = (round(getattr(strip, name)) for name in _names(strip))
    moved = content - start
    shown = (start + before, start + len(strip.elements) - 1 - after)
    if list(shown) == list(strip[CUT]):
        shown = (part.first, part.last)
    shown = footage.within(*shown) or footage.within(part.first, part.last)
    channel, strip.channel = strip.channel, _free_channel(scene)
    for name in _names(strip)[1:]:
        setattr(strip, name, 0)
    strip.directory = showing.stored(footage.folder) + os.sep
    _keep_size(strip, footage.size)
    elements = strip.elements
    while len(elements) > len(footage.names):
        elements.pop(index=len(elements) - 1)
    for index, name in enumerate(footage.names):
        if index < len(elements):
            elements[index].filename = name
        else:
            elements.append(name)
    strip[showing.START] = footage.start
    _trim(strip, part, footage, *shown, moved)
    strip.channel = channel


def _keep_size(strip, size: tuple[int, int]) -> None:
    """Have pictures of another size fill what the ones before filled: a strip's scale counts in their pixels."""
    before = strip.get(SIZE, size)
    strip.transform.scale_x *= before[0] / size[0]
    strip.transform.scale_y *= before[1] / size[1]
    strip[SIZE] = size


def _trim(strip, part: film.Part, footage: Footage, first: int, last: int, moved: int) -> None:
    """Show the scene frames from `first` to `last`, at their place but for what the strip was moved."""
    content, before, after = _names(strip)
    setattr(strip, content, footage.start + moved)
    setattr(strip, before, first - footage.start)
    setattr(strip, after, footage.end - last)
    strip[CUT] = [*footage.within(part.first, part.last)]


def _names(strip) -> tuple[str, str, str]:
    return NAMES if hasattr(strip, NAMES[0]) else OLD_NAMES


def _free_channel(scene: bpy.types.Scene) -> int:
    return min(MAX_CHANNEL, max((strip.channel for strip in showing.strips(scene)), default=0) + 1)
