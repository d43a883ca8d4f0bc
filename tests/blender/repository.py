"""A repository of extensions on a file server: added and installed from, or updated from, with a take afterwards."""

import sys
from pathlib import Path

import bpy
from door import ADDON, enable, main, part, simple_scene

NAME = ADDON.split(".")[1]


def index(module):
    """Index of a repository in the preferences."""
    repositories = bpy.context.preferences.extensions.repos
    return next(place for place, one in enumerate(repositories) if one.module == module)


def sync():
    assert bpy.ops.extensions.repo_sync(repo_index=index(NAME)) == {"FINISHED"}


def version():
    """The version that is enabled, as manifest and backend tell it."""
    folder = Path(sys.modules[ADDON].__file__).parent
    manifest = (folder / "blender_manifest.toml").read_text()
    line = next(line for line in manifest.splitlines() if line.startswith("version"))
    told = line.split('"')[1]
    assert part("backend").__version__ == told
    return told


def settings():
    return bpy.context.preferences.addons[ADDON].preferences


def install(url):
    """Add the repository, install from it, and choose something in the preferences."""
    repositories = bpy.context.preferences.extensions.repos
    repository = repositories.new(name="InSpatio", module=NAME, remote_url=url)
    assert not repository.use_custom_directory
    sync()
    installed = bpy.ops.extensions.package_install(repo_index=index(NAME), pkg_id="inspatio_blender")
    assert installed == {"FINISHED"}
    assert ADDON in bpy.context.preferences.addons, "installed, but not enabled"
    settings().take_folder = "//frames from elsewhere"
    settings().autostart = False
    bpy.ops.wm.save_userpref()


def refuse_a_copy(zip_file):
    """A copy from disk is not enabled beside ours, and ours goes on."""
    import addon_utils  # Which is there once bpy is.

    copied = bpy.ops.extensions.package_install_files(
        repo="user_default", filepath=zip_file, enable_on_install=False
    )
    assert copied == {"FINISHED"}
    refused = []
    copy = "bl_ext.user_default.inspatio_blender"
    assert addon_utils.enable(copy, handle_error=lambda error: refused.append(str(error))) is None
    said = f"InSpatio is enabled already, from the repository {NAME}: uninstall it there first"
    assert refused == [said], refused
    bpy.ops.extensions.package_uninstall(repo_index=index("user_default"), pkg_id="inspatio_blender")
    assert bpy.context.scene.inspatio.preset == "tiny"
    assert bpy.ops.inspatio.generate.poll()


def update(folder):
    """Update while the extension is enabled and its backend runs; a take before, and one after."""
    bpy.ops.wm.read_userpref()  # The module begins with those of the factory.
    bpy.context.preferences.system.use_online_access = True
    enable()
    assert settings().take_folder == "//frames from elsewhere"
    settings().autostart = True
    scene = take(folder)
    pid = part("inspatio_blender.driver").get().worker.backend.ready.pid
    before = version()
    sync()
    assert bpy.ops.extensions.package_upgrade_all(use_active_only=False) == {"FINISHED"}
    assert version() != before
    assert settings().take_folder == "//frames from elsewhere", "the preferences outlive an update"
    assert settings().autostart
    assert scene.inspatio.seed == 11, "the scene's settings do, too"
    assert not Path(f"/proc/{pid}").exists() or sys.platform != "linux", "the old backend is gone"
    assert bpy.ops.inspatio.generate() == {"FINISHED"}
    assert part("inspatio_blender.driver").get().progress.number == 2


def take(folder):
    scene = simple_scene(frames=9)
    scene.inspatio.seed = 11
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(folder) / "scene.blend"))
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    assert bpy.ops.inspatio.generate() == {"FINISHED"}
    return scene


def test(what, argument, zip_file):
    bpy.context.preferences.system.use_online_access = True
    if what == "install":
        install(argument)
        refuse_a_copy(zip_file)
    else:
        update(argument)
    return {"version": version(), "file": sys.modules[ADDON].__file__}


main(test)
