"""In the window: a stand-in's pictures on the camera's frame, in many views, and what the screen makes of their codes.

What is said of each picture of the screen, for the test outside to compare: where the frame should be, in pixels of
the screen from its lower left corner, and where to look along.
"""

import os
import time

import bpy
import gpu
import numpy as np
import window
from door import arguments, part

GENERATED = 832, 480


class StandInSource:
    """Stands in for a preview: checkers, noise or a ramp instead of generated frames."""

    def __init__(self):
        self.kind, self.size, self.stale, self.states_of = "checker", GENERATED, False, {}
        self._made = {}
        self.turn, self.turning = 0, False

    def shown(self, scene, frame):
        key = self.kind, self.size, frame if self.kind == "played" else 0
        self.turn += self.turning
        if key not in self._made:
            self._made[key] = getattr(self, self.kind)(*self.size)
        badge = part("inspatio_blender.live.badge")
        state = "Generating" if self.stale else "Generated"
        return part("inspatio_blender.live.source").Shown(
            self._made[key], (*key, self.stale, self.turn), self.stale, badge.words(frame, state, 23.9, 0.87)
        )

    def states(self, scene):
        return self.states_of

    def checker(self, width, height):
        """Magenta and green, with an edge of yellow that is a pixel wide."""
        y, x = np.mgrid[:height, :width]
        picture = np.where(((x // 32 + y // 32) % 2)[..., None], (230, 40, 200), (30, 200, 60)).astype(
            np.uint8
        )
        picture[[0, -1]] = picture[:, [0, -1]] = (255, 255, 0)
        return picture

    def noise(self, width, height):
        return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)

    def street(self, width, height):
        """A picture with a horizon, so that the looks can be judged by eye."""
        y, x = np.mgrid[:height, :width] / np.array([height, width])[:, None, None]
        sky = np.stack([0.45 + 0.4 * y, 0.6 + 0.3 * y, 0.85 + 0.1 * y], -1)
        ground = np.stack([0.42 - 0.2 * y, 0.36 - 0.15 * y, 0.30 - 0.12 * y], -1)
        waves = 0.06 * np.sin(60 * x / (y - 0.42 + 0.05 * (y < 0.5) + 1e-3))[..., None]
        hills = y > 0.45 + 0.06 * np.sin(7 * x) + 0.02 * np.sin(23 * x)
        return (
            255 * np.clip(np.where(hills[..., None], ground + waves * (y > 0.5)[..., None], sky), 0, 1)
        ).astype(np.uint8)

    def black(self, width, height):
        return np.zeros((height, width, 3), np.uint8)

    played = noise


def view():
    place = window.viewport()
    return place["window"], place["area"], place["region"], place["area"].spaces.active


def plain(scene, camera):
    """The view as it is when nothing is asked for."""
    space = view()[3]
    render, data = scene.render, camera.data
    render.resolution_x, render.resolution_y, render.resolution_percentage = *GENERATED, 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0
    render.use_border = False
    data.lens, data.sensor_fit, data.shift_x, data.shift_y, data.type = 35.0, "AUTO", 0.0, 0.0, "PERSP"
    data.sensor_width, data.sensor_height = 36.0, 24.0
    data.clip_start, data.clip_end = 0.1, 1000
    data.passepartout_alpha = 1.0
    space.region_3d.view_camera_zoom, space.region_3d.view_camera_offset = 0.0, (0.0, 0.0)
    space.use_local_camera = False


def cases(scene, camera):
    """Name and a function that sets a view up."""
    space = view()[3]
    view_3d, data, render = space.region_3d, camera.data, scene.render

    def put(owner, **values):
        for name, value in values.items():
            setattr(owner, name, value)

    yield "plain", lambda: None
    yield "zoomed_in", lambda: put(view_3d, view_camera_zoom=24.0)
    yield "zoomed_out", lambda: put(view_3d, view_camera_zoom=-17.0)
    yield "panned", lambda: put(view_3d, view_camera_zoom=3.0, view_camera_offset=(0.137, -0.091))
    yield "portrait", lambda: put(render, resolution_x=480, resolution_y=832)
    yield "vertical_fit", lambda: put(data, sensor_fit="VERTICAL")
    yield (
        "horizontal_fit_portrait",
        lambda: (
            put(render, resolution_x=700, resolution_y=832),
            put(data, sensor_fit="HORIZONTAL"),
        ),
    )
    yield "shifted", lambda: put(data, shift_x=0.11, shift_y=-0.07)
    yield "wide_pixels", lambda: put(render, pixel_aspect_x=2.0)
    yield "high_pixels", lambda: put(render, pixel_aspect_y=2.0, resolution_percentage=37)
    yield "long_lens", lambda: put(data, lens=200.0, clip_start=2.0, clip_end=40.0)
    yield (
        "render_region",
        lambda: put(
            render, use_border=True, border_min_x=0.3, border_max_x=0.7, border_min_y=0.2, border_max_y=0.8
        ),
    )
    yield "orthographic", lambda: put(data, type="ORTHO", ortho_scale=7.3, shift_x=0.05)


def told(name, region, area, rect):
    """What the test outside has to know to look at the frame `rect`."""
    visible = part("inspatio_blender.live.badge").visible_part(area, region)
    low = [max(rect[0], visible[0]), max(rect[1], visible[1])]
    high = [min(rect[2], visible[2]), min(rect[3], visible[3])]
    return {
        "name": name,
        "rect": [rect[0] + region.x, rect[1] + region.y, rect[2] + region.x, rect[3] + region.y],
        "visible": [
            visible[0] + region.x,
            visible[1] + region.y,
            visible[2] + region.x,
            visible[3] + region.y,
        ],
        "along": [(low[0] + high[0]) / 2 + region.x, (low[1] + high[1]) / 2 + region.y],
    }


def rect_of(scene, area, region, rv3d, camera):
    find = part("inspatio_blender.live.frame_rect").frame_rect
    return find(region, area.spaces.active, rv3d, scene, camera)


def bare(space):
    """Nothing in the viewport but the scene and the camera's frame."""
    space.show_gizmo = space.show_region_toolbar = space.show_region_ui = False
    space.show_region_header = space.show_region_tool_header = False
    space.overlay.show_text = space.overlay.show_floor = False
    space.overlay.show_axis_x = space.overlay.show_axis_y = space.overlay.show_cursor = False
    space.overlay.show_object_origins = space.overlay.show_outline_selected = False
    space.overlay.show_extras = space.overlay.show_relationship_lines = False


def frames(scene, camera, overlay_of, source):
    """Each case without and with the picture."""
    found = []
    _, area, region, space = view()
    bare(space)
    scene.inspatio.live_look.show_badge = False
    for name, set_up in cases(scene, camera):
        plain(scene, camera)
        set_up()
        yield 0.3
        rect = rect_of(scene, area, region, space.region_3d, camera)
        found.append(told(name, region, area, rect))
        yield from window.ask(f"shot overlay_{name}_without")
        overlay = overlay_of(source)
        yield 0.2
        yield from window.ask(f"shot overlay_{name}_with")
        overlay.free()
    plain(scene, camera)
    # With the sidebar over the region, and a camera of the viewport's own.
    bpy.context.preferences.system.use_region_overlap = True
    space.show_region_ui = True
    other = bpy.data.objects.new("Other", bpy.data.cameras.new("Other"))
    other.data.passepartout_alpha = 1.0
    scene.collection.objects.link(other)
    other.matrix_world = camera.matrix_world
    yield 0.5
    assert rect_of(scene, area, region, space.region_3d, other) is None
    space.use_local_camera, space.camera = True, other
    scene.inspatio.camera = other
    other.data.shift_x = 0.08
    yield 0.5
    assert rect_of(scene, area, region, space.region_3d, camera) is None
    found.append(told("sidebar_local", region, area, rect_of(scene, area, region, space.region_3d, other)))
    yield from window.ask("shot overlay_sidebar_local_without")
    overlay = overlay_of(source)
    yield 0.2
    yield from window.ask("shot overlay_sidebar_local_with")
    overlay.free()
    scene.inspatio.camera, space.use_local_camera, space.show_region_ui = None, False, False
    yield 0.3
    # Four views in one area, the camera's among them.
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.screen.region_quadview()
    yield 0.5
    for region in [region for region in area.regions if region.type == "WINDOW"]:
        if region.data.view_perspective == "CAMERA":
            found.append(told("quad", region, area, rect_of(scene, area, region, region.data, camera)))
    yield from window.ask("shot overlay_quad_without")
    overlay = overlay_of(source)
    yield 0.3
    yield from window.ask("shot overlay_quad_with")
    overlay.free()
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.screen.region_quadview()
    space.region_3d.view_perspective = "CAMERA"
    scene.inspatio.live_look.show_badge = True
    yield 0.5
    return found


def codes(scene, camera, source):
    """Noise shown pixel by pixel, in each view transform and shading."""
    found = []
    _, area, region, space = view()
    plain(scene, camera)
    space.region_3d.view_camera_zoom = 4.0
    scene.inspatio.live_look.show_badge = False
    yield 0.5
    rect = rect_of(scene, area, region, space.region_3d, camera)
    source.kind, source.size = "noise", (round(rect[2] - rect[0]), round(rect[3] - rect[1]))
    np.save(os.path.join(arguments()[0], "noise.npy"), source.shown(scene, 1).array)
    for transform, shading in (
        ("AgX", "SOLID"),
        ("Standard", "SOLID"),
        ("Filmic", "SOLID"),
        ("AgX", "MATERIAL"),
    ):
        scene.view_settings.view_transform = transform
        space.shading.type = shading
        area.tag_redraw()
        yield 1.0 if shading == "SOLID" else 8.0
        name = f"{transform}_{shading}"
        found.append(told(name, region, area, rect))
        yield from window.ask(f"shot overlay_codes_{name}")
    space.shading.type, scene.view_settings.view_transform = "SOLID", "AgX"
    source.kind, source.size = "checker", GENERATED
    scene.inspatio.live_look.show_badge = True
    return found


def looks(scene, camera, source):
    """Pictures for the eye, and a difference whose codes are compared."""
    _, area, region, space = view()
    look, found = scene.inspatio.live_look, {}
    camera.data.passepartout_alpha = 0.5
    source.kind = "street"
    source.states_of = {frame: "stale" if 9 < frame < 14 else "fresh" for frame in range(1, 17)}
    space.overlay.show_text = True
    space.overlay.show_outline_selected = True
    ground = next(o for o in scene.objects if o.type == "MESH" and o.dimensions.x > 20)
    ground.hide_set(True)
    cubes = [o for o in scene.objects if o.type == "MESH" and o is not ground]
    for o in cubes:
        o.color = (0.8, 0.5, 0.3, 1.0)
    cubes[1].show_in_front = True
    space.shading.color_type = "OBJECT"
    for name, values in (
        ("over", {"place": "OVER"}),
        ("under", {"place": "UNDER"}),
        ("under_half", {"place": "UNDER", "opacity": 0.5}),
        ("wipe", {"place": "OVER", "mix": "WIPE", "wipe": 0.6, "opacity": 1.0}),
        ("difference", {"mix": "DIFFERENCE"}),
    ):
        for key, value in values.items():
            setattr(look, key, value)
        yield 2.0 if name == "difference" else 0.5
        yield from window.ask(f"shot overlay_look_{name}")
    # The difference of a black picture is the viewport itself.
    source.kind = "black"
    look.show_badge = False
    camera.data.passepartout_alpha = 1.0
    yield 2.0
    found["rect"] = told("black", region, area, rect_of(scene, area, region, space.region_3d, camera))
    yield from window.ask("shot overlay_difference_black")
    look.opacity = 0.0
    yield 2.0
    yield from window.ask("shot overlay_difference_none")
    look.opacity, look.mix, look.show_badge, source.kind = 1.0, "NORMAL", True, "street"
    look.place = "UNDER"
    camera.data.passepartout_alpha = 0.5
    space.shading.show_xray = True
    yield 0.5
    yield from window.ask("shot overlay_look_xray")
    space.shading.show_xray = False
    look.place, source.stale = "OVER", True
    yield 0.5
    yield from window.ask("shot overlay_look_stale")
    source.stale = False
    yield from panel(look)
    # Two viewports side by side, each with the same picture; and a viewport render, which has none.
    source.kind = "checker"
    screen = view()[0].screen
    before = set(screen.areas)
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.screen.area_split(direction="VERTICAL", factor=0.5)
    other = next(area for area in screen.areas if area not in before)
    yield 1.0
    found["two"] = []
    for name, area in (("one", view()[1]), ("other", other)):
        region = next(region for region in area.regions if region.type == "WINDOW")
        found["two"].append(told(name, region, area, rect_of(scene, area, region, region.data, camera)))
    yield from window.ask("shot overlay_two")
    scene.render.filepath = os.path.join(arguments()[0], "viewport_render.png")
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.render.opengl(write_still=True, view_context=True)
    yield 0.5
    return found


def panel(look):
    """The panel of the look, as after a click on its header, at the top of the tab so that all of it is seen."""
    shown = part("panels.live_view").INSPATIO_PT_live_view
    parent, order, options = shown.bl_parent_id, shown.bl_order, shown.bl_options
    bpy.utils.unregister_class(shown)
    del shown.bl_parent_id
    shown.bl_order, shown.bl_options = 0, set()
    bpy.utils.register_class(shown)
    look.mix, look.wipe, look.place = "WIPE", 0.7, "UNDER"
    yield from window.open_tab()
    yield 0.5
    yield from window.ask("shot overlay_look_panel")
    look.mix, look.place = "NORMAL", "OVER"
    bpy.utils.unregister_class(shown)
    shown.bl_parent_id, shown.bl_order, shown.bl_options = parent, order, options
    bpy.utils.register_class(shown)
    view()[3].show_region_ui = False
    yield 0.5


def settled(milliseconds):
    """Share of draws at the 50th, 99th percentile and the longest, in ms."""
    return [round(float(np.percentile(milliseconds, q)), 2) for q in (50, 99, 100)]


def playback(scene, overlay, source, seconds):
    """Plays at 24 a second, as far as Blender's own redraws let it; times of the add-on's draws."""
    source.kind, source.size = "played", GENERATED
    for frame in range(scene.frame_start, scene.frame_end + 1):
        source.shown(scene, frame)
    times = []
    scene.render.fps = 24

    def note(*_):
        times.append(time.perf_counter())

    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.screen.animation_play()
    yield 3.0  # The shader is compiled and memory taken at the first draws.
    bpy.app.handlers.frame_change_post.append(note)
    for times_of in (overlay.draw_ms, overlay.work_ms, overlay.upload_ms):
        times_of.clear()
    yield seconds
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.screen.animation_cancel(restore_frame=False)
    bpy.app.handlers.frame_change_post.remove(note)
    return {
        "frames": len(times),
        "fps": round((len(times) - 1) / (times[-1] - times[0]), 1),
        "draws": len(overlay.draw_ms),
        "draw_ms_50_99_100": settled(overlay.draw_ms),
        "work_ms_50_99_100": settled(overlay.work_ms),
        "upload_ms_50_99_100": settled(overlay.upload_ms),
    }


def redraw_ms(times=12):
    """Of the whole viewport, drawn again and again without anything else, in ms."""
    taken = []
    with bpy.context.temp_override(**window.viewport()):
        for _ in range(times):
            began = time.perf_counter()
            bpy.ops.wm.redraw_timer(type="DRAW", iterations=1)
            taken.append(1000 * (time.perf_counter() - began))
    return round(float(np.median(taken)), 2)


def handing_over(picture, times=20):
    """Ways to bring a picture to the GPU, each in ms: the least and the middle of `times`, taken in turns."""
    height, width = picture.shape[:2]
    pictures = part("inspatio_blender.live.pictures")
    packed = np.full((height, width, 4), pictures.COMMON, np.uint8)
    floats = np.ones((height, width, 4), np.float32)

    def hand_over(values, form):
        return gpu.types.GPUTexture(
            (width, height), format=form, data=gpu.types.Buffer("FLOAT", values.size, values)
        )

    def as_floats():
        for channel in range(3):
            np.divide(picture[..., channel], np.float32(255), out=floats[..., channel])
        return floats.reshape(-1)

    def as_bytes():
        pictures.pack(picture, packed)
        return packed.reshape(-1).view(np.float32)

    ways = {
        "four floats": lambda: hand_over(as_floats(), "RGBA32F"),
        "four floats, kept as bytes": lambda: hand_over(as_floats(), "RGBA8"),
        "four halves": lambda: hand_over(as_floats(), "RGBA16F"),
        "packed": lambda: hand_over(as_bytes(), "R32F"),
        "packing alone": as_bytes,
    }
    taken = {name: [] for name in ways}

    def draw():
        if len(taken["packed"]) < times:
            for name, way in ways.items():
                began = time.perf_counter()
                way()
                taken[name].append(1000 * (time.perf_counter() - began))

    handler = bpy.types.SpaceView3D.draw_handler_add(draw, (), "WINDOW", "POST_PIXEL")
    while len(taken["packed"]) < times:
        window.viewport()["area"].tag_redraw()
        yield 0.05
    bpy.types.SpaceView3D.draw_handler_remove(handler, "WINDOW")
    return {name: [round(min(ms), 2), round(float(np.median(ms)), 2)] for name, ms in taken.items()}


def bench(scene, camera, overlay_of, source):
    """The times of one 832x480 picture after another."""
    plain(scene, camera)
    scene.inspatio.live_look.place, scene.inspatio.live_look.mix = "OVER", "NORMAL"
    camera.data.passepartout_alpha = 0.5
    found = {}
    source.kind = "noise"
    source.size = GENERATED
    rounds = {"without": [], "with": [], "with_new": []}
    overlay = None
    for _ in range(3):
        rounds["without"].append(redraw_ms())
        overlay = overlay_of(source)
        redraw_ms(2)
        rounds["with"].append(redraw_ms())
        source.turning = True
        rounds["with_new"].append(redraw_ms())
        source.turning = False
        overlay.free()
        yield 0.1
    found["handing_over_ms"] = yield from handing_over(source.noise(*GENERATED))
    found["redraw_ms"] = {name: min(values) for name, values in rounds.items() if values}
    overlay = overlay_of(source)
    scene.frame_start, scene.frame_end = 1, 48
    found["playback"] = yield from playback(scene, overlay, source, 15.0)
    scene.inspatio.live_look.show_badge = False
    found["playback_without_badge"] = yield from playback(scene, overlay, source, 10.0)
    overlay.free()
    return found


def test(folder, mode):
    scene = window.prepare(folder, 21, save=False)
    overlays = part("inspatio_blender.live.overlay")
    camera = scene.camera
    space = view()[3]
    space.region_3d.view_perspective, space.shading.type = "CAMERA", "SOLID"
    yield 1.0
    source, found = StandInSource(), {}
    if mode == "bench":
        return (yield from bench(scene, camera, overlays.Overlay, source))
    found["frames"] = yield from frames(scene, camera, overlays.Overlay, source)
    overlay = overlays.Overlay(source)
    found["codes"] = yield from codes(scene, camera, source)
    found["difference"] = yield from looks(scene, camera, source)
    found["failure"] = overlay.failure
    overlay.free()
    yield 0.5
    return found


window.Steps(test(*arguments()[:2]), 300)
