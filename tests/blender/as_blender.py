"""The module bpy in the place of a Blender: `--command inspatio ...` is done by the extension that is installed."""

import os
import sys

import bpy  # noqa: F401  before what is only there with it
from door import ADDON, disable, enable, part

if sys.argv[1:3] == ["--command", "inspatio"]:
    enable()
    code = part("inspatio_blender.headless").run(sys.argv[3:])
    disable()
    os._exit(code)
sys.stderr.write(f"{ADDON} is asked for something else: {sys.argv[1:]}\n")
os._exit(1)
