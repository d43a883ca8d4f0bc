"""The picture behind a camera: its file, which frame of it, and how it lies in the camera's frame.

How large a picture is, is left to who reads it: without a window Blender does not say it of sequences. Pictures that
are moved, turned, scaled or mirrored, or bent by a clip's lens, are refused: a reference must not lie askew.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import bpy

from .shots import UserError
from .showing import MARK
from .takes import safe_name

STILLS = (".png", ".jpg", ".jpeg")
MOVIES = (".mp4", ".mov", ".m4v", ".mkv", ".avi", ".webm")


@dataclass(frozen=True)
class Background:
    """A picture behind a camera at one scene frame.

    frame: of a movie, counted from 0. fit: "stretch", "fit" or "crop". pixel_aspect: width by height of its pixels.
    """

    file: Path
    frame: int
    fit: str
    pixel_aspect: float


def background_at(scene: bpy.types.Scene, camera: bpy.types.Object, frame: float, folder: Path) -> Background:
    """The picture behind a camera at a scene frame. Raises UserError.

    A picture that is in no file of its own, packed or painted, is written to `folder`.
    """
    shown = _shown(scene, camera)
    _check_plain(camera, shown)
    if shown.source == "MOVIE_CLIP":
        clip = _clip(scene, shown)
        _check_lens(clip)
        at = int(frame) - clip.frame_start + 1 + clip.frame_offset
        file, number = _moment(clip, clip.source, clip.filepath, at, clip.frame_duration)
        aspect = clip.display_aspect
    else:
        image, user = shown.image, shown.image_user
        aspect = image.display_aspect
        if image.source in ("FILE", "GENERATED"):
            file, number = _still(image, folder), 0
        else:
            at = int(frame) - user.frame_start + 1
            if user.use_cyclic:
                at = (at - 1) % max(1, user.frame_duration) + 1
            at = min(max(at, 1), max(1, user.frame_duration)) + user.frame_offset
            file, number = _moment(image, image.source, image.filepath, at, None)
    if not file.is_file():
        raise UserError(f"The picture behind “{camera.name}” is missing: {file}")
    if file.suffix.lower() not in STILLS + MOVIES:
        raise UserError(f"{file.name} behind “{camera.name}” cannot be read: save it as PNG or JPEG")
    return Background(file, number, shown.frame_method.lower(), aspect[0] / aspect[1])


def _shown(scene, camera):
    """The first picture behind the camera that is shown and not one of our frames."""
    for background in camera.data.background_images:
        if not background.show_background_image:
            continue
        if background.source == "MOVIE_CLIP" and _clip(scene, background) is not None:
            return background
        if background.source == "IMAGE" and background.image is not None and not background.image.get(MARK):
            return background
    raise UserError(
        f"“{camera.name}” has no picture behind it: add one under Background Images in its properties"
    )


def _clip(scene, background):
    return scene.active_clip if background.use_camera_clip else background.clip


def _check_plain(camera, background):
    turned = abs(background.rotation) > 1e-6 or background.use_flip_x or background.use_flip_y
    moved = any(abs(value) > 1e-6 for value in background.offset) or abs(background.scale - 1) > 1e-6
    if turned or moved:
        how = "turned or mirrored" if turned else "moved or scaled"
        raise UserError(
            f"The picture behind “{camera.name}” is {how}: reset it in its properties, and use Stretch, Fit or Crop"
        )


def _check_lens(clip):
    lens = clip.tracking.camera
    bends = {
        "POLYNOMIAL": ("k1", "k2", "k3"),
        "DIVISION": ("division_k1", "division_k2"),
        "NUKE": ("nuke_k1", "nuke_k2"),
        "BROWN": ("brown_k1", "brown_k2", "brown_k3", "brown_k4", "brown_p1", "brown_p2"),
    }
    if any(getattr(lens, name) for name in bends.get(lens.distortion_model, ())):
        raise UserError(
            f"“{clip.name}” is bent by its lens: undistort it first, or make a reference from footage"
        )


def _still(image, folder):
    """The file of a picture that is one; what has none, or another than is seen, is written to `folder`."""
    if image.packed_file is None and image.source == "FILE" and not image.is_dirty:
        return Path(bpy.path.abspath(image.filepath, library=image.library))
    ending = Path(image.filepath).suffix.lower() or ".png"
    # Two libraries may bring pictures of one name.
    file = folder / f"{safe_name(Path(image.name).stem)}_{len(list(folder.iterdir())) + 1}{ending}"
    try:
        if image.packed_file is not None and not image.is_dirty:
            file.write_bytes(image.packed_file.data)
        else:
            image.save(filepath=str(file), save_copy=True)
    except (OSError, RuntimeError) as error:
        raise UserError(f"The picture “{image.name}” cannot be written to {folder}: {error}") from error
    return file


def _moment(owner, source, filepath, at, last):
    """File and frame of a movie or a sequence at its frame `at`, counted from 1."""
    file = Path(bpy.path.abspath(filepath, library=owner.library))
    if last is not None and not 1 <= at <= last:
        raise UserError(
            f"“{owner.name}” has frames 1 to {last}, and none at frame {at}: capture at another one"
        )
    if source == "MOVIE":
        return file, max(at, 1) - 1
    if source != "SEQUENCE":
        raise UserError(f"“{owner.name}” is no picture, sequence or movie")
    # An image's frame is the number in the name; a clip's first frame is the file that it was opened with.
    return (numbered(file, to=at) if last is None else numbered(file, ahead=at - 1)), 0


def numbered(file: Path, ahead: int = 0, to: int | None = None) -> Path:
    """The file of a sequence that is `ahead` frames after `file`, or has the number `to`. Raises UserError."""
    digits = re.search(r"(\d+)(?=\D*$)", file.stem)
    if digits is None:
        raise UserError(f"{file.name} has no number: a sequence has one in every file's name")
    number = int(digits[1]) + ahead if to is None else to
    stem = f"{file.stem[: digits.start()]}{number:0{len(digits[1])}d}{file.stem[digits.end() :]}"
    return file.with_name(stem + file.suffix)
