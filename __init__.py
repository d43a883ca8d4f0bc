"""The extension's door: Blender calls register() when InSpatio is enabled and unregister() when it is disabled."""


def _modules():
    """Every module with something to register, in the order that lets each find what it needs."""
    from .inspatio_blender import camera_settings, driver, listing, preferences, settings
    from .operators import (
        backend,
        capture,
        colour,
        export,
        generate,
        recover,
        scene_folder,
        setting_up,
        takes,
        world,
    )
    from .panels import backend as backend_panel
    from .panels import preferences as preferences_page
    from .panels import reference, shot
    from .panels import takes as takes_panel
    from .panels import world as world_panel

    return (
        settings,
        camera_settings,
        preferences_page,
        preferences,
        listing,
        driver,
        capture,
        world,
        recover,
        generate,
        export,
        scene_folder,
        takes,
        backend,
        setting_up,
        colour,
        shot,
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
