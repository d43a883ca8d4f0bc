"""The extension's door: Blender calls register() when InSpatio is enabled and unregister() when it is disabled."""


def _modules():
    """Every module with something to register, in the order that lets each find what it needs."""
    from .inspatio_blender import (
        camera_settings,
        driver,
        film_listing,
        headless,
        heat_strip,
        listing,
        preferences,
        settings,
        timeline,
    )
    from .inspatio_blender.engine import engine
    from .operators import (
        backend,
        capture,
        colour,
        coverage,
        export,
        farm,
        film,
        generate,
        live,
        recover,
        scene_folder,
        setting_up,
        takes,
        time,
        world,
    )
    from .panels import backend as backend_panel
    from .panels import coverage as coverage_panel
    from .panels import film as film_panel
    from .panels import live as live_panel
    from .panels import live_view as live_view_panel
    from .panels import preferences as preferences_page
    from .panels import reference, render, shot
    from .panels import takes as takes_panel
    from .panels import time as time_panel
    from .panels import world as world_panel

    return (
        settings,
        camera_settings,
        preferences_page,
        preferences,
        listing,
        film_listing,
        driver,
        timeline,
        heat_strip,
        engine,
        headless,
        capture,
        world,
        recover,
        generate,
        film,
        live,
        export,
        farm,
        scene_folder,
        takes,
        backend,
        setting_up,
        colour,
        coverage,
        time,
        shot,
        coverage_panel,
        time_panel,
        live_panel,
        live_view_panel,
        reference,
        world_panel,
        takes_panel,
        film_panel,
        backend_panel,
        render,
    )


def _check_alone():
    """Refuse to be enabled beside another copy, from another repository or from disk: they would share all names."""
    import sys

    for name, module in list(sys.modules.items()):
        is_copy = name.startswith("bl_ext.") and name.endswith(".inspatio_blender") and name != __package__
        if is_copy and getattr(module, "__addon_enabled__", False):
            repository = name.split(".")[1]
            raise RuntimeError(
                f"InSpatio is enabled already, from the repository {repository}: uninstall it there first"
            )


def register():
    _check_alone()
    for module in _modules():
        module.register()


def unregister():
    for module in reversed(_modules()):
        module.unregister()
