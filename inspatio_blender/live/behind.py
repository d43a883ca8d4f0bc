"""What a viewport shows without the live picture, as it is on the screen: for the difference of the two.

A viewport's colours cannot be read while it is drawn, nor does blending know them: overlays lie in a texture of
their own. So the viewport is drawn once more, out of sight. Main thread only, in a draw handler.
"""

import bpy
import gpu


class Behind:
    """The viewport drawn once more, into a texture that is kept for the next time."""

    def __init__(self) -> None:
        self._offscreen: gpu.types.GPUOffScreen | None = None

    def texture(self, context: bpy.types.Context) -> gpu.types.GPUTexture:
        """The whole region of `context`, display-referred, first row at the bottom."""
        region, rv3d = context.region, context.region_data
        size = region.width, region.height
        # Both making the texture and drawing into it leave Blender with another target, and with other matrices.
        with (
            gpu.state.active_framebuffer_get().bind(),
            gpu.matrix.push_pop(),
            gpu.matrix.push_pop_projection(),
        ):
            if self._offscreen is None or (self._offscreen.width, self._offscreen.height) != size:
                self.free()
                self._offscreen = gpu.types.GPUOffScreen(*size, format="RGBA8")
            self._offscreen.draw_view3d(
                context.scene,
                context.view_layer,
                context.space_data,
                region,
                rv3d.view_matrix,
                rv3d.window_matrix,
                do_color_management=True,
                draw_background=True,
            )
        return self._offscreen.texture_color

    def free(self) -> None:
        """Let go of the texture."""
        if self._offscreen is not None:
            self._offscreen.free()
            self._offscreen = None
