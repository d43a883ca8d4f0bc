"""Enabling, disabling and enabling again leaves nothing behind."""

import threading

import bpy
from door import ADDON, disable, enable, main, part


def traces():
    """What the extension could leave behind."""
    handlers = [
        f"{name}: {function.__module__}"
        for name in dir(bpy.app.handlers)
        if isinstance(getattr(bpy.app.handlers, name), list)
        for function in getattr(bpy.app.handlers, name)
        if getattr(function, "__module__", "").startswith(ADDON)
    ]
    classes = [
        f"{base.__name__}: {cls.__name__}"
        for base in (
            bpy.types.Operator,
            bpy.types.Panel,
            bpy.types.Menu,
            bpy.types.UIList,
            bpy.types.PropertyGroup,
        )
        for cls in base.__subclasses__()
        if cls.__module__.startswith(ADDON) and getattr(cls, "is_registered", False)
    ]
    threads = [thread.name for thread in threading.enumerate() if thread.name.startswith("inspatio")]
    properties = [
        owner.__name__ for owner in (bpy.types.Scene, bpy.types.WindowManager) if hasattr(owner, "inspatio")
    ]
    return {"handlers": handlers, "classes": classes, "threads": threads, "properties": properties}


def test():
    disable()
    clean = traces()
    for _ in range(2):
        enable()
        assert bpy.context.scene.inspatio.preset == "tiny"
        assert "Tiny" in bpy.context.scene.inspatio.bl_rna.properties["prompt"].description
        assert bpy.ops.inspatio.generate.poll()
        during, tick = traces(), part("inspatio_blender.driver")._tick
        assert during["handlers"], during
        assert during["classes"], during
        assert sorted(during["threads"]) == ["inspatio-film", "inspatio-worker"], during
        assert bpy.app.timers.is_registered(tick)
        disable()
        assert not bpy.app.timers.is_registered(tick)
        assert traces() == clean, traces()
    assert clean == {"handlers": [], "classes": [], "threads": [], "properties": []}, clean
    return {}


main(test)
