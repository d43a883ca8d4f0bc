"""An item's take: the one to go on with after whatever ended it before."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from ...backend.protocol.disk import FileFormatError, read_json
from ...backend.protocol.files import Shot, Take, read_take
from ...backend.protocol.takes import take_folders

log = logging.getLogger(__name__)


def read_item_shot(path: Path) -> Shot:
    """The shot of an item. Raises FileFormatError."""
    return Shot.from_json(read_json(path))


def find_take(folder: Path, shot: Shot, number: int, after: int) -> tuple[Path, Take] | None:
    """The take of `shot` below `folder` that was begun for an item; None where a new one is needed.

    It is the take `number`. Where that is 0, or gone, it is the newest with a number above `after` that is of this
    very shot: Blender may have ended after the take was begun and before the queue knew of it.
    """
    found = dict(take_folders(folder))
    numbers = [number] if number in found else sorted((n for n in found if n > after >= 0), reverse=True)
    for one in numbers:
        try:
            take = read_take(found[one])
        except FileFormatError as error:
            log.warning("%s: %s", found[one], error)
            continue
        if take.shot == shot:
            return found[one], take
    return None


def is_written_elsewhere(take: Take) -> bool:
    """Whether another process generates this take now."""
    return take.state == "running" and not take.abandoned and take.writer != os.getpid()
