"""Frames of a movie clip as pixels. Main thread only."""

import math
import os
import re
from pathlib import Path

import bpy
import numpy as np

from .reference import CaptureError

KEPT_BYTES = 256 * 1024 * 1024
"""Frames that Blender keeps of the clip before they are thrown away; the clip is opened anew then (0.3 s)."""


def clip_path(clip: bpy.types.MovieClip) -> str:
    """The clip's file, or the first one of its sequence."""
    return os.path.abspath(bpy.path.abspath(clip.filepath, library=clip.library))


def clip_frame(clip: bpy.types.MovieClip, frame: float) -> int:
    """Which frame of the clip Blender plays at a scene frame, counted from 0."""
    return math.floor(frame) - clip.frame_start + clip.frame_offset


def sequence(path: Path) -> dict[int, str]:
    """The files of the sequence that starts with `path`, by their numbers."""
    match = re.fullmatch(r"(.*?)(\d+)(\D*)", path.name)
    if match is None:
        return {0: path.name}
    head, first, tail = match.groups()
    pattern = re.compile(re.escape(head) + r"(\d+)" + re.escape(tail))
    found = {int(m[1]): m[0] for m in map(pattern.fullmatch, os.listdir(path.parent)) if m}
    return {number: name for number, name in found.items() if number >= int(first)}


class Frames:
    """Frames of a clip as pixels.

    Blender gives the pixels of an image, not of a clip, so its file is opened as one. Which frame of it is read
    follows a texture that looks at it: in background nothing else has an animated image move on.
    """

    def __init__(self, clip: bpy.types.MovieClip):
        self._clip = clip
        path = clip_path(clip)
        self._first = min(sequence(Path(path))) if clip.source == "SEQUENCE" else 1
        try:
            self._image = bpy.data.images.load(path)
        except RuntimeError as error:
            raise CaptureError(f"Clip “{clip.name}” cannot be read: {error}") from error
        self._image.source = clip.source
        self._image.colorspace_settings.name = clip.colorspace_settings.name
        self._texture = bpy.data.textures.new(".footage", "IMAGE")
        self._texture.image = self._image
        self._texture.image_user.frame_duration = max(1, clip.frame_duration)
        width, height = clip.size
        self._pixels = np.empty((height, width, 4), np.float32)
        self._kept = 0

    def read(self, frame: float) -> np.ndarray:
        """What the clip shows at a scene frame, as sRGB codes of 0 to 1: (rows, columns, 4), lowest row first.

        The same memory is used for the next frame.
        """
        if self._kept > KEPT_BYTES:
            self._image.buffers_free()
            self._kept = 0
        self._texture.image_user.frame_current = self._first + clip_frame(self._clip, frame)
        self._texture.evaluate((0, 0, 0))
        if len(self._image.pixels) != self._pixels.size:
            raise CaptureError(
                f"Clip “{self._clip.name}” has no picture of its own size at frame {frame:g}: is the file whole?"
            )
        self._image.pixels.foreach_get(self._pixels.ravel())
        self._kept += self._pixels.nbytes if self._image.is_float else self._pixels.nbytes // 4
        return _encode(self._pixels) if self._image.is_float else self._pixels

    def close(self) -> None:
        """Leave the file as it was."""
        try:
            bpy.data.textures.remove(self._texture)
            bpy.data.images.remove(self._image)
        except ReferenceError:
            pass  # Another file was loaded.


def _encode(linear: np.ndarray) -> np.ndarray:
    """Codes of what Blender keeps scene-linear: EXR, and movies of more than 8 bits."""
    linear = np.clip(linear, 0, 1)
    return np.where(
        linear <= 0.0031308,
        linear * np.float32(12.92),
        np.float32(1.055) * linear ** np.float32(1 / 2.4) - np.float32(0.055),
    )
