"""Install the built extension, enabled, as a user would from a file."""

import bpy
from door import ADDON, main


def install(path):
    result = bpy.ops.extensions.package_install_files(
        repo="user_default", filepath=path, enable_on_install=True
    )
    assert result == {"FINISHED"}, result
    assert ADDON in bpy.context.preferences.addons, list(bpy.context.preferences.addons.keys())
    bpy.ops.wm.save_userpref()
    return {"package": ADDON}


main(install)
