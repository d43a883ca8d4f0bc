"""Rasteriser of scenes on an EGL context: exact planar z at pixel centres and antialiased sRGB colour.

Pixel centres are at integers: the projection puts camera-space x/z * fx + cx = u at window x = u + 0.5. Rows are
drawn top row first (OpenCV's y down is the framebuffer's y up), so nothing is flipped on the way out.

A frame is drawn in three steps: z and normals at (H, W), one sample at each pixel centre; ambient occlusion from
them; colour at SAMPLES x SAMPLES per pixel, averaged and tone mapped.
"""

from __future__ import annotations

import moderngl
import numpy as np

from . import shaders
from .projections import HEIGHT, WIDTH, lamp_matrix, projection, sun_matrix
from .scene import Scene

SAMPLES = 2
SHADOW_SIZE = 1536


class Rasteriser:
    """Draws one scene at a time; `load` uploads it, `depth` and `frame` draw it."""

    def __init__(self) -> None:
        self.context = moderngl.create_standalone_context(backend="egl")
        program = self.context.program
        self.programs = {
            "geometry": program(shaders.GEOMETRY_VERTEX, shaders.GEOMETRY_FRAGMENT),
            "front": program(shaders.FRONT_VERTEX, shaders.SHADOW_FRAGMENT),
            "shadow": program(shaders.SHADOW_VERTEX, shaders.SHADOW_FRAGMENT),
            "occlusion": program(shaders.SCREEN_VERTEX, shaders.OCCLUSION_FRAGMENT),
            "blur": program(shaders.SCREEN_VERTEX, shaders.BLUR_FRAGMENT),
            "sky": program(shaders.SCREEN_VERTEX, shaders.SKY_FRAGMENT),
            "resolve": program(shaders.SCREEN_VERTEX, shaders.RESOLVE_FRAGMENT),
        }
        self.colour_programs: dict[tuple[bool, ...], moderngl.Program] = {}
        texture, depth = self.context.texture, self.context.depth_texture
        small, large = (WIDTH, HEIGHT), (WIDTH * SAMPLES, HEIGHT * SAMPLES)
        self.geometry_map = texture(small, 4, dtype="f4")
        self.occlusion_maps = [texture(small, 1, dtype="f1") for _ in range(2)]
        self.sample_map = texture(large, 4, dtype="f2")
        self.picture = texture(small, 4, dtype="f1")
        square = (SHADOW_SIZE, SHADOW_SIZE)
        self.shadow_maps = {name: depth(square) for name in ("sun", "lamp")}
        for each in (self.geometry_map, self.sample_map):
            each.filter = (moderngl.NEAREST, moderngl.NEAREST)
        for each in self.shadow_maps.values():
            each.compare_func = "<="
            each.filter = (moderngl.LINEAR, moderngl.LINEAR)
        framebuffer = self.context.framebuffer
        self.geometry_target = framebuffer([self.geometry_map], depth(small))
        self.occlusion_targets = [framebuffer([each]) for each in self.occlusion_maps]
        self.sample_target = framebuffer([self.sample_map], depth(large))
        self.picture_target = framebuffer([self.picture])
        # The colour attachments of the shadows are never drawn to, but a copy needs them.
        self.shadow_targets, self.still_shadows = (
            {k: framebuffer([texture(square, 1)], v) for k, v in maps.items()}
            for maps in (self.shadow_maps, {k: depth(square) for k in self.shadow_maps})
        )
        for each in (*self.shadow_targets.values(), *self.still_shadows.values()):
            each.color_mask = False, False, False, False
        corners = self.context.buffer(np.array([-1, -1, 3, -1, -1, 3], "f4").tobytes())
        self.screens = {
            name: self.context.vertex_array(self.programs[name], [(corners, "2f", "in_corner")])
            for name in ("occlusion", "blur", "sky", "resolve")
        }
        self.loaded: list = []

    def load(self, scene: Scene) -> None:
        """Upload `scene`: pictures, geometry, lights and the shadows of what stands still."""
        for each in self.loaded:
            each.release()
        self.scene = scene
        layers = np.stack(scene.pictures)
        self.pictures = self.context.texture_array(
            (layers.shape[2], layers.shape[1], len(layers)), 4, np.ascontiguousarray(layers).tobytes()
        )
        self.pictures.build_mipmaps()
        self.pictures.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        vertices, indices, self.ranges = scene.buffers()
        self.vertices, self.indices = self.context.buffer(vertices.tobytes()), indices
        self.index_buffer = self.context.buffer(indices.tobytes())
        self.programs["colour"] = self._colour_program()
        layouts = {
            "geometry": ("3f 3f 32x", "in_position", "in_normal"),
            "colour": ("3f 3f 2f 3f 3f", "in_position", "in_normal", "in_uv", "in_tint", "in_surface"),
            "front": ("3f 44x", "in_position"),
            "shadow": ("3f 44x", "in_position"),
        }
        self.visible_buffer = self.context.buffer(indices.tobytes())
        self.arrays = {
            name: self.context.vertex_array(self.programs[name], [(self.vertices, *layout)], indices)
            for name, layout, indices in (
                (k, v, self.index_buffer if k == "shadow" else self.visible_buffer)
                for k, v in layouts.items()
            )
        }
        self.loaded = [
            self.pictures,
            self.vertices,
            self.index_buffer,
            self.visible_buffer,
            *self.arrays.values(),
        ]
        self._set_lights()
        self.static_count = sum(r.count for r in self.ranges if r.mover is None)
        self.visible_count = self.static_count
        self.shadow_time = None

    def prepare(self, world_to_camera: np.ndarray, intrinsics: np.ndarray) -> None:
        """Keep only what a path (T,4,4), (T,3,3) can see, nearest first; call once before its frames."""
        eyes = -np.einsum("tji,tj->ti", world_to_camera[:, :3, :3], world_to_camera[:, :3, 3])
        lens = intrinsics[:, 0, 0].min()
        tangent = np.array([WIDTH, HEIGHT]) / 2 / lens * 1.1
        kept = []
        for item in self.ranges:
            if item.mover is not None:
                continue
            centre = world_to_camera[:, :3, :3] @ item.centre + world_to_camera[:, :3, 3]
            z = centre[:, 2] + item.radius
            reach = item.radius * np.sqrt(1 + tangent**2)
            inside = (z > 0) & np.all(
                np.abs(centre[:, :2]) < np.maximum(centre[:, 2:], 0) * tangent + reach, 1
            )
            if inside.any():
                kept.append((np.linalg.norm(item.centre - eyes[0]) + 0.5 * item.radius, item))
        kept.sort(key=lambda pair: pair[0])
        still = [self.indices[i.first : i.first + i.count] for _, i in kept]
        still = np.concatenate(still) if still else self.indices[:0]
        self.visible_count = len(still)
        if len(still):
            self.visible_buffer.write(still.tobytes())

    def _colour_program(self) -> moderngl.Program:
        """The colour shader with just the lights that the scene has."""
        light = self.scene.light
        wanted = {"SUN": light.sun_colour[0] > 0, "LAMP": light.lamp_colour[0] > 0, "BUMP": light.bump > 0}
        key = tuple(wanted.values())
        if key not in self.colour_programs:
            source = shaders.COLOUR_FRAGMENT
            for name, has in wanted.items():
                source = source if has else source.replace(f"#define {name}\n", "")
            self.colour_programs[key] = self.context.program(shaders.COLOUR_VERTEX, source)
        return self.colour_programs[key]

    def _set_lights(self) -> None:
        light, colour, sky = self.scene.light, self.programs["colour"], self.programs["sky"]
        sun = light.sun_direction / np.linalg.norm(light.sun_direction)
        self.light_matrices = {
            "sun": sun_matrix(sun, light.focus, light.radius),
            "lamp": lamp_matrix(light.lamp_position, 40.0),
        }
        names = ("sky_low", "sky_high", "ground_light", "fog_colour", "fog_density", "exposure", "sun_colour")
        shared = {"sun_direction": sun, **{name: getattr(light, name) for name in names}}
        names = ("ambient_low", "ambient_high", "lamp_position", "lamp_colour", "bump")
        own = {
            **{name: getattr(light, name) for name in names},
            "sun_spread": (light.softness / light.radius,) * 2,
            "size": (WIDTH * SAMPLES, HEIGHT * SAMPLES),
            "point_count": min(4, len(light.points)),
        }
        points = np.zeros((2, 4, 3), "f4")
        for i, (position, power) in enumerate(light.points[:4]):
            points[0, i], points[1, i] = position, power
        for name, value in {**shared, **own}.items():
            self._set(colour, name, value)
        self._write(colour, "point_position", points[0])
        self._write(colour, "point_colour", points[1])
        for name, value in {
            **shared,
            "cloud_cover": light.cloud_cover,
            "cloud_layer": light.cloud_layer,
        }.items():
            self._set(sky, name, value)
        for name in ("sun", "lamp"):
            self._write(colour, f"{name}_matrix", self.light_matrices[name].T)
        for unit, name in enumerate(("pictures", "sun_shadow", "lamp_shadow", "occlusion")):
            self._set(colour, name, unit)
        resolve = self.programs["resolve"]
        resolve["factor"].value = SAMPLES
        for name in ("contrast", "saturation", "film"):
            resolve[name].value = getattr(light, name)

    @staticmethod
    def _set(program, name: str, value) -> None:
        if name in program:
            program[name].value = tuple(map(float, value)) if np.ndim(value) else value

    @staticmethod
    def _write(program, name: str, value: np.ndarray) -> None:
        if name in program:
            program[name].write(np.ascontiguousarray(value, "f4").tobytes())

    def _draw(self, name: str, time: float, still: int | None = None, moving: bool = True) -> None:
        """Draw `still` indices of what stands still (None: what the path sees), then the movers at `time`."""
        model, array = self.programs[name]["model"], self.arrays[name]
        count = self.visible_count if still is None else still
        if count:
            model.write(np.eye(4, dtype="f4").tobytes())
            array.render(vertices=count)
        for item in self.ranges if moving else ():
            if item.mover is not None:
                model.write(np.asarray(item.mover(time), "f4").T.tobytes())
                array.render(vertices=item.count, first=item.first)

    def _shadows(self, time: float) -> None:
        """Shadow maps at `time`: what stands still is drawn once a scene and copied, movers are drawn on top."""
        if self.shadow_time == time or (self.shadow_time is not None and not self.scene.dynamic):
            return
        light, begun = self.scene.light, self.shadow_time is None
        self.shadow_time = time
        self.context.enable_only(moderngl.DEPTH_TEST)
        self.context.polygon_offset = 1.5, 2.0
        for name, power in (("sun", light.sun_colour), ("lamp", light.lamp_colour)):
            if power[0] <= 0:
                continue
            self.programs["shadow"]["light"].write(self.light_matrices[name].T.astype("f4").tobytes())
            if begun:
                self.still_shadows[name].use()
                self.still_shadows[name].clear(depth=1.0)
                self._draw("shadow", time, self.static_count, moving=False)
            self.context.copy_framebuffer(self.shadow_targets[name], self.still_shadows[name])
            if self.scene.dynamic:
                self.shadow_targets[name].use()
                self._draw("shadow", time, 0)
        self.context.polygon_offset = 0.0, 0.0

    def depth(self, intrinsics: np.ndarray, world_to_camera: np.ndarray, time: float) -> np.ndarray:
        """Planar z (H,W) float32 in metres at pixel centres, inf where nothing is."""
        clip = projection(intrinsics, self.scene.far).T.astype("f4").tobytes()
        for name in ("geometry", "front", "colour"):
            self.programs[name]["view"].write(world_to_camera.T.astype("f4").tobytes())
            self.programs[name]["projection"].write(clip)
        self.context.enable_only(moderngl.DEPTH_TEST)
        self.geometry_target.use()
        self.geometry_target.clear(0, 0, 0, 0, depth=1.0)
        self._draw("geometry", time)
        raw = np.frombuffer(self.geometry_target.read(components=4, dtype="f4"), "f4")
        z = raw.reshape(HEIGHT, WIDTH, 4)[..., 3]
        return np.where(z > 0, z, np.float32(np.inf))

    def expose(self, exposure: float) -> None:
        """Change the loaded scene's exposure."""
        self.scene.light.exposure = exposure
        for name in ("colour", "sky"):
            self._set(self.programs[name], "exposure", exposure)

    def frame(
        self, intrinsics: np.ndarray, world_to_camera: np.ndarray, time: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Colour (H,W,3) uint8 sRGB and planar z (H,W) of one camera at `time` (frames)."""
        z = self.depth(intrinsics, world_to_camera, time)
        lens = (intrinsics[0, 0], intrinsics[1, 1], intrinsics[0, 2], intrinsics[1, 2])
        self._occlusion(lens)
        self._shadows(time)
        rotation = world_to_camera[:3, :3]
        eye = -rotation.T @ world_to_camera[:3, 3]
        self.sample_target.use()
        self.sample_target.clear(depth=1.0)
        sky, colour = self.programs["sky"], self.programs["colour"]
        self.pictures.use(0)
        if np.isinf(z).any():
            self.context.enable_only(moderngl.NOTHING)
            inverse = np.linalg.inv(intrinsics)
            pixel = np.array([[1 / SAMPLES, 0, -0.5], [0, 1 / SAMPLES, -0.5], [0, 0, 1]])
            sky["rays"].write((rotation.T @ inverse @ pixel).T.astype("f4").tobytes())
            self.screens["sky"].render(vertices=3)
        self.context.enable_only(moderngl.DEPTH_TEST)
        self.shadow_maps["sun"].use(1)
        self.shadow_maps["lamp"].use(2)
        self.occlusion_maps[1].use(3)
        self._set(colour, "eye", eye)
        self.sample_target.color_mask = False, False, False, False
        self._draw("front", time)  # depth first, so that every sample is shaded once
        self.sample_target.color_mask = True, True, True, True
        self.context.depth_func = "<="
        self._draw("colour", time)
        self.context.depth_func = "<"
        self.context.enable_only(moderngl.NOTHING)
        self.picture_target.use()
        self.sample_map.use(0)
        self.screens["resolve"].render(vertices=3)
        raw = np.frombuffer(self.picture_target.read(components=3), np.uint8)
        return raw.reshape(HEIGHT, WIDTH, 3), z

    def _occlusion(self, lens: tuple[float, float, float, float]) -> None:
        """Ambient occlusion of the last depth drawn, blurred, into occlusion_maps[1]."""
        self.context.enable_only(moderngl.NOTHING)
        self.geometry_map.use(0)
        self.occlusion_maps[0].use(1)
        for i, name in enumerate(("occlusion", "blur")):
            program = self.programs[name]
            for key, value in (("geometry", 0), ("occlusion", 1), ("lens", lens), ("size", (WIDTH, HEIGHT)),
                               ("radius", self.scene.light.occlusion_radius)):  # fmt: skip
                if key in program:
                    program[key].value = value
            self.occlusion_targets[i].use()
            self.screens[name].render(vertices=3)
