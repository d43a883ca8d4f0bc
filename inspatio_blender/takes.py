"""Where a shot's references and takes lie on disk, and which there are.

    //inspatio/SHOT/reference/v001/     beside a saved file
    //inspatio/SHOT/take_007/
    TAKE_FOLDER/FILE/SHOT/ ...          where the preferences name a take folder; FILE is the name of the blend file
    TAKE_FOLDER/SHOT/ ...               there, while the file is not saved
    USER/unsaved/ID/SHOT/ ...           while the file is not saved and no take folder is named

A scene has one shot in front of the user, and more where its film has more (`film.py`): these are asked for by name.
A shot may have two folders: what was made before the file was saved stays where it was made. The scene remembers
that place.
"""

import logging
import os
import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..backend.protocol.disk import FileFormatError, read_json
from ..backend.protocol.files import REFERENCE_FILE, TAKE_FILE, frame_names, read_take, writer_alive
from ..backend.protocol.plates import shown_pictures
from ..backend.protocol.takes import take_folders
from . import preferences
from .versions import REFERENCE_FOLDER, versions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TakeInfo:
    """What the panel shows of a take."""

    folder: Path
    number: int
    state: str
    frames_done: int
    frames_total: int
    message: str

    @property
    def can_continue(self) -> bool:
        return self.state in ("cancelled", "failed") and self.frames_total > 0


def safe_name(name: str) -> str:
    """`name` as a folder's name on any system."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._")[:80] or "Shot"


def shot_name(scene: bpy.types.Scene) -> str:
    """The shot's name: its own, or the scene's."""
    return scene.inspatio.shot_name.strip() or scene.name


def in_unsaved_place(scene: bpy.types.Scene) -> bool:
    """Whether takes go to the user folder, since there is no file to put them beside."""
    chosen = preferences.get().take_folder.strip()
    return not bpy.data.filepath and (not chosen or chosen.startswith("//"))


def saved_place() -> Path | None:
    """The folder that the shots of the file lie in; None while it is not saved."""
    if not bpy.data.filepath:
        return None
    chosen = preferences.get().take_folder.strip()
    if chosen:
        # Scenes are called “Scene” in most files: the file's name keeps their shots apart.
        return Path(bpy.path.abspath(chosen)) / safe_name(Path(bpy.data.filepath).stem)
    return Path(bpy.path.abspath("//inspatio"))


def shot_folder(scene: bpy.types.Scene, shot: str = "") -> Path:
    """The folder that new references and takes go to: of the scene's shot, or of the one named `shot`."""
    name = safe_name(shot or shot_name(scene))
    place = saved_place()
    if place is not None:
        return place / name
    if not in_unsaved_place(scene):
        return Path(preferences.get().take_folder.strip()) / name
    if not scene.inspatio.unsaved_folder:
        return _unsaved_place() / name
    return Path(scene.inspatio.unsaved_folder) / name


def keep_unsaved_folder(scene: bpy.types.Scene) -> None:
    """Have a scene of an unsaved file remember where its takes go, before something is written there.

    Without a take folder that is a folder of its own.
    """
    if bpy.data.filepath or scene.inspatio.unsaved_folder:
        return
    if in_unsaved_place(scene):
        scene.inspatio.unsaved_folder = str(_unsaved_place() / secrets.token_hex(4))
    else:
        scene.inspatio.unsaved_folder = str(shot_folder(scene).parent)


def shot_folders(scene: bpy.types.Scene, shot: str = "") -> list[Path]:
    """Every folder that holds references and takes of the shot, the one for new ones first."""
    folders = [shot_folder(scene, shot)]
    if scene.inspatio.unsaved_folder:
        folders.append(Path(scene.inspatio.unsaved_folder) / safe_name(shot or shot_name(scene)))
    return list(dict.fromkeys(folders))


def reference_versions(scene: bpy.types.Scene, shot: str = "") -> list[Path]:
    """The versions of the shot's reference, newest first."""
    found = []
    for folder in shot_folders(scene, shot):
        found += [path for _, path in reversed(versions(folder / REFERENCE_FOLDER))]
    return found


def reference_version(scene: bpy.types.Scene, shot: str = "") -> Path | None:
    """The version to generate from: the chosen one where it exists, else the newest; None where there is none.

    It is for the scene's own shot that one is chosen.
    """
    found = reference_versions(scene, shot)
    is_own = not shot or safe_name(shot) == safe_name(shot_name(scene))
    chosen = scene.inspatio.reference_version if is_own else ""
    return next((path for path in found if path.name == chosen), found[0] if found else None)


def pictures(folder: Path, with_plates: bool = True) -> tuple[list[Path], float]:
    """What a take is shown by, its plates where every frame has one, else its frames; and the first one's scene frame.

    Raises FileFormatError.
    """
    take = read_take(folder)
    frames = take.shot.cameras.frames
    names = frame_names(frames)[: take.frames_done]
    files = shown_pictures(folder, names) if with_plates else [folder / name for name in names]
    return files, frames[0]


def reference_sentence(folder: Path) -> str:
    """What reference.json says of a version, in a few words."""
    try:
        content = read_json(folder / REFERENCE_FILE)
        count = len(content["views"])
        return f"{count} view{'s' * (count != 1)}, {content['width']} × {content['height']}"
    except (FileFormatError, KeyError, TypeError) as error:
        log.warning("%s: %s", folder, error)
        return "cannot be read"


def reference_kind(folder: Path) -> tuple[str, int]:
    """Kind and count of views of a version; an empty kind where its reference.json cannot be read."""
    try:
        content = read_json(folder / REFERENCE_FILE)
        return str(content["kind"]), len(content["views"])
    except (FileFormatError, KeyError, TypeError):
        return "", 0


def reference_span(folder: Path) -> tuple[float, float] | None:
    """First and last frame of a version that moves; None for one that stands still, or cannot be read."""
    try:
        content = read_json(folder / REFERENCE_FILE)
        if content["kind"] != "moving":
            return None
        return float(content["views"][0]["frame"]), float(content["views"][-1]["frame"])
    except (FileFormatError, KeyError, IndexError, TypeError, ValueError):
        return None


def reference_has_geometry(folder: Path) -> bool:
    """Whether a version has the scene's geometry; not where its reference.json cannot be read."""
    try:
        return bool(read_json(folder / REFERENCE_FILE).get("geometry"))
    except FileFormatError:
        return False


def list_takes(scene: bpy.types.Scene, running: Path | None, shot: str = "") -> list[TakeInfo]:
    """The takes of the shot, newest first; `running` is the folder of the take that is being generated."""
    found = []
    for folder in shot_folders(scene, shot):
        found += [read_take_info(path, number, running) for number, path in reversed(take_folders(folder))]
    return found


def read_take_info(folder: Path, number: int, running: Path | None) -> TakeInfo:
    """What take.json says. A take that says "running" while nobody writes it has failed."""
    try:
        content = read_json(folder / TAKE_FILE)
        state, writer, boot = str(content["state"]), int(content["writer"]), str(content.get("boot", ""))
        done, total = int(content["frames_done"]), len(content["shot"]["frames"])
        message = str(content["message"])
    except (FileFormatError, KeyError, TypeError, ValueError) as error:
        return TakeInfo(folder, number, "failed", 0, 0, f"Its take.json cannot be read: {error}")
    abandoned = writer == os.getpid() or not writer_alive(writer, boot)
    if state == "running" and folder != running and abandoned:
        state, message = "failed", f"Stopped after {done} of {total} frames"
    return TakeInfo(folder, number, state, done, total, message)


def delete_take(folder: Path) -> None:
    """Remove a take's folder. Raises OSError."""
    shutil.rmtree(folder)


def _unsaved_place() -> Path:
    return Path(bpy.utils.extension_path_user(preferences.ADDON, path="unsaved"))
