"""The extension's door: Blender calls register() when InSpatio is enabled and unregister() when it is disabled."""


def _modules():
    """Every module with something to register, in the order that lets each find what it needs."""
    from .inspatio_blender import (
        camera_settings,
        driver,
        headless,
        heat_strip,
        listing,
        preferences,
        settings,
        timeline,
    )
    from .operators import (
        backend,
        capture,
        colour,
        coverage,
        export,
        farm,
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
    from .panels import live as live_panel
    from .panels import live_view as live_view_panel
    from .panels import preferences as preferences_page
    from .panels import reference, shot
    from .panels import takes as takes_panel
    from .panels import time as time_panel
    from .panels import world as world_panel

    return (
        settings,
        camera_settings,
        preferences_page,
        preferences,
        listing,
        driver,
        timeline,
        heat_strip,
        headless,
        capture,
        world,
        recover,
        generate,
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
        backend_panel,
    )


def register():
    for module in _modules():
        module.register()


def unregister():
    for module in reversed(_modules()):
        module.unregister()
