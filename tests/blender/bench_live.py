"""In the window, with the real backend and tiny: how fast and how lean the live preview is, for tests/bench_live.py.

"On the screen" is when a draw handler that runs after the add-on's own is called with the new picture; the window is
handed to the screen right after.
"""

import dataclasses
import math
import os
import time

import bpy
import window
from door import arguments, part

LARGE = (832, 480)
PLAYED = 21
"""Two blocks: 9 and 12."""
FRAMES = 57
"""Five blocks: 9 and four times 12."""
WARM_UP_S = 120.0
"""Of flying, before memory is looked at."""


class Watch:
    """The preview's blocks, and what was drawn when: (time, key, stale, frame) of each redraw that shows a picture."""

    def __init__(self, scene, preview):
        self.scene, self.preview, self.drawn, self.blocks = scene, preview, [], []
        self._told, preview.handle = preview.handle, self._hear
        self._handler = bpy.types.SpaceView3D.draw_handler_add(self._note, (), "WINDOW", "POST_PIXEL")

    def _note(self):
        frame = self.scene.frame_current
        shown = self.preview.shown(self.scene, frame)
        if shown is not None and shown.array is not None:
            self.drawn.append((time.monotonic(), shown.key, shown.stale, frame))

    def _hear(self, event):
        if isinstance(event, part("inspatio_blender.jobs").PreviewBlock):
            self.blocks.append(event)
        return self._told(event)

    def end(self):
        self.preview.handle = self._told
        bpy.types.SpaceView3D.draw_handler_remove(self._handler, "WINDOW")


def p(values, share):
    """A percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else None


def megabytes(pid):
    """Memory of a process that nobody else has."""
    with open(f"/proc/{pid}/statm") as file:
        _, resident, shared, *_ = map(int, file.read().split())
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE") / 1e6


def slope(points):
    """Least squares of (minutes, megabytes)."""
    n = len(points)
    mx, my = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    return sum((x - mx) * (y - my) for x, y in points) / max(1e-9, sum((x - mx) ** 2 for x, _ in points))


def say(text):
    print(f"BENCH {text}", flush=True)


def keys(camera):
    """A move from the left to the right, a key each twelve frames."""
    camera.animation_data_clear()
    x = camera.location.x
    for index in range(FRAMES // 12 + 2):
        camera.location.x = x + 0.12 * index
        camera.keyframe_insert("location", index=0, frame=1 + 12 * index)
    curve = part("inspatio_blender.curves").find_curves(camera)["location", 0]
    for point in curve.keyframe_points:
        point.interpolation = "LINEAR"
    curve.update()


def only_viewport():
    """A step: the viewport fills the window, as for playing a shot; Blender's own floor is not drawn."""
    place = window.viewport()
    space = place["area"].spaces.active
    space.region_3d.view_perspective = "CAMERA"
    space.shading.type = "SOLID"
    space.overlay.show_floor = space.overlay.show_axis_x = space.overlay.show_axis_y = False
    with bpy.context.temp_override(**place):
        bpy.ops.screen.screen_full_area(use_hide_panels=True)
    yield 1.0
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.view3d.view_center_camera()
    yield 1.0


def play(scene, seconds):
    """Steps: redraws of the viewport a second while the animation plays for so long."""
    drawn = []
    handler = bpy.types.SpaceView3D.draw_handler_add(lambda: drawn.append(1), (), "WINDOW", "POST_PIXEL")
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.screen.animation_play()
    began = time.monotonic()
    yield seconds
    taken = time.monotonic() - began
    with bpy.context.temp_override(**window.viewport()):
        bpy.ops.screen.animation_cancel(restore_frame=False)
    bpy.types.SpaceView3D.draw_handler_remove(handler, "WINDOW")
    return len(drawn) / taken


def playback(scene, runtime, preview, watch):
    """Every frame is generated: how fast they are played, and what of each tick is ours."""
    scene.frame_set(1)
    yield 1.0
    preview.overlay.draw_ms.clear()
    preview.overlay.work_ms.clear()
    preview.overlay.upload_ms.clear()
    runtime.tick_ms.clear()
    watch.drawn.clear()
    rate = yield from play(scene, 15.0)
    frames = sum(a[3] != b[3] for a, b in zip(watch.drawn, watch.drawn[1:], strict=False))
    draws, ticks = list(preview.overlay.draw_ms), list(runtime.tick_ms)
    return {
        "frames_a_second": round(rate * frames / max(1, len(watch.drawn) - 1), 2),
        "wanted_a_second": 24,
        "redraws": len(draws),
        "draw_ms_p50": p(draws, 0.5),
        "draw_ms_p99": p(draws, 0.99),
        "draw_work_ms_p99": p(list(preview.overlay.work_ms), 0.99),
        "upload_ms_p99": p(list(preview.overlay.upload_ms), 0.99),
        "tick_ms_p99": p(ticks, 0.99),
        "share_ms_p99": (p(draws, 0.99) or 0.0) + (p(ticks, 0.99) or 0.0),
    }


def edit(scene, block, by):
    """Move the key in the middle of a block."""
    curve = part("inspatio_blender.curves").find_curves(scene.camera)["location", 0]
    point = curve.keyframe_points[block]
    point.co.y += by
    curve.update()
    scene.camera.animation_data.action.update_tag()
    return time.monotonic()


def edits(scene, preview, watch):
    """From the end of an edit to the first new picture of the frame that is looked at; blocks generated for it."""
    plan, found = preview.source, []
    total = 1 + (FRAMES - 9) // 12
    for turn, key in enumerate((2, 4, 3, 5, 4, 5)):
        # A straight line bends from the frame after the key before on.
        frame = 1 + 12 * (key - 1) + 1
        index = frame - 1
        block = 0 if index < 9 else 1 + (index - 9) // 12
        scene.frame_set(frame)
        yield 0.5
        watch.drawn.clear()
        watch.blocks.clear()
        before, generated = preview.shown(scene, frame).key, plan.blocks_generated
        began = edit(scene, key, 0.05 if turn % 2 else -0.05)
        new = []

        def drawn(before=before, frame=frame, new=new):
            new[:] = [w for w in watch.drawn if w[1] != before and not w[2] and w[3] == frame]
            return bool(new)

        yield drawn
        made = watch.blocks[0]
        yield lambda generated=generated: plan.blocks_generated > generated and not plan.missing
        found.append(
            {
                "block": block,
                "seconds": round(new[0][0] - began, 3),
                "block_seconds": round(made.seconds, 3),
                "until_asked_ms": round(1000 * (made.generated_at - made.seconds - began), 1),
                "until_drawn_ms": round(1000 * (new[0][0] - made.generated_at), 1),
                "over_ms": round(1000 * (new[0][0] - began - made.seconds), 1),
                "generated": plan.blocks_generated - generated,
                "expected": total - block,
            }
        )
        say(f"edit {found[-1]}")
    return {
        "blocks": total,
        "edits": found,
        "over_ms_worst": max(one["over_ms"] for one in found),
        "over_ms_wanted": 150,
        "counts_right": all(one["generated"] == one["expected"] for one in found),
    }


class Lateness:
    """How long after it was flown each frame of a flight is first drawn: in seconds, and in block times.

    A camera goes through two blocks: it is flown during the one before its own. The mean of their times is one.
    """

    def __init__(self, watch):
        self.watch, self.known, self.seconds, self.blocks = watch, set(), [], []

    def take_in(self):
        drawn, self.watch.drawn = self.watch.drawn, []
        for when, key, _, _ in drawn:
            number = key[2]
            flown = self.watch.preview.source.seconds_of(number)
            made = self.watch.blocks
            own = next((i for i, one in enumerate(made) if 0 <= number - one.first < one.count), 0)
            if flown is not None and number not in self.known and own > 0:
                self.known.add(number)
                self.seconds.append(when - flown)
                self.blocks.append(2 * (when - flown) / (made[own].seconds + made[own - 1].seconds))
        del self.watch.blocks[:-4]


def flight(scene, runtime, preview, watch, seconds):
    """A camera that moves without end: how late its pictures are, and what becomes of the memory."""
    camera = scene.camera
    home = tuple(camera.location)
    camera.animation_data_clear()
    start = time.monotonic()

    def move():
        t = time.monotonic() - start
        camera.location = (home[0] + 0.8 * math.sin(t / 2), home[1], home[2] + 0.1 * math.sin(t / 3))
        return 0.02

    bpy.app.timers.register(move)
    scene.inspatio.live_mode = "FLY"
    yield lambda: preview.is_flying and preview.source.blocks_generated > 3
    preview.overlay.draw_ms.clear()
    runtime.tick_ms.clear()
    watch.drawn.clear()
    watch.blocks.clear()
    began, told, late, memory = time.monotonic(), 0.0, Lateness(watch), []
    backend = runtime.backend_status["pid"]
    while (now := time.monotonic()) - began < seconds:
        yield 0.5
        late.take_in()
        if now - told > 5.0:
            told = now
            memory.append(((now - began) / 60.0, megabytes(os.getpid()), megabytes(backend)))
            say(f"flying {memory[-1]}")
    bpy.app.timers.unregister(move)
    settled = [point for point in memory if point[0] * 60.0 >= WARM_UP_S] or memory
    return {
        "seconds": seconds,
        "frames": len(late.seconds),
        "late_s_p50": p(late.seconds, 0.5),
        "late_s_p99": p(late.seconds, 0.99),
        "late_blocks_p50": p(late.blocks, 0.5),
        "late_blocks_p99": p(late.blocks, 0.99),
        "late_blocks_wanted": 2,
        "blender_mb": [round(point[1], 1) for point in (memory[0], settled[0], memory[-1])],
        "backend_mb": [round(point[2], 1) for point in (memory[0], settled[0], memory[-1])],
        "blender_mb_a_minute": round(slope([(t, mb) for t, mb, _ in settled]), 3),
        "backend_mb_a_minute": round(slope([(t, mb) for t, _, mb in settled]), 3),
        "draw_ms_p99": p(list(preview.overlay.draw_ms), 0.99),
        "tick_ms_p99": p(list(runtime.tick_ms), 0.99),
    }


def begun(scene, runtime):
    """Steps: a preview of the whole shot, every frame of it generated."""
    bpy.ops.inspatio.preview_start()
    preview = runtime.preview
    yield lambda: preview.missing == 0
    return preview


def bench(folder, flying_s):
    scene = window.prepare(folder, PLAYED)
    runtime = part("inspatio_blender.driver").get()
    presets = part("inspatio_blender.settings").PRESETS
    tiny = presets["tiny"]
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 1664, 960, 100
    yield from only_viewport()
    keys(scene.camera)
    scene.frame_set(1)
    bpy.ops.inspatio.capture_reference("EXEC_DEFAULT")
    yield lambda: runtime.working is None
    area = window.viewport()["region"]
    found = {"size": [tiny.width, tiny.height], "viewport": [area.width, area.height]}
    scene.render.fps, scene.sync_mode = 24, "NONE"
    found["blender_alone_frames_a_second"] = round((yield from play(scene, 10.0)), 2)
    say(f"without a preview {found['blender_alone_frames_a_second']} frames a second")

    # The add-on has tiny generate its own size; here it is as large as what the large presets make.
    presets["tiny"] = dataclasses.replace(tiny, width=LARGE[0], height=LARGE[1])
    preview = yield from begun(scene, runtime)
    watch = Watch(scene, preview)
    shown = preview.shown(scene, 1).array.shape
    found["playback"] = {
        "size": [shown[1], shown[0]],
        **(yield from playback(scene, runtime, preview, watch)),
    }
    say(f"playback {found['playback']}")
    watch.end()
    bpy.ops.inspatio.preview_stop()
    presets["tiny"] = tiny

    scene.frame_end = FRAMES
    scene.frame_set(1)
    preview = yield from begun(scene, runtime)
    watch = Watch(scene, preview)
    found["editing"] = yield from edits(scene, preview, watch)
    found["flying"] = yield from flight(scene, runtime, preview, watch, float(flying_s))
    say(f"flying {found['flying']}")
    watch.end()
    bpy.ops.inspatio.preview_stop()
    runtime.stop_backend()
    yield lambda: runtime.backend_status is None
    return found


window.Steps(bench(*arguments()), limit=3000.0)
