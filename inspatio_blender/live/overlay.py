"""The live picture in the viewport: on the camera's frame, to a pixel, in every 3D viewport that looks through it.

    POST_VIEW    the picture, over the scene or, by the scene's depth, behind its objects; Blender draws the camera's
                 frame, its passepartout, texts and gizmos on top of it
    POST_PIXEL   the difference, for which the viewport is drawn once more; the line of the wipe; the badge

Only what is shown now is handed to the GPU, once for each picture: the newest, and one a redraw at most. Nothing of it
is in stills or viewport renders, which draw no handlers. Main thread only.
"""

import logging
import time
from collections import deque

import bpy
import gpu

from ..engine import ENGINE
from ..shots import UserError
from . import badge, frame_strip
from .behind import Behind
from .drawing import Drawing
from .frame_plane import Rect
from .frame_rect import frame_rect
from .pictures import Pictures
from .source import Shown, Source

log = logging.getLogger(__name__)

KEPT = 20_000
"""Draws and hand-overs whose times are kept."""
LINE = (1.0, 1.0, 1.0, 0.8)


class Overlay:
    """Draws what a source has to show into the 3D viewports, from its making until `free`.

    Raises UserError where there is no window to draw in. `draw_ms` and `upload_ms` hold the milliseconds of the last
    draws, the source's answer and the hand-over in them, and of the pictures handed to the GPU. `work_ms` is what the
    thread worked in those draws: the rest it waited, in software OpenGL for all that Blender has drawn before.
    `failure` is a sentence once drawing has failed, and nothing is drawn from then on.
    """

    def __init__(self, source: Source) -> None:
        if bpy.app.background:
            raise UserError("There is no viewport in background mode: start the preview in Blender's window")
        self._source = source
        self._pictures = Pictures()
        self._behind = Behind()
        self._drawing: Drawing | None = None
        self._now: tuple[int, Shown, Rect] | None = None
        """Region, what is shown in it and where, from the first handler to the second."""
        self.draw_ms: deque[float] = deque(maxlen=KEPT)
        self.work_ms: deque[float] = deque(maxlen=KEPT)
        self.upload_ms: deque[float] = deque(maxlen=KEPT)
        self.failure = ""
        view, sheet = bpy.types.SpaceView3D, bpy.types.SpaceDopeSheetEditor
        self._handlers = [
            (view, view.draw_handler_add(self._guarded, (self._draw_picture,), "WINDOW", "POST_VIEW")),
            (view, view.draw_handler_add(self._guarded, (self._draw_rest,), "WINDOW", "POST_PIXEL")),
            (sheet, sheet.draw_handler_add(self._guarded, (self._draw_strip,), "WINDOW", "POST_PIXEL")),
        ]
        self.tag_redraw()

    def tag_redraw(self) -> None:
        """Have the viewports drawn again that show the picture, and the timelines that mark its frames."""
        for window in bpy.context.window_manager.windows:
            for area in window.screen.areas:
                if area.type == "DOPESHEET_EDITOR":
                    area.tag_redraw()
                elif area.type == "VIEW_3D":
                    for region in area.regions:
                        if region.type == "WINDOW" and region.data.view_perspective == "CAMERA":
                            region.tag_redraw()

    def free(self) -> None:
        """Draw no more, and let go of the GPU's memory. Harmless to repeat."""
        for space, handler in self._handlers:
            space.draw_handler_remove(handler, "WINDOW")
        if self._handlers:
            self._handlers = []
            self.tag_redraw()
        self._pictures.clear()
        self._behind.free()
        self._drawing = self._now = None

    def _guarded(self, draw) -> None:
        """Draw unless that has failed before: an error at each redraw would bury what it says."""
        if self.failure:
            return
        try:
            draw(bpy.context)
        except Exception as error:
            log.exception("the live picture cannot be drawn")
            self.failure = f"The viewport cannot show the preview: {error}"

    def _draw_picture(self, context: bpy.types.Context) -> None:
        began = _clocks()
        self._now = None
        scene, region = context.scene, context.region
        camera = scene.inspatio.camera or scene.camera
        if camera is None:
            return
        evaluated = camera.evaluated_get(context.view_layer.depsgraph)
        rect = frame_rect(region, context.space_data, context.region_data, scene, evaluated)
        if rect is None:
            return
        shown = self._source.shown(scene, scene.frame_current)
        if shown is None:
            return
        self._now = region.as_pointer(), shown, rect
        look = scene.inspatio.live_look
        if _is_drawn_here(context, shown) and look.mix != "DIFFERENCE":
            self._draw(context, shown, rect)
        drawn, worked = _since(began)
        self.draw_ms.append(drawn)
        self.work_ms.append(worked)

    def _draw_rest(self, context: bpy.types.Context) -> None:
        region = context.region
        if self._now is None or self._now[0] != region.as_pointer():
            return
        began = _clocks()
        _, shown, rect = self._now
        look = context.scene.inspatio.live_look
        is_drawn = _is_drawn_here(context, shown)
        if is_drawn and look.mix == "DIFFERENCE":
            behind = self._behind.texture(context)
            if behind is None:  # While a viewport is drawn, it cannot be asked to be drawn again.
                bpy.app.timers.register(self.tag_redraw)
                return
            self._draw(context, shown, rect, behind)
        elif is_drawn and look.mix == "WIPE":
            self._draw_line(rect, look.wipe)
        if look.show_badge and shown.badge and context.space_data.overlay.show_overlays:
            badge.draw(shown.badge, shown.stale, rect, badge.visible_part(context.area, region))
        drawn, worked = _since(began)
        self.draw_ms[-1] += drawn
        self.work_ms[-1] += worked

    def _draw(self, context: bpy.types.Context, shown: Shown, rect: Rect, against=None) -> None:
        region, shading = context.region, context.space_data.shading
        look = context.scene.inspatio.live_look
        is_new = not self._pictures.has(shown.key)
        began = time.perf_counter()
        texture = self._pictures.texture(shown.key, shown.array)
        if is_new:
            self.upload_ms.append((time.perf_counter() - began) * 1000.0)
        if self._drawing is None:
            self._drawing = Drawing()
        passes = [("NONE", look.opacity)]
        if look.place == "UNDER" and against is None:
            passes = [("LESS_EQUAL", look.opacity)]
            if shading.type == "SOLID" and shading.show_xray:
                passes.append(("GREATER", look.opacity * (1.0 - shading.xray_alpha)))
        for depth, opacity in passes:
            self._drawing.draw(
                texture,
                rect,
                (region.width, region.height),
                depth=depth,
                opacity=opacity,
                stale=shown.stale and look.dim_stale,
                share=look.wipe if look.mix == "WIPE" else 1.0,
                against=against,
            )

    def _draw_line(self, rect: Rect, wipe: float) -> None:
        left, bottom, right, top = rect
        x = left + wipe * (right - left)
        half = 0.5 * bpy.context.preferences.system.pixel_size
        gpu.state.blend_set("ALPHA")
        try:
            badge.fill([(x - half, bottom), (x - half, top), (x + half, top), (x + half, bottom)], LINE)
        finally:
            gpu.state.blend_set("NONE")

    def _draw_strip(self, context: bpy.types.Context) -> None:
        if context.scene.inspatio.live_look.show_frames:
            states = self._source.states(context.scene)
            if states:
                frame_strip.draw(context, states)


def _is_drawn_here(context: bpy.types.Context, shown: Shown) -> bool:
    """Whether there is a picture, and the render engine doesn't draw it: ours does in Rendered shading."""
    is_rendered = context.space_data.shading.type == "RENDERED" and context.scene.render.engine == ENGINE
    return shown.array is not None and not is_rendered


def _clocks() -> tuple[float, float]:
    """Now, and how long this thread has worked, in seconds."""
    return time.perf_counter(), time.thread_time()


def _since(began: tuple[float, float]) -> tuple[float, float]:
    """The milliseconds since then, by both clocks."""
    now, worked = _clocks()
    return (now - began[0]) * 1000.0, (worked - began[1]) * 1000.0
