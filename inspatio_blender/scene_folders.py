"""Shot folders from elsewhere and for elsewhere: scene folders of the release, and shot folders of ours.

    Import     FOLDER -> OUT/reference/ and a Shot, upright in Blender's axes
    Export     a shot and its reference -> OUT, a scene folder of the release

The backend reads and writes what is the release's (`python -m backend scene import|export`); both are the work of a
`task.Task`, in its thread. Knows nothing of Blender.
"""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ..backend.protocol.cameras import Matrix
from ..backend.protocol.disk import FileFormatError, parents_of, write_json
from ..backend.protocol.files import REFERENCE_FILE, SHOT_FILE, Reference, Shot, read_reference, read_shot
from ..backend.protocol.references import reference_sizes
from . import export
from .commands import run_backend
from .jobs import Setup
from .task import Cancelled, Failed, Task
from .versions import REFERENCE_FOLDER


def is_shot_folder(folder: Path) -> bool:
    """Whether a folder is of our own format, so that no backend is needed to read it."""
    return (folder / SHOT_FILE).is_file()


class Import:
    """Brings what is in `folder` to the new folder `out`: its reference as `out`/reference, its shot as `shot`.

    setup: how to run the backend; a shot folder of ours is read without it.
    trajectory: the three lines of a folder of version 1, where they aren't in it.
    What was brought lies there until `discard`.
    """

    def __init__(self, folder: Path, out: Path, setup: Setup, trajectory: Path | None = None) -> None:
        self._folder, self.out, self._setup, self._trajectory = folder, out, setup, trajectory
        self.shot: Shot | None = None
        self.reference: Reference | None = None
        self._ending = threading.Lock()
        self._unwanted = False

    def discard(self) -> None:
        """Leave nothing at `out`, nor its folder if that is empty; work that still goes on sees to that itself."""
        with self._ending:
            self._unwanted = True
        if self.shot is not None:
            shutil.rmtree(self.out, ignore_errors=True)
            with suppress(OSError):  # It holds shots.
                self.out.parent.rmdir()

    def work(self, task: Task) -> str:
        """For Task. Raises Failed and Cancelled; nothing is left at `out` then, nor of folders made for it."""
        try:
            with parents_of(self.out):
                self._bring(task)
            return f"Imported {self._folder.name}"
        except FileFormatError as error:
            raise Failed(str(error)) from error
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Failed(f"{self._folder} cannot be imported: {reason}") from error

    def _bring(self, task: Task) -> None:
        try:
            shutil.rmtree(self.out, ignore_errors=True)
            if is_shot_folder(self._folder):
                shot, reference = self._copy(task)
            else:
                shot, reference = self._convert(task)
            shot, reference = counted_from_one(shot, reference)
            write_json(self.out / REFERENCE_FOLDER / REFERENCE_FILE, reference.to_json())
            with self._ending:
                if self._unwanted:
                    raise Cancelled
                self.shot, self.reference = shot, reference
        finally:
            if self.shot is None:
                shutil.rmtree(self.out, ignore_errors=True)

    def _copy(self, task: Task) -> tuple[Shot, Reference]:
        shot = read_shot(self._folder)
        source, target = self._folder / shot.reference, self.out / REFERENCE_FOLDER
        reference = read_reference(source)
        inside = self._folder.resolve()
        target.mkdir(parents=True)
        sizes = reference_sizes(source, reference)
        for number, (name, _) in enumerate(sizes):
            task.say(f"Copying {name}", number / len(sizes))
            if not (source / name).resolve().is_relative_to(inside):
                raise Failed(
                    f"{name} is a link that leads out of {self._folder}: copy the file there instead"
                )
            shutil.copyfile(source / name, target / name)
        return shot, reference

    def _convert(self, task: Task) -> tuple[Shot, Reference]:
        given = () if self._trajectory is None else ("--trajectory", str(self._trajectory))
        arguments = ("scene", "import", str(self._folder), str(self.out), *given)
        run_backend(task, self._setup, *arguments, what="The import")
        shot = read_shot(self.out)
        if shot.reference != REFERENCE_FOLDER:
            raise Failed(f"The import has put its reference into {shot.reference}, not {REFERENCE_FOLDER}")
        return upright(shot, read_reference(self.out / REFERENCE_FOLDER))


class Export:
    """Writes a shot and its `reference` to the new scene folder `out`, of a version of the release: "1.5" or "1"."""

    def __init__(self, shot: Shot, reference: Path, out: Path, setup: Setup, version: str = "1.5") -> None:
        self._shot, self._reference, self.out, self._setup = shot, reference, out, setup
        self._version = version
        self.lost: list[str] = []
        """What a scene folder cannot hold, in sentences."""

    def work(self, task: Task) -> str:
        """For Task. Raises Failed and Cancelled."""

        def hear(said) -> None:
            if lost := said.get("lost"):
                self.lost.append(str(lost))

        temporary = self.out.with_name(f".{self.out.name}.{os.getpid()}.shot.tmp")
        try:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
            shot = export.export_shot(self._shot, self._reference, temporary, "shot", task.say)
            arguments = ("scene", "export", str(shot), str(self.out), "--version", self._version)
            run_backend(task, self._setup, *arguments, what="The export", hear=hear)
        except (FileFormatError, export.ExportError) as error:
            raise Failed(str(error)) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return f"Exported the shot to {self.out}"


def upright(shot: Shot, reference: Reference) -> tuple[Shot, Reference]:
    """The same world with Blender's axes: the release's is its first camera's, z ahead and y down, and would lie there.

    Blender's x, y, z are then that camera's right, ahead and up. No number changes but its place and sign, so
    an export, whose world is the first camera again, gives back what was imported.
    """
    cameras = replace(
        shot.cameras, world_to_camera=tuple(_upright(pose) for pose in shot.cameras.world_to_camera)
    )
    views = tuple(replace(view, world_to_camera=_upright(view.world_to_camera)) for view in reference.views)
    return replace(shot, cameras=cameras), replace(reference, views=views)


def _upright(pose: Matrix) -> Matrix:
    """world_to_camera after the world's x, y, z have become x, -z, y."""
    rows = (pose[row : row + 4] for row in (0, 4, 8))
    turned = ((right, ahead, 0.0 - down, t) for right, down, ahead, t in rows)
    return (*(number for row in turned for number in row), 0.0, 0.0, 0.0, 1.0)


def counted_from_one(shot: Shot, reference: Reference) -> tuple[Shot, Reference]:
    """The same shot from frame 1 on, where it begins below 0: a scene of Blender cannot."""
    first = shot.cameras.frames[0]
    if first >= 0:
        return shot, reference
    later = 1 - int(first // 1)
    cameras = replace(shot.cameras, frames=tuple(frame + later for frame in shot.cameras.frames))
    views = tuple(replace(view, frame=view.frame + later) for view in reference.views)
    return replace(shot, cameras=cameras), replace(reference, views=views)
