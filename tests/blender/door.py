"""How a test script inside Blender enables the installed extension, and tells what it saw.

A script calls `main(test)`: `test` returns what the test outside may look at, as JSON, or raises. The process
ends at once afterwards, since bpy 4.5 hangs at exit once it has rendered.
"""

import json
import os
import sys
import threading
import traceback
from contextlib import contextmanager

import addon_utils
import bpy

ADDON = os.environ.get("INSPATIO_ADDON", "bl_ext.user_default.inspatio_blender")
"""The extension's module: of the repository for files from disk, unless a test installs it from another."""


def arguments():
    """What the test outside passed: after "--" for a Blender, everything for the bpy module."""
    return sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]


def enable():
    """Enable the installed extension; returns its package."""
    package = addon_utils.enable(ADDON, default_set=True)
    assert package is not None, "the extension cannot be enabled"
    assert ADDON.split(".")[1] in package.__file__, package.__file__
    return package


def disable():
    addon_utils.disable(ADDON, default_set=True)


def part(name):
    """A module of the enabled extension, for example "inspatio_blender.cameras"."""
    import importlib

    return importlib.import_module(f"{ADDON}.{name}")


@contextmanager
def raises(error, words):
    """The block has to raise `error` with `words` in its message."""
    try:
        yield
    except error as raised:
        if words not in str(raised):
            raise AssertionError(f"“{words}” is not in: {raised}") from raised
    else:
        raise AssertionError(f"nothing was raised that says “{words}”")


@contextmanager
def held(module, name):
    """A function of a module that does not begin before the event that this gives is set."""
    event, whole = threading.Event(), getattr(module, name)

    def waiting(*arguments):
        event.wait(60)
        return whole(*arguments)

    setattr(module, name, waiting)
    try:
        yield event
    finally:
        event.set()
        setattr(module, name, whole)


def main(test):
    code = 1
    try:
        result = test(*arguments())
        path = os.environ.get("INSPATIO_RESULT")
        if path:
            with open(path, "w") as file:
                json.dump(result, file)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            disable()
        except Exception:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


@contextmanager
def changed(module, **values):
    """Names of a module that are something else for a while."""
    before = {name: getattr(module, name) for name in values}
    try:
        for name, value in values.items():
            setattr(module, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)


def simple_scene(width=256, height=144, frames=21):
    """A scene of a few boxes on a floor with a camera that moves: small, and quick to render."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    enable()
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 2
    scene.cycles.use_denoising = False
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.frame_start, scene.frame_end = 1, frames
    for location, size in (((0, 0, 0.5), 1), ((1.5, 1, 0.75), 1.5), ((-1.5, 2, 1), 2)):
        bpy.ops.mesh.primitive_cube_add(size=size, location=location)
        material = bpy.data.materials.new("box")
        material.diffuse_color = (0.5 + location[0] / 4, 0.4, 0.3, 1)
        bpy.context.view_layer.objects.active.data.materials.append(material)
    bpy.ops.mesh.primitive_plane_add(size=30)
    bpy.ops.object.light_add(type="SUN", rotation=(0.5, 0.3, 0))
    bpy.ops.object.camera_add(location=(0, -6, 2), rotation=(1.4, 0, 0))
    camera = scene.camera = bpy.context.view_layer.objects.active
    camera.keyframe_insert("location", frame=1)
    camera.location.x = 0.8
    camera.keyframe_insert("location", frame=frames)
    scene.frame_set(1)
    return scene
