"""Which take has a frame of a shot already, and which can be continued to it. Knows nothing of Blender.

Generation is causal: what a block shows depends on the cameras of the blocks up to it, and on what the whole shot is
made with. So a frame of a take is the shot's where these are equal, number for number, whatever comes after it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...backend.protocol.blocks import block_at
from ...backend.protocol.disk import FileFormatError
from ...backend.protocol.files import TAKE_FILE, Shot, Take, frame_names, read_take
from ...backend.protocol.takes import is_whole, take_folders

log = logging.getLogger(__name__)

MADE_WITH = ("preset", "seed", "width", "height", "prompt", "keep_reference_detail", "quality", "remember")


@dataclass(frozen=True)
class Found:
    """What there is of a frame: its picture; else a take that is on its way to it; else one that can be continued."""

    picture: Path | None = None
    running: Path | None = None
    stopped: Path | None = None


class Takes:
    """The takes in some folders, newest first; each is read again only where it has changed."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._known: dict[Path, tuple[int, Take | None]] = {}

    def find(self, shot: Shot, digest: str, index: int) -> Found:
        """What there is of the frame of this index of `shot`, made from the reference with this digest."""
        running = stopped = None
        for folder in self._newest_first():
            take = self._read(folder)
            if take is None or not shows(take, shot, digest, index):
                continue
            if take.frames_done > index:
                picture = folder / frame_names(take.shot.cameras.frames)[index]
                if is_whole(picture):
                    return Found(picture=picture)
            elif take.state == "running" and not take.abandoned:
                running = running or folder
            elif take.state != "finished" and take.shot.cameras == shot.cameras:
                stopped = stopped or folder
        return Found(running=running, stopped=None if running else stopped)

    def _newest_first(self) -> list[Path]:
        return [folder for parent in self._folders for _, folder in reversed(take_folders(parent))]

    def _read(self, folder: Path) -> Take | None:
        try:
            changed = (folder / TAKE_FILE).stat().st_mtime_ns
            if self._known.get(folder, (0, None))[0] != changed:
                self._known[folder] = changed, read_take(folder)
            return self._known[folder][1]
        except OSError:  # It is being made, or deleted.
            return None
        except FileFormatError as error:
            log.info("%s", error)
            self._known[folder] = changed, None
            return None


def shows(take: Take, shot: Shot, digest: str, index: int) -> bool:
    """Whether the frame of this index of a take is that of `shot`, once it is there.

    One that was kept from a preview piece by piece is not: the pieces began without what came before them.
    """
    if take.pieces or take.reference_digest != digest or index >= len(take.shot.cameras):
        return False
    if any(getattr(take.shot, name) != getattr(shot, name) for name in MADE_WITH):
        return False
    return all(
        take.shot.cameras.block(block) == shot.cameras.block(block) for block in range(block_at(index) + 1)
    )
