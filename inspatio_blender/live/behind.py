"""What a viewport shows without the live picture, as it is on the screen: for the difference of the two.

A viewport's colours cannot be read while it is drawn, nor does blending know them: overlays lie in a texture of
their own. So the viewport is drawn once more, out of sight. Main thread only, in a draw handler.
"""

import bpy
import gpu

KEPT = 16
"""Viewports at once whose textures are kept: more than anybody looks at."""


class Behind:
    """Viewports drawn once more, each into a texture that is kept for the next time."""

    def __init__(self) -> None:
        self._offscreens: dict[int, gpu.types.GPUOffScreen] = {}

    def texture(self, context: bpy.types.Context) -> gpu.types.GPUTexture | None:
        """The whole region of `context`, display-referred, first row at the bottom.

        None where the texture had to be made first: that takes the redraw's target away, so it is for the next redraw.
        """
        region, rv3d = context.region, context.region_data
        size, place = (region.width, region.height), region.as_pointer()
        offscreen = self._offscreens.get(place)
        if offscreen is None or (offscreen.width, offscreen.height) != size:
            if len(self._offscreens) >= KEPT:
                self.free()
            self._offscreens[place] = gpu.types.GPUOffScreen(*size, format="RGBA8")
            return None
        # It leaves Blender with another target than it had, and with other matrices.
        with (
            gpu.state.active_framebuffer_get().bind(),
            gpu.matrix.push_pop(),
            gpu.matrix.push_pop_projection(),
        ):
            offscreen.draw_view3d(
                context.scene,
                context.view_layer,
                context.space_data,
                region,
                rv3d.view_matrix,
                rv3d.window_matrix,
                do_color_management=True,
                draw_background=True,
            )
        return offscreen.texture_color

    def free(self) -> None:
        """Let go of the textures."""
        for offscreen in self._offscreens.values():
            offscreen.free()
        self._offscreens.clear()
