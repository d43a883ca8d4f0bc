"""Plates of frames that are PNG files, as PNG files: what a take on disk is developed by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from .pictures import Bytes, PictureError, decode_png, encode_png, png_size, pool
from .plate import PlateError, at_plate_size, check_plate, developed
from .protocol import MAX_SIDE
from .protocol.cameras import Cameras
from .protocol.disk import FileFormatError
from .protocol.files import PLATE_FOLDER, PlateSettings, read_take
from .protocol.plates import PlateWriteError, make_plates
from .session import CameraBlock, Cancel, camera_block
from .world import World, WorldError, load_world


def read_frames(
    cameras: CameraBlock, files: Sequence[Bytes], settings: PlateSettings
) -> tuple[CameraBlock, np.ndarray]:
    """Cameras of the plates and frames (n, h, w, 3), of cameras of the frames and their files.

    Raises PlateError where there can be no such plates of them.
    """
    check_plate(settings.width, settings.height, settings.strength, len(files))
    if not files:
        raise PlateError("There are no frames to develop.")
    if len(files) != len(cameras.times):
        raise PlateError(f"{len(cameras.times)} cameras came with {len(files)} frames.")
    frames: list[np.ndarray] = []
    first = 0, 0
    for number, file in enumerate(files, 1):
        try:
            size = png_size(file)
            first = first if frames else size
            if size != first:
                raise PictureError(f"is {size[0]}x{size[1]} pixels, the first is {first[0]}x{first[1]}")
            if max(size) > MAX_SIDE:
                raise PictureError(f"has more than {MAX_SIDE} pixels a side")
            frames.append(decode_png(file, *size))
        except PictureError as error:
            raise PlateError(f"Frame {number} {error}.") from None
    return at_plate_size(cameras, *first, settings.width, settings.height), np.stack(frames)


def develop_files(
    world: World,
    cameras: CameraBlock,
    files: Sequence[Bytes],
    settings: PlateSettings,
    cancelled: Cancel = lambda: False,
) -> list[bytes]:
    """The PNG files of the plates of frames with these cameras. Raises PlateError, Cancelled."""
    placed, frames = read_frames(cameras, files, settings)
    size = settings.width, settings.height
    plates = developed(world, placed, frames, *size, settings.strength, cancelled)
    # A plate is packed while others are made.
    packed = [pool.submit(encode_png, plate.colour) for plate in plates]
    return [file.result() for file in packed]


def developer(
    world: World, cancelled: Cancel = lambda: False
) -> Callable[[Cameras, Sequence[bytes], PlateSettings], list[bytes]]:
    """Makes the plates of a take of this world, as `protocol.plates.make_plates` asks for them."""

    def develop(cameras: Cameras, files: Sequence[bytes], settings: PlateSettings) -> list[bytes]:
        return develop_files(world, camera_block(cameras), files, settings, cancelled)

    return develop


def develop_take(
    folder: Path,
    size: tuple[int, int] | None = None,
    strength: float | None = None,
    reference: Path | None = None,
    show: Callable[[str], None] = lambda line: None,
) -> Path:
    """Make the plates that the take in `folder` lacks; returns their folder.

    What is left out is as the take says; the reference lies where the take's shot has it. Raises PlateError.
    """
    try:
        take = read_take(folder)
        settings = take.shot.plate or (None if size is None else PlateSettings(*size))
        if settings is None:
            raise PlateError(f"{folder.name} was made without plates: say --size, for example 1920x1080.")
        if size is not None:
            settings = replace(settings, width=size[0], height=size[1])
        if strength is not None:
            settings = replace(settings, strength=strength)
        check_plate(settings.width, settings.height, settings.strength)
        world, digest = load_world(reference or folder.resolve().parent / take.shot.reference)
        if digest != take.reference_digest:
            raise PlateError(
                f"The reference has changed since {folder.name} was made: put the old one back, or name it."
            )
        for done in make_plates(folder, take, settings, developer(world)):
            show(f"{folder.name}: {done} of {take.frames_done} plates")
    except (FileFormatError, WorldError, PlateWriteError) as error:
        raise PlateError(str(error)) from error
    return folder / PLATE_FOLDER
