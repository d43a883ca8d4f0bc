"""What Blender calls of the render engine, and nothing else: rendering.py and viewport.py do the work."""

import atexit
import logging
from contextlib import suppress

import bpy
from bpy.app.handlers import persistent

from .. import driver
from ..client import BackendError
from ..shots import UserError
from . import ENGINE, rendering
from .passes import PASSES
from .viewport import Viewport

log = logging.getLogger(__name__)

_renderings: dict[int, rendering.Rendering] = {}
"""The renders that go on, by scene: one file may render several."""

_viewport = Viewport()
_sentence = None
"""The draw handler that says what to do where Rendered shading shows nothing."""


class InSpatioRenderEngine(bpy.types.RenderEngine):
    """Frames that are generated, through the shot's takes."""

    bl_idname = ENGINE
    bl_label = "InSpatio World"
    bl_use_preview = False
    bl_use_eevee_viewport = True

    def update_render_passes(self, scene=None, renderlayer=None):
        for made in PASSES:
            self.register_pass(scene, renderlayer, made.name, len(made.channels), made.channels, made.kind)

    def render(self, depsgraph):
        try:
            self._render(depsgraph)
        except rendering.Stopped:
            _end()
        except (UserError, BackendError, OSError) as error:
            self._fail(str(error))
        except Exception as error:  # Blender would show an empty picture, and say nothing.
            log.exception("a render failed")
            self._fail(f"{type(error).__name__}: {error}")

    def view_update(self, context, depsgraph):
        """Nothing is read from the scene here: the preview hears of changes itself."""

    def view_draw(self, context, depsgraph):
        _viewport.draw(context, depsgraph)

    def _render(self, depsgraph):
        scene, layer = depsgraph.scene, depsgraph.view_layer.name
        going_on = _renderings.get(scene.session_uid)
        if going_on is None:
            going_on = _renderings[scene.session_uid] = rendering.Rendering(driver.get())
        made = going_on.passes(self, depsgraph)
        for each in PASSES[1:]:
            self.add_pass(each.name, len(each.channels), each.channels, layer=layer)
        part = rendering.window(scene)
        result = self.begin_result(0, 0, part.width, part.height, layer=layer)
        for target in result.layers[0].passes:
            if target.name in made:
                target.rect.foreach_set(made[target.name])
        self.end_result(result)

    def _fail(self, sentence):
        """Say what is wrong; an animation ends with it."""
        _end()
        self.report({"ERROR"}, sentence)


def _end() -> None:
    while _renderings:
        _renderings.popitem()[1].end()


@persistent
def _over(*_):
    _end()
    if bpy.app.background:  # There is no timer that would take in what the render's jobs told.
        driver.get().pump(budget=1.0)


def _draw_sentence() -> None:
    context = bpy.context
    if context.space_data.shading.type == "RENDERED" and context.scene.render.engine == ENGINE:
        _viewport.draw_sentence(context)


_HANDLERS = ("render_init", "render_complete", "render_cancel")


def register():
    global _sentence
    bpy.utils.register_class(InSpatioRenderEngine)
    for name in _HANDLERS:
        getattr(bpy.app.handlers, name).append(_over)
    if not bpy.app.background:
        _sentence = bpy.types.SpaceView3D.draw_handler_add(_draw_sentence, (), "WINDOW", "POST_PIXEL")
    atexit.register(_unregister_class)  # Blender 4.5 hangs at its exit while there is an engine of Python.


def unregister():
    global _sentence
    if _sentence is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_sentence, "WINDOW")
        _sentence = None
    _viewport.clear()
    atexit.unregister(_unregister_class)
    for name in _HANDLERS:
        handlers = getattr(bpy.app.handlers, name)
        if _over in handlers:
            handlers.remove(_over)
    _end()
    _unregister_class()


def _unregister_class() -> None:
    with suppress(RuntimeError):  # Blender may have gone before.
        bpy.utils.unregister_class(InSpatioRenderEngine)
