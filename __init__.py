"""The extension's door: Blender calls register() when InSpatio is enabled and unregister() when it is disabled."""


def _modules():
    """Every module with something to register, in the order that lets each find what it needs."""
    from .inspatio_blender import driver, listing, preferences, settings
    from .operators import backend, capture, colour, export, generate, scene_folder, setting_up, takes, world
    from .panels import backend as backend_panel
    from .panels import preferences as preferences_page
    from .panels import reference, shot
    from .panels import takes as takes_panel
    from .panels import world as world_panel

    return (
        settings,
        preferences_page,
        preferences,
        listing,
        driver,
        capture,
        world,
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
