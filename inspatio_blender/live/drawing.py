"""The shader that draws a picture onto a rectangle of a region. Main thread only, in a draw handler."""

import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader

from .display import linear_of_codes
from .frame_plane import Rect, on_pixels

STALE = 0.3
"""What is left of the light of a picture that is out of date."""

_VERTEX = """
void main()
{
    at = vec2(corner.x * share, corner.y);
    pixel = mix(place.xy, place.zw, at);
    gl_Position = vec4(pixel / region * 2.0 - 1.0, 1.0, 1.0);  /* As far away as can be: any object hides it. */
}
"""

_FRAGMENT = """
vec3 codes(ivec2 texel, ivec2 size)
{
    texel = clamp(texel, ivec2(0), size - 1);
    uint bytes = floatBitsToUint(texelFetch(picture, ivec2(texel.x, size.y - 1 - texel.y), 0).r);
    return vec3(float(bytes & 255u), float((bytes >> 8u) & 255u), float((bytes >> 16u) & 255u));
}

float light(float code)
{
    return texelFetch(lights, ivec2(int(code + 0.5), 0), 0).r;
}

void main()
{
    ivec2 size = textureSize(picture, 0);
    vec2 where = at * vec2(size);
    vec3 colour;
    if (smoothly == 0) {
        colour = codes(ivec2(floor(where)), size);
    }
    else {
        ivec2 first = ivec2(floor(where - 0.5));
        vec2 part = where - 0.5 - vec2(first);
        colour = mix(mix(codes(first, size), codes(first + ivec2(1, 0), size), part.x),
                     mix(codes(first + ivec2(0, 1), size), codes(first + ivec2(1, 1), size), part.x), part.y);
    }
    if (against == 1) {
        colour = abs(colour - 255.0 * texelFetch(scene, ivec2(floor(pixel)), 0).rgb);
    }
    result = vec4(vec3(light(colour.r), light(colour.g), light(colour.b)) * strength * opacity, opacity);
}
"""


def _shader() -> gpu.types.GPUShader:
    info = gpu.types.GPUShaderCreateInfo()
    info.push_constant("VEC4", "place")
    info.push_constant("VEC2", "region")
    info.push_constant("FLOAT", "share")
    info.push_constant("FLOAT", "opacity")
    info.push_constant("FLOAT", "strength")
    info.push_constant("INT", "smoothly")
    info.push_constant("INT", "against")
    info.sampler(0, "FLOAT_2D", "picture")
    info.sampler(1, "FLOAT_2D", "lights")
    info.sampler(2, "FLOAT_2D", "scene")
    info.vertex_in(0, "VEC2", "corner")
    passed = gpu.types.GPUStageInterfaceInfo("inspatio_live")
    passed.smooth("VEC2", "at")
    passed.smooth("VEC2", "pixel")
    info.vertex_out(passed)
    info.fragment_out(0, "VEC4", "result")
    info.vertex_source(_VERTEX)
    info.fragment_source(_FRAGMENT)
    return gpu.shader.create_from_info(info)


class Drawing:
    """The shader with what it always needs.

    lights (256,) float32: what to draw for each code; by default what an overlay shows as that code.
    """

    def __init__(self, lights: np.ndarray | None = None) -> None:
        self._shader = _shader()
        corners = {"corner": [(0, 0), (1, 0), (0, 1), (1, 1)]}
        self._batch = batch_for_shader(self._shader, "TRI_STRIP", corners)
        data = gpu.types.Buffer("FLOAT", 256, linear_of_codes() if lights is None else lights)
        self._lights = gpu.types.GPUTexture((256, 1), format="R32F", data=data)

    def draw(
        self,
        texture: gpu.types.GPUTexture,
        rect: Rect,
        region: tuple[int, int],
        *,
        depth: str = "NONE",
        opacity: float = 1.0,
        stale: bool = False,
        share: float = 1.0,
        against: gpu.types.GPUTexture | None = None,
    ) -> None:
        """Draw a picture of `Pictures` onto `rect` of a region of `region` pixels.

        `depth`: "LESS_EQUAL" only where there is no object, "GREATER" only where there is one. `share` of its width is
        drawn, from the left. `against`: how far it is from this picture of the whole region instead. A picture that is
        shown pixel by pixel comes out code by code.
        """
        rect, exactly = on_pixels(rect, texture.width, texture.height)
        shader = self._shader
        shader.bind()
        shader.uniform_float("place", rect)
        shader.uniform_float("region", region)
        shader.uniform_float("share", share)
        shader.uniform_float("opacity", opacity)
        shader.uniform_float("strength", STALE if stale else 1.0)
        shader.uniform_int("smoothly", 0 if exactly else 1)
        shader.uniform_int("against", 0 if against is None else 1)
        shader.uniform_sampler("picture", texture)
        shader.uniform_sampler("lights", self._lights)
        shader.uniform_sampler("scene", against or self._lights)
        gpu.state.depth_test_set(depth)
        gpu.state.depth_mask_set(False)
        # What hides everything need not read what is there.
        gpu.state.blend_set("ALPHA_PREMULT" if opacity < 1.0 else "NONE")
        try:
            self._batch.draw(shader)
        finally:
            gpu.state.blend_set("NONE")
            gpu.state.depth_test_set("NONE")
