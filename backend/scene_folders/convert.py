"""Import and export of the release's scene folders: the whole way, and every failure as one sentence."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from av import FFmpegError

from ..protocol.cameras import CameraError
from ..protocol.disk import FileFormatError
from ..trajectory import TrajectoryError
from ..world import WorldError
from . import release_1, release_1_5, shot
from .folder import Folder, SceneFolderError, whole_folder
from .scene import Show

VERSIONS = release_1_5.VERSION, release_1.VERSION


def import_scene(
    folder: Path, out: Path, show: Show = lambda text, share: None, *, trajectory: Path | None = None
) -> None:
    """Make the shot folder `out` of a scene folder of the release, of version 1.5 or 1: what is in it decides.

    `trajectory` is a version 1 text elsewhere than in the folder. `out` appears whole or not at all.
    Raises SceneFolderError.
    """
    with _in_a_sentence():
        given = Folder(folder)
        if given.has(release_1_5.SCENE_FILE):
            if trajectory is not None:
                raise SceneFolderError(
                    "A folder of version 1.5 has its own target cameras: leave out the trajectory."
                )
            scene = release_1_5.read(given)
        elif given.has(release_1.INTRINSICS_FILE):
            scene = release_1.read(given, trajectory)
        else:
            raise SceneFolderError(
                f"{folder} is no scene folder: it has neither {release_1_5.SCENE_FILE} (version 1.5) nor "
                f"{release_1.INTRINSICS_FILE} (version 1)."
            )
        with whole_folder(out) as target:
            shot.write(scene, target, show)


def export_scene(
    folder: Path, out: Path, show: Show = lambda text, share: None, *, version: str = release_1_5.VERSION
) -> list[str]:
    """Make the scene folder `out` of the release from a shot folder; returns sentences about what is lost in it.

    `out` appears whole or not at all. Raises SceneFolderError, also where version 1 has no words for the camera's path.
    """
    with _in_a_sentence():
        scene, lost = shot.read(folder)
        release = release_1 if version == release_1.VERSION else release_1_5
        with whole_folder(out) as target:
            return lost + release.write(scene, target, show)


@contextmanager
def _in_a_sentence() -> Iterator[None]:
    """Turn what may go wrong with files into a SceneFolderError."""
    try:
        yield
    except (FileFormatError, WorldError, CameraError, TrajectoryError) as error:
        raise SceneFolderError(f"{str(error).removesuffix('.')}.") from error
    except FFmpegError as error:
        raise SceneFolderError(f"The movie cannot be written: {error}.") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise SceneFolderError("The disk is full: make room, then try again.") from error
        raise SceneFolderError(
            f"{error.filename or 'A file'} cannot be read or written: {error.strerror or error}."
        ) from error
    except MemoryError as error:
        raise SceneFolderError("There is not enough memory: close other programs, then try again.") from error
