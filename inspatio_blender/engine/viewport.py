"""Rendered shading: the live preview's picture on the camera's frame, as a render of the frame would show it.

It is drawn scene-linear, so the scene's view transform shows it as it shows the render. Without a preview, or where
another camera is looked through, a sentence says what to do. Main thread only.
"""

import logging

import blf
import bpy
import gpu

from .. import driver
from ..live import badge
from ..live.drawing import Drawing
from ..live.frame_rect import frame_rect
from ..live.pictures import Pictures
from .passes import LINEAR

log = logging.getLogger(__name__)

START = "Start Preview in the tab InSpatio: its picture is shown here"
LOOK_THROUGH = "Look through the shot's camera: what it sees is shown here"
SIZE, PADDING = 12, 9
"""Of the letters, and around them, in pixels of an unscaled interface."""
BACK, TEXT = (0.0, 0.0, 0.0, 0.55), (0.93, 0.93, 0.93, 1.0)


class Viewport:
    """What Rendered shading draws with, from the first time on."""

    def __init__(self) -> None:
        self._drawing: Drawing | None = None
        self._pictures = Pictures()
        self.failure = ""
        """A sentence once drawing has failed: nothing is drawn from then on."""

    def draw(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        """Draw the picture, where there is one, into the region of `context`."""
        if self.failure:
            return
        try:
            self._draw(context, depsgraph)
        except Exception as error:  # It would come again at each redraw.
            log.exception("Rendered shading cannot be drawn")
            self.failure = f"The viewport cannot show the preview: {error}"

    def draw_sentence(self, context: bpy.types.Context) -> None:
        """Say what to do, where there is nothing to be seen."""
        text = self.failure or sentence(context)
        if not text or not context.space_data.overlay.show_overlays:
            return
        scale, region = context.preferences.system.ui_scale, context.region
        blf.size(0, SIZE * scale)
        width, height = blf.dimensions(0, text)
        left, bottom = (region.width - width) / 2, (region.height - height) / 2
        pad = PADDING * scale
        gpu.state.blend_set("ALPHA")
        try:
            badge.rounded((left - pad, bottom - pad, left + width + pad, bottom + height + pad), pad, BACK)
        finally:
            gpu.state.blend_set("NONE")
        blf.color(0, *TEXT)
        blf.position(0, round(left), round(bottom), 0)
        blf.draw(0, text)

    def clear(self) -> None:
        """Let go of the GPU's memory."""
        self._pictures.clear()
        self._drawing = None

    def _draw(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        scene, region = depsgraph.scene, context.region
        preview, camera = driver.get().preview, scene.inspatio.camera or scene.camera
        if preview is None or camera is None:
            return
        evaluated = camera.evaluated_get(depsgraph)
        rect = frame_rect(region, context.space_data, context.region_data, scene, evaluated)
        shown = preview.shown(scene, scene.frame_current) if rect is not None else None
        if shown is None or shown.array is None:
            return
        if self._drawing is None:
            self._drawing = Drawing(LINEAR)
        self._drawing.draw(
            self._pictures.texture(shown.key, shown.array),
            rect,
            (region.width, region.height),
            stale=shown.stale and scene.inspatio.live_look.dim_stale,
        )


def sentence(context: bpy.types.Context) -> str:
    """What to do to see something in a viewport; "" where there is nothing to be done."""
    scene, preview = context.scene, driver.get().preview
    if preview is None or not preview.is_of(scene):
        return START
    camera = scene.inspatio.camera or scene.camera
    space = context.space_data
    looked_through = space.camera if space.use_local_camera else scene.camera
    if context.region_data.view_perspective != "CAMERA" or looked_through != camera:
        return LOOK_THROUGH
    return ""
