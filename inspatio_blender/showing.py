"""Showing a take: the picture in its cameras, a strip in the sequencer, and whether its colours come out right.

`show` says what is to be seen and may be called again and again: while frames arrive, after an undo took
something away, for another take. A camera has one picture of ours and a scene one strip; both are found by
their mark, so they survive renaming, and showing another take re-uses them. In a saved file their paths are relative
to it, so that a project's folder can be moved.

Main thread only.
"""

import math
import os
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

import bpy

from ..backend.protocol.files import PLATE_FOLDER
from .cameras import used_cameras

MARK = "inspatio"
"""Custom property that marks our images and strips."""
START = "inspatio_start"
"""Custom property of theirs: the scene frame of the first picture, which its name may not tell."""


def show(scene: bpy.types.Scene, files: Sequence[Path], first: float) -> None:
    """Show the frames of a take, from scene frame `first` on, in the scene that it was made in, as the shot asks."""
    files = [absolute(file) for file in files]
    if files:
        _show_in_cameras(scene, files, math.floor(first))
        _show_in_sequencer(scene, files, math.floor(first))


def switch_background(scene: bpy.types.Scene) -> None:
    """Make the cameras follow the shot's switches; where the strip alone was on, they show its take from now on."""
    shot = scene.inspatio
    backgrounds, strip = _backgrounds(scene), find_strip(scene)
    for background in backgrounds:
        background.show_background_image = shot.show_background
        background.display_depth = shot.background_depth
    if shot.show_background and not backgrounds and strip is not None:
        folder = absolute(strip.directory)
        files = [folder / element.filename for element in strip.elements]
        _show_in_cameras(scene, files, strip.get(START, int(files[0].stem)))


def switch_strip(scene: bpy.types.Scene) -> None:
    """Make the strip follow the shot's switch; where the cameras alone were on, it shows their take from now on."""
    shot = scene.inspatio
    backgrounds, strip = _backgrounds(scene), find_strip(scene)
    if strip is not None:
        strip.mute = not shot.show_strip
    elif shot.show_strip and backgrounds:
        image, count = backgrounds[0].image, backgrounds[0].image_user.frame_duration
        file = absolute(image.filepath)
        number = int(file.stem)
        files = [file.with_name(f"{n:04d}.png") for n in range(number, number + count)]
        _show_in_sequencer(scene, files, image.get(START, number))


def hide(scene: bpy.types.Scene, folder: Path) -> None:
    """Take what shows the take in `folder` out of the scene: its files are about to go."""
    for background in _backgrounds(scene):
        if is_of(_shown_folder(background), folder):
            _remove(background)
    strip = find_strip(scene)
    if strip is not None and is_of(absolute(strip.directory), folder):
        strips(scene).remove(strip)


def is_of(shown: Path, take: Path) -> bool:
    """Whether a folder whose pictures are shown, as `absolute` gives it, is the take in `take`, or holds its plates."""
    take = absolute(take)
    return shown in (take, take / PLATE_FOLDER)


def shows(scene: bpy.types.Scene, take: Path) -> bool:
    """Whether the take in the folder `take` is what the scene shows."""
    strip = find_strip(scene)
    folders = [_shown_folder(background) for background in _backgrounds(scene)]
    if strip is not None:
        folders.append(absolute(strip.directory))
    return any(is_of(folder, take) for folder in folders)


def shifts_colour(scene: bpy.types.Scene) -> bool:
    """Whether the scene's colour management would show the frames in other colours than they have on disk."""
    view = scene.view_settings
    return (
        view.view_transform not in ("Standard", "Raw")
        or view.look not in ("", "None")
        or view.exposure != 0.0
        or view.gamma != 1.0
        or view.use_curve_mapping
    )


def mend_colour(scene: bpy.types.Scene) -> None:
    """Show display-referred pictures as they are, and write them so: dither moves codes by one."""
    scene.render.dither_intensity = 0.0
    view = scene.view_settings
    view.view_transform = "Standard"
    view.look = "None"
    view.exposure = 0.0
    view.gamma = 1.0
    view.use_curve_mapping = False


def strips(scene: bpy.types.Scene):
    """The strips of the scene's sequencer: `.strips` since 4.4, `.sequences` before."""
    editor = scene.sequence_editor or scene.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences


@contextmanager
def without_prefetch(scene: bpy.types.Scene):
    """Changing strips while Blender prefetches may crash it."""
    editor = scene.sequence_editor or scene.sequence_editor_create()
    prefetch, editor.use_prefetch = editor.use_prefetch, False
    try:
        yield
    finally:
        editor.use_prefetch = prefetch


def find_strip(scene: bpy.types.Scene):
    """Our strip in the scene, or None."""
    if scene.sequence_editor is None:
        return None
    return next((strip for strip in strips(scene) if strip.get(MARK)), None)


def is_shown(scene: bpy.types.Scene) -> bool:
    """Whether anything of ours is in the scene."""
    return find_strip(scene) is not None or bool(_backgrounds(scene))


def redraw_timelines() -> None:
    """Have timelines and dope sheets drawn again, which show the coverage."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "DOPESHEET_EDITOR":
                area.tag_redraw()


def absolute(path: str | Path) -> Path:
    """A path of Blender's, in one form for each place."""
    return Path(os.path.normpath(bpy.path.abspath(str(path))))


def stored(path: Path) -> str:
    """`path` as the file keeps it: relative to the file, where that is saved and on the same drive."""
    if not bpy.data.filepath:
        return str(path)
    try:
        return bpy.path.relpath(str(path))
    except ValueError:  # On Windows there is no way from one drive to another.
        return str(path)


def _backgrounds(scene: bpy.types.Scene) -> list:
    """Our background pictures in the cameras of the scene."""
    cameras = {o.data for o in scene.objects if o.type == "CAMERA" and o.data is not None}
    return [
        b for camera in cameras for b in camera.background_images if b.image is not None and b.image.get(MARK)
    ]


def _shown_folder(background) -> Path:
    return absolute(background.image.filepath).parent


def _remove(background) -> None:
    background.image = None  # Blender would go on counting the camera as a user of the image.
    background.id_data.background_images.remove(background)


def _show_in_cameras(scene, files: Sequence[Path], first: int) -> None:
    shot = scene.inspatio
    cameras = used_cameras(scene, shot.camera, first, first + len(files) - 1)
    data = {camera.data for camera in cameras if camera.data.library is None}
    for background in _backgrounds(scene):
        if background.id_data not in data:
            _remove(background)
    if not shot.show_background and not _backgrounds(scene):
        return
    image = next((b.image for b in _backgrounds(scene)), None) or _spare_image() or _new_image(files[0])
    if image.filepath != stored(files[0]):
        image.filepath = stored(files[0])
    image[START] = first
    for camera in data:
        found = [b for b in camera.background_images if b.image == image]
        background = found[0] if found else camera.background_images.new()
        if not found:
            camera.show_background_images = True
            background.image = image
            background.alpha = 1.0
            background.frame_method = "STRETCH"
            background.show_background_image = shot.show_background
            background.display_depth = shot.background_depth
        user = background.image_user
        user.use_auto_refresh = True
        user.use_cyclic = False
        user.frame_start = first
        user.frame_offset = int(files[0].stem) - 1
        user.frame_duration = len(files)


def _spare_image() -> bpy.types.Image | None:
    """A picture of ours that nothing shows any more."""
    return next((image for image in bpy.data.images if image.get(MARK) and not image.users), None)


def _new_image(file: Path) -> bpy.types.Image:
    image = bpy.data.images.load(stored(file))
    image.source = "SEQUENCE"
    image.name = "InSpatio Take"
    image[MARK] = True
    return image


def _show_in_sequencer(scene, files: Sequence[Path], first: int) -> None:
    visible = scene.inspatio.show_strip
    strip = find_strip(scene)
    if strip is None and not visible:
        return
    with without_prefetch(scene):
        channel = None
        if strip is not None and (
            absolute(strip.directory) != files[0].parent or len(strip.elements) > len(files)
        ):
            channel = strip.channel
            strips(scene).remove(strip)
            strip = None
        if strip is None:
            strip = new_strip(scene, "InSpatio Take", files[0], channel, first)
            strip[MARK] = True
            strip.mute = not visible
        for file in files[len(strip.elements) :]:
            strip.elements.append(file.name)


def new_strip(scene: bpy.types.Scene, name: str, file: Path, channel: int | None, first: int):
    """A strip of the picture `file` at scene frame `first`; without a channel, above all others."""
    existing = strips(scene)
    if not len(existing):
        # A first strip would make the next render show the sequencer instead of the scene.
        scene.render.use_sequencer = False
    if channel is None:
        channel = max((strip.channel for strip in existing), default=0) + 1
    strip = existing.new_image(
        name=name,
        filepath=stored(file),
        channel=channel,
        frame_start=first,
        fit_method="STRETCH",
    )
    strip[START] = first
    strip.colorspace_settings.name = "sRGB"
    for workspace in bpy.data.workspaces:
        # From 5.0 on a workspace names the scene that its sequencers show; none is of no use to anybody.
        if hasattr(workspace, "sequencer_scene") and workspace.sequencer_scene is None:
            workspace.sequencer_scene = scene
    return strip
