"""What every test can use.

The repository's root is the extension's package, but its `__init__` needs Blender. For tests of the modules that
do not, the root is made importable as the package `inspatio_addon`, without running that `__init__`: their relative
imports (`from ..backend import protocol`) then work as they do inside Blender.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
ADDON = "inspatio_addon"

# Another program that takes the machine for a moment is no fault of what is tested.
settings.register_profile("inspatio", deadline=None)
settings.load_profile("inspatio")

if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

if ADDON not in sys.modules:
    package = ModuleType(ADDON)
    package.__path__ = [str(ROOT)]
    sys.modules[ADDON] = package

from tests.blenders import (  # noqa: E402, F401  (fixtures)
    blender,
    extension_zip,
    fake_old_python,
    installed,
    newest_blender,
    painting_python,
)
