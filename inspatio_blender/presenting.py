"""What the scene shows of a take that is made: its frames as they arrive, its plates at the end, the film's strips.

Main thread only.
"""

import logging
from pathlib import Path

import bpy

from ..backend.protocol.disk import FileFormatError
from . import film_strips, jobs, showing, takes
from .progress import Progress

log = logging.getLogger(__name__)


def show(progress: Progress | None) -> None:
    """Show what has arrived of the take. Harmless to repeat, for example after an undo."""
    if progress is None or progress.is_render or progress.scene is None:
        return
    files = progress.files()
    if files:
        showing.show(progress.scene, files, progress.shot.cameras.frames[0])


def show_again(scene: bpy.types.Scene | None, folder: Path, with_plates: bool = True) -> None:
    """Show the take in `folder` by what there is of it now, where it is what the scene shows."""
    if scene is None or not showing.shows(scene, folder):
        return
    try:
        showing.show(scene, *takes.pictures(folder, with_plates))
    except FileFormatError as error:
        log.warning("%s", error)


def follow(progress: Progress, event: jobs.Event) -> None:
    """Show what an event of the take's job, which `progress` has taken in, has brought."""
    if isinstance(event, (jobs.TakeStarted, jobs.BlockDone)):
        show(progress)
    if not isinstance(event, jobs.Ended):
        return
    if isinstance(progress.job, jobs.Develop):
        show_again(progress.scene, progress.job.folder)
    elif progress.shot is not None and progress.shot.plate is not None:
        show(progress)  # Its plates are there, or not all of them.
    if event.state == "finished":
        for scene in bpy.data.scenes:
            film_strips.follow(scene, progress.name)
