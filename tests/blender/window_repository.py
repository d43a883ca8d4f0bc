"""The list of extensions in the preferences: ours from a repository, then installed, then with an update."""

import os

import bpy
import window
from door import ADDON, arguments

NAME = ADDON.split(".")[1]


def test(url):
    bpy.context.preferences.view.show_splash = False
    bpy.ops.wm.read_homefile(use_empty=True)  # Takes away the one that is there.
    yield 1.0
    bpy.context.preferences.system.use_online_access = True
    repositories = bpy.context.preferences.extensions.repos
    for one in list(repositories):  # The official one would be asked, too.
        if one.use_remote_url:
            repositories.remove(one)
    repositories.new(name="InSpatio", module=NAME, remote_url=url)
    place = next(index for index, one in enumerate(repositories) if one.module == NAME)
    assert bpy.ops.extensions.repo_sync(repo_index=place) == {"FINISHED"}
    area = window.viewport()["area"]
    area.type = "PREFERENCES"
    bpy.context.preferences.active_section = "EXTENSIONS"
    bpy.ops.extensions.package_show_set(pkg_id="inspatio_blender", repo_index=place)
    yield 1.5
    yield from window.ask("shot repository_1_available")
    installed = bpy.ops.extensions.package_install(repo_index=place, pkg_id="inspatio_blender")
    assert installed == {"FINISHED"}, installed
    assert ADDON in bpy.context.preferences.addons
    area.tag_redraw()
    yield 1.5
    yield from window.ask("shot repository_2_installed")
    yield from window.ask("serve newer")
    assert bpy.ops.extensions.repo_sync(repo_index=place) == {"FINISHED"}
    area.tag_redraw()
    yield 1.5
    yield from window.ask("shot repository_3_update")
    assert bpy.ops.extensions.package_upgrade_all(use_active_only=False) == {"FINISHED"}
    area.tag_redraw()
    yield 1.5
    yield from window.ask("shot repository_4_updated")
    from bl_ext import inspatio_test

    return {
        "version": inspatio_test.inspatio_blender.backend.__version__,
        "resources": os.environ["BLENDER_USER_RESOURCES"],
    }


window.Steps(test(*arguments()), 120)
