"""Films of numbered pictures by Blender's own FFmpeg, H.264 in MP4, which plays everywhere.

    python -m tests.scenes.demo_film [FILE.blend] FPS FOLDER FILM [FOLDER FILM ...]

Where a .blend is named first, it is opened and checked before: background and strip in place, paths relative.
"""

import sys
from pathlib import Path

import bpy
import cv2


def write_film(pictures: list[Path], film: Path, fps: int) -> None:
    """Encode pictures of one size, in order, into a film."""
    height, width = cv2.imread(str(pictures[0])).shape[:2]
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.view_settings.view_transform = "Standard"
    scene.frame_start, scene.frame_end = 1, len(pictures)
    render = scene.render
    render.fps, render.use_sequencer, render.filepath = fps, True, str(film)
    render.use_file_extension = False
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
    if hasattr(render.image_settings, "media_type"):
        render.image_settings.media_type = "VIDEO"
    render.image_settings.file_format = "FFMPEG"
    render.ffmpeg.format, render.ffmpeg.codec = "MPEG4", "H264"
    render.ffmpeg.constant_rate_factor, render.ffmpeg.ffmpeg_preset = "PERC_LOSSLESS", "GOOD"
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strip = strips.new_image("Film", str(pictures[0]), channel=1, frame_start=1)
    for picture in pictures[1:]:
        strip.elements.append(picture.name)
    film.unlink(missing_ok=True)
    bpy.ops.render.render(animation=True)
    if not film.is_file() or not film.stat().st_size:
        raise RuntimeError(f"{film} was not written")


def check_blend(blend: Path) -> None:
    """Open the saved shot: its background and strip must be there, of files that exist, by relative paths."""
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    scene = bpy.context.scene
    pictures = [b.image for b in scene.camera.data.background_images if b.image is not None]
    editor = scene.sequence_editor
    strips = list(editor.strips if hasattr(editor, "strips") else editor.sequences)
    paths = [image.filepath for image in pictures] + [strip.directory for strip in strips]
    if len(pictures) != 1 or len(strips) != 1:
        raise RuntimeError(
            f"{blend} holds {len(pictures)} backgrounds and {len(strips)} strips instead of one each"
        )
    for path in paths:
        if not path.startswith("//") or not Path(bpy.path.abspath(path)).exists():
            raise RuntimeError(f"{blend} names {path}, which is not beside it")


def main() -> None:
    arguments = sys.argv[1:]
    if arguments[0].endswith(".blend"):
        check_blend(Path(arguments.pop(0)))
    fps = int(arguments[0])
    for folder, film in zip(arguments[1::2], arguments[2::2], strict=True):
        write_film(sorted(Path(folder).resolve().glob("*.png")), Path(film).resolve(), fps)


if __name__ == "__main__":
    main()
